-- environments.store_data: an environment that stores no data has the same connections as one that does.
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- Everything is done in two environments: one stores data, the other does not.
INSERT INTO terra_identity.environments (dev_id, store_data) VALUES ('store_data yes', true), ('store_data no', false);
SELECT dev_id, store_data FROM terra_identity.environments WHERE dev_id LIKE 'store_data%' ORDER BY 1;
UPDATE terra_identity.environments SET store_data = NULL WHERE dev_id = 'store_data no';
-- An INSERT of an environment that has a row keeps what it leaves out.
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('store_data no', 'replace'), ('store_data yes', 'replace');
SELECT dev_id, store_data FROM terra_identity.environments WHERE dev_id LIKE 'store_data%' ORDER BY 1;

CREATE FUNCTION pg_temp.body(type text, user_id text, data jsonb DEFAULT '[]') RETURNS jsonb LANGUAGE sql
    RETURN jsonb_build_object('type', type, 'status', 'success', 'data', data, 'version', '2022-03-16', 'user', jsonb_strip_nulls(
        jsonb_build_object('user_id', user_id, 'provider', 'Garmin', 'reference_id', 'ann', 'scopes', 'daily', 'active', true,
                           'created_at', '2026-01-01T10:00:00Z', 'last_webhook_update', '2026-01-01T10:00:00Z')));
-- Data of about 140 kB that hardly compresses.
CREATE FUNCTION pg_temp.much() RETURNS jsonb LANGUAGE sql
    RETURN (SELECT jsonb_agg(jsonb_build_object('heart_rate', md5(n::text))) FROM generate_series(1, 2500) n);

--
-- 1. Every way in
--
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
SELECT dev_id, '2026-03-01 10:00', payload, jsonb_build_object('X-Terra-Trace-Id', payload ->> 'type', 'Authorization', 'secret')
FROM (VALUES ('store_data yes'), ('store_data no')) e (dev_id), (VALUES
    (pg_temp.body('auth', 'u1')), (pg_temp.body('daily', 'u1', pg_temp.much())), (pg_temp.body('sleep', 'u1', '[1]')),
    (pg_temp.body('athlete', 'u1') || '{"athlete": {"provider_user_id": "a1", "first_name": "Ann"}}'),
    (pg_temp.body('deauth', 'u1')), (pg_temp.body('body', 'seen in passing', '[2]'))) p (payload);
COPY terra_identity.events (dev_id, received_at, payload, headers) FROM stdin;
store_data yes	2026-03-01 10:01Z	{"type": "activity", "data": [{"steps": 1}], "user": {"user_id": "copied"}}	{"X-Terra-Ordering-Timestamp": "1772359200000", "x-terra-trace-id": "copied", "host": "h"}
store_data yes	2026-03-01 10:01Z	{"type": "activity", "data": [{"steps": 2}], "user": {"user_id": "copied"}}	{"x-terra-trace-id": "copied"}
store_data yes	2026-03-01 10:01Z	{"type": "activity", "data": [{"steps": 1}], "user": {"user_id": "copied"}}	{"x-terra-trace-id": "copied"}
store_data yes	2026-03-01 10:01Z	{"type": "daily", "data": [{"steps": 1}], "user": {"user_id": 17, "email": "ann@example.com"}}	\N
store_data yes	2026-03-01 10:01Z	["ann@example.com"]	\N
store_data yes	2026-03-01 10:01Z	{"type": "lab_report.completed", "reference_id": "ann", "report": {"glucose": 5}}	\N
store_data yes	2026-03-01 10:01Z	{"type": "s3_payload", "url": "https://example.com/p", "expires_in": 300}	{"x-terra-trace-id": "behind a URL"}
store_data no	2026-03-01 10:01Z	{"type": "s3_payload", "url": "https://example.com/p", "expires_in": 300}	{"x-terra-trace-id": "behind a URL"}
store_data no	2026-03-01 10:01Z	{"type": "activity", "data": [{"steps": 1}], "user": {"user_id": "copied"}}	{"X-Terra-Ordering-Timestamp": "1772359200000", "x-terra-trace-id": "copied", "host": "h"}
store_data no	2026-03-01 10:01Z	{"type": "activity", "data": [{"steps": 2}], "user": {"user_id": "copied"}}	{"x-terra-trace-id": "copied"}
store_data no	2026-03-01 10:01Z	{"type": "activity", "data": [{"steps": 1}], "user": {"user_id": "copied"}}	{"x-terra-trace-id": "copied"}
store_data no	2026-03-01 10:01Z	{"type": "daily", "data": [{"steps": 1}], "user": {"user_id": 17, "email": "ann@example.com"}}	\N
store_data no	2026-03-01 10:01Z	["ann@example.com"]	\N
store_data no	2026-03-01 10:01Z	{"type": "lab_report.completed", "reference_id": "ann", "report": {"glucose": 5}}	\N
\.
SELECT e.dev_id, i.outcome, i.http_status
FROM (VALUES ('store_data yes'), ('store_data no')) e (dev_id),
     (VALUES (1, '{"type": "nutrition", "data": [3], "user": {"user_id": "u1"}}'), (2, '{"type": "nutrition", "data": [3], "user": {"user_id": "new"}}'),
             (3, '{"type": "nutrition", "user": {"user_id": "cut')) b (number, body),
     terra_identity.ingest(b.body, jsonb_build_object('x-terra-trace-id', b.number::text, 'cookie', 'secret'), e.dev_id) i
ORDER BY 1 DESC, b.number;
CREATE SCHEMA store_data;
CREATE TABLE store_data.webhooks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text, dev_id text, at timestamptz DEFAULT '2026-03-01 10:02');
SELECT terra_identity.attach('store_data.webhooks', 'body', dev_id_column => 'dev_id', received_at_column => 'at');
INSERT INTO store_data.webhooks (body, dev_id)
SELECT body, dev_id FROM (VALUES ('store_data yes'), ('store_data no')) e (dev_id),
    (VALUES (pg_temp.body('hormone', 'u1', '[4]')::text), ('{"type": "hormone", "user": {"user_id": "cut')) b (body);
-- What was rejected is kept as it came, whatever store_data says; it is mended, and taken then.
SELECT dev_id, count(*) FROM terra_identity.rejected WHERE dev_id LIKE 'store_data%' GROUP BY 1 ORDER BY 1 DESC;
UPDATE terra_identity.rejected SET body = body || '"}, "data": [5]}' WHERE dev_id LIKE 'store_data%';
SELECT e.dev_id, r.outcome FROM (VALUES ('store_data yes'), ('store_data no')) e (dev_id), terra_identity.replay_rejected(e.dev_id) r ORDER BY 1 DESC;

-- What is stored of all but identity events: what the rules read of it. An s3_payload is stored whole: its data is
-- somewhere else, and somebody has to fetch it.
SELECT event_type, payload, headers FROM terra_identity.events WHERE dev_id = 'store_data no' ORDER BY event_id;
SELECT dev_id, sum(pg_column_size(payload)) > 50000 AS much FROM terra_identity.events WHERE dev_id LIKE 'store_data%' GROUP BY 1 ORDER BY 1 DESC;

--
-- 2. Retries are repeated deliveries, of either environment
--
CREATE FUNCTION pg_temp.events() RETURNS TABLE (dev_id text, events bigint) LANGUAGE sql
    BEGIN ATOMIC SELECT e.dev_id, count(*) FROM terra_identity.events e WHERE e.dev_id LIKE 'store_data%' GROUP BY 1 ORDER BY 1; END;
SELECT * FROM pg_temp.events();
INSERT INTO terra_identity.events (dev_id, payload, headers)
SELECT dev_id, payload, jsonb_build_object('x-terra-trace-id', payload ->> 'type')
FROM (VALUES ('store_data yes'), ('store_data no')) e (dev_id),
     (VALUES (pg_temp.body('sleep', 'u1', '[1]')), (pg_temp.body('daily', 'u1', pg_temp.much())), (pg_temp.body('auth', 'u1'))) p (payload);
INSERT INTO terra_identity.events (dev_id, payload, headers)
SELECT dev_id, '{"type": "nutrition", "data": [3], "user": {"user_id": "new"}}', '{"x-terra-trace-id": "2"}' FROM (VALUES ('store_data yes'), ('store_data no')) e (dev_id);
SELECT e.dev_id, i.outcome FROM (VALUES ('store_data yes'), ('store_data no')) e (dev_id),
    terra_identity.ingest('{"type": "activity", "data": [{"steps": 2}], "user": {"user_id": "copied"}}', '{"x-terra-trace-id": "copied"}', e.dev_id) i ORDER BY 1;
SELECT * FROM pg_temp.events();
-- The envelope alone is another payload under that trace id, and so another event.
SELECT e.dev_id, i.outcome FROM (VALUES ('store_data yes'), ('store_data no')) e (dev_id),
    terra_identity.ingest('{"type": "activity", "user": {"user_id": "copied"}}', '{"x-terra-trace-id": "copied"}', e.dev_id) i ORDER BY 1;
-- In one statement, more rows than are applied at once, each of them twice.
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
SELECT dev_id, '2026-03-01 10:03', pg_temp.body('daily', 'bulk ' || n % 100, jsonb_build_array(n)), jsonb_build_object('x-terra-trace-id', 'bulk ' || n)
FROM (VALUES ('store_data yes'), ('store_data no')) e (dev_id), generate_series(1, 5500) n, generate_series(1, 2) twice;
SELECT * FROM pg_temp.events();

--
-- 3. The state is the same
--
CREATE FUNCTION pg_temp.difference() RETURNS TABLE (what text, dev_id text, row_of text) LANGUAGE plpgsql AS $$
DECLARE
    named text;
BEGIN
    FOREACH named IN ARRAY '{connections,current_connections,problems,freshness,stale_events,unidentified_connections,contradictions}'::text[] LOOP
        RETURN QUERY EXECUTE format($q$
            WITH rows AS (
                SELECT v.dev_id, (SELECT jsonb_object_agg(c.key, c.value) FROM jsonb_each(to_jsonb(v)) c
                                  WHERE c.key !~ '_at$|^(dev_id|connection_id|lineage_id|event_id|event_time|payload|headers|silence|sentence|settled_by)$') AS row
                FROM terra_identity.%I v WHERE v.dev_id LIKE 'store_data%%')
            SELECT %1$L, min(r.dev_id), r.row::text FROM rows r
            GROUP BY r.row HAVING count(*) FILTER (WHERE r.dev_id = 'store_data no') <> count(*) FILTER (WHERE r.dev_id = 'store_data yes') $q$, named);
    END LOOP;
END $$;
SELECT count(*) AS connections FROM terra_identity.connections WHERE dev_id = 'store_data no';
SELECT * FROM pg_temp.difference();
SELECT user_id, status, reference_id, provider, provider_user_id, connected_at FROM terra_identity.connections
WHERE dev_id = 'store_data no' AND user_id NOT LIKE 'bulk%' AND user_id <> 'new' ORDER BY user_id;
SELECT terra_identity.rebuild('store_data yes'), terra_identity.rebuild('store_data no');
SELECT * FROM terra_identity.verify('store_data no');

--
-- 4. An edit holds for what comes after it, in every transaction
--
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('store_data no', '{"type": "daily", "user": {"user_id": "edit"}, "data": [1]}');
BEGIN;
UPDATE terra_identity.environments SET store_data = true WHERE dev_id = 'store_data no';
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('store_data no', '{"type": "daily", "user": {"user_id": "edit"}, "data": [2]}');
ROLLBACK;
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('store_data no', '{"type": "daily", "user": {"user_id": "edit"}, "data": [3]}');
UPDATE terra_identity.environments SET store_data = true WHERE dev_id = 'store_data no';
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('store_data no', '{"type": "daily", "user": {"user_id": "edit"}, "data": [4]}');
SELECT payload FROM terra_identity.events WHERE dev_id = 'store_data no' AND user_id = 'edit' ORDER BY event_id;
-- What DELETE goes back to.
DELETE FROM terra_identity.environments WHERE dev_id = 'store_data no';
INSERT INTO terra_identity.environments (dev_id) VALUES ('store_data no');
SELECT store_data FROM terra_identity.environments WHERE dev_id = 'store_data no';

DROP SCHEMA store_data CASCADE;
DELETE FROM terra_identity.environments WHERE dev_id LIKE 'store_data%';
