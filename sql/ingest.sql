-- ingest, webhook and replay_rejected: every delivery is answered, and none is lost.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET terra_identity.dev_id = 'ingest';
\set SHOW_CONTEXT never

--
-- 1. What is answered
--
CREATE FUNCTION pg_temp.headers(trace text) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('X-Terra-Trace-Id', trace);
SELECT outcome, http_status, detail, event_id = (SELECT max(event_id) FROM terra_identity.events WHERE dev_id = 'ingest') AS its_event
FROM terra_identity.ingest('{"type": "auth", "status": "success", "user": {"user_id": "u1", "reference_id": "r"}}'::bytea, pg_temp.headers('1'));
-- Again, as text: what counts is the trace id and what the body says. Another body under the same trace id is another event.
SELECT outcome, http_status, detail, event_id = (SELECT event_id FROM terra_identity.events WHERE dev_id = 'ingest' AND trace_id = '1') AS its_event
FROM terra_identity.ingest('{"user": {"user_id": "u1", "reference_id": "r"},  "type": "auth", "status": "success"}'::text, pg_temp.headers('1'));
SELECT outcome, http_status, detail, event_id = (SELECT max(event_id) FROM terra_identity.events WHERE dev_id = 'ingest') AS its_event
FROM terra_identity.ingest('{"type": "daily", "user": {"user_id": "u1"}}'::text, pg_temp.headers('1'));
-- Without headers or trace id every delivery is one of its own.
SELECT outcome, http_status, detail FROM terra_identity.ingest('{"type": "daily", "user": {"user_id": "u1"}}'::text);
SELECT outcome, http_status, detail FROM terra_identity.ingest('{"type": "daily", "user": {"user_id": "u1"}}'::text, '{}');
-- JSON that is not what its type needs is stored with its problem.
SELECT outcome, http_status, detail FROM terra_identity.ingest('{"type": "daily"}'::text);
SELECT outcome, http_status, detail FROM terra_identity.ingest('[]'::bytea);
-- What cannot be jsonb is kept byte for byte, once for all of its retries.
CREATE TABLE pg_temp.bodies (n int GENERATED ALWAYS AS IDENTITY, body bytea);
INSERT INTO pg_temp.bodies (body) VALUES (''), (' '), ('{'), ('{"type": "auth"}}'), ('{"type": "auth"}x'), ('{"type": "auth"}\000'), ('\xefbbbf7b7d'), ('\x7b00227d'), ('"\377"'),
    ('"\300\257"'), ('"\355\240\200"'), ('"\\ud800"'), ('"\\u0000"'), ('{"\\u0000": 1}'), ('[1e131072]'), ('[1e-16384]'), ('[NaN]'), (convert_to(repeat('[', 100000), 'UTF8')),
    (convert_to(repeat('{"a":', 100000), 'UTF8')), (convert_to(repeat('x', 1000000), 'UTF8')), ('<html>');
SELECT n, outcome, http_status, event_id, split_part(detail, ':', 1) AS detail FROM pg_temp.bodies, terra_identity.ingest(body, pg_temp.headers('bad ' || n)) ORDER BY n;
SELECT count(*) AS again FROM pg_temp.bodies, terra_identity.ingest(body, pg_temp.headers('bad ' || n)) WHERE http_status = 400;
SELECT count(*) AS kept, count(DISTINCT r.trace_id) AS deliveries, bool_and(r.body = b.body AND r.headers = pg_temp.headers('bad ' || n)) AS as_they_came,
       max(octet_length(reason)) < 400 AS briefly_explained
FROM terra_identity.rejected r LEFT JOIN pg_temp.bodies b ON r.trace_id = 'bad ' || n WHERE dev_id = 'ingest';
-- The same bytes as another delivery, other bytes as the same, and without a trace id.
SELECT trace, http_status FROM (VALUES ('other', '{'), ('other', '{'), ('other', '{{'), (NULL, '{'), (NULL, '{')) v (trace, body),
    terra_identity.ingest(body, pg_temp.headers(trace));
SELECT trace_id, convert_from(body, 'UTF8') AS body FROM terra_identity.rejected WHERE dev_id = 'ingest' AND octet_length(body) < 3 ORDER BY rejected_id;
SELECT count(*) AS events FROM terra_identity.events WHERE dev_id = 'ingest';
-- A null body is an empty one, a null dev_id the setting's; a dev_id that is none is the handler's mistake.
SELECT outcome, split_part(detail, ':', 1) AS detail FROM terra_identity.ingest(NULL::bytea, '{}', NULL);
SELECT outcome FROM terra_identity.ingest('[]'::text, '{}', '');
SELECT dev_id, count(*) FROM terra_identity.rejected WHERE octet_length(body) = 0 GROUP BY 1;
-- In a transaction: what is answered there is undone with it.
BEGIN;
SELECT outcome FROM terra_identity.ingest('[]'::text, pg_temp.headers('undone'));
SELECT outcome FROM terra_identity.ingest('['::text, pg_temp.headers('undone'));
ROLLBACK;
SELECT outcome FROM terra_identity.ingest('[]'::text, pg_temp.headers('undone'));
-- A bad body does not undo what its transaction did before, and many in one statement are each answered.
BEGIN;
SELECT outcome FROM terra_identity.ingest('{"type": "auth", "status": "success", "user": {"user_id": "u2"}}'::text);
SELECT outcome, count(*) FROM generate_series(1, 200) n, terra_identity.ingest(CASE WHEN n % 2 = 0 THEN '[' || n ELSE '[' || n || ']' END, pg_temp.headers('many ' || n)) GROUP BY 1 ORDER BY 1;
COMMIT;
SELECT user_id, status FROM terra_identity.connections WHERE dev_id = 'ingest' ORDER BY 1;
-- At every isolation level.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT outcome FROM terra_identity.ingest('[]'::text, pg_temp.headers('rr'));
SELECT outcome FROM terra_identity.ingest('[]'::text, pg_temp.headers('rr'));
SELECT outcome FROM terra_identity.ingest('['::text, pg_temp.headers('rr'));
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT outcome FROM terra_identity.ingest('[]'::text, pg_temp.headers('rr'));
SELECT outcome FROM terra_identity.ingest('{"type": "auth", "status": "success", "user": {"user_id": "u3"}}'::text);
COMMIT;
-- What the server suffers is an error, whatever the body.
BEGIN READ ONLY;
SELECT outcome FROM terra_identity.ingest('[]'::text);
ROLLBACK;
BEGIN READ ONLY;
SELECT outcome FROM terra_identity.ingest('['::text);
ROLLBACK;
SET statement_timeout = '30ms';
SELECT http_status FROM generate_series(1, 1000000) n, terra_identity.ingest('['::text);
RESET statement_timeout;

--
-- 2. Strict, and triggers of one's own
--
SET terra_identity.strict = on;
SELECT outcome, http_status, detail FROM terra_identity.ingest('{"type": "daily"}'::text, pg_temp.headers('strict'));
SELECT outcome, http_status, detail FROM terra_identity.ingest('{"type": "healthcheck"}'::text, pg_temp.headers('strict too'));
RESET terra_identity.strict;

CREATE FUNCTION pg_temp.skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.payload ->> 'type' = 'skip' THEN RETURN NULL; END IF; RETURN new; END $$;
CREATE TRIGGER aa_skip BEFORE INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION pg_temp.skip();
CREATE TRIGGER zzz_skip BEFORE INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION pg_temp.skip();
SELECT outcome, http_status, detail FROM terra_identity.ingest('{"type": "skip"}'::text, pg_temp.headers('skip'));
DROP TRIGGER aa_skip ON terra_identity.events;
SELECT outcome, http_status, detail FROM terra_identity.ingest('{"type": "skip"}'::text, pg_temp.headers('skip later'));
SELECT outcome, http_status, detail FROM terra_identity.ingest('{"type": "skip"}'::text, pg_temp.headers('skip later'));
DROP TRIGGER zzz_skip ON terra_identity.events;
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the app says no' USING ERRCODE = 'P0042'; END $$;
CREATE TRIGGER refuse AFTER INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SELECT outcome FROM terra_identity.ingest('{"type": "healthcheck"}'::text);
DROP TRIGGER refuse ON terra_identity.events;

-- A trigger that inserts events of its own, traced ones too, does not make a retry look like a skipped row.
CREATE FUNCTION pg_temp.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 1 THEN
        INSERT INTO terra_identity.events (payload, headers) VALUES ('{"type": "healthcheck"}', pg_temp.headers('note ' || clock_timestamp()));
        INSERT INTO terra_identity.events (payload, headers) VALUES ('{"type": "healthcheck"}', pg_temp.headers('noted'));
        PERFORM terra_identity.ingest('{"type": "healthcheck"}'::text, pg_temp.headers('noted'));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT ON terra_identity.events FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.note();
SELECT outcome FROM terra_identity.ingest('{"type": "healthcheck", "n": 1}'::text, pg_temp.headers('retried'));
SELECT outcome FROM terra_identity.ingest('{"type": "healthcheck", "n": 1}'::text, pg_temp.headers('retried'));
SELECT outcome FROM terra_identity.ingest('{"type": "healthcheck", "n": 1}'::text, pg_temp.headers('retried'));
-- Nor does one that changes the payload of both.
CREATE FUNCTION pg_temp.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.payload := new.payload || '{"stamped": true}'; RETURN new; END $$;
CREATE TRIGGER aa_stamp BEFORE INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION pg_temp.stamp();
SELECT outcome FROM terra_identity.ingest('{"type": "healthcheck", "n": 1}'::text, pg_temp.headers('stamped'));
SELECT outcome FROM terra_identity.ingest('{"type": "healthcheck", "n": 1}'::text, pg_temp.headers('stamped'));
DROP TRIGGER aa_stamp ON terra_identity.events;
DROP TRIGGER note ON terra_identity.events;
SELECT e.trace_id, count(*) AS events, count(d) AS deliveries FROM terra_identity.events e LEFT JOIN terra_identity.deliveries d USING (dev_id, event_id, trace_id)
WHERE e.trace_id IN ('retried', 'stamped', 'noted') GROUP BY 1 ORDER BY 1;

-- What was delivered once is a duplicate also when its event is gone.
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM terra_identity.events WHERE dev_id = 'ingest' AND trace_id = '1';
SET LOCAL session_replication_role = origin;
SELECT outcome, http_status, event_id IS NOT NULL AS event FROM terra_identity.ingest('{"type": "daily", "user": {"user_id": "u1"}}'::text, pg_temp.headers('1'));
ROLLBACK;

--
-- 3. Again
--
SELECT trace_id, convert_from(body, 'UTF8') AS body, reason FROM terra_identity.rejected WHERE dev_id = 'ingest' AND (trace_id LIKE 'skip%' OR trace_id LIKE 'strict%') ORDER BY rejected_id;
UPDATE terra_identity.rejected SET received_at = '2026-01-01 00:00Z' WHERE dev_id = 'ingest' AND trace_id = 'strict';
SELECT outcome, event_id IS NOT NULL AS event, detail, count(*) FROM terra_identity.replay_rejected() WHERE outcome <> 'rejected' GROUP BY 1, 2, 3 ORDER BY 1, 3;
SELECT trace_id, received_at, event_time, problem FROM terra_identity.events WHERE dev_id = 'ingest' AND trace_id = 'strict';
SELECT count(*) = (SELECT count(*) FROM terra_identity.rejected WHERE dev_id = 'ingest') AS the_others_stay, count(event_id) AS stored FROM terra_identity.replay_rejected('ingest');
SELECT count(*) AS of_nobody FROM terra_identity.replay_rejected('nobody');
SELECT * FROM terra_identity.verify();

--
-- 4. webhook, as PostgREST calls it
--
SET terra_identity.dev_id = 'ingest too';
BEGIN;
SELECT set_config('request.headers', '{"x-terra-trace-id": "w1", "content-type": "application/json"}', true) IS NULL AS none;
SELECT terra_identity.webhook('{"type": "auth",  "status": "success", "user": {"user_id": "w1"}}') AS answer, current_setting('response.status') AS status;
SELECT terra_identity.webhook('{"type": "auth",  "status": "success", "user": {"user_id": "w1"}}') AS answer, current_setting('response.status') AS status;
SELECT terra_identity.webhook('{"type": "\u0000"}') AS answer, current_setting('response.status') AS status;
COMMIT;
SELECT current_setting('response.status') AS afterwards;
SELECT trace_id, headers ->> 'content-type' AS type, user_id FROM terra_identity.events WHERE dev_id = 'ingest too';
-- The signature is checked over what was sent, blanks and all. Terra's test vector.
SELECT terra_identity.set_signing_secret('key') > 0 AS signed;
UPDATE terra_identity.environments SET signature_tolerance = NULL WHERE dev_id = 'ingest too';
BEGIN;
SELECT set_config('request.headers', '{"x-terra-signature": "t=12345678,v1=dca55eca8f595bd4d80250ab9609c7cbecec8e581c5c3822294f7c2ee1c99377"}', true) IS NULL AS none;
SELECT terra_identity.webhook('123') AS answer, current_setting('response.status') AS status;
SELECT terra_identity.webhook('123 ') AS answer, current_setting('response.status') AS status;
SELECT terra_identity.webhook('1.23e2') AS answer, current_setting('response.status') AS status;
COMMIT;
-- Headers that are none, and such that are no JSON: that is not the sender's fault.
SELECT headers, terra_identity.webhook('123') AS answer, current_setting('response.status') AS status
FROM unnest(ARRAY['', '[]', 'null']) h (headers), LATERAL (SELECT set_config('request.headers', headers, false) OFFSET 0) s;
SET request.headers = 'x';
SELECT terra_identity.webhook('123');
RESET request.headers;
SELECT terra_identity.webhook(NULL) AS answer, current_setting('response.status') AS status;
SELECT reason, refused FROM terra_identity.refusals WHERE dev_id = 'ingest too' ORDER BY 1;
