-- The state: what follows from the ledger. The order of columns is known to src/tables/connection_row.h.

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
    dated                   boolean NOT NULL DEFAULT false,
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
    account_unusable        boolean NOT NULL DEFAULT false,
    duplicate               boolean NOT NULL DEFAULT false,
    cyclic                  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (dev_id, user_id)
) USING heap;

-- One connection by its id; a person's connections, of whatever environment; a lineage's, the newest active one last.
CREATE UNIQUE INDEX connections_connection_id_idx ON terra_identity.connections (dev_id, connection_id);
CREATE INDEX connections_reference_id_idx ON terra_identity.connections (reference_id, status);
CREATE INDEX connections_lineage_idx
    ON terra_identity.connections (dev_id, lineage_id, status, dated, connected_at, user_id);

-- Enforced: one active connection in a slot, whatever writes. The first holds under both account policies.
CREATE UNIQUE INDEX connections_active_account_key
    ON terra_identity.connections (dev_id, provider, provider_user_id, reference_id) NULLS NOT DISTINCT
    WHERE status = 'active' AND NOT account_unusable AND provider IS NOT NULL AND provider_user_id IS NOT NULL;
CREATE UNIQUE INDEX connections_active_exclusive_account_key
    ON terra_identity.connections (dev_id, provider, provider_user_id)
    WHERE status = 'active' AND account_exclusive AND NOT account_unusable
      AND provider IS NOT NULL AND provider_user_id IS NOT NULL;
CREATE UNIQUE INDEX connections_active_reference_key
    ON terra_identity.connections (dev_id, provider, reference_id)
    WHERE status = 'active' AND sdk AND reference_id IS NOT NULL;

-- The order of newness in each kind of slot.
CREATE INDEX connections_account_idx
    ON terra_identity.connections (dev_id, provider, provider_user_id, reference_id, live, dated, connected_at, user_id)
    WHERE provider_user_id IS NOT NULL;
CREATE INDEX connections_exclusive_account_idx
    ON terra_identity.connections (dev_id, provider, provider_user_id, live, dated, connected_at, user_id)
    WHERE account_exclusive AND provider_user_id IS NOT NULL;
CREATE INDEX connections_reference_idx
    ON terra_identity.connections (dev_id, provider, reference_id, live, dated, connected_at, user_id)
    WHERE sdk;

-- The duplicates alone.
CREATE INDEX connections_duplicate_idx
    ON terra_identity.connections (dev_id, provider, provider_user_id, dated, connected_at, user_id) WHERE duplicate;

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
COMMENT ON COLUMN terra_identity.connections.connected_at IS
    'created_at, else first_seen_at, but always before that of the connections that replaced it. (dated, connected_at, user_id) is the order of newness';
COMMENT ON COLUMN terra_identity.connections.ended_at IS
    'When what the status names happened; if superseded, when the successor connected; null if active';
COMMENT ON COLUMN terra_identity.connections.live IS 'Fact: something else than an ending event named it';
COMMENT ON COLUMN terra_identity.connections.dated IS
    'It has a created_at, or is confirmed. One that was only seen in passing, nobody knows since when, is older than all that are dated';
COMMENT ON COLUMN terra_identity.connections.alive_at IS 'Fact: the latest proof of life; one later than every end revives it';
COMMENT ON COLUMN terra_identity.connections.replaced_at IS 'Fact: the last user_reauth that names it as old';
COMMENT ON COLUMN terra_identity.connections.replaced_by IS 'Fact: the new user_id of that';
COMMENT ON COLUMN terra_identity.connections.deauthenticated_at IS 'Fact: the last deauth';
COMMENT ON COLUMN terra_identity.connections.revoked_at IS 'Fact: the last access_revoked';
COMMENT ON COLUMN terra_identity.connections.failed_at IS 'Fact: the last auth with status error';
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
    'Its environment has the account policy replace, and its provider is no SDK provider: its account slot does not depend on the reference_id';
COMMENT ON COLUMN terra_identity.connections.account_unusable IS
    'The account ids of its provider do not tell accounts apart (providers.account_ids): it has no account slot, and is no duplicate';
COMMENT ON COLUMN terra_identity.connections.duplicate IS
    'It is active on a provider account where another end user has an active connection';
COMMENT ON COLUMN terra_identity.connections.cyclic IS 'It is on a cycle of user_reauth events';

CREATE TABLE terra_identity.reauths (
    dev_id      text COLLATE "C" NOT NULL,
    old_user_id text COLLATE "C" NOT NULL,
    new_user_id text COLLATE "C" NOT NULL,
    transfer    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (dev_id, old_user_id, new_user_id)
) USING heap;
CREATE INDEX reauths_new_user_id_idx ON terra_identity.reauths (dev_id, new_user_id);
CREATE INDEX reauths_transfer_idx ON terra_identity.reauths (dev_id, old_user_id, new_user_id) WHERE transfer;
COMMENT ON TABLE terra_identity.reauths IS 'Which connection a user_reauth event names as the old and which as the new one.';
COMMENT ON COLUMN terra_identity.reauths.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.reauths.old_user_id IS 'The connection that was replaced';
COMMENT ON COLUMN terra_identity.reauths.new_user_id IS 'The connection that replaced it';
COMMENT ON COLUMN terra_identity.reauths.transfer IS
    'Every such event names two end users: the account went from one to the other, and the two connections are of no common lineage';

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
) USING heap;
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
