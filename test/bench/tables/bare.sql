-- What everything is measured against: the ledger's writable columns and its primary key, and no trigger.
CREATE SCHEMA bench;
CREATE TABLE bench.events (
    event_id    bigint GENERATED ALWAYS AS IDENTITY,
    dev_id      text NOT NULL
        DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'),
    received_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    payload     jsonb NOT NULL,
    headers     jsonb,
    PRIMARY KEY (dev_id, event_id)
);

-- For deliveries with headers: no trace id comes twice.
CREATE TABLE bench.traced_events (LIKE bench.events INCLUDING ALL, trace_id text NOT NULL);
CREATE UNIQUE INDEX traced_events_trace_id_key
    ON bench.traced_events (dev_id text_pattern_ops, trace_id text_pattern_ops);
