-- CREATE EXTENSION in a database that others use too: grants nothing, explains everything, and runs nobody else's code.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
-- On a slow machine long work tells how far it has come: not here, where what is printed is compared.
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET terra_identity.progress = off', current_database()); END$$;

-- An app's own table, and a schema of Terra's SQL destination.
CREATE TABLE public.events (id int PRIMARY KEY, payload text);
INSERT INTO public.events VALUES (1, 'mine');
CREATE SCHEMA terra;
CREATE TABLE terra.terra_users (user_id text, reference_id text);

-- A schema of its name is not taken over.
CREATE SCHEMA terra_identity;
CREATE EXTENSION terra_identity;
DROP SCHEMA terra_identity;
CREATE EXTENSION terra_identity;
SELECT e.extname, n.nspname AS schema, e.extrelocatable FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'terra_identity';
SELECT has_schema_privilege(current_user, 'terra_identity', 'USAGE') AS there, nspacl IS NOT NULL AS with_an_acl FROM pg_namespace WHERE nspname = 'terra_identity';
TABLE public.events;
TABLE terra.terra_users;
-- Everything that it made is in its schema.
SELECT DISTINCT coalesce(o.schema, o.name) AS schema
FROM pg_depend d, pg_identify_object(d.classid, d.objid, d.objsubid) o
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'terra_identity')
ORDER BY 1;

--
-- 1. Nothing is granted
--
CREATE ROLE terra_regress_nobody;
CREATE TEMP TABLE relations AS
SELECT c.oid, c.relkind, c.relname FROM pg_class c WHERE relnamespace = 'terra_identity'::regnamespace AND relkind IN ('r', 'v', 'm', 'S', 'p', 'f');
CREATE TEMP TABLE functions AS SELECT p.oid, p.proname FROM pg_proc p WHERE pronamespace = 'terra_identity'::regnamespace;
SELECT relkind, count(*) > 0 AS some FROM relations GROUP BY 1 ORDER BY 1;
SELECT relname, privilege FROM relations, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) privilege
WHERE CASE WHEN relkind <> 'S' THEN has_table_privilege('terra_regress_nobody', oid, privilege) END;
SELECT relname, privilege FROM relations, unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) privilege
WHERE CASE WHEN relkind <> 'S' THEN has_any_column_privilege('terra_regress_nobody', oid, privilege) END;
SELECT relname, privilege FROM relations, unnest('{USAGE,SELECT,UPDATE}'::text[]) privilege
WHERE CASE WHEN relkind = 'S' THEN has_sequence_privilege('terra_regress_nobody', oid, privilege) END;
SELECT proname FROM functions WHERE has_function_privilege('terra_regress_nobody', oid, 'EXECUTE');
SELECT privilege FROM unnest('{USAGE,CREATE}'::text[]) privilege WHERE has_schema_privilege('terra_regress_nobody', 'terra_identity', privilege);
SET ROLE terra_regress_nobody;
INSERT INTO terra_identity.events (payload) VALUES ('{}');
SELECT * FROM terra_identity.current_connections;
SELECT terra_identity.resolve('x');
SELECT terra_identity.rebuild();
SELECT * FROM terra_identity.verify();
RESET ROLE;
-- Who may insert events may do that, and nothing else.
GRANT USAGE ON SCHEMA terra_identity TO terra_regress_nobody;
GRANT INSERT (payload, headers) ON terra_identity.events TO terra_regress_nobody;
SET ROLE terra_regress_nobody;
INSERT INTO terra_identity.events (payload, headers) VALUES ('{"type": "auth", "status": "success", "user": {"user_id": "n"}}', '{"X-Terra-Trace-Id": "n"}');
INSERT INTO terra_identity.events (payload, headers) VALUES ('{"type": "auth", "status": "success", "user": {"user_id": "n"}}', '{"X-Terra-Trace-Id": "n"}');
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('other', '{}');
INSERT INTO terra_identity.events (payload) VALUES ('{}') RETURNING event_id;
SELECT * FROM terra_identity.current_connections;
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('default', 'replace');
SELECT terra_identity.rebuild();
RESET ROLE;
REVOKE ALL ON terra_identity.events FROM terra_regress_nobody;
REVOKE ALL (payload, headers) ON terra_identity.events FROM terra_regress_nobody;
REVOKE ALL ON SCHEMA terra_identity FROM terra_regress_nobody;
SELECT user_id, status FROM terra_identity.connections;
-- Trigger functions are of use to nobody.
SELECT terra_identity._apply_events();
CREATE TABLE pg_temp.elsewhere (LIKE terra_identity.events);
CREATE TRIGGER misplaced AFTER UPDATE ON pg_temp.elsewhere FOR EACH ROW EXECUTE FUNCTION terra_identity._collect_event();
INSERT INTO pg_temp.elsewhere (event_id, dev_id, received_at, payload) VALUES (1, 'x', now(), '{}');
\set VERBOSITY terse
UPDATE pg_temp.elsewhere SET payload = '[]';
\set VERBOSITY default
DROP TABLE pg_temp.elsewhere;

--
-- 2. Everything is explained: objects without a comment
--
SELECT relkind, relname FROM relations WHERE relkind <> 'S' AND obj_description(oid, 'pg_class') IS NULL ORDER BY 2;
SELECT c.relname, a.attname FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind <> 'S' AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL ORDER BY c.relname, a.attnum;
SELECT oid::regprocedure FROM functions WHERE obj_description(oid, 'pg_proc') IS NULL ORDER BY 1;
SELECT obj_description('terra_identity'::regnamespace, 'pg_namespace') IS NOT NULL AS schema,
       (SELECT obj_description(oid, 'pg_extension') IS NOT NULL FROM pg_extension WHERE extname = 'terra_identity') AS extension;
SELECT name, short_desc <> '' AS explained FROM pg_settings WHERE name LIKE 'terra\_identity.%' ORDER BY 1;

--
-- 3. A hostile search_path: whatever lies on it, under the names that the extension uses, nothing of it runs
--
-- In a new session, in which no query of the extension has been planned yet.
\c -
SET timezone = 'UTC';
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.trap(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile % ran', what; END $$;
-- Functions of the same names that fit better than those of pg_catalog would.
DO $$
DECLARE
    signature text;
BEGIN
    FOREACH signature IN ARRAY '{unnest(text[]),unnest(bigint[]),unnest(timestamptz[]),unnest(anyarray),count(*),array_agg(text),clock_timestamp(),now(),
        current_setting(text),current_setting(text\,boolean),upper(text),lower(text),octet_length(text),format(text),length(text),min(bigint),max(bigint),
        min(text),row_number(),nextval(regclass),to_jsonb(text),jsonb_build_object(text),md5(text),hashtext(text),pg_advisory_xact_lock(bigint),
        pg_notify(text\,text),set_config(text\,text\,boolean),text(text),jsonb(text),int8(text)}'::text[] LOOP
        CONTINUE WHEN signature LIKE '%(*)' OR signature LIKE 'row_number%';
        EXECUTE format('CREATE FUNCTION hostile.%s RETURNS %s LANGUAGE sql AS %L', signature,
                       CASE WHEN signature LIKE '%anyarray%' THEN 'anyarray' ELSE 'text' END,
                       format('SELECT %s FROM (SELECT hostile.trap(%L)) t', CASE WHEN signature LIKE '%anyarray%' THEN '$1' ELSE 'NULL::text' END, signature));
    END LOOP;
END $$;
-- Operators between the types of its columns.
DO $$
DECLARE
    type text; operator text; name text;
BEGIN
    FOREACH type IN ARRAY '{text,bigint,timestamptz,boolean,jsonb}'::text[] LOOP
        FOREACH operator IN ARRAY '{=,<>,<,>,<=,>=}'::text[] LOOP
            name := format('compare_%s_%s', type, (SELECT count(*) FROM pg_operator WHERE oprnamespace = 'hostile'::regnamespace));
            EXECUTE format('CREATE FUNCTION hostile.%I(%s, %s) RETURNS boolean LANGUAGE sql AS %L', name, type, type, format('SELECT hostile.trap(%L)', type || ' ' || operator));
            EXECUTE format('CREATE OPERATOR hostile.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = hostile.%I)', operator, type, type, name);
        END LOOP;
    END LOOP;
END $$;
-- Tables and views of the extension's names, in that schema and among the temporary ones; types of pg_catalog's names.
DO $$
DECLARE
    relation text; trap text;
BEGIN
    FOR relation IN SELECT relname FROM pg_class WHERE relnamespace = 'terra_identity'::regnamespace AND relkind IN ('r', 'v') LOOP
        EXECUTE format('CREATE TABLE hostile.%I (LIKE terra_identity.%I)', relation, relation);
        EXECUTE format('CREATE TEMP TABLE %I (LIKE terra_identity.%I)', relation, relation);
    END LOOP;
    CREATE FUNCTION hostile.trigger_trap() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN RAISE EXCEPTION 'hostile table % written', tg_relid::regclass; END $t$;
    FOR trap IN SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace IN ('hostile'::regnamespace, pg_my_temp_schema()) LOOP
        EXECUTE format('CREATE TRIGGER trap BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION hostile.trigger_trap()', trap);
    END LOOP;
END $$;
CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (hostile.trap('type text'));
CREATE DOMAIN pg_temp.int8 AS pg_catalog.int8 CHECK (hostile.trap('type int8'));
CREATE DOMAIN hostile.jsonb AS pg_catalog.jsonb CHECK (hostile.trap('type jsonb'));

SET search_path = pg_temp, hostile, public, pg_catalog;
SELECT 'a'::pg_catalog.text = 'a'::pg_catalog.text AS sprung;
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
VALUES ('install', '2024-03-01 10:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "i1", "provider": "GARMIN", "reference_id": "ina"}}', '{"X-Terra-Trace-Id": "1"}'),
       ('install', '2024-03-01 10:01Z', '{"type": "athlete", "user": {"user_id": "i1"}, "athlete": {"provider_user_id": "wrist"}}', NULL),
       ('install', '2024-03-01 10:01Z', '{"type": "athlete", "user": {"user_id": "never"}}', '{"X-Terra-Trace-Id": "1"}'),
       ('install', '2024-03-01 10:02Z', '{"type": "user_reauth", "old_user": {"user_id": "i1"}, "new_user": {"user_id": "i2", "provider": "GARMIN", "reference_id": "ina"}}', NULL),
       ('install', '2024-03-01 10:03Z', '{"type": "auth", "status": "success", "user": {"user_id": "j1", "provider": "GARMIN", "reference_id": "jan"}}', NULL),
       ('install', '2024-03-01 10:04Z', '{"type": "athlete", "user": {"user_id": "j1"}, "athlete": {"provider_user_id": "wrist"}}', NULL),
       ('install', '2024-03-01 10:05Z', '{"type": "auth", "status": "success", "user": {"user_id": "p1", "provider": "APPLE", "reference_id": "ina"}}', NULL);
INSERT INTO terra_identity.events (dev_id, received_at, payload)
VALUES ('install', '2024-03-01 11:05Z', '{"type": "auth", "status": "success", "user": {"user_id": "p2", "provider": "APPLE", "reference_id": "ina"}}');
INSERT INTO terra_identity.events (dev_id, received_at, payload)
VALUES ('install', '2024-03-01 11:06Z', '{"type": "daily", "user": {"user_id": "p1"}}'), ('install', '2024-03-01 11:07Z', '{"type": "connection_error", "user": {"user_id": "p2"}}');
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('install', 'replace');
UPDATE terra_identity.environments SET account_policy = 'keep';
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('install', 'replace');
INSERT INTO terra_identity.providers (provider, sdk) VALUES ('FITBIT', true);
DELETE FROM terra_identity.environments;
UPDATE terra_identity.providers SET account_ids = 'unusable' WHERE provider OPERATOR(pg_catalog.=) 'APPLE';
DELETE FROM terra_identity.providers;
SELECT user_id, reference_id, provider_user_id, degraded FROM terra_identity.current_connections ORDER BY user_id;
SELECT user_id, newest, connections FROM terra_identity.duplicate_connections ORDER BY user_id;
SELECT user_id, other_user_ids FROM terra_identity.dashboard_connections ORDER BY user_id;
SELECT user_id, event_type, resolved_user_id FROM terra_identity.stale_events ORDER BY user_id, event_type;
SELECT * FROM terra_identity.transferred_accounts;
SELECT * FROM terra_identity.shared_references;
SELECT * FROM terra_identity.problems;
SELECT terra_identity.resolve('i1', 'install'), terra_identity.user_of(terra_identity.lineage_of('i1', 'install'), 'install');
SELECT user_id, status FROM terra_identity.lineage('i1', 'install');
SELECT user_id FROM terra_identity.user_ids('ina', 'garmin', 'install') ORDER BY 1;
SELECT * FROM terra_identity.reference_history('i1', 'install');
SELECT terra_identity.reference_at('i1', '2024-03-01 10:01Z', 'install');
SELECT terra_identity.rebuild('install');
SELECT * FROM terra_identity.verify('install');
SELECT outcome, http_status FROM terra_identity.ingest('{"type": "deauth", "user": {"user_id": "i1"}}'::bytea, '{"X-Terra-Trace-Id": "2"}'::pg_catalog.jsonb, 'install');
SELECT outcome, http_status FROM terra_identity.ingest('{"type": "deauth"'::pg_catalog.text, '{"X-Terra-Trace-Id": "2"}'::pg_catalog.jsonb, 'install');
SELECT outcome FROM terra_identity.ingest('{"type": "deauth", "user": {"user_id": "i1"}}'::bytea, '{"X-Terra-Trace-Id": "2"}'::pg_catalog.jsonb, 'install');
SET terra_identity.dev_id = 'install';
SELECT terra_identity.webhook('{"type": "healthcheck"}');
SELECT outcome FROM terra_identity.replay_rejected();
SELECT terra_identity.set_signing_secret('key') AS secret_id \gset
SELECT terra_identity.verify_signature('123', 't=12345678,v1=dca55eca8f595bd4d80250ab9609c7cbecec8e581c5c3822294f7c2ee1c99377', 'key', NULL);
UPDATE terra_identity.environments SET signature_tolerance = NULL WHERE dev_id OPERATOR(pg_catalog.=) 'install';
SELECT outcome, http_status FROM terra_identity.ingest('123'::bytea, '{"X-Terra-Signature": "t=12345678,v1=dca55eca8f595bd4d80250ab9609c7cbecec8e581c5c3822294f7c2ee1c99377"}'::pg_catalog.jsonb);
SELECT terra_identity.webhook('{"type": "healthcheck"}');
SELECT reason, refused FROM terra_identity.refusals;
SELECT terra_identity.drop_signing_secret(:secret_id);
SELECT terra_identity.grant_writer('terra_regress_nobody'), terra_identity.grant_reader('terra_regress_nobody');
DELETE FROM terra_identity.environments;
RESET terra_identity.dev_id;
-- The traps are set: this is how they spring.
\set VERBOSITY terse
SELECT upper('x'::pg_catalog.text);
INSERT INTO events DEFAULT VALUES;
INSERT INTO hostile.events DEFAULT VALUES;
SELECT 'x'::text;
\set VERBOSITY default
RESET search_path;

--
-- 4. DROP and CREATE again in one session: what was cached of the old one is not used for the new one
--
-- In the same session: its queries have all been planned.
DROP EXTENSION terra_identity;
SELECT count(*) FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = 'terra_identity');
TABLE public.events;
CREATE EXTENSION terra_identity;
SELECT count(*) FROM terra_identity.connections;
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
VALUES ('install', '2024-03-01 10:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "i1", "provider": "GARMIN", "reference_id": "ina"}}', '{"X-Terra-Trace-Id": "1"}');
INSERT INTO terra_identity.events (dev_id, received_at, payload)
VALUES ('install', '2024-03-01 10:02Z', '{"type": "user_reauth", "old_user": {"user_id": "i1"}, "new_user": {"user_id": "i2", "provider": "APPLE", "reference_id": "ina"}}');
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('install', 'replace');
UPDATE terra_identity.providers SET sdk = sdk;
SELECT terra_identity.resolve('i1', 'install');
SELECT terra_identity.rebuild('install');
SELECT * FROM terra_identity.verify('install');
DELETE FROM terra_identity.environments WHERE dev_id = 'install';
-- In one transaction, and taken back.
BEGIN;
DROP EXTENSION terra_identity;
CREATE EXTENSION terra_identity;
INSERT INTO terra_identity.events (dev_id, received_at, payload) VALUES ('install', '2024-03-01', '{"type": "deauth", "user": {"user_id": "i2"}}');
SELECT user_id, status FROM terra_identity.connections;
ROLLBACK;
SELECT user_id, status FROM terra_identity.connections ORDER BY 1;
INSERT INTO terra_identity.events (dev_id, received_at, payload) VALUES ('install', '2024-03-01 10:03Z', '{"type": "deauth", "user": {"user_id": "i2"}}');
SELECT user_id, status FROM terra_identity.connections ORDER BY 1;

SET client_min_messages = warning;
DROP SCHEMA hostile CASCADE;
DROP SCHEMA terra CASCADE;
DROP TABLE public.events;
DROP ROLE terra_regress_nobody;
SELECT * FROM terra_identity.verify('install');
