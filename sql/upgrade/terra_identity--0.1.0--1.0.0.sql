-- From 0.1.0 to 1.0.0, in one transaction. It writes no table anew, builds the indexes of the ledger again, and derives
-- the state of every environment anew from its ledger; meanwhile everybody else waits. Everything but the tables that
-- 0.1.0 had is created as in a new installation: see the line of the build below.
\echo Use "ALTER EXTENSION terra_identity UPDATE" to load this file. \quit

-- What users have made on objects that are dropped and created again: kept, and made again in the end.

CREATE TEMPORARY TABLE statuses_before AS
SELECT c.dev_id COLLATE "default" AS dev_id, c.connection_id, c.status COLLATE "default" AS status
FROM terra_identity.connections c;

-- Privileges. (Those on tables stay where they are, but the tables environments and providers become views.)
CREATE TEMPORARY TABLE grants_before AS
SELECT c.relkind::text AS kind, pg_catalog.format('TABLE %s', c.oid::regclass) AS object,
       a.grantee, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
WHERE c.relnamespace = 'terra_identity'::regnamespace AND a.grantee <> c.relowner
  AND (c.relkind = 'v' OR c.relname IN ('environments', 'providers'))
UNION ALL
SELECT 'f', pg_catalog.format('FUNCTION %s', p.oid::regprocedure), a.grantee, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) a
WHERE p.pronamespace = 'terra_identity'::regnamespace AND a.grantee <> p.proowner;

-- Who reads the tables, if no row level security of users decides it: 0.1.0 had none.
CREATE TEMPORARY TABLE readers_before AS
SELECT DISTINCT a.grantee
FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind = 'r' AND c.relname <> 'signing_secrets'
  AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner;
CREATE TEMPORARY TABLE row_security_before AS
SELECT c.oid AS on_table FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity;
CREATE TEMPORARY TABLE policies_before AS
SELECT p.polname AS name,
       CASE c.relname WHEN 'environments' THEN 'terra_identity.environment_settings'
                      WHEN 'providers' THEN 'terra_identity.provider_settings'
                      ELSE c.oid::regclass::text END AS on_table,
       c.oid::regclass::text AS on_table_before, p.polpermissive AS permissive,
       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                     ELSE 'ALL' END AS command,
       (SELECT pg_catalog.string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ')
        FROM pg_catalog.unnest(p.polroles) r) AS roles,
       pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS condition,
       pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS check_condition
FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace = 'terra_identity'::regnamespace;

-- Views on tables and views of the extension, and on such views.
CREATE TEMPORARY TABLE views_before AS
WITH RECURSIVE dependent (view, depth) AS (
    SELECT r.ev_class, 1
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                               AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
    WHERE c.relnamespace = 'terra_identity'::regnamespace
      AND v.relnamespace <> 'terra_identity'::regnamespace
    UNION
    SELECT r.ev_class, dependent.depth + 1
    FROM dependent
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = dependent.view
                               AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    WHERE r.ev_class <> dependent.view
)
SELECT c.oid AS view, c.relkind::text AS kind, c.oid::regclass::text AS name, pg_catalog.max(dependent.depth) AS depth,
       c.relowner::regrole::text AS owner, c.reloptions AS options, c.relacl AS acl,
       pg_catalog.pg_get_viewdef(c.oid) AS definition,
       EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid)
           OR (SELECT pg_catalog.count(*) FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid) > 1
           OR EXISTS (SELECT FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = c.oid AND (a.attacl IS NOT NULL OR a.atthasdef)) AS has_more
FROM dependent JOIN pg_catalog.pg_class c ON c.oid = dependent.view
GROUP BY c.oid;
CREATE TEMPORARY TABLE view_comments_before AS
SELECT v.name, a.attname AS column_name, d.description
FROM pg_temp.views_before v
JOIN pg_catalog.pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = v.view
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = v.view AND a.attnum = d.objsubid AND d.objsubid <> 0;

DO $$
DECLARE
    blocking text;
    one record;
BEGIN
    -- What cannot be made again as it is.
    SELECT string_agg(format('%s %s', CASE v.kind WHEN 'm' THEN 'materialized view' WHEN 'v' THEN 'view' ELSE 'rule on'
                                      END, v.name), ', ' ORDER BY v.name)
    INTO blocking
    FROM pg_temp.views_before v WHERE v.kind <> 'v' OR v.has_more;
    IF blocking IS NOT NULL THEN
        RAISE EXCEPTION 'objects of yours stand in the way of the update of extension terra_identity'
            USING ERRCODE = 'dependent_objects_still_exist',
                  DETAIL = format('They depend on its tables or views: %s.', blocking),
                  HINT = 'Drop them, update, and create them again. Plain views without triggers, rules, defaults and '
                         'privileges on columns are kept.';
    END IF;
    FOR one IN SELECT v.name FROM pg_temp.views_before v ORDER BY v.depth DESC LOOP
        EXECUTE format('DROP VIEW %s', one.name);
    END LOOP;
    FOR one IN SELECT p.name, p.on_table_before FROM pg_temp.policies_before p LOOP
        EXECUTE format('DROP POLICY %I ON %s', one.name, one.on_table_before);
    END LOOP;

    -- What a new installation creates.
    FOR one IN SELECT t.tgname, t.tgrelid::regclass AS on_table
               FROM pg_trigger t
               JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'terra_identity'::regnamespace
               JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'terra_identity'::regnamespace
               WHERE NOT t.tgisinternal
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, one.on_table);
    END LOOP;
    EXECUTE (SELECT 'DROP VIEW ' || string_agg(c.oid::regclass::text, ', ') FROM pg_class c
             WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind = 'v');
    EXECUTE (SELECT 'DROP FUNCTION ' || string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p
             WHERE p.pronamespace = 'terra_identity'::regnamespace);
END
$$;
DROP INDEX terra_identity.events_user_id_idx, terra_identity.events_problem_idx,
           terra_identity.connections_connection_id_idx, terra_identity.connections_reference_id_idx,
           terra_identity.connections_lineage_idx, terra_identity.connections_active_account_key,
           terra_identity.connections_active_exclusive_account_key, terra_identity.connections_active_reference_key,
           terra_identity.connections_account_idx, terra_identity.connections_exclusive_account_idx,
           terra_identity.connections_reference_idx, terra_identity.connections_duplicate_idx,
           terra_identity.connections_superseded_idx, terra_identity.reauths_new_user_id_idx,
           terra_identity.changes_user_id_idx, terra_identity.rejected_delivery_key;
ALTER TABLE terra_identity.deliveries DROP CONSTRAINT deliveries_pkey;
ALTER TABLE terra_identity.connections DROP CONSTRAINT connections_pkey;
ALTER TABLE terra_identity.reauths DROP CONSTRAINT reauths_pkey;

-- The tables. Text compares in the database's default collation, which writes no row anew; new columns come last.

ALTER TABLE terra_identity.events
    ALTER COLUMN dev_id DROP DEFAULT,
    ALTER COLUMN dev_id TYPE text COLLATE "default",
    ALTER COLUMN event_type TYPE text COLLATE "default",
    ALTER COLUMN user_id TYPE text COLLATE "default",
    ALTER COLUMN reference_id TYPE text COLLATE "default",
    ALTER COLUMN provider TYPE text COLLATE "default",
    ALTER COLUMN trace_id TYPE text COLLATE "default",
    ADD COLUMN entered_by text,
    ADD COLUMN disputes_reference boolean,
    ADD COLUMN backfilled boolean;

ALTER TABLE terra_identity.connections
    ALTER COLUMN dev_id TYPE text COLLATE "default",
    ALTER COLUMN user_id TYPE text COLLATE "default",
    ALTER COLUMN reference_id TYPE text COLLATE "default",
    ALTER COLUMN provider TYPE text COLLATE "default",
    ALTER COLUMN provider_user_id TYPE text COLLATE "default",
    ALTER COLUMN status TYPE text COLLATE "default",
    ALTER COLUMN successor_user_id TYPE text COLLATE "default",
    ALTER COLUMN scopes TYPE text COLLATE "default",
    ALTER COLUMN replaced_by TYPE text COLLATE "default",
    ALTER COLUMN own_provider_user_id TYPE text COLLATE "default",
    ADD COLUMN dated boolean NOT NULL DEFAULT false,
    ADD COLUMN account_unusable boolean NOT NULL DEFAULT false,
    ADD COLUMN user_uuid uuid,
    ADD COLUMN same_person_as text,
    ADD COLUMN same_person_as_at timestamptz,
    ADD CONSTRAINT connections_key PRIMARY KEY (dev_id, connection_id);

ALTER TABLE terra_identity.reauths
    ALTER COLUMN dev_id TYPE text COLLATE "default",
    ALTER COLUMN old_user_id TYPE text COLLATE "default",
    ALTER COLUMN new_user_id TYPE text COLLATE "default",
    ADD COLUMN transfer boolean NOT NULL DEFAULT false;

ALTER TABLE terra_identity.changes
    ALTER COLUMN kind TYPE text COLLATE "default",
    ALTER COLUMN dev_id TYPE text COLLATE "default",
    ALTER COLUMN user_id TYPE text COLLATE "default",
    ALTER COLUMN reference_id TYPE text COLLATE "default",
    ADD COLUMN position bigint;

ALTER TABLE terra_identity.rejected ADD COLUMN by_header boolean NOT NULL DEFAULT false;

-- A delivery is known by its trace id and its payload: so that what Terra sends again after the update is known, the
-- payloads of before get their hash.
ALTER TABLE terra_identity.deliveries ADD COLUMN payload_hash bigint NOT NULL DEFAULT 0;
CREATE FUNCTION terra_identity._payload_hash(payload jsonb) RETURNS bigint
    LANGUAGE c STRICT IMMUTABLE AS 'MODULE_PATHNAME', 'terra_identity_payload_hash';
UPDATE terra_identity.deliveries d SET payload_hash = terra_identity._payload_hash(e.payload)
FROM terra_identity.events e
WHERE e.dev_id OPERATOR(pg_catalog.=) d.dev_id AND e.event_id OPERATOR(pg_catalog.=) d.event_id;
DROP FUNCTION terra_identity._payload_hash(jsonb);
ALTER TABLE terra_identity.deliveries ADD PRIMARY KEY (trace_id, dev_id, payload_hash);

-- Rules: the tables hold what was set, the views above them have the defaults.
ALTER TABLE terra_identity.environments RENAME TO environment_settings;
ALTER TABLE terra_identity.providers RENAME TO provider_settings;
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT c.conname AS name, c.conrelid::regclass AS on_table,
                      replace(replace(c.conname, 'environments_', 'environment_settings_'),
                              'providers_', 'provider_settings_') AS new_name
               FROM pg_constraint c
               WHERE c.conrelid IN ('terra_identity.environment_settings'::regclass,
                                    'terra_identity.provider_settings'::regclass)
                 AND c.conname ~ '^(environments|providers)_'
    LOOP
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', one.on_table, one.name, one.new_name);
    END LOOP;
END
$$;
DELETE FROM terra_identity.environment_settings s
WHERE s.dev_id = 'default' AND s.account_policy = 'keep' AND NOT s.signature_required
  AND s.signature_tolerance = '24 hours';
DELETE FROM terra_identity.provider_settings s
WHERE s.sdk AND s.provider IN ('APPLE', 'SAMSUNG', 'HEALTH_CONNECT', 'GOOGLEFIT', 'FREESTYLELIBRESDK');
ALTER TABLE terra_identity.environment_settings
    ALTER COLUMN dev_id TYPE text COLLATE "default",
    ALTER COLUMN account_policy TYPE text COLLATE "default",
    ALTER COLUMN account_policy DROP DEFAULT,
    ADD COLUMN terra_dev_id text CHECK (pg_catalog.octet_length(terra_dev_id) BETWEEN 1 AND 512),
    ADD COLUMN on_duplicate text NOT NULL DEFAULT 'report'
        CHECK (on_duplicate IN ('report', 'disconnect_older', 'disconnect_newer')),
    ADD COLUMN store_data boolean NOT NULL DEFAULT true;
ALTER TABLE terra_identity.environment_settings
    ALTER COLUMN on_duplicate DROP DEFAULT,
    ALTER COLUMN store_data DROP DEFAULT;
ALTER TABLE terra_identity.provider_settings DROP CONSTRAINT provider_settings_provider_check;
ALTER TABLE terra_identity.provider_settings
    ALTER COLUMN provider TYPE text COLLATE "default",
    ALTER COLUMN sdk DROP DEFAULT,
    ADD COLUMN account_ids text NOT NULL DEFAULT 'unique' CHECK (account_ids IN ('unique', 'unusable')),
    ADD CONSTRAINT provider_settings_provider_check CHECK (provider = pg_catalog.upper(provider COLLATE "C"));
ALTER TABLE terra_identity.provider_settings ALTER COLUMN account_ids DROP DEFAULT;

-- What the extension itself grants, as pg_dump is told: not what users have granted since.
CREATE TEMPORARY TABLE initial_privileges AS
SELECT p.* FROM pg_catalog.pg_init_privs p
LEFT JOIN pg_catalog.pg_class c ON p.classoid = 'pg_class'::regclass AND p.objoid = c.oid
WHERE c.relnamespace = 'terra_identity'::regnamespace
   OR p.classoid = 'pg_namespace'::regclass AND p.objoid = 'terra_identity'::regnamespace;

-- build: sql/install without the tables events, deliveries, connections, reauths, changes, environment_settings, provider_settings, signing_secrets, signatures, rejected, refusal_counters

-- What users had made.

CREATE TEMPORARY TABLE initial_privileges_of_new AS
SELECT p.* FROM pg_catalog.pg_init_privs p
WHERE (p.classoid, p.objoid) IN (
    SELECT 'pg_class'::regclass, c.oid FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'terra_identity'::regnamespace
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'terra_identity'::regnamespace)
  AND (p.classoid, p.objoid, p.objsubid) NOT IN (
    SELECT i.classoid, i.objoid, i.objsubid FROM pg_temp.initial_privileges i);

DO $$
DECLARE
    one record;
    environment text;
    changed bigint;
BEGIN
    FOR one IN SELECT g.object, g.grantee::regrole::text AS grantee, g.privilege_type, g.is_grantable
               FROM pg_temp.grants_before g WHERE g.grantee <> 0
    LOOP
        -- A function that has another signature now, or is no more, is not granted.
        CONTINUE WHEN one.object LIKE 'FUNCTION %' AND to_regprocedure(substr(one.object, 10)) IS NULL;
        EXECUTE format('GRANT %s ON %s TO %s%s', one.privilege_type, one.object, one.grantee,
                       CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    -- What these views and functions need now.
    FOR one IN SELECT g.grantee::regrole AS grantee,
                      pg_catalog.bool_or(g.object = 'TABLE terra_identity.duplicate_connections') AS reads_duplicates
               FROM pg_temp.grants_before g
               WHERE g.grantee <> 0
                 AND (g.privilege_type = 'SELECT' OR g.object LIKE 'FUNCTION terra_identity.lineage(%')
               GROUP BY g.grantee
    LOOP
        PERFORM terra_identity._change_helpers('GRANT %s TO %s', one.grantee);
        IF one.reads_duplicates THEN
            EXECUTE format('GRANT SELECT ON terra_identity.accepted_duplicates TO %s', one.grantee);
        END IF;
    END LOOP;
    FOR one IN SELECT DISTINCT g.grantee::regrole::text AS grantee,
                      replace(replace(g.object, 'environments', 'environment_settings'),
                              'providers', 'provider_settings') AS object
               FROM pg_temp.grants_before g WHERE g.kind = 'r' AND g.grantee <> 0
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON %s FROM %s', one.object,
                       one.grantee);
    END LOOP;
    UPDATE pg_init_privs p SET initprivs = i.initprivs
    FROM (TABLE pg_temp.initial_privileges UNION ALL TABLE pg_temp.initial_privileges_of_new) i
    WHERE (p.classoid, p.objoid, p.objsubid) = (i.classoid, i.objoid, i.objsubid);

    FOR one IN SELECT * FROM pg_temp.policies_before LOOP
        EXECUTE format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', one.name, one.on_table,
                       CASE WHEN one.permissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, one.command, one.roles,
                       ' USING (' || one.condition || ')', ' WITH CHECK (' || one.check_condition || ')');
    END LOOP;
    FOR one IN SELECT * FROM pg_temp.views_before v ORDER BY v.depth, v.name LOOP
        EXECUTE format('CREATE VIEW %s%s AS %s', one.name,
                       ' WITH (' || array_to_string(one.options, ', ') || ')', one.definition);
        EXECUTE format('ALTER EXTENSION terra_identity DROP VIEW %s', one.name);
        EXECUTE format('ALTER VIEW %s OWNER TO %s', one.name, one.owner);
    END LOOP;
    FOR one IN SELECT v.name, a.grantee::regrole::text AS grantee, a.grantee AS grantee_id, a.privilege_type,
                      a.is_grantable
               FROM pg_temp.views_before v, aclexplode(v.acl) a
               WHERE a.grantee::regrole::text <> v.owner
    LOOP
        EXECUTE format('GRANT %s ON %s TO %s%s', one.privilege_type, one.name,
                       CASE one.grantee_id WHEN 0 THEN 'PUBLIC' ELSE one.grantee END,
                       CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    DELETE FROM pg_init_privs p USING pg_temp.views_before v
    WHERE p.classoid = 'pg_class'::regclass AND p.objoid = to_regclass(v.name);
    FOR one IN SELECT * FROM pg_temp.view_comments_before LOOP
        EXECUTE CASE WHEN one.column_name IS NULL THEN format('COMMENT ON VIEW %s IS %L', one.name, one.description)
                     ELSE format('COMMENT ON COLUMN %s.%I IS %L', one.name, one.column_name, one.description) END;
    END LOOP;

    -- Whoever could read everything still can: now that has to be entered. Where policies of users decide what a role
    -- sees, these go on deciding, for all roles.
    PERFORM set_config('client_min_messages', 'notice', true); -- the server shows warnings only while a script runs
    IF EXISTS (SELECT FROM pg_temp.policies_before) OR EXISTS (SELECT FROM pg_temp.row_security_before) THEN
        RAISE NOTICE 'your row level security goes on deciding who reads the tables of extension terra_identity'
            USING HINT = 'terra_identity.grant_reader(role, dev_id) does without it.';
    ELSE
        INSERT INTO terra_identity.readers (dev_id, role_id, system_identifier, role)
        SELECT '', r.oid, terra_identity._this_cluster(), r.rolname
        FROM pg_temp.readers_before b JOIN pg_roles r ON r.oid = b.grantee;
    END IF;
    IF EXISTS (SELECT FROM pg_temp.readers_before b WHERE b.grantee = 0)
       OR EXISTS (SELECT FROM pg_temp.grants_before g WHERE g.grantee = 0) THEN
        RAISE WARNING 'privileges of PUBLIC on objects of extension terra_identity are gone'
            USING HINT = 'Call terra_identity.grant_reader(role) for each role that may read.';
    END IF;

    -- The state follows the rules of this version.
    FOR environment IN
        SELECT s.dev_id FROM terra_identity.environment_settings s
        UNION SELECT DISTINCT c.dev_id FROM terra_identity.connections c
        ORDER BY 1
    LOOP
        PERFORM terra_identity.rebuild(environment);
    END LOOP;
    SELECT count(*) INTO changed
    FROM pg_temp.statuses_before b
    LEFT JOIN terra_identity.connections c ON (c.dev_id, c.connection_id) = (b.dev_id, b.connection_id)
    WHERE c.status IS DISTINCT FROM b.status;
    RAISE NOTICE '% of % connections have another status by the rules of version 1.0.0', changed,
        (SELECT count(*) FROM pg_temp.statuses_before)
        USING HINT = 'SELECT * FROM terra_identity.changes WHERE event_id IS NULL ORDER BY change_id DESC;';
END
$$;
DROP TABLE pg_temp.statuses_before, pg_temp.grants_before, pg_temp.readers_before, pg_temp.row_security_before,
           pg_temp.policies_before,
           pg_temp.views_before, pg_temp.view_comments_before, pg_temp.initial_privileges,
           pg_temp.initial_privileges_of_new;

-- A column of another collation has lost its statistics.
ANALYZE terra_identity.events, terra_identity.connections, terra_identity.reauths, terra_identity.changes,
        terra_identity.deliveries;
