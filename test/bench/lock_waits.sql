-- Samples for :seconds who waits for a lock, and tells how often whom. Waiting to extend a table's file is told apart.
CREATE TEMPORARY TABLE sampled (waiting text);
SET bench.seconds = :'seconds';
DO $$
DECLARE
    ends timestamptz := clock_timestamp() + current_setting('bench.seconds')::float * interval '1 second';
    samples int := 0;
BEGIN
    WHILE clock_timestamp() < ends LOOP
        PERFORM pg_stat_clear_snapshot();
        INSERT INTO sampled SELECT wait_event FROM pg_stat_activity WHERE wait_event_type = 'Lock';
        INSERT INTO sampled SELECT 'not granted: ' || locktype FROM pg_locks WHERE NOT granted;
        samples := samples + 1;
        PERFORM pg_sleep(0.01);
    END LOOP;
    PERFORM set_config('bench.samples', samples::text, false);
END
$$;
SELECT count(*) FILTER (WHERE waiting !~ 'extend') || ' lock waits, ' || count(*) FILTER (WHERE waiting ~ 'extend') ||
       ' waits for a file''s extension in ' || current_setting('bench.samples') || ' samples'
FROM sampled;
