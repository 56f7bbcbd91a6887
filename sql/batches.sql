-- Which statements have the batches to themselves, because they may come back to the beginning of the order of locks: those that may call
-- a function several times. One delivery for each statement, as a handler makes them, must not.
SET terra_identity.dev_id = 'batches';
CREATE TABLE pg_temp.staged AS SELECT i AS id, format('{"type": "ping", "n": %s}', i) AS body FROM generate_series(1, 3) i;
ALTER TABLE pg_temp.staged ADD PRIMARY KEY (id);
CREATE FUNCTION pg_temp.lock_of_batches() RETURNS text LANGUAGE sql
    RETURN (SELECT max(mode) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND objsubid = 21577 + 4);
CREATE FUNCTION pg_temp.of_function(body text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT outcome FROM terra_identity.ingest(body)); END $$;
CREATE FUNCTION pg_temp.in_a_query(body json) RETURNS json LANGUAGE sql AS 'SELECT terra_identity.webhook(body)';
\pset tuples_only on
\set lock '; SELECT coalesce(pg_temp.lock_of_batches(), \'none\'); ROLLBACK'
-- One call.
BEGIN; SELECT outcome FROM terra_identity.ingest('{}'::text) :lock;
BEGIN; SELECT (terra_identity.ingest('{}'::text)).outcome :lock;
BEGIN; SELECT i.outcome FROM (VALUES ('{}'::text)) v (body), terra_identity.ingest(v.body) i :lock;
BEGIN; WITH source AS MATERIALIZED (SELECT terra_identity.webhook('{}') AS answer) SELECT count(*) FROM (SELECT answer FROM source) s :lock;
BEGIN; SET LOCAL enable_seqscan = off; SELECT i.outcome FROM pg_temp.staged s, terra_identity.ingest(s.body) i WHERE s.id = 1 :lock;
BEGIN; INSERT INTO pg_temp.staged SELECT 4, outcome FROM terra_identity.ingest('{}'::text) :lock;
BEGIN; PREPARE one AS SELECT outcome FROM terra_identity.ingest($1::text); EXECUTE one ('{}') :lock;
DEALLOCATE one;
BEGIN; SELECT pg_temp.of_function('{}') :lock;
BEGIN; SELECT pg_temp.in_a_query('{}')::text <> '' :lock;
BEGIN; SELECT terra_identity.rebuild() :lock;
BEGIN; INSERT INTO terra_identity.events (payload, headers) VALUES ('{}', '{"X-Terra-Trace-Id": "1"}') :lock;
BEGIN; INSERT INTO terra_identity.events (payload) VALUES ('{}'), ('{}') :lock;
-- Several.
BEGIN; SELECT count(i.outcome) FROM pg_temp.staged s, terra_identity.ingest(s.body) i :lock;
BEGIN; SELECT count(*) FROM (SELECT terra_identity.ingest(body) FROM pg_temp.staged OFFSET 0) s :lock;
BEGIN; SELECT i.outcome, j.outcome FROM terra_identity.ingest('{}'::text) i, terra_identity.ingest('[]'::text) j :lock;
BEGIN; SELECT (SELECT outcome FROM terra_identity.ingest('{}'::text)), (SELECT outcome FROM terra_identity.ingest('[]'::text)) :lock;
BEGIN; SELECT count(terra_identity.webhook(body::json)) FROM pg_temp.staged :lock;
BEGIN; CREATE TEMP TABLE answers AS SELECT i.* FROM pg_temp.staged s, terra_identity.ingest(s.body) i :lock;
BEGIN; COPY (SELECT i.outcome FROM pg_temp.staged s, terra_identity.ingest(s.body) i) TO STDOUT :lock;
BEGIN; SELECT count(terra_identity.rebuild(body)) FROM pg_temp.staged :lock;
BEGIN; SELECT count(*) FROM terra_identity.replay_rejected() :lock;
-- Batches beside each other: several deliveries, several environments. In parts: more than 10,000.
BEGIN; INSERT INTO terra_identity.events (payload, headers) VALUES ('{}', '{"X-Terra-Trace-Id": "1"}'), ('{}', '{"X-Terra-Trace-Id": "2"}') :lock;
BEGIN; INSERT INTO terra_identity.events (dev_id, payload) SELECT dev_id, '{"type": "auth", "status": "success", "user": {"user_id": "u"}}' FROM unnest('{batches,batches too}'::text[]) dev_id :lock;
BEGIN; INSERT INTO terra_identity.events (payload, headers) SELECT '{}', jsonb_build_object('X-Terra-Trace-Id', i::text) FROM generate_series(1, 10000) i :lock;
BEGIN; INSERT INTO terra_identity.events (payload, headers) SELECT '{}', jsonb_build_object('X-Terra-Trace-Id', i::text) FROM generate_series(1, 10001) i :lock;
-- An edit of rules takes its environments in order, when the statement ends.
BEGIN; UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'default' :lock;
