-- What somebody who means harm tries, and does not get. A hostile search_path is in 00_install.sql, ids that look alike and
-- payloads of every kind in hostile.sql, large bodies and the server's log in test/t/attacks.sh.
SET terra_identity.dev_id = 'attacks';
\set SHOW_CONTEXT never
CREATE ROLE regress_attacker;
CREATE ROLE regress_inserter;
SELECT terra_identity.grant_writer('regress_attacker');
GRANT USAGE ON SCHEMA terra_identity TO regress_inserter;
GRANT INSERT (payload, headers) ON terra_identity.events TO regress_inserter;
CREATE SCHEMA lair AUTHORIZATION regress_attacker;
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "auth", "status": "success", "user": {"user_id": "u1", "provider": "GARMIN", "reference_id": "alice"}}');

--
-- 1. A writer who lays functions, operators, types, casts and temporary tables in the way of the extension's own
--
SET ROLE regress_attacker;
SET search_path = lair, pg_temp, pg_catalog;
CREATE TABLE lair.stolen (what text);
CREATE FUNCTION lair.steal(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO lair.stolen VALUES (what || ' as ' || current_user); RETURN true; END $$;
CREATE FUNCTION lair.equal(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT lair.steal('text =') $$;
CREATE OPERATOR lair.= (LEFTARG = text, RIGHTARG = text, FUNCTION = lair.equal);
CREATE FUNCTION lair.later(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS $$ SELECT lair.steal('timestamptz >') $$;
CREATE OPERATOR lair.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = lair.later);
CREATE FUNCTION lair.greatest(timestamptz, timestamptz) RETURNS timestamptz LANGUAGE sql AS $$ SELECT $1 FROM lair.steal('greatest') $$;
CREATE FUNCTION lair.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'elsewhere' FROM lair.steal('current_setting') $$;
CREATE FUNCTION lair.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT now() FROM lair.steal('clock_timestamp') $$;
CREATE FUNCTION lair.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT $1 FROM lair.steal('sha256') $$;
CREATE FUNCTION lair.hmac(bytea, bytea, text) RETURNS bytea LANGUAGE sql AS $$ SELECT $1 FROM lair.steal('hmac') $$;
CREATE DOMAIN lair.jsonb AS pg_catalog.jsonb CHECK (lair.steal('jsonb'));
CREATE DOMAIN lair.bytea AS pg_catalog.bytea CHECK (lair.steal('bytea'));
CREATE CAST (text AS pg_catalog.jsonb) WITH FUNCTION lair.steal(text) AS ASSIGNMENT;
CREATE TEMP TABLE events (event_id bigint, dev_id text, received_at timestamptz, payload pg_catalog.jsonb, headers pg_catalog.jsonb, problem text);
CREATE TEMP TABLE environments (dev_id text, signature_required boolean DEFAULT false, signature_tolerance interval);
CREATE TEMP TABLE signing_secrets (dev_id text, secret text, valid_until timestamptz);
CREATE TEMP TABLE rejected (dev_id text);
SELECT outcome, http_status FROM terra_identity.ingest('{"type": "daily", "user": {"user_id": "u1"}}'::pg_catalog.bytea, '{"X-Terra-Trace-Id": "a1"}'::pg_catalog.jsonb);
SELECT outcome, http_status FROM terra_identity.ingest('{'::pg_catalog.text, '{"X-Terra-Trace-Id": "a2"}'::pg_catalog.jsonb);
SELECT terra_identity.webhook('{"type": "healthcheck"}');
SELECT count(*) AS diverted FROM (SELECT FROM pg_temp.events UNION ALL SELECT FROM pg_temp.rejected) t;
TABLE lair.stolen;
-- Nor in its schema.
CREATE FUNCTION terra_identity.resolve(int) RETURNS text LANGUAGE sql RETURN 'mine';
CREATE TABLE terra_identity.mine (i int);
CREATE OPERATOR terra_identity.= (LEFTARG = text, RIGHTARG = text, FUNCTION = lair.equal);
RESET search_path;
RESET ROLE;
-- What is laid there before CREATE EXTENSION is in the way of it: see 00_install.sql. What others add later by name is not the extension's.
SELECT count(*) AS strangers FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.classid = 'pg_class'::regclass
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'terra_identity') AND c.relowner <> (SELECT extowner FROM pg_extension WHERE extname = 'terra_identity');

--
-- 2. The ledger and the state are written by events alone
--
CREATE FUNCTION pg_temp.tried(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    RAISE EXCEPTION USING ERRCODE = 'P0099';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END $$;
SELECT pg_temp.tried('regress_attacker', statement) AS writer, pg_temp.tried('regress_inserter', statement) AS inserter, pg_temp.tried(current_user, statement) AS superuser, statement
FROM unnest(ARRAY[
    $$INSERT INTO terra_identity.events (payload) VALUES ('{}')$$,
    $$INSERT INTO terra_identity.events (dev_id, payload, event_time) VALUES ('attacks', '{}', now())$$,
    $$INSERT INTO terra_identity.events (payload) VALUES ('{}') RETURNING payload$$,
    $$INSERT INTO terra_identity.events (event_id, payload) OVERRIDING SYSTEM VALUE VALUES (1, '{}')$$,
    $$INSERT INTO terra_identity.events (payload) VALUES ('{}') ON CONFLICT (dev_id, event_id) DO UPDATE SET payload = '[]'$$,
    $$UPDATE terra_identity.events SET payload = '{}'$$, $$DELETE FROM terra_identity.events$$, $$TRUNCATE terra_identity.events$$,
    $$MERGE INTO terra_identity.events e USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE$$,
    $$COPY terra_identity.events TO PROGRAM 'cat >/dev/null'$$,
    $$UPDATE terra_identity.connections SET status = 'active'$$, $$DELETE FROM terra_identity.deliveries$$, $$INSERT INTO terra_identity.reauths VALUES ('attacks', 'u1', 'mine', false)$$,
    $$TRUNCATE terra_identity.connections$$, $$UPDATE terra_identity.environments SET account_policy = 'replace'$$, $$UPDATE terra_identity.environments SET signature_required = false$$,
    $$ALTER TABLE terra_identity.events DISABLE TRIGGER refuse_change$$, $$ALTER TABLE terra_identity.events DISABLE TRIGGER ALL$$, $$DROP TRIGGER refuse_change ON terra_identity.events$$,
    $$SET session_replication_role = replica$$, $$CREATE TRIGGER mine AFTER INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()$$,
    $$CREATE RULE mine AS ON INSERT TO terra_identity.events DO INSTEAD NOTHING$$, $$CREATE POLICY mine ON terra_identity.events USING (true)$$,
    $$DROP TABLE terra_identity.rejected$$, $$DROP FUNCTION terra_identity._read_event()$$, $$ALTER FUNCTION terra_identity.resolve(text, text) RENAME TO mine$$,
    $$LOCK TABLE terra_identity.signing_secrets IN ACCESS EXCLUSIVE MODE$$, $$LOCK TABLE terra_identity.events IN EXCLUSIVE MODE$$]) statement;
-- What a superuser can do to the state, verify shows and rebuild mends. The ledger is what everything is derived from: who can
-- disable its triggers decides what is in it.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE terra_identity.connections SET reference_id = 'mallory' WHERE dev_id = 'attacks';
SET LOCAL session_replication_role = origin;
SELECT user_id, "column", split_part(stored, ' ', 1) AS stored, split_part(derived, ' ', 1) AS derived FROM terra_identity.verify();
SELECT terra_identity.rebuild();
SELECT user_id, reference_id FROM terra_identity.connections WHERE dev_id = 'attacks';
ALTER TABLE terra_identity.events DISABLE TRIGGER ALL;
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('attacks', '{"type": "auth", "status": "success", "user": {"user_id": "u1", "provider": "GARMIN", "reference_id": "mallory"}}');
ALTER TABLE terra_identity.events ENABLE TRIGGER ALL;
SELECT user_id, "column", split_part(stored, ' ', 1) AS stored, split_part(derived, ' ', 1) AS derived FROM terra_identity.verify() WHERE "column" = 'reference_id';
ROLLBACK;

--
-- 3. Secrets
--
-- Long and odd, so that it would be found.
SELECT terra_identity.set_signing_secret('s3cr3t-of-the-attacked') > 0 AS set;
INSERT INTO terra_identity.signing_secrets (dev_id, secret) SELECT 'attacks ' || n, 's3cr3t-of-the-attacked ' || n % 3 FROM generate_series(1, 100) n;
ANALYZE terra_identity.signing_secrets;
-- In every catalog and view that a stranger may read, and in statistics not even for a superuser.
CREATE TABLE found (place text);
GRANT ALL ON found TO PUBLIC;
CREATE FUNCTION pg_temp.search() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    relation regclass; seen bigint := 0; hits bigint;
BEGIN
    FOR relation IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'v', 'm') AND relnamespace::regnamespace::text IN ('pg_catalog', 'information_schema', 'terra_identity')
                       AND relname NOT IN ('pg_stat_activity', 'pg_prepared_statements', 'pg_cursors', 'pg_statistic', 'pg_statistic_ext_data') LOOP
        BEGIN
            EXECUTE format('SELECT count(*) FROM %s t WHERE t::text LIKE $1', relation) INTO hits USING '%s3cr3t' || '-of-the%';
            seen := seen + 1;
            IF hits > 0 THEN INSERT INTO public.found VALUES (relation::text); END IF;
        EXCEPTION WHEN insufficient_privilege OR object_not_in_prerequisite_state OR feature_not_supported OR undefined_file THEN NULL;
        END;
    END LOOP;
    RETURN seen;
END $$;
SET ROLE regress_attacker;
SELECT pg_temp.search() > 100 AS searched;
TABLE found;
RESET ROLE;
SELECT pg_temp.search() > 100 AS searched;
TABLE found;
SELECT count(*) AS in_statistics FROM pg_statistic s WHERE s::text LIKE '%s3cr3t%';
DROP TABLE found;
-- In an error: whatever goes wrong on the way of the secret.
CREATE FUNCTION pg_temp.leaks(statement text) RETURNS TABLE (state text, leaks boolean) LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text; context text;
BEGIN
    state := '00000';
    BEGIN
        EXECUTE statement;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    END;
    leaks := replace(concat_ws(' ', message, detail, hint, context), statement, '') LIKE '%s3cr3t%';
    RETURN NEXT;
END $$;
SELECT * FROM pg_temp.leaks($$SELECT terra_identity.set_signing_secret(' s3cr3t')$$);
SELECT * FROM pg_temp.leaks($$SELECT terra_identity.set_signing_secret('s3cr3t', NULL, repeat('x', 600))$$);
SELECT * FROM pg_temp.leaks($$SELECT terra_identity.set_signing_secret(repeat('s3cr3t', 1000))$$);
SELECT * FROM pg_temp.leaks($$SELECT terra_identity.ingest('{}'::text, '{"X-Terra-Signature": "t=1,v1=x"}')$$);
SELECT * FROM pg_temp.leaks($$SELECT terra_identity.verify_signature('x', 't=1,v1=x', 's3cr3t')$$);
BEGIN;
SET LOCAL ROLE regress_attacker;
SELECT * FROM pg_temp.leaks($$SELECT terra_identity.set_signing_secret('s3cr3t of another')$$);
SELECT * FROM pg_temp.leaks($$SELECT * FROM terra_identity.signing_secrets$$);
SELECT * FROM pg_temp.leaks($$COPY terra_identity.signing_secrets TO PROGRAM 'true'$$);
ROLLBACK;
BEGIN;
ALTER TABLE terra_identity.signing_secrets RENAME COLUMN valid_until TO until;
SELECT * FROM pg_temp.leaks($$SELECT terra_identity.ingest('{}'::text)$$);
SELECT * FROM pg_temp.leaks($$SELECT terra_identity.set_signing_secret('s3cr3t-of-the-attacked')$$);
ROLLBACK;
-- Columns that somebody dropped open nothing either.
BEGIN;
ALTER TABLE terra_identity.environment_settings DROP COLUMN signature_required;
DROP VIEW terra_identity.environments;
ROLLBACK;
BEGIN;
SELECT http_status FROM terra_identity.ingest('{}'::text);
ALTER TABLE terra_identity.signing_secrets DROP COLUMN secret;
SELECT * FROM pg_temp.leaks($$SELECT terra_identity.ingest('{}'::text)$$);
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM pg_temp.leaks($$SELECT terra_identity.set_signing_secret('s3cr3t-of-the-attacked')$$);
ROLLBACK;
-- A dump has no secrets in it: the extension's tables that are dumped.
SELECT extconfig::regclass[]::text LIKE '%rejected%' AS some, extconfig::regclass[]::text LIKE '%signing_secrets%' AS secrets FROM pg_extension WHERE extname = 'terra_identity';

--
-- 4. Ids that are not what they seem
--
UPDATE terra_identity.environments SET signature_required = false WHERE dev_id = 'attacks';
-- A NUL would cut u1x short to u1, wherever bytes are taken for a C string.
SELECT http_status, split_part(detail, ':', 1) AS detail FROM unnest(ARRAY['{"type": "deauth", "user": {"user_id": "u1\\u0000x"}}', '{"type": "deauth", "user": {"user_id\\u0000": "u1"}}', '{"type\\u0000": "deauth"}', '{"type": "deauth\\u0000", "user": {"user_id": "u1"}}']) body,
    terra_identity.ingest(body::bytea);
SELECT http_status, detail FROM unnest(ARRAY['\x7b2274797065223a226465617574682000227d'::bytea, convert_to('{"type": "deauth", "user": {"user_id": "u1', 'UTF8') || '\x00'::bytea || convert_to('"}}', 'UTF8')]) body, terra_identity.ingest(body);
-- Escapes are read before ids are compared; the last of two members is the one that counts, in jsonb and here.
SELECT outcome FROM unnest(ARRAY['{"type": "daily", "user": {"user_id": "\u0075\u0031"}}', '{"type": "daily", "user": {"user_id": "zz", "us\u0065r_id": "u1"}}', '{"type": "daily", "user": {"user_id": "U1"}}', '{"type": "daily", "user": {"user_id": "u1\u200b"}}']) body, terra_identity.ingest(body::text);
SELECT encode(convert_to(user_id, 'UTF8'), 'hex') AS bytes, status FROM terra_identity.connections WHERE dev_id = 'attacks' ORDER BY user_id;

--
-- 5. Wide and deep
--
-- What would take more than a value may have, were it written out, could be neither read nor dumped.
SELECT outcome, http_status, CASE WHEN detail LIKE '%written out%' THEN detail ELSE split_part(detail, ':', 1) END AS detail FROM unnest(ARRAY[
    repeat('[', 1000000) || repeat(']', 1000000), repeat('{"a":', 1000000), '{"type": "daily", "user": {"user_id": "u1"}, "data": ' || repeat('[', 1000000),
    '[' || repeat('1e131071,', 2000) || '1]', '[' || repeat('1e131071,', 2100) || '1]', '{"1e999999": "1e999999\\"1e999999", "a": [1e10, -1.5E+3]}', '[' || repeat('1e131072,', 100000) || '1]', '{"type": "athlete", "user": {"user_id": "u1"}, "athlete": {"provider_user_id": 1e131071}}',
    '{"type": "daily", "user": {"user_id": "u1", "created_at": "' || repeat('9', 1000000) || '"}}', '{"type": "' || repeat('x', 1000000) || '"}']) WITH ORDINALITY t (body, n),
    terra_identity.ingest(body) ORDER BY n;
SELECT outcome, http_status FROM (SELECT '{' || string_agg('"user_id' || n || '": {"user_id": "u1"}', ',') || ', "type": "daily", "user": {"user_id": "u1"}}' AS body FROM generate_series(1, 100000) n) b, terra_identity.ingest(body);
SELECT outcome, http_status FROM (SELECT jsonb_object_agg('X-Terra-Signature' || n, 't=1,v1=x') AS headers FROM generate_series(1, 10000) n) h, terra_identity.ingest('{"type": "healthcheck"}'::text, headers);
SELECT terra_identity.verify_signature('x', repeat('t=1,', 1000000), 'k', NULL), terra_identity.verify_signature('x', 't=1' || repeat(',v1=' || md5('') || md5(''), 100000), 'k', NULL);
SELECT max(length(payload::text)) < 300000000 AS can_be_read FROM terra_identity.events WHERE dev_id = 'attacks';
SELECT outcome, http_status, detail FROM terra_identity.ingest(repeat(' ', 500000001));
SELECT * FROM terra_identity.verify();

SET client_min_messages = warning;
DROP SCHEMA lair CASCADE;
DROP OWNED BY regress_attacker, regress_inserter;
DROP ROLE regress_attacker, regress_inserter;
