-- The ledger: every webhook delivery, and what was read from it.

CREATE TABLE terra_identity.events (
    event_id     bigint GENERATED ALWAYS AS IDENTITY,
    dev_id       text NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    payload      jsonb NOT NULL,
    headers      jsonb,
    event_type   text,
    user_id      text,
    reference_id text,
    provider     text,
    trace_id     text,
    event_time   timestamptz,
    problem      text,
    contributes  boolean,
    entered_by   text,
    disputes_reference boolean,
    backfilled   boolean,
    PRIMARY KEY (dev_id, event_id)
) USING heap;

-- The events of a connection by type, so that its few identity events are found among its data. A user_id is random and
-- rarely occurs in two environments: dev_id would only make the index larger, and comparing slower. Hardly two entries
-- are equal, so deduplication would find nothing. (03_connections.sql says what text_pattern_ops is for.)
CREATE INDEX events_user_id_idx
    ON terra_identity.events (user_id text_pattern_ops, event_type text_pattern_ops, event_time)
    WITH (deduplicate_items = off);
CREATE INDEX events_problem_idx ON terra_identity.events (dev_id text_pattern_ops, event_id)
    WHERE problem IS NOT NULL;
-- The events that name another end user than their connection has: few, or none.
CREATE INDEX events_disputes_reference_idx
    ON terra_identity.events (user_id text_pattern_ops, reference_id text_pattern_ops) WHERE disputes_reference;
-- What prune would not find by event_id alone.
CREATE INDEX events_backfilled_idx ON terra_identity.events (dev_id text_pattern_ops, received_at) WHERE backfilled;

COMMENT ON TABLE terra_identity.events IS
    'The ledger: one row per webhook delivery. INSERT the payload, and headers, dev_id and received_at if you have '
    'them; the extension fills in the other columns. A repeated delivery, one with the trace id and the payload of an '
    'earlier one, is skipped without an error, and so is what names somebody who was forgotten. Append-only: UPDATE, '
    'DELETE and TRUNCATE raise an error (TI002), and only forget, forget_user and prune take anything out.';
COMMENT ON COLUMN terra_identity.events.event_id IS 'Number of the delivery, in the order of insertion';
COMMENT ON COLUMN terra_identity.events.dev_id IS
    'Environment (environments.dev_id). If you leave it out: the environment that the header dev-id leads to (see '
    'environments.terra_dev_id), or without that header the one that the setting terra_identity.dev_id names. Nothing '
    'is shared between environments. No personal data.';
COMMENT ON COLUMN terra_identity.events.received_at IS
    'When the delivery was received, by default now; give it for backfills. It is the event time of a delivery that '
    'has no ordering timestamp';
COMMENT ON COLUMN terra_identity.events.payload IS
    'The webhook''s body; or what the rules read of it, the envelope, if it was pruned, or environments.store_data is '
    'false. Personal data: what Terra sent.';
COMMENT ON COLUMN terra_identity.events.headers IS
    'The webhook''s headers, an object; null if you have none. The extension reads X-Terra-Trace-Id, '
    'X-Terra-Ordering-Timestamp and dev-id, in upper or lower case. Personal data: what Terra sent.';
COMMENT ON COLUMN terra_identity.events.event_type IS
    'Filled in: the type of the payload; null if it has none, or one of more than 512 bytes. No personal data.';
COMMENT ON COLUMN terra_identity.events.user_id IS
    'Filled in: the connection that the event is about; for a user_reauth the new one. Null if it names none. Personal '
    'data: an id.';
COMMENT ON COLUMN terra_identity.events.reference_id IS
    'Filled in: the end user that this event names; null if it names none. Personal data: an id.';
COMMENT ON COLUMN terra_identity.events.provider IS
    'Filled in: the provider that this event names, in upper case; null if it names none. No personal data.';
COMMENT ON COLUMN terra_identity.events.trace_id IS
    'Filled in: X-Terra-Trace-Id, which is the same on every retry; of an import the time of the list and the user_id; '
    'null if there is none. No two events of an environment were delivered with the same trace id and payload. '
    'Personal data: an id.';
COMMENT ON COLUMN terra_identity.events.event_time IS
    'Filled in: X-Terra-Ordering-Timestamp, or received_at if there is none. Do not give it: a row that is inserted '
    'with it is taken for one from a dump, and stored as it is';
COMMENT ON COLUMN terra_identity.events.problem IS
    'Filled in: why the payload is not what its type needs. Such an event changes no connection. Null if there is no '
    'problem. No personal data.';
COMMENT ON COLUMN terra_identity.events.contributes IS
    'Filled in: whether the event could change a connection when it was inserted. False for most data events; null for '
    'rows from a dump.';
COMMENT ON COLUMN terra_identity.events.entered_by IS
    'Filled in: the role that called correct() or import_users(), if one of these inserted the event. Null for every '
    'webhook, also for one of type correction or import, which anybody can send, and which says nothing of what these '
    'functions can say. What an INSERT gives is not kept, except in the row of a dump that the owner of the table '
    'restores. Personal data: the name of a role.';
COMMENT ON COLUMN terra_identity.events.disputes_reference IS
    'Filled in: true if it is data, or another passing event, that names another end user than an earlier identity '
    'event gave its connection, as it was when this event was inserted. Else null';

COMMENT ON COLUMN terra_identity.events.backfilled IS
    'Filled in: true if it was inserted more than an hour from received_at, as long as prune has something to drop of '
    'it: prune finds other events by their event_id. Else null';

CREATE TABLE terra_identity.deliveries (
    dev_id       text COLLATE "C" NOT NULL,
    trace_id     text COLLATE "C" NOT NULL,
    event_id     bigint NOT NULL,
    payload_hash bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (trace_id, dev_id, payload_hash) -- the column first that tells keys apart
) USING heap;
COMMENT ON TABLE terra_identity.deliveries IS
    'Which event each delivery that has a trace id became. Trace id and payload together identify a delivery: the same '
    'two again are skipped, the same trace id with another payload is another event.';
COMMENT ON COLUMN terra_identity.deliveries.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.deliveries.trace_id IS 'X-Terra-Trace-Id. Personal data: an id.';
COMMENT ON COLUMN terra_identity.deliveries.payload_hash IS
    'Hash of the payload as it is stored; 0 if it comes from a dump of version 0.1.0. Personal data: a hash.';
COMMENT ON COLUMN terra_identity.deliveries.event_id IS 'The event that the first such delivery became';
