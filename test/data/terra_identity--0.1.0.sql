-- terra_identity: which Terra connection is current for whom.
-- Installed by CREATE EXTENSION; the extension owns its schema and everything in it.
\echo Use "CREATE EXTENSION terra_identity" to load this file. \quit

DO $$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'extension terra_identity needs a database with encoding UTF8'
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = pg_catalog.format('This database has encoding %s; Terra sends UTF-8.',
                                             pg_catalog.current_setting('server_encoding')),
                  HINT = 'Create a database with ENCODING ''UTF8''.';
    END IF;
END
$$;

CREATE SCHEMA terra_identity;
COMMENT ON SCHEMA terra_identity IS
    'Extension terra_identity: which Terra connection is current for whom. Insert webhooks into terra_identity.events.';
-- The ledger: every webhook delivery, and what was read from it.

CREATE TABLE terra_identity.events (
    event_id     bigint GENERATED ALWAYS AS IDENTITY,
    dev_id       text COLLATE "C" NOT NULL
        DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'),
    received_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    payload      jsonb NOT NULL,
    headers      jsonb,
    event_type   text COLLATE "C",
    user_id      text COLLATE "C",
    reference_id text COLLATE "C",
    provider     text COLLATE "C",
    trace_id     text COLLATE "C",
    event_time   timestamptz,
    problem      text,
    contributes  boolean,
    PRIMARY KEY (dev_id, event_id)
);

-- What came for a connection, in order. A user_id is random and rarely of two environments: dev_id would only make the
-- index larger, and comparing slower. No two entries are alike, so that looking for duplicates would find none.
CREATE INDEX events_user_id_idx ON terra_identity.events (user_id, event_time) WITH (deduplicate_items = off);
CREATE INDEX events_problem_idx ON terra_identity.events (dev_id, event_id) WHERE problem IS NOT NULL;

COMMENT ON TABLE terra_identity.events IS
    'The ledger: one row per webhook delivery. INSERT payload (and headers, dev_id, received_at if you have them); the other columns are filled in. Append-only. A delivery whose trace id is there already is skipped.';
COMMENT ON COLUMN terra_identity.events.event_id IS 'Number of the delivery, in the order of insertion';
COMMENT ON COLUMN terra_identity.events.dev_id IS
    'Environment (Terra''s dev_id). Default: the setting terra_identity.dev_id, itself ''default''. Nothing is shared between environments';
COMMENT ON COLUMN terra_identity.events.received_at IS
    'When the delivery was received; give it for backfills. The event time where the delivery has no ordering timestamp';
COMMENT ON COLUMN terra_identity.events.payload IS 'The webhook''s body';
COMMENT ON COLUMN terra_identity.events.headers IS
    'The webhook''s headers, as an object. Read are X-Terra-Trace-Id and X-Terra-Ordering-Timestamp, in any case';
COMMENT ON COLUMN terra_identity.events.event_type IS 'Filled in: the type of the payload';
COMMENT ON COLUMN terra_identity.events.user_id IS
    'Filled in: the connection that the event is about; of a user_reauth the new one. Null if it names none';
COMMENT ON COLUMN terra_identity.events.reference_id IS 'Filled in: the end user as this event names it';
COMMENT ON COLUMN terra_identity.events.provider IS 'Filled in: the provider as this event names it, in upper case';
COMMENT ON COLUMN terra_identity.events.trace_id IS
    'Filled in: X-Terra-Trace-Id, the same on every retry. Unique in its environment (table deliveries)';
COMMENT ON COLUMN terra_identity.events.event_time IS
    'Filled in: X-Terra-Ordering-Timestamp, else received_at. A row that is inserted with it is stored as it is: it comes from a dump';
COMMENT ON COLUMN terra_identity.events.problem IS
    'Filled in: why the payload is not what its type needs. Such an event changes nothing else. Null for the others';
COMMENT ON COLUMN terra_identity.events.contributes IS
    'Filled in: whether the event could say something new of its connections when it came; false for most data events, null if it came from a dump';

CREATE TABLE terra_identity.deliveries (
    dev_id   text COLLATE "C" NOT NULL,
    trace_id text COLLATE "C" NOT NULL,
    event_id bigint NOT NULL,
    PRIMARY KEY (dev_id, trace_id)
);
COMMENT ON TABLE terra_identity.deliveries IS
    'The trace ids that were delivered, each with its event: a retry of one is skipped.';
COMMENT ON COLUMN terra_identity.deliveries.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.deliveries.trace_id IS 'X-Terra-Trace-Id';
COMMENT ON COLUMN terra_identity.deliveries.event_id IS 'The event of the first delivery with this trace id';
-- The state: what follows from the ledger. The order of columns is known to src/pg/connection_row.h.

CREATE TABLE terra_identity.connections (
    connection_id           bigint GENERATED ALWAYS AS IDENTITY,
    dev_id                  text COLLATE "C" NOT NULL,
    user_id                 text COLLATE "C" NOT NULL,
    lineage_id              bigint NOT NULL,
    reference_id            text COLLATE "C",
    provider                text COLLATE "C",
    provider_user_id        text COLLATE "C",
    status                  text COLLATE "C" NOT NULL
        CHECK (status IN ('active', 'superseded', 'replaced', 'deauthenticated', 'revoked', 'failed')),
    successor_user_id       text COLLATE "C",
    confirmed               boolean NOT NULL,
    scopes                  text COLLATE "C",
    created_at              timestamptz,
    first_seen_at           timestamptz NOT NULL,
    connected_at            timestamptz NOT NULL,
    ended_at                timestamptz,
    live                    boolean NOT NULL,
    alive_at                timestamptz,
    replaced_at             timestamptz,
    replaced_by             text COLLATE "C",
    deauthenticated_at      timestamptz,
    revoked_at              timestamptz,
    failed_at               timestamptz,
    degraded_at             timestamptz,
    own_provider_user_id    text COLLATE "C",
    own_provider_user_id_at timestamptz,
    provider_at             timestamptz,
    provider_passing        boolean NOT NULL DEFAULT false,
    reference_id_at         timestamptz,
    reference_id_passing    boolean NOT NULL DEFAULT false,
    scopes_at               timestamptz,
    scopes_passing          boolean NOT NULL DEFAULT false,
    sdk                     boolean NOT NULL DEFAULT false,
    account_exclusive       boolean NOT NULL DEFAULT false,
    duplicate               boolean NOT NULL DEFAULT false,
    cyclic                  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (dev_id, user_id)
);

-- One connection by its id; a person's connections, of whatever environment; a lineage's, the newest active one last.
CREATE UNIQUE INDEX connections_connection_id_idx ON terra_identity.connections (dev_id, connection_id);
CREATE INDEX connections_reference_id_idx ON terra_identity.connections (reference_id, status);
CREATE INDEX connections_lineage_idx
    ON terra_identity.connections (dev_id, lineage_id, status, connected_at, user_id);

-- Enforced: one active connection in a slot, whatever writes. The first holds under both account policies.
CREATE UNIQUE INDEX connections_active_account_key
    ON terra_identity.connections (dev_id, provider, provider_user_id, reference_id) NULLS NOT DISTINCT
    WHERE status = 'active' AND provider IS NOT NULL AND provider_user_id IS NOT NULL;
CREATE UNIQUE INDEX connections_active_exclusive_account_key
    ON terra_identity.connections (dev_id, provider, provider_user_id)
    WHERE status = 'active' AND account_exclusive AND provider IS NOT NULL AND provider_user_id IS NOT NULL;
CREATE UNIQUE INDEX connections_active_reference_key
    ON terra_identity.connections (dev_id, provider, reference_id)
    WHERE status = 'active' AND sdk AND reference_id IS NOT NULL;

-- The order of newness in each kind of slot.
CREATE INDEX connections_account_idx
    ON terra_identity.connections (dev_id, provider, provider_user_id, reference_id, live, connected_at, user_id)
    WHERE provider_user_id IS NOT NULL;
CREATE INDEX connections_exclusive_account_idx
    ON terra_identity.connections (dev_id, provider, provider_user_id, live, connected_at, user_id)
    WHERE account_exclusive AND provider_user_id IS NOT NULL;
CREATE INDEX connections_reference_idx
    ON terra_identity.connections (dev_id, provider, reference_id, live, connected_at, user_id)
    WHERE sdk;

-- The duplicates alone.
CREATE INDEX connections_duplicate_idx
    ON terra_identity.connections (dev_id, provider, provider_user_id, connected_at, user_id) WHERE duplicate;

-- The transfers alone start from what is superseded.
CREATE INDEX connections_superseded_idx
    ON terra_identity.connections (dev_id, provider, provider_user_id) WHERE status = 'superseded';

COMMENT ON TABLE terra_identity.connections IS
    'The state: one row per connection (a Terra user), derived from the ledger by the extension. Do not write to it: SELECT * FROM terra_identity.verify() shows what does not follow from the ledger, terra_identity.rebuild() mends it.';
COMMENT ON COLUMN terra_identity.connections.connection_id IS 'Given at first sight, for ever';
COMMENT ON COLUMN terra_identity.connections.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.connections.user_id IS 'Terra''s id of the connection; replaced whenever the person reconnects';
COMMENT ON COLUMN terra_identity.connections.lineage_id IS
    'The id to keep in your app: it stays when the user_id changes. The least connection_id among the connections that one end user has had to one provider account';
COMMENT ON COLUMN terra_identity.connections.reference_id IS 'The end user: your app''s own id';
COMMENT ON COLUMN terra_identity.connections.provider IS 'GARMIN, FITBIT, APPLE ..., in upper case';
COMMENT ON COLUMN terra_identity.connections.provider_user_id IS
    'The provider account: its own, from athlete events, else that of the connection it replaced';
COMMENT ON COLUMN terra_identity.connections.status IS
    'active; superseded (a newer connection took its slot), replaced (by user_reauth), deauthenticated, revoked (by the provider), failed (auth error)';
COMMENT ON COLUMN terra_identity.connections.successor_user_id IS
    'If replaced or superseded: the connection that took its place';
COMMENT ON COLUMN terra_identity.connections.confirmed IS
    'It was connected by an auth success or a user_reauth; false: only seen in passing';
COMMENT ON COLUMN terra_identity.connections.scopes IS 'What it may export, comma-separated, as last told';
COMMENT ON COLUMN terra_identity.connections.created_at IS 'The least created_at of its user objects; null if none had one';
COMMENT ON COLUMN terra_identity.connections.first_seen_at IS 'The least event time of the events that name it';
COMMENT ON COLUMN terra_identity.connections.connected_at IS 'created_at, else first_seen_at; with user_id, the order of newness';
COMMENT ON COLUMN terra_identity.connections.ended_at IS
    'When what the status names happened; if superseded, when the successor connected; null if active';
COMMENT ON COLUMN terra_identity.connections.live IS 'Fact: something else than an ending event named it';
COMMENT ON COLUMN terra_identity.connections.alive_at IS 'Fact: the latest proof of life; one later than every end revives it';
COMMENT ON COLUMN terra_identity.connections.replaced_at IS 'Fact: the last user_reauth that names it as old';
COMMENT ON COLUMN terra_identity.connections.replaced_by IS 'Fact: the new user_id of that';
COMMENT ON COLUMN terra_identity.connections.deauthenticated_at IS 'Fact: the last deauth';
COMMENT ON COLUMN terra_identity.connections.revoked_at IS 'Fact: the last access_revoked';
COMMENT ON COLUMN terra_identity.connections.failed_at IS 'Fact: the last auth that was no success';
COMMENT ON COLUMN terra_identity.connections.degraded_at IS 'Fact: the last connection_error';
COMMENT ON COLUMN terra_identity.connections.own_provider_user_id IS 'Fact: the account named by its own athlete events';
COMMENT ON COLUMN terra_identity.connections.own_provider_user_id_at IS 'Fact: when that was said';
COMMENT ON COLUMN terra_identity.connections.provider_at IS 'Fact: when the provider was said';
COMMENT ON COLUMN terra_identity.connections.provider_passing IS 'Fact: it was said by a passing event only';
COMMENT ON COLUMN terra_identity.connections.reference_id_at IS 'Fact: when the reference_id was said';
COMMENT ON COLUMN terra_identity.connections.reference_id_passing IS 'Fact: it was said by a passing event only';
COMMENT ON COLUMN terra_identity.connections.scopes_at IS 'Fact: when the scopes were said';
COMMENT ON COLUMN terra_identity.connections.scopes_passing IS 'Fact: they were said by a passing event only';
COMMENT ON COLUMN terra_identity.connections.sdk IS 'Its provider is an SDK provider: it holds a reference slot';
COMMENT ON COLUMN terra_identity.connections.account_exclusive IS
    'Its environment has the account policy replace: its account slot does not depend on the reference_id';
COMMENT ON COLUMN terra_identity.connections.duplicate IS
    'It is active on a provider account where another end user has an active connection';
COMMENT ON COLUMN terra_identity.connections.cyclic IS 'It is on a cycle of user_reauth events';

CREATE TABLE terra_identity.reauths (
    dev_id      text COLLATE "C" NOT NULL,
    old_user_id text COLLATE "C" NOT NULL,
    new_user_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (dev_id, old_user_id, new_user_id)
);
CREATE INDEX reauths_new_user_id_idx ON terra_identity.reauths (dev_id, new_user_id);
COMMENT ON TABLE terra_identity.reauths IS 'Which connection a user_reauth event names as the old and which as the new one.';
COMMENT ON COLUMN terra_identity.reauths.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.reauths.old_user_id IS 'The connection that was replaced';
COMMENT ON COLUMN terra_identity.reauths.new_user_id IS 'The connection that replaced it';

CREATE TABLE terra_identity.changes (
    change_id    bigint GENERATED ALWAYS AS IDENTITY,
    changed_at   timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    event_id     bigint,
    kind         text COLLATE "C" NOT NULL,
    dev_id       text COLLATE "C" NOT NULL,
    user_id      text COLLATE "C" NOT NULL,
    lineage_id   bigint NOT NULL,
    reference_id text COLLATE "C",
    detail       jsonb,
    PRIMARY KEY (dev_id, change_id)
);
CREATE INDEX changes_user_id_idx ON terra_identity.changes (user_id, change_id) WITH (deduplicate_items = off);
COMMENT ON TABLE terra_identity.changes IS
    'The feed of what changed, one row per transition of a connection. A statement with many events tells what changed from its start to its end.';
COMMENT ON COLUMN terra_identity.changes.change_id IS 'Order of the feed within a transaction; transactions in flight may add lower numbers later';
COMMENT ON COLUMN terra_identity.changes.changed_at IS 'When the change was written';
COMMENT ON COLUMN terra_identity.changes.event_id IS 'The event that brought it about; null if it was a changed rule or a rebuild';
COMMENT ON COLUMN terra_identity.changes.kind IS
    'connected, reconnected, replaced, superseded, deauthenticated, revoked, failed, revived, account_identified, reference_changed, scopes_changed, degraded, duplicate_opened, duplicate_closed, transferred, lineage_merged, anomaly';
COMMENT ON COLUMN terra_identity.changes.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.changes.user_id IS 'The connection that changed';
COMMENT ON COLUMN terra_identity.changes.lineage_id IS 'Its lineage after the change';
COMMENT ON COLUMN terra_identity.changes.reference_id IS 'Its end user after the change';
COMMENT ON COLUMN terra_identity.changes.detail IS 'What else there is to say: the previous values, the successor, the old user_id';
-- What users decide.

CREATE TABLE terra_identity.environments (
    dev_id              text COLLATE "C" PRIMARY KEY CHECK (pg_catalog.octet_length(dev_id) BETWEEN 1 AND 512),
    account_policy      text COLLATE "C" NOT NULL DEFAULT 'keep' CHECK (account_policy IN ('keep', 'replace')),
    signature_required  boolean NOT NULL DEFAULT false,
    signature_tolerance interval DEFAULT '24 hours' CHECK (signature_tolerance >= '0')
);
COMMENT ON TABLE terra_identity.environments IS
    'The rules of each environment (Terra dev_id); one without a row has the defaults. INSERT or UPDATE, either works: connections follow in the same transaction. COPY is for restoring a dump: they do not follow it, until terra_identity.rebuild(). An INSERT of one that is there sets account_policy, and never takes signature_required or signature_tolerance back to their defaults: only UPDATE does.';
COMMENT ON COLUMN terra_identity.environments.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.environments.account_policy IS
    'What a new connection of another reference_id does to the one that has the same provider account: keep (both live on: Terra''s newer API; the careful default) or replace (the older one is superseded: Terra''s current API)';

COMMENT ON COLUMN terra_identity.environments.signature_required IS
    'ingest and webhook refuse what is not signed with one of the environment''s secrets. Set by set_signing_secret; stays when the last secret ends, is dropped, or is not restored with a dump';
COMMENT ON COLUMN terra_identity.environments.signature_tolerance IS
    'How far the time of a signature may be from now, either way; null: any time. Retries may carry the time of the first attempt, and go on for a day';

CREATE TABLE terra_identity.providers (
    provider text COLLATE "C" PRIMARY KEY CHECK (provider = pg_catalog.upper(provider)),
    sdk      boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE terra_identity.providers IS
    'The providers that are connected by an SDK on the person''s device; those without a row are not. INSERT or UPDATE, either works: connections follow in the same transaction; set sdk to false rather than delete a row, which a dump would bring back.';
COMMENT ON COLUMN terra_identity.providers.provider IS 'In upper case, as in connections';
COMMENT ON COLUMN terra_identity.providers.sdk IS
    'A new device of one reference_id supersedes the older one; the provider account is that of the device and is not inherited';

INSERT INTO terra_identity.environments (dev_id) VALUES ('default');
INSERT INTO terra_identity.providers (provider, sdk)
VALUES ('APPLE', true), ('SAMSUNG', true), ('HEALTH_CONNECT', true), ('GOOGLEFIT', true), ('FREESTYLELIBRESDK', true);
-- How events come in, and how rules are followed.

CREATE FUNCTION terra_identity._read_event() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_read_event';
CREATE FUNCTION terra_identity._collect_event() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_collect_event';
CREATE FUNCTION terra_identity._apply_events() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_apply_events';
CREATE FUNCTION terra_identity._refuse_change() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_refuse_change';
CREATE FUNCTION terra_identity._insert_environment() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_insert_environment';
CREATE FUNCTION terra_identity._insert_provider() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_insert_provider';
CREATE FUNCTION terra_identity._follow_environment() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_follow_environment';
CREATE FUNCTION terra_identity._follow_rules() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_follow_rules';
CREATE FUNCTION terra_identity._forget_rules() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_forget_rules';

COMMENT ON FUNCTION terra_identity._read_event() IS 'Trigger: reads a delivery into its columns, skips a repeated one.';
COMMENT ON FUNCTION terra_identity._collect_event() IS 'Trigger: collects what an event says.';
COMMENT ON FUNCTION terra_identity._apply_events() IS 'Trigger: applies what the statement''s events say.';
COMMENT ON FUNCTION terra_identity._refuse_change() IS 'Trigger: the ledger is append-only.';
COMMENT ON FUNCTION terra_identity._insert_environment() IS 'Trigger: inserting a row that is there changes it.';
COMMENT ON FUNCTION terra_identity._insert_provider() IS 'Trigger: inserting a row that is there changes it.';
COMMENT ON FUNCTION terra_identity._follow_environment() IS 'Trigger: derives the connections again by the new rules.';
COMMENT ON FUNCTION terra_identity._follow_rules() IS 'Trigger: derives the connections again by the new rules.';
COMMENT ON FUNCTION terra_identity._forget_rules() IS 'Trigger: every session reads the rules again.';

-- Triggers of one kind fire in the order of their names: this one after those of others, which may still change the row.
CREATE TRIGGER zz_read_event BEFORE INSERT ON terra_identity.events
    FOR EACH ROW EXECUTE FUNCTION terra_identity._read_event();
CREATE TRIGGER collect_event AFTER INSERT ON terra_identity.events
    FOR EACH ROW WHEN (new.contributes) EXECUTE FUNCTION terra_identity._collect_event();
CREATE TRIGGER apply_events AFTER INSERT ON terra_identity.events
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._apply_events();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON terra_identity.events
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._refuse_change();

CREATE TRIGGER insert_environment BEFORE INSERT ON terra_identity.environments
    FOR EACH ROW EXECUTE FUNCTION terra_identity._insert_environment();
CREATE TRIGGER follow_environment AFTER INSERT OR UPDATE OR DELETE ON terra_identity.environments
    FOR EACH ROW EXECUTE FUNCTION terra_identity._follow_environment();
CREATE TRIGGER follow_rules AFTER TRUNCATE ON terra_identity.environments
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._follow_rules();
CREATE TRIGGER insert_provider BEFORE INSERT ON terra_identity.providers
    FOR EACH ROW EXECUTE FUNCTION terra_identity._insert_provider();
CREATE TRIGGER follow_rules AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON terra_identity.providers
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._follow_rules();

-- Whatever changes the rules, a restore and logical replication included, no session may go on with others.
CREATE TRIGGER forget_rules AFTER INSERT OR UPDATE OR DELETE ON terra_identity.environments
    FOR EACH ROW EXECUTE FUNCTION terra_identity._forget_rules();
CREATE TRIGGER forget_rules AFTER INSERT OR UPDATE OR DELETE ON terra_identity.providers
    FOR EACH ROW EXECUTE FUNCTION terra_identity._forget_rules();
ALTER TABLE terra_identity.environments ENABLE ALWAYS TRIGGER forget_rules;
ALTER TABLE terra_identity.providers ENABLE ALWAYS TRIGGER forget_rules;
-- What people ask.

CREATE VIEW terra_identity.current_connections WITH (security_invoker = true) AS
SELECT c.dev_id, c.reference_id, c.provider, c.user_id, c.lineage_id, c.provider_user_id, c.connected_at, c.scopes,
       c.confirmed,
       c.degraded_at IS NOT NULL AND NOT EXISTS (
           SELECT FROM terra_identity.events e
           WHERE e.dev_id = c.dev_id AND e.user_id = c.user_id AND e.event_time > c.degraded_at
             AND e.event_type <> 'connection_error' AND e.problem IS NULL) AS degraded
FROM terra_identity.connections c
WHERE c.status = 'active';
COMMENT ON VIEW terra_identity.current_connections IS
    'The active connections: whose data may be used for whom, now.';
COMMENT ON COLUMN terra_identity.current_connections.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.current_connections.reference_id IS 'The end user: your app''s own id';
COMMENT ON COLUMN terra_identity.current_connections.provider IS 'GARMIN, FITBIT, APPLE ..., in upper case';
COMMENT ON COLUMN terra_identity.current_connections.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.current_connections.provider_user_id IS 'The provider account';
COMMENT ON COLUMN terra_identity.current_connections.connected_at IS 'When it was connected: created_at, else first_seen_at';
COMMENT ON COLUMN terra_identity.current_connections.scopes IS 'What it may export, comma-separated';
COMMENT ON COLUMN terra_identity.current_connections.confirmed IS 'It was connected by an auth success or a user_reauth; false: only seen in passing';
COMMENT ON COLUMN terra_identity.current_connections.lineage_id IS 'The id to keep in your app';
COMMENT ON COLUMN terra_identity.current_connections.degraded IS
    'The last that came for it was a connection_error: the person may have to reconnect';

CREATE VIEW terra_identity.duplicate_connections WITH (security_invoker = true) AS
SELECT c.dev_id, c.provider, c.provider_user_id, c.user_id, c.reference_id, c.lineage_id, c.connected_at,
       pg_catalog.row_number() OVER newest_first = 1 AS newest,
       pg_catalog.count(*) OVER (PARTITION BY c.dev_id, c.provider, c.provider_user_id) AS connections
FROM terra_identity.connections c
WHERE c.duplicate
WINDOW newest_first AS (PARTITION BY c.dev_id, c.provider, c.provider_user_id
                        ORDER BY c.connected_at DESC, c.user_id DESC);
COMMENT ON VIEW terra_identity.duplicate_connections IS
    'One row per active connection of a provider account that several end users hold: one wearable under several people.';
COMMENT ON COLUMN terra_identity.duplicate_connections.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.duplicate_connections.provider IS 'GARMIN, FITBIT, APPLE ..., in upper case';
COMMENT ON COLUMN terra_identity.duplicate_connections.provider_user_id IS 'The provider account';
COMMENT ON COLUMN terra_identity.duplicate_connections.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.duplicate_connections.reference_id IS 'The end user: your app''s own id';
COMMENT ON COLUMN terra_identity.duplicate_connections.lineage_id IS 'The id to keep in your app';
COMMENT ON COLUMN terra_identity.duplicate_connections.connected_at IS 'When it was connected: created_at, else first_seen_at';
COMMENT ON COLUMN terra_identity.duplicate_connections.newest IS 'It is the newest of its account';
COMMENT ON COLUMN terra_identity.duplicate_connections.connections IS 'How many active connections the account has';

CREATE VIEW terra_identity.transferred_accounts WITH (security_invoker = true) AS
SELECT o.dev_id, o.provider, o.provider_user_id, o.reference_id AS from_reference_id, o.user_id AS from_user_id,
       n.reference_id AS to_reference_id, n.user_id AS to_user_id, o.ended_at AS transferred_at
FROM terra_identity.connections o
JOIN terra_identity.connections n ON n.dev_id = o.dev_id AND n.user_id = o.successor_user_id
WHERE o.status = 'superseded' AND o.account_exclusive
  AND n.provider = o.provider AND n.provider_user_id = o.provider_user_id
  AND n.reference_id IS DISTINCT FROM o.reference_id;
COMMENT ON VIEW terra_identity.transferred_accounts IS
    'Provider accounts that moved from one end user to another (account policy replace): their data now is the other person''s.';
COMMENT ON COLUMN terra_identity.transferred_accounts.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.transferred_accounts.provider IS 'GARMIN, FITBIT, APPLE ..., in upper case';
COMMENT ON COLUMN terra_identity.transferred_accounts.provider_user_id IS 'The provider account';
COMMENT ON COLUMN terra_identity.transferred_accounts.from_reference_id IS 'The end user who had the account';
COMMENT ON COLUMN terra_identity.transferred_accounts.from_user_id IS 'The connection that had it';
COMMENT ON COLUMN terra_identity.transferred_accounts.to_reference_id IS 'The end user who has it since';
COMMENT ON COLUMN terra_identity.transferred_accounts.to_user_id IS 'The connection that took it';
COMMENT ON COLUMN terra_identity.transferred_accounts.transferred_at IS 'When the other end user connected';

CREATE VIEW terra_identity.dashboard_connections WITH (security_invoker = true) AS
SELECT c.dev_id, c.provider, c.provider_user_id, c.user_id, c.reference_id, c.lineage_id, c.connected_at,
       CASE WHEN c.duplicate THEN ARRAY(
           SELECT o.user_id FROM terra_identity.connections o
           WHERE o.duplicate AND o.dev_id = c.dev_id AND o.provider = c.provider
             AND o.provider_user_id = c.provider_user_id AND o.user_id <> c.user_id
           ORDER BY o.connected_at DESC, o.user_id DESC)
       ELSE '{}' END AS other_user_ids
FROM terra_identity.connections c
WHERE c.status = 'active'
  AND NOT (c.duplicate AND EXISTS (
      SELECT FROM terra_identity.connections o
      WHERE o.duplicate AND o.dev_id = c.dev_id AND o.provider = c.provider AND o.provider_user_id = c.provider_user_id
        AND (o.connected_at, o.user_id) > (c.connected_at, c.user_id)));
COMMENT ON VIEW terra_identity.dashboard_connections IS
    'What Terra''s dashboard shows: of each provider account its newest active connection. A connection whose account is not known yet stands for itself.';
COMMENT ON COLUMN terra_identity.dashboard_connections.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.dashboard_connections.provider IS 'GARMIN, FITBIT, APPLE ..., in upper case';
COMMENT ON COLUMN terra_identity.dashboard_connections.provider_user_id IS 'The provider account';
COMMENT ON COLUMN terra_identity.dashboard_connections.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.dashboard_connections.reference_id IS 'The end user: your app''s own id';
COMMENT ON COLUMN terra_identity.dashboard_connections.lineage_id IS 'The id to keep in your app';
COMMENT ON COLUMN terra_identity.dashboard_connections.connected_at IS 'When it was connected: created_at, else first_seen_at';
COMMENT ON COLUMN terra_identity.dashboard_connections.other_user_ids IS
    'The account''s other active connections, newest first: the dashboard does not show them, but their webhooks go on';

CREATE VIEW terra_identity.shared_references WITH (security_invoker = true) AS
SELECT c.dev_id, c.reference_id, c.provider, pg_catalog.count(*) AS connections,
       pg_catalog.array_agg(c.user_id ORDER BY c.connected_at, c.user_id) AS user_ids
FROM terra_identity.connections c
WHERE c.status = 'active' AND c.reference_id IS NOT NULL AND c.provider IS NOT NULL
GROUP BY c.dev_id, c.reference_id, c.provider
HAVING pg_catalog.count(*) > 1;
COMMENT ON VIEW terra_identity.shared_references IS
    'End users with several active connections at one provider: two accounts under one reference_id.';
COMMENT ON COLUMN terra_identity.shared_references.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.shared_references.reference_id IS 'The end user: your app''s own id';
COMMENT ON COLUMN terra_identity.shared_references.provider IS 'GARMIN, FITBIT, APPLE ..., in upper case';
COMMENT ON COLUMN terra_identity.shared_references.connections IS 'How many';
COMMENT ON COLUMN terra_identity.shared_references.user_ids IS 'Which, oldest first';

CREATE VIEW terra_identity.problems WITH (security_invoker = true) AS
SELECT e.event_id, e.dev_id, e.received_at, e.event_type, e.user_id, e.trace_id, e.problem, e.payload, e.headers
FROM terra_identity.events e
WHERE e.problem IS NOT NULL;
COMMENT ON VIEW terra_identity.problems IS 'Events whose payload was not what its type needs: they changed nothing.';
COMMENT ON COLUMN terra_identity.problems.event_id IS 'Number of the delivery';
COMMENT ON COLUMN terra_identity.problems.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.problems.received_at IS 'When the delivery was received';
COMMENT ON COLUMN terra_identity.problems.event_type IS 'The type of the payload';
COMMENT ON COLUMN terra_identity.problems.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.problems.trace_id IS 'X-Terra-Trace-Id';
COMMENT ON COLUMN terra_identity.problems.problem IS 'Why the payload is not what its type needs';
COMMENT ON COLUMN terra_identity.problems.payload IS 'The webhook''s body';
COMMENT ON COLUMN terra_identity.problems.headers IS 'The webhook''s headers';
-- Questions about one connection. dev_id is always the last argument and defaults to the setting terra_identity.dev_id.

CREATE FUNCTION terra_identity.resolve(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'terra_identity_resolve';
COMMENT ON FUNCTION terra_identity.resolve(text, text) IS
    'The user_id that any user_id, old or new, stands for now: the newest active connection of its lineage. Null if there is none, or if it is unknown.';

CREATE FUNCTION terra_identity.lineage_of(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'terra_identity_lineage_of';
COMMENT ON FUNCTION terra_identity.lineage_of(text, text) IS
    'The lineage_id of a connection, the id to keep in your app. Null if it is unknown.';

CREATE FUNCTION terra_identity.user_of(
    lineage_id bigint,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'terra_identity_user_of';
COMMENT ON FUNCTION terra_identity.user_of(bigint, text) IS
    'The current user_id of a lineage. Any lineage_id that was ever seen works, also one that has since become part of another. Null if no connection of it is active.';

CREATE FUNCTION terra_identity.lineage(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS SETOF terra_identity.connections LANGUAGE sql STABLE PARALLEL SAFE ROWS 3
BEGIN ATOMIC
    SELECT n.* FROM terra_identity.connections c
    JOIN terra_identity.connections n ON n.dev_id = c.dev_id AND n.lineage_id = c.lineage_id
    WHERE c.dev_id = lineage.dev_id AND c.user_id = lineage.user_id
    ORDER BY n.connected_at, n.user_id;
END;
COMMENT ON FUNCTION terra_identity.lineage(text, text) IS
    'The connections of its lineage, oldest first: every user_id that this end user has had for this provider account. No rows if it is unknown.';

CREATE VIEW terra_identity.stale_events WITH (security_invoker = true) AS
SELECT e.event_id, e.dev_id, e.user_id, e.event_type, e.event_time, e.received_at, c.status, c.ended_at,
       e.event_time > c.ended_at AS after_end, c.lineage_id,
       (SELECT n.user_id FROM terra_identity.connections n
        WHERE n.dev_id = c.dev_id AND n.lineage_id = c.lineage_id AND n.status = 'active'
        ORDER BY n.connected_at DESC, n.user_id DESC LIMIT 1) AS resolved_user_id
FROM terra_identity.connections c
JOIN terra_identity.events e ON e.dev_id = c.dev_id AND e.user_id = c.user_id
WHERE c.status <> 'active' AND e.problem IS NULL;
COMMENT ON VIEW terra_identity.stale_events IS
    'Events of connections that are not active, with what they resolve to now: data that may have to be filed under another user_id.';
COMMENT ON COLUMN terra_identity.stale_events.event_id IS 'Number of the delivery';
COMMENT ON COLUMN terra_identity.stale_events.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.stale_events.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.stale_events.event_type IS 'The type of the payload';
COMMENT ON COLUMN terra_identity.stale_events.event_time IS 'X-Terra-Ordering-Timestamp, else received_at';
COMMENT ON COLUMN terra_identity.stale_events.received_at IS 'When the delivery was received';
COMMENT ON COLUMN terra_identity.stale_events.status IS 'What became of the connection';
COMMENT ON COLUMN terra_identity.stale_events.ended_at IS 'When it ended';
COMMENT ON COLUMN terra_identity.stale_events.lineage_id IS 'The id to keep in your app';
COMMENT ON COLUMN terra_identity.stale_events.after_end IS 'It happened after the connection ended';
COMMENT ON COLUMN terra_identity.stale_events.resolved_user_id IS
    'The user_id that the connection stands for now; null if its lineage has no active connection';

-- The state as a whole.

CREATE FUNCTION terra_identity.rebuild(dev_id text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_rebuild';
COMMENT ON FUNCTION terra_identity.rebuild(text) IS
    'Derives every connection of the environment again from the ledger, under the same connection_ids. Returns how many rows it changed: 0 if the state was right. Other identity writes of the environment wait meanwhile.';

CREATE FUNCTION terra_identity.verify(
    dev_id text DEFAULT NULL, OUT user_id text, OUT "column" text, OUT stored text, OUT derived text)
RETURNS SETOF record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'terra_identity_verify';
COMMENT ON FUNCTION terra_identity.verify(text) IS
    'Compares every connection of the environment with the ledger, and changes nothing: one row per column that differs, none if the state is right.';
-- At the door: webhooks as they come over HTTP, and what they are signed with.

CREATE TABLE terra_identity.signing_secrets (
    secret_id   bigint GENERATED ALWAYS AS IDENTITY,
    dev_id      text COLLATE "C" NOT NULL,
    secret      text NOT NULL,
    valid_until timestamptz,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (dev_id, secret_id)
);
-- No key and no check of the secret, whose errors would show it; no samples of it in pg_statistic.
ALTER TABLE terra_identity.signing_secrets ALTER COLUMN secret SET STATISTICS 0;
COMMENT ON TABLE terra_identity.signing_secrets IS
    'The secrets that Terra signs webhooks with. For the owner alone, and not part of a dump: set them again after a restore. Written by set_signing_secret and drop_signing_secret.';
COMMENT ON COLUMN terra_identity.signing_secrets.secret_id IS 'What drop_signing_secret takes';
COMMENT ON COLUMN terra_identity.signing_secrets.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.signing_secrets.secret IS 'As Terra''s dashboard shows it';
COMMENT ON COLUMN terra_identity.signing_secrets.valid_until IS 'From when on it is not accepted; null: never';
COMMENT ON COLUMN terra_identity.signing_secrets.created_at IS 'When it was set';

CREATE TABLE terra_identity.signatures (
    dev_id   text COLLATE "C" NOT NULL,
    digest   bytea NOT NULL,
    event_id bigint NOT NULL,
    PRIMARY KEY (dev_id, digest)
);
COMMENT ON TABLE terra_identity.signatures IS
    'What was signed of every delivery that had to be: Terra signs time and body, but no header, and without this a body could be delivered again under another trace id and another time.';
COMMENT ON COLUMN terra_identity.signatures.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.signatures.digest IS 'A hash of the time and the body that were signed';
COMMENT ON COLUMN terra_identity.signatures.event_id IS 'The event that they are';

CREATE TABLE terra_identity.rejected (
    rejected_id bigint GENERATED ALWAYS AS IDENTITY,
    dev_id      text COLLATE "C" NOT NULL,
    received_at timestamptz NOT NULL,
    trace_id    text COLLATE "C",
    body        bytea NOT NULL,
    headers     jsonb,
    reason      text NOT NULL,
    digest      bytea,
    PRIMARY KEY (dev_id, rejected_id)
);
-- A retry is kept once.
CREATE UNIQUE INDEX rejected_delivery_key
    ON terra_identity.rejected (dev_id, trace_id, pg_catalog.sha256(body)) NULLS NOT DISTINCT;
COMMENT ON TABLE terra_identity.rejected IS
    'Deliveries that ingest answered with 400, byte for byte: their signature was good or not asked for, but their body cannot be jsonb (or, under strict, is not what its type needs). replay_rejected() tries them again; DELETE what is of no use.';
COMMENT ON COLUMN terra_identity.rejected.rejected_id IS 'Number of the rejected delivery';
COMMENT ON COLUMN terra_identity.rejected.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.rejected.received_at IS 'When the delivery was received';
COMMENT ON COLUMN terra_identity.rejected.trace_id IS 'X-Terra-Trace-Id';
COMMENT ON COLUMN terra_identity.rejected.body IS 'The body as it came';
COMMENT ON COLUMN terra_identity.rejected.headers IS 'The headers as the handler passed them';
COMMENT ON COLUMN terra_identity.rejected.reason IS 'Why it was rejected';
COMMENT ON COLUMN terra_identity.rejected.digest IS 'A hash of the time and the body that were signed, if they had to be: see signatures';

CREATE TABLE terra_identity.refusal_counters (
    counter_id bigint GENERATED ALWAYS AS IDENTITY,
    dev_id     text COLLATE "C" NOT NULL,
    reason     text COLLATE "C" NOT NULL,
    refused    bigint NOT NULL,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    logged_at  timestamptz NOT NULL,
    PRIMARY KEY (dev_id, counter_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE terra_identity.refusal_counters IS
    'What refusals sums up: several counters of each reason, so that refusals at once do not wait for each other. DELETE rows to count anew.';
COMMENT ON COLUMN terra_identity.refusal_counters.counter_id IS 'Number of the counter';
COMMENT ON COLUMN terra_identity.refusal_counters.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.refusal_counters.reason IS 'What was wrong with the signature';
COMMENT ON COLUMN terra_identity.refusal_counters.refused IS 'How many';
COMMENT ON COLUMN terra_identity.refusal_counters.first_at IS 'When the first was received';
COMMENT ON COLUMN terra_identity.refusal_counters.last_at IS 'When the last was received';
COMMENT ON COLUMN terra_identity.refusal_counters.logged_at IS 'When one was written to the server''s log: at most once a minute';

CREATE VIEW terra_identity.refusals WITH (security_invoker = true) AS
SELECT r.dev_id, r.reason, pg_catalog.sum(r.refused)::bigint AS refused, pg_catalog.min(r.first_at) AS first_at,
       pg_catalog.max(r.last_at) AS last_at
FROM terra_identity.refusal_counters r
GROUP BY r.dev_id, r.reason;
COMMENT ON VIEW terra_identity.refusals IS
    'How many deliveries ingest answered with 401, for their signature. Their bodies are not kept: strangers could fill the disk.';
COMMENT ON COLUMN terra_identity.refusals.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.refusals.reason IS 'What was wrong with the signature';
COMMENT ON COLUMN terra_identity.refusals.refused IS 'How many';
COMMENT ON COLUMN terra_identity.refusals.first_at IS 'When the first was received';
COMMENT ON COLUMN terra_identity.refusals.last_at IS 'When the last was received';

CREATE FUNCTION terra_identity.ingest(
    body bytea, headers jsonb DEFAULT NULL, dev_id text DEFAULT NULL,
    OUT outcome text, OUT event_id bigint, OUT http_status int, OUT detail text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_ingest';
COMMENT ON FUNCTION terra_identity.ingest(bytea, jsonb, text) IS
    'Stores a webhook given as its raw body, for HTTP handlers; answer Terra with http_status. headers: an object of names, in any case, to strings, or to arrays whose first element counts. outcome: stored or duplicate (200; event_id says which event; of the same trace id or, where signatures are required, of the same signed content), or rejected: 401 if the environment requires a signature and X-Terra-Signature or terra-signature does not stand for these bytes (counted in refusals), 400 if the body cannot be jsonb (kept in rejected, up to 500 MB). detail: why, or the problem of a stored event. Never an error for what the sender sent; an error is the server''s, so answer it with 500 and Terra will send again.';

CREATE FUNCTION terra_identity.ingest(
    body text, headers jsonb DEFAULT NULL, dev_id text DEFAULT NULL,
    OUT outcome text, OUT event_id bigint, OUT http_status int, OUT detail text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_ingest';
COMMENT ON FUNCTION terra_identity.ingest(text, jsonb, text) IS
    'The same for a body that is at hand as text: its bytes in UTF-8 are what the signature is checked over. Invalid UTF-8 cannot be text, and is an error before it gets here: pass bytea where you can.';

CREATE FUNCTION terra_identity.webhook(json) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_webhook';
COMMENT ON FUNCTION terra_identity.webhook(json) IS
    'ingest for PostgREST and Supabase: the raw body as the single unnamed parameter, the headers from the setting request.headers, the environment from terra_identity.dev_id. Sets response.status, returns {"outcome", "detail"}. What is no JSON at all does not get here: PostgREST answers it, and it is not kept.';

CREATE FUNCTION terra_identity.replay_rejected(
    dev_id text DEFAULT NULL, OUT rejected_id bigint, OUT outcome text, OUT event_id bigint, OUT detail text)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_replay_rejected';
COMMENT ON FUNCTION terra_identity.replay_rejected(text) IS
    'Tries the environment''s rejected deliveries again, oldest first, as received when they were: one row for each. For after what stood in their way has changed: strict is off, a trigger is gone, or somebody has mended their bodies by UPDATE. What is stored, or turns out to be stored already, leaves the table rejected.';

CREATE FUNCTION terra_identity.verify_signature(
    body bytea, signature text, secret text, tolerance interval DEFAULT '24 hours',
    at timestamptz DEFAULT pg_catalog.clock_timestamp())
RETURNS boolean LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'terra_identity_verify_signature';
COMMENT ON FUNCTION terra_identity.verify_signature(bytea, text, text, interval, timestamptz) IS
    'Whether a signature header, t=<unix seconds>,v1=<hex>, stands for a raw body: v1 is the HMAC-SHA256 of t, a dot and the body under the secret, and t is at most tolerance away from at, either way (tolerance null: any time). False, never null, for whatever is malformed or null, and for an empty secret.';

CREATE FUNCTION terra_identity.set_signing_secret(
    secret text, valid_until timestamptz DEFAULT NULL, dev_id text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_set_signing_secret';
COMMENT ON FUNCTION terra_identity.set_signing_secret(text, timestamptz, text) IS
    'Adds a secret that Terra signs the environment''s webhooks with, valid until then (null: for ever); one that is there gets the new end. From the first on ingest requires signatures for this environment (environments.signature_required), and for this one alone. Returns its secret_id. To rotate: set the new one, then the old one again with an end. The secret is part of the statement: see the README on keeping it out of logs.';

CREATE FUNCTION terra_identity.drop_signing_secret(
    secret_id bigint,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS boolean LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH dropped AS (
        DELETE FROM terra_identity.signing_secrets s
        WHERE s.dev_id = drop_signing_secret.dev_id AND s.secret_id = drop_signing_secret.secret_id RETURNING 1)
    SELECT EXISTS (SELECT FROM dropped);
END;
COMMENT ON FUNCTION terra_identity.drop_signing_secret(bigint, text) IS
    'Takes a signing secret back; false if there is none. Signatures stay required without any: ingest fails until another is set, or environments.signature_required is set to false.';
-- Who may do what: nothing for PUBLIC. What a dump of the database takes along.

CREATE FUNCTION terra_identity.grant_writer(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF role IS NULL OR role = 0::oid THEN
        RAISE EXCEPTION 'a role is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA terra_identity TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION terra_identity.ingest(bytea, jsonb, text),
                        terra_identity.ingest(text, jsonb, text), terra_identity.webhook(json) TO %s', role);
END
$$;
COMMENT ON FUNCTION terra_identity.grant_writer(regrole) IS
    'Lets a role deliver webhooks through ingest and webhook, where signatures are checked, and do nothing else. For the role of your webhook handler.';

CREATE FUNCTION terra_identity.grant_reader(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF role IS NULL OR role = 0::oid THEN
        RAISE EXCEPTION 'a role is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA terra_identity TO %s', role);
    EXECUTE format('GRANT SELECT ON terra_identity.events, terra_identity.deliveries, terra_identity.connections,
                        terra_identity.reauths, terra_identity.changes, terra_identity.environments, terra_identity.providers,
                        terra_identity.signatures, terra_identity.rejected, terra_identity.refusal_counters, terra_identity.refusals, terra_identity.current_connections,
                        terra_identity.duplicate_connections, terra_identity.transferred_accounts,
                        terra_identity.dashboard_connections, terra_identity.shared_references, terra_identity.problems,
                        terra_identity.stale_events TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION terra_identity.resolve(text, text), terra_identity.lineage_of(text, text),
                        terra_identity.user_of(bigint, text), terra_identity.lineage(text, text) TO %s', role);
END
$$;
COMMENT ON FUNCTION terra_identity.grant_reader(regrole) IS
    'Lets a role read every table and view but the signing secrets, payloads included, and ask resolve, lineage_of, user_of and lineage. Row level security on the tables holds for all of these.';

REVOKE ALL ON SCHEMA terra_identity FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA terra_identity FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA terra_identity FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA terra_identity FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('terra_identity.events', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.events_event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.deliveries', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.connections', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.connections_connection_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.reauths', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.changes', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.changes_change_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.environments', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.providers', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.signatures', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.rejected', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.rejected_rejected_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.refusal_counters', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.refusal_counters_counter_id_seq', '');
