-- The header dev-id says which Terra environment a delivery is of: production and testing are never mixed.
SET timezone = 'UTC';
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.auth(user_id text) RETURNS jsonb LANGUAGE sql RETURN
    jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id', user_id, 'provider', 'GARMIN', 'reference_id', 'alice'));
CREATE FUNCTION pg_temp.header(dev_id text, trace_id text DEFAULT NULL) RETURNS jsonb LANGUAGE sql RETURN
    jsonb_strip_nulls(jsonb_build_object('dev-id', dev_id, 'hook-type', 'WEBHOOK', 'X-Terra-Trace-Id', trace_id));
CREATE FUNCTION pg_temp.ingested(body jsonb, headers jsonb, dev_id text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer record;
BEGIN
    SELECT * INTO answer FROM terra_identity.ingest(body::text, headers, dev_id);
    RETURN concat_ws(' ', answer.outcome, answer.http_status, answer.detail,
                     'in ' || (SELECT e.dev_id FROM terra_identity.events e WHERE e.event_id = answer.event_id));
END $$;
CREATE VIEW pg_temp.learned AS SELECT dev_id, terra_dev_id, account_policy, signature_required FROM terra_identity.environments WHERE dev_id LIKE 'app%' ORDER BY 1;
CREATE VIEW pg_temp.told AS SELECT dev_id, string_agg(user_id, ' ' ORDER BY user_id) AS users FROM terra_identity.connections WHERE dev_id LIKE 'app%' GROUP BY 1 ORDER BY 1;

--
-- 1. The default environment learns from the first delivery; another header leads elsewhere
--
SET terra_identity.dev_id = 'app';
-- Without a header there is nothing to learn; an explicit dev_id teaches nothing either.
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('p0'), NULL), (pg_temp.auth('p0'), '{}'), (pg_temp.auth('p0'), '{"dev-id": ""}'), (pg_temp.auth('p0'), '{"dev-id": 7}');
INSERT INTO terra_identity.events (dev_id, payload, headers) VALUES ('app', pg_temp.auth('p0'), pg_temp.header('app-other'));
SELECT * FROM pg_temp.learned;
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('p1'), pg_temp.header('app-live-A1')), (pg_temp.auth('t1'), pg_temp.header('app-test-B2')),
    (pg_temp.auth('p2'), '{"Dev-ID": [" app-live-A1 "]}'), (pg_temp.auth('p3'), '{}') RETURNING dev_id, user_id;
INSERT INTO terra_identity.events (dev_id, payload, headers) VALUES (NULL, pg_temp.auth('t2'), pg_temp.header('app-test-B2')), ('app', pg_temp.auth('p4'), pg_temp.header('app-test-B2')) RETURNING dev_id, user_id;
COPY terra_identity.events (payload, headers) FROM STDIN;
{"type": "deauth", "user": {"user_id": "p1"}}	{"dev-id": "app-test-B2"}
{"type": "daily", "user": {"user_id": "p1"}}	{"dev-id": "app-live-A1"}
{"type": "daily", "user": {"user_id": "x1"}}	{"dev-id": "app-live-C3"}
\.
SELECT pg_temp.ingested(pg_temp.auth(user_id), pg_temp.header(header)) FROM (VALUES ('p5', 'app-live-A1'), ('t3', 'app-test-B2'), ('y1', 'app-D4'), ('p6', NULL)) v (user_id, header);
SELECT pg_temp.ingested(pg_temp.auth('p7'), pg_temp.header('app-D4'), 'app');
BEGIN;
SELECT set_config('request.headers', '{"dev-id": "app-test-B2"}', true);
SELECT terra_identity.webhook(pg_temp.auth('t4')::json);
COMMIT;
SELECT * FROM pg_temp.learned;
SELECT * FROM pg_temp.told;
-- A tester's deauth ended nothing in production.
SELECT user_id, status FROM terra_identity.connections WHERE dev_id = 'app' AND user_id = 'p1';
-- One trace id in two environments is two deliveries; in one, one.
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('p8'), pg_temp.header('app-live-A1', 'T')), (pg_temp.auth('p8'), pg_temp.header('app-test-B2', 'T')), (pg_temp.auth('p8'), pg_temp.header('app-test-B2', 'T')) RETURNING dev_id;
-- A header that no environment can have is a problem, and mixes nothing.
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('p9'), pg_temp.header(repeat('x', 513))), (pg_temp.auth('z1'), pg_temp.header('app-' || repeat('x', 508))) RETURNING left(dev_id, 10) AS dev_id, problem;

--
-- 2. Users say what the header is for an environment
--
UPDATE terra_identity.environments SET terra_dev_id = 'app-moved' WHERE dev_id = 'app-test-B2';
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('t5'), pg_temp.header('app-moved')), (pg_temp.auth('t6'), pg_temp.header('app-test-B2')) RETURNING dev_id, user_id;
INSERT INTO terra_identity.environments (dev_id, terra_dev_id) VALUES ('app staging', 'app-staging-E5');
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('app staging', 'replace'); -- forgets nothing
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('s1'), pg_temp.header('app-staging-E5')) RETURNING dev_id, user_id;
INSERT INTO terra_identity.environments (dev_id, terra_dev_id) VALUES ('app twice', 'app-staging-E5');
INSERT INTO terra_identity.environments (dev_id, terra_dev_id) VALUES ('app empty', '');
-- A default environment that has yet to learn does not take what is known to be another's.
SET terra_identity.dev_id = 'app too';
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('s2'), pg_temp.header('app-staging-E5')), (pg_temp.auth('y2'), pg_temp.header('app-D4')), (pg_temp.auth('n1'), pg_temp.header('app-new-F6')) RETURNING dev_id, user_id;
SELECT * FROM pg_temp.learned WHERE dev_id IN ('app too', 'app staging', 'app-D4');

--
-- 3. What is rolled back was not learned
--
SET terra_identity.dev_id = 'app three';
BEGIN;
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('r1'), pg_temp.header('app-r1')), (pg_temp.auth('r2'), pg_temp.header('app-r2')) RETURNING dev_id;
ROLLBACK;
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('r2'), pg_temp.header('app-r2')), (pg_temp.auth('r1'), pg_temp.header('app-r1')) RETURNING dev_id, user_id;
BEGIN;
SAVEPOINT s;
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('r3'), pg_temp.header('app-r3')) RETURNING dev_id;
ROLLBACK TO s;
SELECT count(*) AS made FROM terra_identity.environments WHERE dev_id = 'app-r3';
COMMIT;

-- What is learned changes nothing else: not the policy, nor who must sign. A row that went and comes back opens no door.
SET terra_identity.dev_id = 'app strict';
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('app strict', 'replace');
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('l1'), pg_temp.header('app-strict-K2'));
SELECT * FROM pg_temp.learned WHERE dev_id = 'app strict';
SELECT terra_identity.set_signing_secret('lost', dev_id => 'app-gone') > 0 AS set;
DELETE FROM terra_identity.environments WHERE dev_id = 'app-gone';
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('l2'), pg_temp.header('app-gone'));
SELECT * FROM pg_temp.learned WHERE dev_id = 'app-gone';
SELECT pg_temp.ingested(pg_temp.auth('l3'), pg_temp.header('app-gone'));
-- A default environment that has its Terra name learns that, and no other.
SET terra_identity.dev_id = 'app-named';
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('app-named', 'replace');
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('m1'), pg_temp.header('app-named')), (pg_temp.auth('m2'), pg_temp.header('app-named-too')) RETURNING dev_id;
SELECT * FROM pg_temp.learned WHERE dev_id LIKE 'app-named%';
UPDATE terra_identity.environments SET terra_dev_id = 'app-other-L3' WHERE dev_id = 'app-named';
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('m3'), pg_temp.header('app-named')) RETURNING dev_id;
-- What could not be stored before the header was learned goes where it belongs when it is tried again.
SET terra_identity.dev_id = 'app late';
SELECT outcome FROM unnest('{app-late-test,app late testing,app-late-live}'::text[]) header, terra_identity.ingest('{"type":'::text, pg_temp.header(header, header));
SELECT outcome FROM terra_identity.ingest('{"type":'::text, pg_temp.header('app-late-test', 'explicit'), 'app late');
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.auth('n1'), pg_temp.header('app-late-live'));
SELECT terra_identity.set_signing_secret('late', dev_id => 'app late testing') > 0 AS set;
UPDATE terra_identity.rejected SET body = '{"type": "deauth", "user": {"user_id": "n2"}}' WHERE dev_id = 'app late';
SELECT outcome, detail FROM terra_identity.replay_rejected('app late');
SELECT trace_id FROM terra_identity.rejected WHERE dev_id = 'app late';
SELECT dev_id, event_type, headers ->> 'dev-id' AS header FROM terra_identity.events WHERE dev_id LIKE 'app_late%' ORDER BY event_id;

--
-- 4. Headers are not signed: no dev-id leads past signatures, nor makes environments before they are checked
--
SET terra_identity.dev_id = 'app signed';
SELECT terra_identity.set_signing_secret('key of the default') > 0 AS set;
SELECT terra_identity.set_signing_secret('key of testing', dev_id => 'app testing') > 0 AS set;
UPDATE terra_identity.environments SET terra_dev_id = 'app-testing-G7' WHERE dev_id = 'app testing';
INSERT INTO terra_identity.environments (dev_id, terra_dev_id) VALUES ('app open', 'app-open-H8');
-- HMAC-SHA256 by its definition, for secrets of up to 64 bytes.
CREATE FUNCTION pg_temp.padded(secret text, pad int) RETURNS bytea LANGUAGE sql AS $$
    SELECT string_agg(set_byte('\x00', 0, CASE WHEN i < length(secret) THEN get_byte(secret::bytea, i) ELSE 0 END # pad), '' ORDER BY i) FROM generate_series(0, 63) i
$$;
CREATE FUNCTION pg_temp.headers(dev_id text, secret text, body text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('dev-id', dev_id, 'terra-signature', CASE WHEN secret IS NOT NULL THEN
        format('t=%s,v1=%s', t, encode(sha256(pg_temp.padded(secret, 92) || sha256(pg_temp.padded(secret, 54) || convert_to(t || '.' || body, 'UTF8'))), 'hex')) END))
    FROM (SELECT floor(extract(epoch FROM clock_timestamp()))::bigint AS t) now
$$;
-- What anybody could send, before the default environment has learned its own header, and after.
CREATE FUNCTION pg_temp.send(dev_id text, secret text, user_id text) RETURNS text LANGUAGE sql RETURN
    pg_temp.ingested(pg_temp.auth(user_id), pg_temp.headers(dev_id, secret, pg_temp.auth(user_id)::text));
SELECT count(*) AS environments FROM terra_identity.environments \gset
SELECT header, secret, pg_temp.send(header, secret, 'a1') AS answer
FROM unnest('{NULL,app-unheard-of,app testing,app-testing-G7,app open,app-open-H8,app-live-A1,app-test-B2}'::text[]) header, unnest('{NULL,a guess}'::text[]) secret;
SELECT count(*) = :environments AS made_none, (SELECT terra_dev_id FROM terra_identity.environments WHERE dev_id = 'app signed') AS learned FROM terra_identity.environments;
-- Signed with the default environment's secret, the first is its own. Then each needs the secret of where it leads.
SELECT pg_temp.send('app-signed-I9', 'key of testing', 'a2');
SELECT pg_temp.send('app-signed-I9', 'key of the default', 'a2');
SELECT header, secret, pg_temp.send(header, secret, 'a3') AS answer
FROM (VALUES (NULL), ('app-signed-I9'), ('app-unheard-of'), ('app-testing-G7'), ('app testing'), ('app-open-H8'), ('app-live-A1')) h (header),
     unnest('{NULL,key of the default,key of testing}'::text[]) secret;
SELECT count(*) = :environments AS made_none FROM terra_identity.environments;
SELECT * FROM pg_temp.learned WHERE dev_id LIKE 'app %' AND dev_id IN ('app signed', 'app testing', 'app open');
-- What was signed once is not delivered again under another header: not to teach, not to another environment.
SET terra_identity.dev_id = 'app replayed';
SELECT terra_identity.set_signing_secret('key') > 0 AS set;
SELECT pg_temp.headers(NULL, 'key', pg_temp.auth('c1')::text) AS captured \gset
SELECT outcome FROM terra_identity.ingest(pg_temp.auth('c1')::text, :'captured');
SELECT outcome, http_status FROM unnest('{app-attacker,app-live-A1,app testing}'::text[]) header, terra_identity.ingest(pg_temp.auth('c1')::text, :'captured'::jsonb || jsonb_build_object('dev-id', header));
SELECT terra_dev_id FROM terra_identity.environments WHERE dev_id = 'app replayed';
SELECT count(*) = :environments + 1 AS made_none FROM terra_identity.environments;
-- Where the refused are counted: at environments that are there.
SELECT dev_id, sum(refused) AS refused FROM terra_identity.refusals WHERE dev_id LIKE 'app%' GROUP BY 1 ORDER BY 1;
-- An environment that is led to, requires signatures and has no valid secret is not the sender's fault.
UPDATE terra_identity.environments SET terra_dev_id = 'app-lost-J1', signature_required = true WHERE dev_id = 'app open';
SELECT pg_temp.send('app-lost-J1', NULL, 'a4');
-- One that requires signatures does so wherever it is led to from.
SET terra_identity.dev_id = 'app';
SELECT pg_temp.send('app-testing-G7', NULL, 'a6'), pg_temp.send('app-testing-G7', 'key of testing', 'a6');
-- The explicit dev_id is the handler's word.
SELECT outcome FROM terra_identity.ingest(pg_temp.auth('a5')::text, pg_temp.header('app-signed-I9'), 'app-live-A1');
SELECT e.dev_id, count(v) AS wrong FROM terra_identity.environments e LEFT JOIN terra_identity.verify(e.dev_id) v ON true WHERE e.dev_id LIKE 'app%' GROUP BY 1 HAVING count(v) > 0;
