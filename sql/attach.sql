-- Tables of the application that feed the ledger: attach, detach, backfill. test/t/attach.sh has dumps, restores and kills.
SET terra_identity.dev_id = 'attach';
SET timezone = 'UTC';
\set SHOW_CONTEXT never

CREATE FUNCTION pg_temp.said(type text, user_id text, reference_id text DEFAULT NULL) RETURNS jsonb LANGUAGE sql
    RETURN jsonb_strip_nulls(jsonb_build_object('type', type, 'status', CASE type WHEN 'auth' THEN 'success' END,
        'user', jsonb_build_object('user_id', user_id, 'provider', 'OURA', 'reference_id', reference_id)));
-- The events since the last call.
CREATE SEQUENCE pg_temp.told MINVALUE 0;
SELECT setval('pg_temp.told', coalesce(max(event_id), 0)) IS NULL AS told FROM terra_identity.events;
CREATE FUNCTION pg_temp.news() RETURNS TABLE (dev_id text, event_type text, user_id text, headers jsonb, problem text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT e.dev_id, e.event_type, e.user_id, e.headers, e.problem FROM terra_identity.events e
        WHERE e.event_id > (SELECT last_value FROM told) ORDER BY e.event_id;
    PERFORM setval('told', coalesce(max(e.event_id), 0)) FROM terra_identity.events e;
END $$;

--
-- 1. A table as sync engines make it
--
CREATE SCHEMA app;
CREATE TABLE app.webhooks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body jsonb, received_at timestamptz NOT NULL DEFAULT now());
INSERT INTO app.webhooks (body, received_at) VALUES (pg_temp.said('auth', 'early', 'ann'), '2026-01-01');
SELECT terra_identity.attach('app.webhooks', 'body', received_at_column => 'received_at');
SELECT * FROM terra_identity.attached_tables;
INSERT INTO app.webhooks (body, received_at) VALUES (pg_temp.said('auth', 'one', 'ann'), '2026-02-01'), (NULL, '2026-02-01'), ('[]', '2026-02-02'), ('null', '2026-02-02');
COPY app.webhooks (body, received_at) FROM stdin;
{"type": "daily", "user": {"user_id": "one"}, "data": []}	2026-02-03 00:00Z
{"type": "deauth", "user": {"user_id": "one"}}	2026-02-04 00:00Z
\.
SELECT * FROM pg_temp.news();
SELECT user_id, status, reference_id, ended_at FROM terra_identity.connections WHERE dev_id = 'attach' ORDER BY 1;
-- What was there comes by backfill; what was fed is not fed again.
CALL terra_identity.backfill('app.webhooks', 2);
SELECT * FROM pg_temp.news();
CALL terra_identity.backfill('app.webhooks');
SELECT * FROM pg_temp.news();
-- All in one transaction: nothing is left of what is rolled back.
BEGIN;
INSERT INTO app.webhooks (body) VALUES (pg_temp.said('auth', 'two'));
SELECT user_id FROM pg_temp.news();
ROLLBACK;
SELECT count(*) FROM terra_identity.connections WHERE dev_id = 'attach' AND user_id = 'two';
-- UPDATE and DELETE feed nothing; of an upsert, what it inserts is fed.
UPDATE app.webhooks SET body = pg_temp.said('auth', 'changed');
DELETE FROM app.webhooks WHERE id > 3;
INSERT INTO app.webhooks (id, body) OVERRIDING SYSTEM VALUE VALUES (1, pg_temp.said('auth', 'not this')), (100, pg_temp.said('auth', 'this one'))
    ON CONFLICT (id) DO UPDATE SET body = excluded.body;
INSERT INTO app.webhooks (id, body) OVERRIDING SYSTEM VALUE VALUES (1, pg_temp.said('auth', 'nor this')) ON CONFLICT DO NOTHING;
SELECT * FROM pg_temp.news();
-- A renamed column, and a renamed table, go on; a column that is fed is not dropped or changed.
ALTER TABLE app.webhooks RENAME body TO "The Body";
ALTER TABLE app.webhooks RENAME TO "My ""Hooks""";
INSERT INTO app."My ""Hooks""" ("The Body") VALUES (pg_temp.said('auth', 'renamed'));
SELECT * FROM pg_temp.news();
ALTER TABLE app."My ""Hooks""" DROP COLUMN "The Body";
\set VERBOSITY terse
ALTER TABLE app."My ""Hooks""" ALTER "The Body" TYPE json;
\set VERBOSITY default
-- Nor does an attached table become a partition, through which rows would come that are not fed.
CREATE TABLE app.whole (id int, body jsonb);
CREATE TABLE app.parted (id int, body jsonb) PARTITION BY RANGE (id);
SELECT terra_identity.attach('app.whole', 'body');
ALTER TABLE app.parted ATTACH PARTITION app.whole DEFAULT;
DROP TABLE app.parted, app.whole;
-- With CASCADE the trigger of the columns goes: then every INSERT says so.
BEGIN;
ALTER TABLE app."My ""Hooks""" DROP COLUMN "The Body" CASCADE;
SELECT payload_column FROM terra_identity.attached_tables;
SAVEPOINT dropped;
INSERT INTO app."My ""Hooks""" DEFAULT VALUES;
ROLLBACK TO dropped;
SELECT terra_identity.detach('app."My ""Hooks"""');
INSERT INTO app."My ""Hooks""" DEFAULT VALUES;
ROLLBACK;
SELECT terra_identity.detach('app."My ""Hooks"""');
INSERT INTO app."My ""Hooks""" ("The Body") VALUES (pg_temp.said('auth', 'nobody'));
SELECT * FROM pg_temp.news();
SELECT tgname FROM pg_trigger WHERE tgrelid = 'app."My ""Hooks"""'::regclass;
SELECT * FROM terra_identity.attached_tables;
SELECT terra_identity.detach('app."My ""Hooks"""');
DROP TABLE app."My ""Hooks""";

--
-- 2. Raw bodies and headers; what is no event is kept, and the INSERT goes on
--
CREATE DOMAIN app.raw AS text;
CREATE TABLE app.raw_hooks (id uuid PRIMARY KEY, at timestamp, raw app.raw, headers json, env varchar(20));
SELECT terra_identity.attach('app.raw_hooks', 'raw', 'headers', 'env', 'at');
INSERT INTO app.raw_hooks VALUES
    ('00000000-0000-0000-0000-000000000001', '2026-01-01', pg_temp.said('auth', 'r1'), '{"x-terra-trace-id": "t1"}', NULL),
    ('00000000-0000-0000-0000-000000000002', '2026-01-01', '{', '{"X-Terra-Trace-Id": "t2", "dev-id": "acme"}', ''),
    ('00000000-0000-0000-0000-000000000003', '2026-01-01', '{"a": "\u0000"}', NULL, 'attach two'),
    ('00000000-0000-0000-0000-000000000004', '2026-01-01', pg_temp.said('auth', 'r1'), '{"x-terra-trace-id": "t1"}', ' '),
    ('00000000-0000-0000-0000-000000000005', '2026-01-01', pg_temp.said('auth', 'r5'), '[1, "\u0000"]', NULL),
    ('00000000-0000-0000-0000-000000000006', '2026-01-01', pg_temp.said('auth', 'r6'), '[1]', NULL),
    ('00000000-0000-0000-0000-000000000007', NULL, pg_temp.said('auth', 'r7'), 'null', 'attach two');
SELECT * FROM pg_temp.news();
CREATE VIEW pg_temp.rejected AS
    SELECT dev_id, trace_id, convert_from(body, 'UTF8') AS body, headers, reason, by_header FROM terra_identity.rejected
    WHERE dev_id IN ('attach', 'attach two', 'acme') ORDER BY rejected_id;
TABLE pg_temp.rejected;
-- Once more: nothing is fed or kept twice.
CALL terra_identity.backfill('app.raw_hooks', 3);
SELECT * FROM pg_temp.news();
SELECT count(*) FROM pg_temp.rejected;
-- Under strict a payload that is not what its type needs is kept, too: strict is for those who insert events.
SET terra_identity.strict = on;
INSERT INTO app.raw_hooks VALUES ('00000000-0000-0000-0000-000000000008', '2026-01-01', '{"type": "auth"}');
RESET terra_identity.strict;
SELECT body, headers, reason FROM pg_temp.rejected OFFSET 3;
SELECT outcome FROM terra_identity.replay_rejected() ORDER BY 1;
SELECT * FROM pg_temp.news();
-- A backfill stores nothing again. The row whose headers are no JSON is rejected again.
CALL terra_identity.backfill('app.raw_hooks');
SELECT * FROM pg_temp.news();
SELECT count(*) FROM pg_temp.rejected;
-- The environment is that of attach, not of the session, whatever the setting is there.
SET terra_identity.dev_id = 'elsewhere';
INSERT INTO app.raw_hooks VALUES ('00000000-0000-0000-0000-000000000009', '2026-01-01', pg_temp.said('auth', 'r9'));
SHOW terra_identity.dev_id;
SET terra_identity.dev_id = 'attach';
SELECT * FROM pg_temp.news();
-- What INSERT refuses, it refuses here, too.
INSERT INTO app.raw_hooks VALUES ('00000000-0000-0000-0000-000000000010', 'infinity', pg_temp.said('auth', 'r10'));
DROP TABLE app.raw_hooks;

CREATE TABLE app.bytes (body bytea, headers text);
SELECT terra_identity.attach('app.bytes', 'body', 'headers');
INSERT INTO app.bytes VALUES (convert_to(pg_temp.said('auth', 'b1')::text, 'UTF8'), '{"X-Terra-Trace-Id": "b1"}'), ('\xff', '{"X-Terra-Trace-Id": "b2"}'),
    (convert_to(pg_temp.said('auth', 'b3')::text, 'UTF8'), 'X-Terra-Trace-Id: b3'), ('', ''), (convert_to(pg_temp.said('auth', 'b4')::text, 'UTF8'), '');
SELECT * FROM pg_temp.news();
SELECT dev_id, trace_id, body, headers, reason, by_header FROM terra_identity.rejected WHERE dev_id = 'attach' ORDER BY rejected_id DESC LIMIT 3;
-- Without a primary key, rows without a trace id could not be told from others.
CALL terra_identity.backfill('app.bytes');
SELECT terra_identity.detach('app.bytes');
-- In one transaction, once, it works.
TRUNCATE app.bytes;
INSERT INTO app.bytes VALUES (convert_to(pg_temp.said('auth', 'b5')::text, 'UTF8'), '{"X-Terra-Trace-Id": "b5"}'), (convert_to(pg_temp.said('auth', 'b6')::text, 'UTF8'), NULL);
SELECT terra_identity.attach('app.bytes', 'body', 'headers', backfill => true);
SELECT * FROM pg_temp.news();
DROP TABLE app.bytes;

--
-- 3. Partitions, of two levels; keys of several columns and of a type of somebody's
--
CREATE TYPE app.kind AS ENUM ('z', 'a');
CREATE TABLE app.parted (kind app.kind, at timestamptz, name text COLLATE "C", body jsonb, PRIMARY KEY (kind, at, name)) PARTITION BY LIST (kind);
CREATE TABLE app.parted_z PARTITION OF app.parted FOR VALUES IN ('z') PARTITION BY RANGE (at);
CREATE TABLE app.parted_z_all (body jsonb, dropped int, name text COLLATE "C" NOT NULL, at timestamptz NOT NULL, kind app.kind NOT NULL);
ALTER TABLE app.parted_z_all DROP COLUMN dropped;
ALTER TABLE app.parted_z ATTACH PARTITION app.parted_z_all DEFAULT;
CREATE TABLE app.parted_a PARTITION OF app.parted FOR VALUES IN ('a');
INSERT INTO app.parted SELECT k, '2026-01-01', n, pg_temp.said('auth', k || n) FROM unnest('{z,a}'::app.kind[]) k, unnest('{"a,b","\\",c}'::text[]) n;
SELECT terra_identity.attach('app.parted', 'body', received_at_column => 'at');
SELECT attached_table FROM terra_identity.attached_tables;
SELECT terra_identity.attach('app.parted_a', 'body');
SELECT terra_identity.detach('app.parted_a');
INSERT INTO app.parted VALUES ('z', '2026-02-01', 'through', pg_temp.said('auth', 'through 1')), ('a', '2026-02-01', 'through', pg_temp.said('auth', 'through 2'));
INSERT INTO app.parted_z_all (kind, at, name, body) VALUES ('z', '2026-02-02', 'straight', pg_temp.said('auth', 'straight'));
-- A partition that comes later, and one that leaves.
ALTER TABLE app.parted DETACH PARTITION app.parted_a;
INSERT INTO app.parted_a VALUES ('a', '2026-02-03', 'x', pg_temp.said('auth', 'nobody'));
CREATE TABLE app.parted_b (LIKE app.parted_a INCLUDING ALL);
ALTER TABLE app.parted ATTACH PARTITION app.parted_b FOR VALUES IN ('a');
COPY app.parted FROM stdin;
z	2026-02-04 00:00Z	copied 1	{"type": "auth", "status": "success", "user": {"user_id": "copied 1"}}
a	2026-02-04 00:00Z	copied 2	{"type": "auth", "status": "success", "user": {"user_id": "copied 2"}}
\.
SELECT * FROM pg_temp.news();
-- In the order of the key, across its columns, in batches of any size, whatever the settings of the session.
SET datestyle = 'German';
SET timezone = 'Asia/Kolkata';
CALL terra_identity.backfill('app.parted', 1);
RESET datestyle;
SET timezone = 'UTC';
SELECT user_id, headers FROM pg_temp.news();
CALL terra_identity.backfill('app.parted', 3);
SELECT * FROM pg_temp.news();
SELECT terra_identity.detach('app.parted');
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'terra_identity%';
-- A table that others inherit from feeds its own rows alone, also by backfill.
CREATE TABLE app.ancestor (id int PRIMARY KEY, body jsonb, at timestamptz DEFAULT '2026-03-01');
CREATE TABLE app.heir () INHERITS (app.ancestor);
INSERT INTO app.heir VALUES (1, pg_temp.said('auth', 'child'));
INSERT INTO app.ancestor VALUES (1, pg_temp.said('auth', 'parent 1')), (2, pg_temp.said('auth', 'parent 2'));
SELECT terra_identity.attach('app.ancestor', 'body', received_at_column => 'at');
CALL terra_identity.backfill('app.ancestor', 1);
SELECT user_id FROM pg_temp.news();
SELECT terra_identity.detach('app.ancestor');
-- A partition's own primary key is not unique in the partitioned table: it makes no trace ids there.
CREATE TABLE app.loose (id int, part int, body jsonb, at timestamptz DEFAULT '2026-03-01') PARTITION BY LIST (part);
CREATE TABLE app.loose_1 PARTITION OF app.loose (PRIMARY KEY (id)) FOR VALUES IN (1);
CREATE TABLE app.loose_2 PARTITION OF app.loose (PRIMARY KEY (id)) FOR VALUES IN (2);
SELECT terra_identity.attach('app.loose', 'body', received_at_column => 'at');
INSERT INTO app.loose VALUES (1, 1, pg_temp.said('daily', 'loose')), (1, 2, pg_temp.said('daily', 'loose'));
SELECT user_id, headers FROM pg_temp.news();
CALL terra_identity.backfill('app.loose');
DROP TABLE app.loose;
-- Parts of a key that look alike.
CREATE TABLE app.alike (a text, b text, body jsonb, at timestamptz, PRIMARY KEY (a, b));
SELECT terra_identity.attach('app.alike', 'body', received_at_column => 'at');
INSERT INTO app.alike VALUES ('', 'x(y'), ('x(', 'y'), ('x(,', 'y'), ('x(', ',y'), ('x(\,', 'y'), ('x(\', ',y'), ('', ''), (',', ''), ('', ',');
UPDATE app.alike SET body = '{"type": "healthcheck"}';
CALL terra_identity.backfill('app.alike', 2);
SELECT headers ->> 'x-terra-trace-id' AS trace_id FROM pg_temp.news() ORDER BY headers ->> 'x-terra-trace-id' COLLATE "C";
DROP TABLE app.alike;
-- A partition alone.
SELECT terra_identity.attach('app.parted_b', 'body');
INSERT INTO app.parted VALUES ('a', '2026-02-05', 'alone', pg_temp.said('auth', 'alone')), ('z', '2026-02-05', 'alone', pg_temp.said('auth', 'nobody'));
SELECT user_id FROM pg_temp.news();
SELECT terra_identity.attach('app.parted', 'body');
DROP TABLE app.parted, app.parted_a;

--
-- 4. Several tables, and tables of every kind
--
CREATE TABLE app.one (id int PRIMARY KEY, body jsonb, at timestamptz DEFAULT '2026-03-01');
CREATE UNLOGGED TABLE app.two (id int PRIMARY KEY, "a column with a name of sixty-three bytes, ' "" \ and all others" json);
CREATE TEMP TABLE three (id numeric PRIMARY KEY, source text, body jsonb GENERATED ALWAYS AS (source::jsonb) STORED, env text);
CREATE TABLE app.parent (id int, body jsonb);
CREATE TABLE app.child () INHERITS (app.parent);
SELECT terra_identity.attach('app.one', 'body'), terra_identity.attach('app.two', 'a column with a name of sixty-three bytes, '' " \ and all others'),
       terra_identity.attach('three', 'body', dev_id_column => 'env', dev_id => 'attach three'), terra_identity.attach('app.child', 'body');
SELECT attached_table::oid::regclass, payload_column, dev_id_column, dev_id FROM terra_identity.attached_tables ORDER BY payload_column, attached_table::oid;
WITH one AS (INSERT INTO app.one VALUES (1, pg_temp.said('auth', 'one 1'))), two AS (INSERT INTO app.two VALUES (1, pg_temp.said('auth', 'two 1')))
INSERT INTO three VALUES (1.50, pg_temp.said('auth', 'three 1'), DEFAULT, NULL), (2, pg_temp.said('auth', 'three 2'), DEFAULT, 'attach four');
INSERT INTO app.child VALUES (1, pg_temp.said('auth', 'child 1'));
INSERT INTO app.parent VALUES (1, pg_temp.said('auth', 'nobody'));
SELECT * FROM pg_temp.news() ORDER BY dev_id, user_id;
-- An id that does not fit, and payloads and headers that are stored out of line.
CREATE TABLE app.large (id text PRIMARY KEY, body jsonb, headers jsonb);
INSERT INTO app.large SELECT repeat('long ', 200), pg_temp.said('daily', 'one 1') || jsonb_build_object('data', (SELECT jsonb_agg(md5(i::text)) FROM generate_series(1, 2000) i)),
    jsonb_build_object('x', (SELECT jsonb_agg(md5(i::text)) FROM generate_series(1, 2000) i));
SELECT terra_identity.attach('app.large', 'body', 'headers', backfill => true);
CALL terra_identity.backfill('app.large');
SELECT e.payload = l.body AS same, e.headers - 'x-terra-trace-id' = l.headers AS same, e.trace_id ~ '^attached app.large #\d+$' AS hashed
FROM app.large l, terra_identity.events e WHERE e.event_id > (SELECT last_value FROM told);
SELECT count(*) FROM pg_temp.news();
-- More rows than fit into one part, and some that are no events; in the order in which they came. Then rows that are large.
CREATE TABLE app.bulk (id int PRIMARY KEY, body text, at timestamptz DEFAULT '2026-03-01');
SELECT terra_identity.attach('app.bulk', 'body', received_at_column => 'at', dev_id => 'attach bulk');
BEGIN;
INSERT INTO app.bulk
SELECT i, CASE WHEN i % 5000 = 7 THEN '{' || i ELSE pg_temp.said(CASE WHEN i % 100 = 1 THEN 'auth' ELSE 'daily' END, 'bulk ' || i / 100, 'b')::text END FROM generate_series(1, 23000) i;
SELECT count(*), count(DISTINCT user_id), bool_and(follows) AS in_order FROM (
    SELECT user_id, event_id > lag(event_id, 1, 0::bigint) OVER (ORDER BY substring(trace_id, '\((.*)\)')::int) AS follows
    FROM terra_identity.events WHERE dev_id = 'attach bulk') e;
SELECT count(*), min(convert_from(body, 'UTF8')), max(convert_from(body, 'UTF8')) FROM terra_identity.rejected WHERE dev_id = 'attach bulk';
SELECT count(*) AS differences FROM terra_identity.verify('attach bulk');
INSERT INTO app.bulk SELECT 30000 + i, pg_temp.said('daily', 'bulk ' || i)::jsonb || jsonb_build_object('data', jsonb_build_array(repeat(md5(i::text), 200000))) FROM generate_series(1, 6) i;
SELECT user_id, length(payload #>> '{data,0}') FROM terra_identity.events WHERE dev_id = 'attach bulk' ORDER BY event_id DESC LIMIT 6;
ROLLBACK;
SELECT count(*) FROM terra_identity.events WHERE dev_id = 'attach bulk';
DROP TABLE app.bulk;
SELECT pg_temp.news() IS NULL AS none;
-- A trigger of the application on the ledger that inserts into an attached table again: an error, not an endless loop.
CREATE FUNCTION app.loop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO app.one VALUES (new.event_id + 1000, new.payload); RETURN NULL; END $$;
CREATE TRIGGER loop AFTER INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION app.loop();
SET max_stack_depth = '400kB';
\set VERBOSITY sqlstate
INSERT INTO app.one VALUES (2, pg_temp.said('auth', 'nobody'));
\set VERBOSITY default
RESET max_stack_depth;
DROP TRIGGER loop ON terra_identity.events;
SELECT * FROM pg_temp.news();
-- Ordinary triggers do not fire there, and nothing is fed: call backfill.
SET session_replication_role = replica;
INSERT INTO app.one VALUES (3, pg_temp.said('auth', 'replica'));
RESET session_replication_role;
-- Nor while a dump is restored, whose ledger has the events; these are what its script begins with.
SET check_function_bodies = off;
SET row_security = off;
INSERT INTO app.one VALUES (4, pg_temp.said('auth', 'restored'));
RESET check_function_bodies;
RESET row_security;
SELECT * FROM pg_temp.news();
CALL terra_identity.backfill('app.one');
SELECT terra_identity.detach('app.one');
SELECT terra_identity.attach('app.one', 'body', received_at_column => 'at', backfill => true);
SELECT * FROM pg_temp.news();
CALL terra_identity.backfill('app.one', 1);
SELECT * FROM pg_temp.news();

--
-- 5. What cannot be attached
--
CREATE TABLE app.plain (id int PRIMARY KEY, body jsonb, number int, headers bytea, at date);
CREATE VIEW app.a_view AS SELECT * FROM app.plain;
CREATE MATERIALIZED VIEW app.a_matview AS SELECT * FROM app.plain;
CREATE FOREIGN DATA WRAPPER attach_wrapper;
CREATE SERVER attach_server FOREIGN DATA WRAPPER attach_wrapper;
CREATE FOREIGN TABLE app.a_foreign_table (body jsonb) SERVER attach_server;
SELECT terra_identity.attach('app.a_view', 'body');
SELECT terra_identity.attach('app.a_matview', 'body');
SELECT terra_identity.attach('app.a_foreign_table', 'body');
SELECT terra_identity.attach('app.plain_pkey', 'body');
SELECT terra_identity.attach('pg_class', 'relname');
SELECT terra_identity.attach('terra_identity.events', 'payload');
SELECT terra_identity.attach('terra_identity.rejected', 'body');
SELECT terra_identity.attach(0::regclass, 'body');
SELECT terra_identity.attach('app.nothing', 'body');
SELECT terra_identity.attach(NULL, 'body');
SELECT terra_identity.attach('app.plain', NULL);
SELECT terra_identity.attach('app.plain', 'nothing');
SELECT terra_identity.attach('app.plain', 'ctid');
SELECT terra_identity.attach('app.plain', 'number');
SELECT terra_identity.attach('app.plain', 'body', 'headers');
SELECT terra_identity.attach('app.plain', 'body', dev_id_column => 'number');
SELECT terra_identity.attach('app.plain', 'body', received_at_column => 'at');
SELECT terra_identity.attach('app.plain', 'body', 'body');
SELECT terra_identity.attach('app.plain', 'body', backfill => true);
SELECT terra_identity.attach('app.plain', 'body', dev_id => '');
SELECT terra_identity.attach('app.plain', 'body', dev_id => repeat('x', 513));
SELECT terra_identity.attach('app.plain', 'body', dev_id => NULL);
SELECT terra_identity.attach('app.one', 'body');
SELECT terra_identity.detach('app.plain');
SELECT terra_identity.detach(NULL);
CALL terra_identity.backfill('app.plain');
CALL terra_identity.backfill(NULL);
CALL terra_identity.backfill('app.large', 0);
CALL terra_identity.backfill('app.large', NULL);
BEGIN;
CALL terra_identity.backfill('app.large');
ROLLBACK;
SELECT terra_identity._feed();
CREATE TRIGGER wrong BEFORE INSERT ON app.plain FOR EACH ROW EXECUTE FUNCTION terra_identity._feed('a', 'b');
INSERT INTO app.plain VALUES (1);
DROP TRIGGER wrong ON app.plain;
CREATE TRIGGER wrong AFTER INSERT ON app.plain FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._feed('a', 'b');
INSERT INTO app.plain VALUES (1);
DROP TRIGGER wrong ON app.plain;
CREATE TRIGGER wrong AFTER INSERT ON app.plain FOR EACH ROW EXECUTE FUNCTION terra_identity._feed();
INSERT INTO app.plain VALUES (1);
DROP TRIGGER wrong ON app.plain;

--
-- 6. Who may
--
CREATE ROLE regress_owner;
CREATE ROLE regress_app;
GRANT USAGE, CREATE ON SCHEMA app TO regress_owner;
SET ROLE regress_owner;
CREATE TABLE app.hers (id int PRIMARY KEY, body jsonb, received_at timestamptz DEFAULT '2026-01-01');
ALTER TABLE app.hers ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON app.hers USING (true);
GRANT INSERT, SELECT ON app.hers TO regress_app;
SELECT terra_identity.attach('app.hers', 'body');
RESET ROLE;
-- attach alone is not enough: the trigger needs _feed.
GRANT USAGE ON SCHEMA terra_identity TO regress_owner;
SELECT terra_identity.grant_attacher(NULL);
SELECT terra_identity.grant_attacher('regress_owner');
SET ROLE regress_owner;
SELECT terra_identity.attach('app.hers', 'body', received_at_column => 'received_at');
SELECT terra_identity.attach('app.plain', 'body');
SELECT terra_identity.detach('app.one');
CALL terra_identity.backfill('app.large');
SELECT count(*) FROM terra_identity.events;
RESET ROLE;
-- Who inserts needs no right on the ledger, and gets none by it; nor does a search_path of his lead astray.
GRANT USAGE ON SCHEMA app TO regress_app;
SET ROLE regress_app;
CREATE TEMP TABLE events (payload jsonb);
SET search_path = pg_temp, app, pg_catalog;
INSERT INTO app.hers VALUES (1, '{"type": "auth", "status": "success", "user": {"user_id": "hers"}}');
SELECT count(*) FROM pg_temp.events;
SELECT count(*) FROM terra_identity.events;
RESET ROLE;
RESET search_path;
SELECT user_id FROM pg_temp.news();
SELECT attached_table, source FROM terra_identity.attached_tables WHERE payload_column = 'body' ORDER BY source;
DROP TABLE pg_temp.events;
SET ROLE regress_owner;
SELECT terra_identity.detach('app.hers');
RESET ROLE;

SELECT coalesce((SELECT string_agg(v::text, ' ') FROM unnest('{attach,attach two,attach three,attach four}'::text[]) d, terra_identity.verify(d) v), 'none') AS differences;
-- The extension does not go while a table feeds it; with CASCADE only the triggers go. (In a transaction, which other tests need.)
BEGIN;
\set VERBOSITY terse
DROP EXTENSION terra_identity;
\set VERBOSITY default
ROLLBACK;
BEGIN;
SET client_min_messages = warning;
DROP EXTENSION terra_identity CASCADE;
RESET client_min_messages;
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'terra_identity%';
INSERT INTO app.one VALUES (5, '{}');
ROLLBACK;
DROP OWNED BY regress_owner, regress_app;
DROP ROLE regress_owner, regress_app;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
DROP FOREIGN DATA WRAPPER attach_wrapper CASCADE;
DELETE FROM terra_identity.rejected WHERE dev_id IN ('attach', 'attach two'); -- other tests look at all of them
