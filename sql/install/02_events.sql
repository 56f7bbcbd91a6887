-- The ledger: every webhook delivery, and what was read from it.

CREATE TABLE terra_identity.events (
    event_id     bigint GENERATED ALWAYS AS IDENTITY,
    dev_id       text COLLATE "C" NOT NULL,
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
) USING heap;

-- What came for a connection, in order. A user_id is random and rarely of two environments: dev_id would only make the
-- index larger, and comparing slower. No two entries are alike, so that looking for duplicates would find none.
CREATE INDEX events_user_id_idx ON terra_identity.events (user_id, event_time) WITH (deduplicate_items = off);
CREATE INDEX events_problem_idx ON terra_identity.events (dev_id, event_id) WHERE problem IS NOT NULL;

COMMENT ON TABLE terra_identity.events IS
    'The ledger: one row per webhook delivery. INSERT payload (and headers, dev_id, received_at if you have them); the other columns are filled in. Append-only. A repeated delivery, with the trace id and the payload of one that is there, is skipped.';
COMMENT ON COLUMN terra_identity.events.event_id IS 'Number of the delivery, in the order of insertion';
COMMENT ON COLUMN terra_identity.events.dev_id IS
    'Environment (Terra''s dev_id). Left out: the one that the header dev-id leads to (environments.terra_dev_id), without that header the default one, which the setting terra_identity.dev_id names. Nothing is shared between environments';
COMMENT ON COLUMN terra_identity.events.received_at IS
    'When the delivery was received; give it for backfills. The event time where the delivery has no ordering timestamp';
COMMENT ON COLUMN terra_identity.events.payload IS 'The webhook''s body';
COMMENT ON COLUMN terra_identity.events.headers IS
    'The webhook''s headers, as an object. Read are X-Terra-Trace-Id, X-Terra-Ordering-Timestamp and dev-id, in any case';
COMMENT ON COLUMN terra_identity.events.event_type IS 'Filled in: the type of the payload';
COMMENT ON COLUMN terra_identity.events.user_id IS
    'Filled in: the connection that the event is about; of a user_reauth the new one. Null if it names none';
COMMENT ON COLUMN terra_identity.events.reference_id IS 'Filled in: the end user as this event names it';
COMMENT ON COLUMN terra_identity.events.provider IS 'Filled in: the provider as this event names it, in upper case';
COMMENT ON COLUMN terra_identity.events.trace_id IS
    'Filled in: X-Terra-Trace-Id, the same on every retry. With the payload unique in its environment (table deliveries)';
COMMENT ON COLUMN terra_identity.events.event_time IS
    'Filled in: X-Terra-Ordering-Timestamp, else received_at. A row that is inserted with it is stored as it is: it comes from a dump';
COMMENT ON COLUMN terra_identity.events.problem IS
    'Filled in: why the payload is not what its type needs. Such an event changes nothing else. Null for the others';
COMMENT ON COLUMN terra_identity.events.contributes IS
    'Filled in: whether the event could say something new of its connections when it came; false for most data events, null if it came from a dump. Also true of what was signed and has no trace id';

CREATE TABLE terra_identity.deliveries (
    dev_id   text COLLATE "C" NOT NULL,
    trace_id text COLLATE "C" NOT NULL,
    digest   bytea NOT NULL DEFAULT '',
    event_id bigint NOT NULL,
    PRIMARY KEY (dev_id, trace_id, digest)
) USING heap;
COMMENT ON TABLE terra_identity.deliveries IS
    'What was delivered under which trace id, and its event: the same again is skipped, another payload under the same trace id is another event.';
COMMENT ON COLUMN terra_identity.deliveries.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.deliveries.trace_id IS 'X-Terra-Trace-Id';
COMMENT ON COLUMN terra_identity.deliveries.digest IS 'SHA-256 of the payload as it is stored; empty if it comes from a dump of version 0.1.0';
COMMENT ON COLUMN terra_identity.deliveries.event_id IS 'The event of the first such delivery';
