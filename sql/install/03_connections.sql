-- The state: what follows from the ledger. src/core/connection_columns.h lists the columns in this order.

CREATE TABLE terra_identity.connections (
    connection_id           bigint GENERATED ALWAYS AS IDENTITY,
    dev_id                  text NOT NULL,
    user_id                 text NOT NULL,
    lineage_id              bigint NOT NULL,
    reference_id            text,
    provider                text,
    provider_user_id        text,
    status                  text NOT NULL
        CHECK (status IN ('active', 'superseded', 'replaced', 'deauthenticated', 'revoked', 'failed')),
    successor_user_id       text,
    confirmed               boolean NOT NULL,
    scopes                  text,
    created_at              timestamptz,
    first_seen_at           timestamptz NOT NULL,
    connected_at            timestamptz NOT NULL,
    ended_at                timestamptz,
    live                    boolean NOT NULL,
    alive_at                timestamptz,
    replaced_at             timestamptz,
    replaced_by             text,
    deauthenticated_at      timestamptz,
    revoked_at              timestamptz,
    failed_at               timestamptz,
    degraded_at             timestamptz,
    own_provider_user_id    text,
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
    dated                   boolean NOT NULL DEFAULT false,
    account_unusable        boolean NOT NULL DEFAULT false,
    user_uuid               uuid,
    same_person_as          text,
    same_person_as_at       timestamptz,
    CONSTRAINT connections_key PRIMARY KEY (dev_id, connection_id) -- 0.1.0 had another connections_pkey
) USING heap;

-- Text columns compare in the database's default collation, so that an app's tables can be joined by their indexes.
-- text_pattern_ops compares bytes whatever that collation is: it finds what is equal as fast as "C" does, and no new
-- version of a collation invalidates it. Newness is an order of bytes, too, so indexes in that order have "C".

-- A connection by its id; by its id as a uuid; a person's connections: in any environment. A lineage's connections, the
-- newest active last. They have dev_id, so that a reader of one environment does not see by the number of rows that a
-- plan removes whether another environment has the id.
CREATE UNIQUE INDEX connections_user_id_key
    ON terra_identity.connections (user_id text_pattern_ops, dev_id text_pattern_ops);
CREATE INDEX connections_user_uuid_idx ON terra_identity.connections (user_uuid) WITH (deduplicate_items = off);
CREATE INDEX connections_reference_id_idx
    ON terra_identity.connections (reference_id text_pattern_ops, status text_pattern_ops, dev_id text_pattern_ops);
CREATE INDEX connections_lineage_idx ON terra_identity.connections (
    dev_id text_pattern_ops, lineage_id, status text_pattern_ops, dated, connected_at, user_id COLLATE "C");

-- One active connection in a slot, whatever writes. The first index holds under both account policies.
CREATE UNIQUE INDEX connections_active_account_key ON terra_identity.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, provider_user_id text_pattern_ops,
    reference_id text_pattern_ops) NULLS NOT DISTINCT
    WHERE status = 'active' AND NOT account_unusable AND provider IS NOT NULL AND provider_user_id IS NOT NULL;
CREATE UNIQUE INDEX connections_active_exclusive_account_key ON terra_identity.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, provider_user_id text_pattern_ops)
    WHERE status = 'active' AND account_exclusive AND NOT account_unusable
      AND provider IS NOT NULL AND provider_user_id IS NOT NULL;
CREATE UNIQUE INDEX connections_active_reference_key ON terra_identity.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, reference_id text_pattern_ops)
    WHERE status = 'active' AND sdk AND reference_id IS NOT NULL;

-- The next newer and the next older connection in a slot, for each kind of slot.
CREATE INDEX connections_account_idx ON terra_identity.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, provider_user_id text_pattern_ops,
    reference_id text_pattern_ops, live, dated, connected_at, user_id COLLATE "C")
    WHERE provider_user_id IS NOT NULL;
CREATE INDEX connections_exclusive_account_idx ON terra_identity.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, provider_user_id text_pattern_ops, live, dated, connected_at,
    user_id COLLATE "C")
    WHERE account_exclusive AND provider_user_id IS NOT NULL;
CREATE INDEX connections_reference_idx ON terra_identity.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, reference_id text_pattern_ops, live, dated, connected_at,
    user_id COLLATE "C")
    WHERE sdk;

-- The connections that a correction says are of the same person as another.
CREATE INDEX connections_same_person_as_idx
    ON terra_identity.connections (same_person_as text_pattern_ops, dev_id text_pattern_ops)
    WHERE same_person_as <> '';

-- For duplicate_connections and dashboard_connections: holds only duplicates.
CREATE INDEX connections_duplicate_idx ON terra_identity.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, provider_user_id text_pattern_ops, dated, connected_at,
    user_id COLLATE "C")
    WHERE duplicate;

-- For unidentified_connections, the newest last.
CREATE INDEX connections_unidentified_idx ON terra_identity.connections (dev_id text_pattern_ops, connected_at)
    WHERE status = 'active' AND provider_user_id IS NULL AND NOT account_unusable;

-- For transferred_accounts: what took the place of a connection on an account that only one can hold.
CREATE INDEX connections_successor_idx
    ON terra_identity.connections (successor_user_id text_pattern_ops, dev_id text_pattern_ops)
    WHERE account_exclusive AND successor_user_id IS NOT NULL;

COMMENT ON TABLE terra_identity.connections IS
    'The state: one row per connection (a Terra user), derived from the ledger by the extension. Join your own data '
    'with it, but do not write to it: terra_identity.verify() shows what does not follow from the ledger, '
    'terra_identity.rebuild() corrects it.';
COMMENT ON COLUMN terra_identity.connections.connection_id IS
    'Number of the connection, given when it is first seen; it never changes. Personal data: an id.';
COMMENT ON COLUMN terra_identity.connections.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.connections.user_id IS
    'Terra''s id of the connection; Terra replaces it whenever the person reconnects. Personal data: an id.';
COMMENT ON COLUMN terra_identity.connections.lineage_id IS
    'The id to keep in your app: it stays when the user_id changes. It is the smallest connection_id among the '
    'connections that one end user has had to one provider account. Personal data: an id.';
COMMENT ON COLUMN terra_identity.connections.reference_id IS
    'The end user: your app''s own id; null if no event named it. Personal data: an id.';
COMMENT ON COLUMN terra_identity.connections.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE; null if no event named it. No personal data.';
COMMENT ON COLUMN terra_identity.connections.provider_user_id IS
    'The provider account: the one that the connection''s own athlete events name, or else that of the connection that '
    'it replaced. Null if it is not known. Personal data: an id.';
COMMENT ON COLUMN terra_identity.connections.status IS
    'active; superseded: a newer connection took its slot; replaced: by a user_reauth; deauthenticated; revoked: at '
    'the provider; failed: by an auth with status error. No personal data.';
COMMENT ON COLUMN terra_identity.connections.successor_user_id IS
    'The connection that took its place, if the status is replaced or superseded; else null. Personal data: an id.';
COMMENT ON COLUMN terra_identity.connections.confirmed IS
    'True: an auth success or a user_reauth connected it, or it was imported. False: it is known from passing events '
    'only';
COMMENT ON COLUMN terra_identity.connections.scopes IS
    'Scopes that the person granted, comma-separated, as last reported; null if never reported. Personal data: what '
    'Terra sent.';
COMMENT ON COLUMN terra_identity.connections.created_at IS
    'The earliest created_at of its user objects; null if none had one';
COMMENT ON COLUMN terra_identity.connections.first_seen_at IS 'The earliest event time of the events that name it';
COMMENT ON COLUMN terra_identity.connections.connected_at IS
    'When it was connected: created_at, or else first_seen_at; always earlier than that of the connections that '
    'replaced it. (dated, connected_at, user_id) is the order from old to new';
COMMENT ON COLUMN terra_identity.connections.ended_at IS
    'When it ended: the time of the event that the status names; if superseded, the connected_at of its successor; '
    'null if active';
COMMENT ON COLUMN terra_identity.connections.live IS 'Fact: an event named it that was not an ending one';
COMMENT ON COLUMN terra_identity.connections.dated IS
    'True: it has a created_at or is confirmed. A connection that is known from passing events only, which do not say '
    'since when it exists, counts as older than every dated one';
COMMENT ON COLUMN terra_identity.connections.alive_at IS
    'Fact: the latest proof of life: an auth success, being the new user of a user_reauth, or being in a list of '
    'Terra''s users that was imported. One later than every end revives the connection. Null if there was none';
COMMENT ON COLUMN terra_identity.connections.replaced_at IS
    'Fact: event time of the last user_reauth that names it as the old connection; null if there was none';
COMMENT ON COLUMN terra_identity.connections.replaced_by IS
    'Fact: the new user_id of that user_reauth. Personal data: an id.';
COMMENT ON COLUMN terra_identity.connections.deauthenticated_at IS
    'Fact: event time of the last deauth, or of a correction or an import that says so; null if there was none';
COMMENT ON COLUMN terra_identity.connections.revoked_at IS
    'Fact: event time of the last access_revoked, or of an import that says so; null if there was none';
COMMENT ON COLUMN terra_identity.connections.failed_at IS
    'Fact: event time of the last auth with status error; null if there was none';
COMMENT ON COLUMN terra_identity.connections.degraded_at IS
    'Fact: event time of the last connection_error; null if there was none';
COMMENT ON COLUMN terra_identity.connections.own_provider_user_id IS
    'Fact: the provider account that its own athlete events name; null if none does. Personal data: an id.';
COMMENT ON COLUMN terra_identity.connections.own_provider_user_id_at IS
    'Fact: event time of the athlete event that own_provider_user_id was taken from';
COMMENT ON COLUMN terra_identity.connections.provider_at IS
    'Fact: event time of the event that provider was taken from';
COMMENT ON COLUMN terra_identity.connections.provider_passing IS
    'Fact: provider was taken from a passing event, because no identity event names one';
COMMENT ON COLUMN terra_identity.connections.reference_id_at IS
    'Fact: event time of the event that reference_id was taken from';
COMMENT ON COLUMN terra_identity.connections.reference_id_passing IS
    'Fact: reference_id was taken from a passing event, because no identity event names one';
COMMENT ON COLUMN terra_identity.connections.scopes_at IS 'Fact: event time of the event that scopes was taken from';
COMMENT ON COLUMN terra_identity.connections.scopes_passing IS
    'Fact: scopes was taken from a passing event, because no identity event names any';
COMMENT ON COLUMN terra_identity.connections.sdk IS
    'True: its provider is connected by an SDK (providers.sdk), so it holds a reference slot';
COMMENT ON COLUMN terra_identity.connections.account_exclusive IS
    'True: only one connection can be active on its provider account, whatever the reference_id. So it is under '
    'account policy replace, except for SDK providers';
COMMENT ON COLUMN terra_identity.connections.account_unusable IS
    'True: the account ids of its provider do not tell accounts apart (providers.account_ids is unusable), so it holds '
    'no account slot and is never a duplicate';
COMMENT ON COLUMN terra_identity.connections.duplicate IS
    'True: it is active on a provider account on which another end user has an active connection, too';
COMMENT ON COLUMN terra_identity.connections.cyclic IS 'True: user_reauth events lead from it back to itself';
COMMENT ON COLUMN terra_identity.connections.user_uuid IS
    'user_id as a uuid, for joins with your columns of that type; null if it is none. Personal data: an id.';
COMMENT ON COLUMN terra_identity.connections.same_person_as IS
    'Fact: the user_id that correct() says is of the same person. It puts both into one lineage, if they have the same '
    'reference_id and their providers do not differ. Empty: that was taken back; null if it was never said. Personal '
    'data: an id.';
COMMENT ON COLUMN terra_identity.connections.same_person_as_at IS
    'Fact: event time of the correction that same_person_as was taken from';

CREATE TABLE terra_identity.reauths (
    dev_id      text NOT NULL,
    old_user_id text NOT NULL,
    new_user_id text NOT NULL,
    transfer    boolean NOT NULL DEFAULT false
) USING heap;
-- A primary key would compare in the default collation.
CREATE UNIQUE INDEX reauths_key ON terra_identity.reauths (
    dev_id text_pattern_ops, old_user_id text_pattern_ops, new_user_id text_pattern_ops);
ALTER TABLE terra_identity.reauths REPLICA IDENTITY USING INDEX reauths_key;
CREATE INDEX reauths_new_user_id_idx
    ON terra_identity.reauths (dev_id text_pattern_ops, new_user_id text_pattern_ops);
CREATE INDEX reauths_transfer_idx ON terra_identity.reauths (
    dev_id text_pattern_ops, old_user_id text_pattern_ops, new_user_id text_pattern_ops) WHERE transfer;
COMMENT ON TABLE terra_identity.reauths IS
    'Pairs of connections that a user_reauth event names as the old and the new one.';
COMMENT ON COLUMN terra_identity.reauths.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.reauths.old_user_id IS 'The connection that was replaced. Personal data: an id.';
COMMENT ON COLUMN terra_identity.reauths.new_user_id IS 'The connection that replaced it. Personal data: an id.';
COMMENT ON COLUMN terra_identity.reauths.transfer IS
    'True: every user_reauth of this pair names two different end users. Then the account went from one person to the '
    'other, and the user_reauth does not put the two connections into one lineage';

CREATE TABLE terra_identity.changes (
    change_id    bigint GENERATED ALWAYS AS IDENTITY,
    changed_at   timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    event_id     bigint,
    kind         text NOT NULL,
    dev_id       text NOT NULL,
    user_id      text NOT NULL,
    lineage_id   bigint NOT NULL,
    reference_id text,
    detail       jsonb,
    position     bigint,
    PRIMARY KEY (dev_id, change_id)
) USING heap;
CREATE SEQUENCE terra_identity.changes_position_seq OWNED BY terra_identity.changes.position;
CREATE INDEX changes_user_id_idx ON terra_identity.changes (user_id text_pattern_ops, change_id)
    WITH (deduplicate_items = off);
-- For read_changes: what no consumer has read yet, and where a consumer goes on.
CREATE INDEX changes_unread_idx ON terra_identity.changes (dev_id text_pattern_ops, change_id)
    WHERE position IS NULL;
CREATE UNIQUE INDEX changes_position_key ON terra_identity.changes (dev_id text_pattern_ops, position)
    WHERE position IS NOT NULL;
COMMENT ON TABLE terra_identity.changes IS
    'The feed of what changed, one row per transition of a connection. A statement with many events counts as one '
    'step: the feed has what differs between its start and its end.';
COMMENT ON COLUMN terra_identity.changes.change_id IS
    'Order of the feed within a transaction. A transaction that commits later may add lower numbers';
COMMENT ON COLUMN terra_identity.changes.changed_at IS 'When the row was written';
COMMENT ON COLUMN terra_identity.changes.event_id IS
    'The event that caused the change; null if a changed rule or rebuild() caused it';
COMMENT ON COLUMN terra_identity.changes.kind IS
    'What happened: connected, reconnected, replaced, superseded, deauthenticated, revoked, failed, revived, '
    'account_identified, reference_changed, scopes_changed, degraded, duplicate_opened, duplicate_closed, transferred, '
    'lineage_merged, anomaly. No personal data.';
COMMENT ON COLUMN terra_identity.changes.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.changes.user_id IS 'The connection that changed. Personal data: an id.';
COMMENT ON COLUMN terra_identity.changes.lineage_id IS 'Its lineage after the change. Personal data: an id.';
COMMENT ON COLUMN terra_identity.changes.reference_id IS
    'Its end user after the change; null if none is known. Personal data: an id.';
COMMENT ON COLUMN terra_identity.changes.detail IS
    'More about the change, depending on its kind: previous values, the successor and the rule, who is on the account. '
    'docs/rules.md has the keys of each kind. Null if there is no more. Personal data: an id.';
COMMENT ON COLUMN terra_identity.changes.position IS
    'Place in the order in which consumers read the changes of its environment; null until read_changes first returns '
    'it. Positions have gaps, but no row appears behind a position that was read';
