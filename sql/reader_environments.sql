-- Who reads which environments: grant_reader, revoke_reader, and the policies that ask what they entered.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
INSERT INTO terra_identity.events (dev_id, payload)
SELECT dev_id, jsonb_build_object('type', type, 'status', 'success', 'user', jsonb_build_object('user_id', dev_id || ' ' || n, 'provider', 'GARMIN', 'reference_id', 'r' || n))
FROM unnest('{readers a,readers b,readers c}'::text[]) dev_id, generate_series(1, 3) n, unnest('{auth,daily}'::text[]) type;
CREATE ROLE regress_all;
CREATE ROLE regress_a;
CREATE ROLE regress_both;
CREATE ROLE regress_none;
CREATE ROLE regress_stranger;
CREATE FUNCTION pg_temp.environments() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(dev_id, ', ' ORDER BY dev_id) FROM (SELECT DISTINCT dev_id FROM terra_identity.events WHERE dev_id LIKE 'readers %') e
$$;

--
-- 1. What can be granted, and what cannot
--
SELECT terra_identity.grant_reader('regress_all');
SELECT terra_identity.grant_reader('regress_a', 'readers a');
SELECT terra_identity.grant_reader('regress_both', 'readers a'), terra_identity.grant_reader('regress_both', 'readers b'), terra_identity.grant_reader('regress_both', 'readers b');
SELECT role, dev_id FROM terra_identity.readers WHERE role LIKE 'regress%' ORDER BY role, dev_id;
SELECT terra_identity.grant_reader(NULL, 'readers a');
SELECT terra_identity.grant_reader('regress_a', '');
SELECT terra_identity.grant_reader('regress_a', repeat('x', 513));
SELECT terra_identity.grant_reader('regress_all', 'readers a');
SELECT terra_identity.revoke_reader('regress_all', 'readers a');
SELECT terra_identity.revoke_reader('regress_a', 'readers b');
SELECT terra_identity.revoke_reader(NULL);
CREATE ROLE regress_super SUPERUSER;
SELECT terra_identity.grant_reader('regress_super', 'readers a');
CREATE ROLE regress_bypass BYPASSRLS;
SELECT terra_identity.grant_reader('regress_bypass', 'readers a');
-- An environment more, one less, then all.
BEGIN;
SELECT terra_identity.revoke_reader('regress_both', 'readers a'), terra_identity.grant_reader('regress_both', 'readers c');
SET LOCAL ROLE regress_both;
SELECT pg_temp.environments();
RESET ROLE;
SELECT terra_identity.grant_reader('regress_both');
SET LOCAL ROLE regress_both;
SELECT pg_temp.environments();
RESET ROLE;
SELECT terra_identity.revoke_reader('regress_both');
SELECT count(*) FROM terra_identity.readers WHERE role = 'regress_both';
SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee = 'regress_both'::regrole;
SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(p.proacl) a WHERE a.grantee = 'regress_both'::regrole;
ROLLBACK;

--
-- 2. Who reads what
--
SET ROLE regress_all;
SELECT pg_temp.environments();
SET ROLE regress_a;
SELECT pg_temp.environments();
SET ROLE regress_both;
SELECT pg_temp.environments();
SELECT terra_identity.resolve('readers b 1', 'readers b'), terra_identity.resolve('readers c 1', 'readers c'), terra_identity.lineage_of('readers c 1', 'readers c');
RESET ROLE;
-- Privileges without an entry: an error, which says what to do. An environment that has the name of the entry for all is none.
GRANT USAGE ON SCHEMA terra_identity TO regress_none, regress_stranger;
GRANT SELECT ON terra_identity.events TO regress_none;
GRANT EXECUTE ON FUNCTION terra_identity.resolve TO regress_none;
GRANT SELECT (dev_id, user_id, lineage_id, status, dated, connected_at) ON terra_identity.connections TO regress_none;
SET ROLE regress_none;
SELECT pg_temp.environments();
SELECT terra_identity.resolve('readers a 1', 'readers a');
SELECT user_id FROM terra_identity.connections;
SET ROLE regress_stranger;
SELECT pg_temp.environments();
SELECT terra_identity._may_read('readers a');
RESET ROLE;
SELECT terra_identity._may_read('readers a');
-- A plan is what it is without row level security for who reads everything, and by index for who does not.
CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query;
END $$;
CREATE INDEX regress_type ON terra_identity.events USING hash ((payload ->> 'type'));
\set by_type 'SELECT pg_temp.plan($$SELECT * FROM terra_identity.events WHERE payload ->> \'type\' = \'auth\'$$)'
\set by_user 'SELECT pg_temp.plan($$SELECT * FROM terra_identity.connections WHERE user_id = \'readers a 1\'$$)'
SET enable_seqscan = off;
SET enable_bitmapscan = off;
:by_type;
:by_user;
SET ROLE regress_all;
:by_type;
:by_user;
SET ROLE regress_a;
SELECT bool_or(plan ~ 'Index Cond: .*dev_id = ''readers a''') AS by_index, bool_or(plan ~ '_may_read') AS asked FROM (:by_user) p (plan);
RESET ROLE;
RESET enable_seqscan;
RESET enable_bitmapscan;
DROP INDEX terra_identity.regress_type;

--
-- 3. It holds at once: in prepared statements, for members, in functions and views of others, and for who comes after
--
PREPARE events AS SELECT DISTINCT dev_id FROM terra_identity.events WHERE dev_id LIKE 'readers %' ORDER BY 1;
SET plan_cache_mode = force_generic_plan;
SET ROLE regress_all;
EXECUTE events;
SET ROLE regress_a;
EXECUTE events;
RESET ROLE;
SELECT terra_identity.grant_reader('regress_a', 'readers c');
SET ROLE regress_a;
EXECUTE events;
RESET ROLE;
BEGIN;
SELECT terra_identity.revoke_reader('regress_a', 'readers a');
SET LOCAL ROLE regress_a;
EXECUTE events;
SELECT terra_identity.resolve('readers a 1', 'readers a');
ROLLBACK;
SET ROLE regress_a;
EXECUTE events;
SELECT terra_identity.resolve('readers a 1', 'readers a');
RESET ROLE;
SELECT terra_identity.revoke_reader('regress_a', 'readers c');
-- Members, as long as they are, if they inherit.
CREATE ROLE regress_member IN ROLE regress_both;
CREATE ROLE regress_no_heir NOINHERIT IN ROLE regress_both;
SELECT terra_identity.grant_reader('regress_no_heir', 'readers c');
SET ROLE regress_member;
EXECUTE events;
SELECT terra_identity.resolve('readers b 1', 'readers b');
SET ROLE regress_no_heir;
EXECUTE events;
RESET ROLE;
REVOKE regress_both FROM regress_member;
SET ROLE regress_member;
EXECUTE events;
SELECT terra_identity.resolve('readers b 1', 'readers b');
RESET ROLE;
GRANT regress_all TO regress_member;
SELECT terra_identity.grant_reader('regress_member', 'readers a');
REVOKE regress_all FROM regress_member;
GRANT USAGE ON SCHEMA terra_identity TO regress_member;
GRANT SELECT ON terra_identity.events TO regress_member;
-- A function of another role's reads what its owner does; so does a view, but for one that has security_invoker.
CREATE SCHEMA regress_app;
GRANT USAGE, CREATE ON SCHEMA regress_app TO regress_a, regress_stranger, regress_all;
GRANT USAGE ON SCHEMA regress_app TO PUBLIC;
SET ROLE regress_a;
CREATE VIEW regress_app.seen AS SELECT DISTINCT dev_id, terra_identity.resolve(user_id, dev_id) IS NOT NULL AS resolved FROM terra_identity.connections WHERE dev_id LIKE 'readers %';
CREATE VIEW regress_app.asked WITH (security_invoker = true) AS SELECT DISTINCT dev_id FROM terra_identity.connections WHERE dev_id LIKE 'readers %';
CREATE FUNCTION regress_app.seen() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT DISTINCT dev_id FROM terra_identity.connections';
CREATE FUNCTION regress_app.asked() RETURNS SETOF text LANGUAGE sql AS 'SELECT DISTINCT dev_id FROM terra_identity.events WHERE dev_id LIKE ''readers %''';
GRANT SELECT ON regress_app.seen, regress_app.asked TO regress_all, regress_stranger;
SET ROLE regress_all;
SELECT * FROM regress_app.seen;
SELECT * FROM regress_app.asked ORDER BY 1;
SELECT * FROM regress_app.seen();
SELECT * FROM regress_app.asked() ORDER BY 1;
SET ROLE regress_stranger;
SELECT dev_id FROM regress_app.seen;
SELECT * FROM regress_app.asked;
SELECT * FROM regress_app.seen();
SELECT * FROM regress_app.asked();
RESET ROLE;
-- A view of somebody who reads everything, for one who does not.
SET ROLE regress_all;
CREATE VIEW regress_app.everything AS SELECT DISTINCT dev_id FROM terra_identity.connections WHERE dev_id LIKE 'readers %';
GRANT SELECT ON regress_app.everything TO regress_a;
SET ROLE regress_a;
SELECT * FROM regress_app.everything ORDER BY 1;
RESET ROLE;
DROP SCHEMA regress_app CASCADE;
-- A renamed role is granted again. A new role of an old name has nothing of the old one, nor has one of an old number.
ALTER ROLE regress_a RENAME TO regress_renamed;
SET ROLE regress_renamed;
EXECUTE events;
RESET ROLE;
SELECT terra_identity.grant_reader('regress_renamed', 'readers c');
SET ROLE regress_renamed;
EXECUTE events;
RESET ROLE;
UPDATE terra_identity.readers SET role_id = 'regress_member'::regrole WHERE role = 'regress_renamed';
SET ROLE regress_member;
EXECUTE events;
SET ROLE regress_renamed;
EXECUTE events;
RESET ROLE;
CREATE ROLE regress_a;
GRANT USAGE ON SCHEMA terra_identity TO regress_a;
GRANT SELECT ON terra_identity.events TO regress_a;
SET ROLE regress_a;
EXECUTE events;
RESET ROLE;
DROP OWNED BY regress_renamed, regress_a;
DROP ROLE regress_renamed, regress_a;
CREATE ROLE regress_a;
GRANT USAGE ON SCHEMA terra_identity TO regress_a;
GRANT SELECT ON terra_identity.events TO regress_a;
SET ROLE regress_a;
EXECUTE events;
RESET ROLE;
SELECT terra_identity.grant_reader('regress_a', 'readers b');
SET ROLE regress_a;
EXECUTE events;
RESET ROLE;
-- Rows of another cluster, as a dump brings them, are of the role of that name, if it has its privileges, too.
UPDATE terra_identity.readers SET system_identifier = system_identifier - 1, role_id = 'regress_all'::regrole WHERE role = 'regress_a';
UPDATE terra_identity.readers SET system_identifier = system_identifier - 1 WHERE role = 'regress_both';
SET ROLE regress_a;
EXECUTE events;
SELECT terra_identity.resolve('readers b 1', 'readers b');
SET ROLE regress_both;
EXECUTE events;
RESET ROLE;
-- What was entered before privileges were taken back does not come back with them.
DROP OWNED BY regress_a, regress_none;
SELECT terra_identity.grant_reader('regress_a', 'readers c'), terra_identity.grant_reader('regress_both', 'readers c');
SELECT role, dev_id, role_id::regrole FROM terra_identity.readers WHERE role IN ('regress_a', 'regress_both') ORDER BY 1, 2;
SET ROLE regress_a;
EXECUTE events;
SET ROLE regress_both;
EXECUTE events;
RESET ROLE;
RESET plan_cache_mode;
TRUNCATE terra_identity.readers;

--
-- 4. Who writes
--
CREATE ROLE regress_loader;
GRANT USAGE ON SCHEMA terra_identity TO regress_loader;
GRANT INSERT (dev_id, payload), SELECT (event_id) ON terra_identity.events TO regress_loader;
GRANT INSERT (dev_id, payload) ON terra_identity.events TO regress_a;
SET ROLE regress_loader;
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('readers a', '{"type": "healthcheck"}');
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('readers a', '{"type": "healthcheck"}') RETURNING event_id > 0 AS event_id;
RESET ROLE;
SELECT terra_identity._enter_reader('regress_loader', NULL, true);
SET ROLE regress_loader;
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('readers a', '{"type": "healthcheck"}') RETURNING event_id > 0 AS event_id;
-- Who reads one environment writes into that one.
SET ROLE regress_a;
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('readers c', '{"type": "healthcheck"}') RETURNING event_type;
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('readers a', '{"type": "healthcheck"}');
SET terra_identity.dev_id = 'readers a';
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "healthcheck"}');
RESET terra_identity.dev_id;
RESET ROLE;
GRANT INSERT, UPDATE, DELETE ON terra_identity.accepted_duplicates TO regress_a, regress_none;
GRANT USAGE ON SCHEMA terra_identity TO regress_none;
SET ROLE regress_none;
INSERT INTO terra_identity.accepted_duplicates (dev_id, provider, provider_user_id) VALUES ('readers a', 'GARMIN', '1'), ('readers c', 'GARMIN', '1');
SET ROLE regress_a;
INSERT INTO terra_identity.accepted_duplicates (dev_id, provider, provider_user_id) VALUES ('readers a', 'GARMIN', '2');
INSERT INTO terra_identity.accepted_duplicates (dev_id, provider, provider_user_id) VALUES ('readers a', 'GARMIN', '1');
UPDATE terra_identity.accepted_duplicates SET note = 'mine' RETURNING dev_id;
UPDATE terra_identity.accepted_duplicates SET dev_id = 'readers a';
DELETE FROM terra_identity.accepted_duplicates RETURNING dev_id;
RESET ROLE;
SELECT dev_id, note FROM terra_identity.accepted_duplicates WHERE dev_id LIKE 'readers %';
DELETE FROM terra_identity.accepted_duplicates WHERE dev_id LIKE 'readers %';
-- A consumer of one environment, and one that was a reader of one already.
CREATE ROLE regress_mailer;
SELECT terra_identity.grant_consumer('regress_mailer', 'readers b'), terra_identity.grant_consumer('regress_a');
SELECT role, dev_id FROM terra_identity.readers WHERE role IN ('regress_mailer', 'regress_a');
SET ROLE regress_mailer;
SELECT count(*) FROM terra_identity.read_changes('mailer', dev_id => 'readers b');
SELECT count(*) FROM terra_identity.read_changes('mailer', dev_id => 'readers a');
-- It leaves nothing in another environment, and learns nothing of it.
SELECT terra_identity.skip_changes('mailer', 'readers a'), terra_identity.skip_changes('mailer', 'no environment');
SELECT terra_identity.commit_changes('mailer', 1, 'readers a');
SELECT terra_identity.commit_changes('mailer', 1, 'no environment');
SELECT terra_identity._position_changes('mailer', 10, 'readers a');
RESET ROLE;
SELECT dev_id, consumer FROM terra_identity.consumers WHERE dev_id LIKE 'readers%' OR dev_id = 'no environment';
SELECT count(position) AS positions FROM terra_identity.changes WHERE dev_id = 'readers a';

--
-- 5. Policies of the owner's: permissive ones add rows, restrictive ones hide some
--
\set seen 'SELECT (SELECT string_agg(user_id, \', \' ORDER BY user_id) FROM terra_identity.connections WHERE dev_id LIKE \'readers %\') AS seen, terra_identity.resolve(\'readers a 1\', \'readers a\') AS a, terra_identity.resolve(\'readers c 1\', \'readers c\') AS c'
CREATE POLICY more ON terra_identity.connections FOR SELECT TO regress_a, regress_stranger USING (user_id = 'readers a 1');
SET ROLE regress_a;
:seen;
RESET ROLE;
GRANT SELECT ON terra_identity.connections TO regress_stranger;
GRANT EXECUTE ON FUNCTION terra_identity.resolve TO regress_stranger;
SET ROLE regress_stranger;
:seen;
RESET ROLE;
DROP POLICY more ON terra_identity.connections;
CREATE POLICY fewer ON terra_identity.connections AS RESTRICTIVE FOR SELECT TO regress_a USING (user_id <> 'readers c 1');
SET ROLE regress_a;
:seen;
RESET ROLE;
DROP POLICY fewer ON terra_identity.connections;
SET ROLE regress_stranger;
:seen;
RESET ROLE;
-- Row security that is off makes a query fail that it would have hidden rows from.
SET row_security = off;
SET ROLE regress_a;
:seen;
SELECT terra_identity.resolve('readers c 1', 'readers c');
RESET ROLE;
RESET row_security;

-- In parallel.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 1;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SET enable_bitmapscan = off;
\set everybody 'SELECT count(*), count(terra_identity.resolve(user_id, dev_id)), count(terra_identity.resolve(replace(user_id, \' c \', \' b \'), \'readers b\')) AS elsewhere FROM terra_identity.connections WHERE dev_id = \'readers c\''
SET ROLE regress_a;
SELECT bool_or(plan ~ 'Gather') AS parallel FROM pg_temp.plan(:'everybody') plan;
:everybody;
RESET ROLE;
RESET ALL;

-- Another cluster's row that has the number of a role here is another role's: it stays.
CREATE ROLE regress_twin;
SELECT terra_identity.grant_reader('regress_twin', 'readers a');
INSERT INTO terra_identity.readers (dev_id, role_id, system_identifier, role)
SELECT 'readers a', role_id, system_identifier - 1, 'regress_elsewhere' FROM terra_identity.readers WHERE role = 'regress_twin';
SELECT terra_identity.revoke_reader('regress_twin');
SELECT role FROM terra_identity.readers WHERE role IN ('regress_twin', 'regress_elsewhere');
DELETE FROM terra_identity.readers WHERE role = 'regress_elsewhere';
DROP OWNED BY regress_twin;
DROP ROLE regress_twin;

-- The default environment that nobody has set is no table's row. It is hidden as if it were one.
BEGIN;
DELETE FROM terra_identity.environments WHERE dev_id = 'default';
SET LOCAL ROLE regress_all;
SELECT dev_id FROM terra_identity.environments WHERE dev_id = 'default';
SET LOCAL ROLE regress_a;
SELECT dev_id FROM terra_identity.environments WHERE dev_id = 'default';
ROLLBACK;

DROP OWNED BY regress_all, regress_a, regress_both, regress_none, regress_stranger, regress_super, regress_bypass, regress_member, regress_no_heir, regress_loader, regress_mailer;
DROP ROLE regress_all, regress_a, regress_both, regress_none, regress_stranger, regress_super, regress_bypass, regress_member, regress_no_heir, regress_loader, regress_mailer;
