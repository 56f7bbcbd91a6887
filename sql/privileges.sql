-- Who may do what: every object and every role, against a matrix that is declared here; and rows, by row level security.
SET terra_identity.dev_id = 'privileges';
\set SHOW_CONTEXT never
CREATE ROLE regress_nobody;
CREATE ROLE regress_writer;
CREATE ROLE regress_ingester;
CREATE ROLE regress_feed;
CREATE ROLE "regress Reader";
CREATE ROLE regress_attacher;
CREATE ROLE regress_support;
SELECT terra_identity.grant_writer('regress_writer'), terra_identity.grant_reader('"regress Reader"'), terra_identity.grant_consumer('regress_feed'), terra_identity.grant_attacher('regress_attacher'), terra_identity.grant_support('regress_support', 'privileges');
GRANT USAGE ON SCHEMA terra_identity TO regress_ingester;
GRANT EXECUTE ON FUNCTION terra_identity.ingest(bytea, jsonb, text) TO regress_ingester;
SELECT terra_identity.grant_writer('regress_no_such_role');
SELECT terra_identity.grant_writer(NULL);
SELECT terra_identity.grant_writer(4294967295::oid);
SELECT terra_identity.grant_reader('-');

--
-- 1. The matrix: what is not in it is not granted
--
CREATE TABLE pg_temp.matrix (role text, privilege text, objects text[]);
INSERT INTO pg_temp.matrix VALUES
    ('regress_ingester', 'USAGE', '{terra_identity}'),
    ('regress_ingester', 'EXECUTE', '{"ingest(bytea,jsonb,text)"}'),
    ('regress_writer', 'USAGE', '{terra_identity}'),
    ('regress_writer', 'EXECUTE', '{"ingest(bytea,jsonb,text)","ingest(text,jsonb,text)",webhook(json)}'),
    ('regress_feed', 'USAGE', '{terra_identity}'),
    ('regress_feed', 'EXECUTE', '{"read_changes(text,integer,text)","commit_changes(text,bigint,text)","skip_changes(text,text)","_position_changes(text,integer,text)"}'),
    ('regress_feed', 'SELECT', '{changes,consumers}'),
    ('regress Reader', 'USAGE', '{terra_identity}'),
    ('regress Reader', 'EXECUTE', '{version(),"resolve(text,text)","lineage_of(text,text)","user_of(bigint,text)","lineage(text,text)","user_ids(text,text,text)","reference_history(text,text)","reference_at(text,timestamp with time zone,text)","explain(text,text)","explain_graph(text,text)","would_duplicate(text,text,text,text)","reconcile(jsonb,timestamp with time zone,text)","_listed_users(jsonb,timestamp with time zone,text)",_list_gap(jsonb),_built_in_sdk_providers(),_recent_deliveries(text),
        _under_way(),_data_types(),_crowd(),"_minute(timestamp with time zone)",_trigger_arguments(bytea),_shows_environment(text),"_is_degraded(text,text,timestamp with time zone)",_can_answer(),"_reauth_of_nobody(text,bigint,text)"}'),
    ('regress Reader', 'SELECT', '{events,deliveries,connections,reauths,changes,consumers,environments,providers,environment_settings,provider_settings,signatures,rejected,refusal_counters,refusals,accepted_duplicates,disconnects,tombstones,
        current_connections,duplicate_connections,transferred_accounts,dashboard_connections,shared_references,problems,stale_events,unidentified_connections,freshness,overview,
        account_neighbours,contradictions,policy_evidence,attached_tables,prune_positions}'),
    ('regress_support', 'USAGE', '{terra_identity}'),
    ('regress_support', 'EXECUTE', '{"resolve(text,text)","lineage_of(text,text)","user_of(bigint,text)","lineage(text,text)","user_ids(text,text,text)","explain(text,text)","explain_graph(text,text)","would_duplicate(text,text,text,text)",
        _built_in_sdk_providers(),_under_way(),_data_types(),_crowd(),"_minute(timestamp with time zone)",_shows_environment(text),"_is_degraded(text,text,timestamp with time zone)",_can_answer(),"_reauth_of_nobody(text,bigint,text)"}'),
    ('regress_support', 'SELECT', '{events,connections,reauths,changes,environments,providers,environment_settings,provider_settings,accepted_duplicates,disconnects,
        current_connections,duplicate_connections,transferred_accounts,dashboard_connections,shared_references,stale_events,unidentified_connections,freshness,account_neighbours,contradictions,policy_evidence}'),
    ('regress_attacher', 'USAGE', '{terra_identity}'),
    ('regress_attacher', 'SELECT', '{attached_tables}'),
    ('regress_attacher', 'EXECUTE', '{"attach(regclass,name,name,name,name,boolean,text)",detach(regclass),"backfill(regclass,integer)",_feed(),"_feed_rows(text,text,text,bigint,bigint)",_trigger_arguments(bytea),_shows_environment(text),
        "_check_column(regclass,text,name,regtype[])","_rows_to_feed(attached_tables,text[],integer)",_attached(regclass),"_check_backfill(regclass,integer)",
        _about_rows(regclass)}');

-- Everything that CREATE EXTENSION made and that can be granted, but for row types: of those pg_dump cannot keep what is revoked,
-- and nobody can name them who may not use the schema.
CREATE TABLE pg_temp.objects AS
SELECT d.classid, d.objid, k.kind, k.name AS object
FROM pg_depend d
CROSS JOIN LATERAL (
    SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, c.relname::text FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('r', 'v', 'S')
    UNION ALL SELECT 'function', replace(p.oid::regprocedure::text, 'terra_identity.', '') FROM pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    UNION ALL SELECT 'schema', n.nspname::text FROM pg_namespace n WHERE d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
    ) k (kind, name)
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'terra_identity');
-- The kinds of objects that there are, so that none is forgotten; no other kind belongs to the extension.
SELECT kind, count(*) > 0 AS some FROM pg_temp.objects GROUP BY 1 ORDER BY 1;
SELECT d.classid::regclass, count(*) FROM pg_depend d
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'terra_identity')
  AND d.classid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_namespace'::regclass, 'pg_type'::regclass) GROUP BY 1;

CREATE TABLE pg_temp.granted AS
SELECT role, privilege, object
FROM unnest('{regress_nobody,regress_ingester,regress_writer,regress_feed,regress Reader,regress_attacher,regress_support}'::text[]) role, pg_temp.objects o,
     LATERAL unnest(CASE kind WHEN 'table' THEN '{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'
                              WHEN 'sequence' THEN '{USAGE,SELECT,UPDATE}' WHEN 'schema' THEN '{USAGE,CREATE}'
                              ELSE '{EXECUTE}' END::text[]) privilege,
     LATERAL (SELECT CASE kind
         WHEN 'table' THEN has_table_privilege(role, objid, privilege) OR privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege(role, objid, privilege)
         WHEN 'sequence' THEN has_sequence_privilege(role, objid, privilege)
         WHEN 'schema' THEN has_schema_privilege(role, objid, privilege)
         ELSE has_function_privilege(role, objid, privilege) END) h (has)
WHERE has;
SELECT coalesce(g.role, m.role) AS role, coalesce(g.privilege, m.privilege) AS privilege, coalesce(g.object, m.object) AS object,
       CASE WHEN g.role IS NULL THEN 'declared, not granted' ELSE 'granted, not declared' END AS difference
FROM pg_temp.granted g
FULL JOIN (SELECT role, privilege, unnest(objects) AS object FROM pg_temp.matrix) m USING (role, privilege, object)
WHERE g.role IS NULL OR m.role IS NULL ORDER BY 1, 2, 3;
-- No other privilege of whatever name, nor one for others than these roles and the owner.
SELECT c.relname, a.grantee::regrole, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = 'terra_identity'::regnamespace AND a.grantee NOT IN (c.relowner, '"regress Reader"'::regrole, 'regress_feed'::regrole, 'regress_attacher'::regrole, 'regress_support'::regrole) OR c.relnamespace = 'terra_identity'::regnamespace AND a.grantee <> c.relowner AND a.privilege_type <> 'SELECT';
SELECT p.oid::regprocedure, a.grantee::regrole FROM pg_proc p, aclexplode(p.proacl) a
WHERE p.pronamespace = 'terra_identity'::regnamespace AND a.grantee NOT IN (p.proowner, '"regress Reader"'::regrole, 'regress_writer'::regrole, 'regress_ingester'::regrole, 'regress_feed'::regrole, 'regress_attacher'::regrole, 'regress_support'::regrole);
-- The same by trying: each statement on each relation, as each role.
CREATE FUNCTION pg_temp.try(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    BEGIN
        EXECUTE statement;
        RAISE EXCEPTION USING ERRCODE = 'P0099', MESSAGE = 'it is allowed, and taken back';
    EXCEPTION
        WHEN OTHERS THEN RESET ROLE; RETURN sqlstate;
    END;
END $$;
CREATE TABLE pg_temp.tried AS
SELECT role, privilege, object, pg_temp.try(role, statement) AS came_to
FROM unnest('{regress_nobody,regress_ingester,regress_writer,regress_feed,regress Reader,regress_attacher,regress_support}'::text[]) role, pg_temp.objects o,
     LATERAL (VALUES ('SELECT', format('SELECT * FROM terra_identity.%I', object)), ('INSERT', format('INSERT INTO terra_identity.%I DEFAULT VALUES', object)),
                     ('UPDATE', format('UPDATE terra_identity.%I SET %I = NULL', object, CASE WHEN object IN ('providers', 'provider_settings') THEN 'sdk' WHEN object = 'tombstone_key' THEN 'key' ELSE 'dev_id' END)),
                     ('DELETE', format('DELETE FROM terra_identity.%I', object)), ('TRUNCATE', format('TRUNCATE terra_identity.%I', object))) s (privilege, statement)
WHERE kind = 'table';
-- Whatever role: views cannot be truncated (42809), and some not be written (55000).
SELECT came_to, count(*) > 0 AS some FROM pg_temp.tried GROUP BY 1 ORDER BY 1;
-- Support reads the ledger without payloads and headers, and so not whole rows.
SELECT role, privilege, object, came_to FROM pg_temp.tried t
WHERE (role, privilege, object) <> ('regress_support', 'SELECT', 'events')
  AND (came_to = '42501' OR came_to IN ('42809', '55000') AND privilege <> 'SELECT')
      = EXISTS (SELECT FROM pg_temp.matrix m WHERE m.role = t.role AND m.privilege = t.privilege AND t.object = ANY (m.objects));
SELECT a.attname FROM pg_attribute a
WHERE a.attrelid = 'terra_identity.events'::regclass AND a.attnum > 0 AND NOT has_column_privilege('regress_support', a.attrelid, a.attnum, 'SELECT');
SELECT r.rolname, a.attrelid::regclass, a.attname, x.privilege_type
FROM pg_attribute a, aclexplode(a.attacl) x JOIN pg_roles r ON r.oid = x.grantee
WHERE r.rolname LIKE 'regress%' AND (r.rolname, a.attrelid, x.privilege_type) <> ('regress_support', 'terra_identity.events'::regclass, 'SELECT');
-- Views read with the rights of who asks; SECURITY DEFINER has a search_path of its own. What takes the owner's rights in C
-- (src/pg/query.cpp) does too: attacks.sql and 00_install.sql call all of it with a hostile one.
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false);
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'terra_identity'::regnamespace AND p.prosecdef
  AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false);

--
-- 2. A writer delivers, and does nothing else
--
SET ROLE regress_ingester;
SELECT outcome, http_status FROM terra_identity.ingest('{"type": "auth", "status": "success", "user": {"user_id": "u1", "provider": "GARMIN", "reference_id": "alice"}}'::bytea, '{"X-Terra-Trace-Id": "1"}');
SELECT outcome, http_status FROM terra_identity.ingest('{"type": "auth"'::bytea, '{"X-Terra-Trace-Id": "2"}');
SELECT outcome, http_status FROM terra_identity.ingest('{"type": "auth", "status": "success", "user": {"user_id": "u1", "provider": "GARMIN", "reference_id": "alice"}}'::bytea, '{"X-Terra-Trace-Id": "1"}');
SELECT outcome, http_status FROM terra_identity.ingest('{}'::text, '{"X-Terra-Trace-Id": "1"}');
SELECT terra_identity.resolve('u1');
SELECT * FROM terra_identity.replay_rejected();
SELECT terra_identity.set_signing_secret('mine');
SELECT terra_identity.grant_reader('regress_ingester');
INSERT INTO terra_identity.events (payload) VALUES ('{}');
RESET ROLE;
SET ROLE regress_writer;
SELECT terra_identity.webhook('{"type": "athlete", "user": {"user_id": "u1", "provider": "GARMIN"}, "athlete": {"provider_user_id": "7"}}');
SELECT * FROM terra_identity.current_connections;
SELECT grant_writer FROM terra_identity.grant_writer('regress_nobody');
RESET ROLE;
-- A reader reads every view, and writes nothing.
SET ROLE "regress Reader";
SELECT reference_id, user_id, provider_user_id, degraded FROM terra_identity.current_connections WHERE dev_id = 'privileges';
SELECT terra_identity.resolve('u1'), terra_identity.user_of(terra_identity.lineage_of('u1')), (SELECT count(*) FROM terra_identity.lineage('u1')) AS lineage,
       (SELECT count(*) FROM terra_identity.user_ids('alice')) AS user_ids, (SELECT count(*) FROM terra_identity.reference_history('u1')) AS periods, terra_identity.reference_at('u1', now());
SELECT trace_id FROM terra_identity.rejected WHERE dev_id = 'privileges';
SELECT * FROM terra_identity.signing_secrets;
SELECT * FROM terra_identity.verify();
SELECT terra_identity.rebuild();
SELECT * FROM terra_identity.ingest('{}'::text);
RESET ROLE;

-- Support is told what follows from the payloads, and sees none; what it is told is what a reader is.
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT dev_id, at, jsonb_build_object('type', type, 'status', 'success', 'new_user', who, 'user', who, 'secret', 'health')
FROM unnest('{privileges,privileges other}'::text[]) dev_id,
     (VALUES ('2024-01-01'::timestamptz, 'auth', '{"user_id": "s1", "provider": "OURA", "reference_id": "sue"}'::jsonb),
             ('2024-01-02', 'user_reauth', '{"user_id": "s2", "provider": "OURA", "reference_id": "sue"}'),
             ('2024-01-03', 'daily', '{"user_id": "s2", "provider": "OURA", "reference_id": "sue"}')) e (at, type, who);
CREATE TABLE pg_temp.told (role text, about text, answer text);
GRANT ALL ON pg_temp.told TO PUBLIC;
CREATE FUNCTION pg_temp.tell() RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_temp.told
    SELECT current_user, dev_id || ' ' || user_id, e::text FROM unnest('{privileges,privileges other}'::text[]) dev_id, unnest('{s1,s2,u1,nobody}'::text[]) user_id, terra_identity.explain(user_id, dev_id) e
    UNION ALL
    SELECT current_user, dev_id || ' ' || user_id, terra_identity.explain_graph(user_id, dev_id) FROM unnest('{privileges,privileges other}'::text[]) dev_id, unnest('{s1,s2,u1,nobody}'::text[]) user_id
    UNION ALL
    SELECT current_user, c.dev_id || ' ' || c.user_id, c::text FROM terra_identity.contradictions c WHERE c.dev_id LIKE 'privileges%'
$$;
SET ROLE "regress Reader";
SELECT pg_temp.tell();
SET ROLE regress_support;
SELECT pg_temp.tell();
SELECT payload FROM terra_identity.events;
SELECT headers FROM terra_identity.events;
SELECT e FROM terra_identity.events e;
SELECT count(*) FROM terra_identity.problems;
SELECT count(*) FROM terra_identity.rejected;
SELECT * FROM terra_identity.reference_history('s1');
SELECT dev_id, count(*), count(user_id) FROM terra_identity.events WHERE event_type = 'daily' AND dev_id LIKE 'privileges%' GROUP BY 1;
SELECT kind, user_id FROM terra_identity.contradictions;
SELECT count(*) FILTER (WHERE terra_identity._reauth_of_nobody(dev_id, event_id, user_id)) AS reauths_of_nobody, count(*) FROM terra_identity.events;
RESET ROLE;
SELECT about, role FROM (
    (SELECT about, answer, 'regress Reader' AS role FROM pg_temp.told WHERE role = 'regress Reader' AND about LIKE 'privileges s%' EXCEPT SELECT about, answer, 'regress Reader' FROM pg_temp.told WHERE role = 'regress_support')
    UNION ALL
    (SELECT about, answer, 'regress_support' FROM pg_temp.told WHERE role = 'regress_support' AND about LIKE 'privileges s%' EXCEPT SELECT about, answer, 'regress_support' FROM pg_temp.told WHERE role = 'regress Reader')) d;
SELECT count(*) > 10 AS much, bool_or(answer LIKE '%privileges other%') AS of_other FROM pg_temp.told WHERE role = 'regress_support' AND about LIKE 'privileges s%';
SELECT about, answer FROM pg_temp.told WHERE role = 'regress_support' AND about ~ 'other|nobody' AND answer !~ 'flowchart';
-- Of another environment it cannot be asked of an event either.
SELECT min(event_id) AS event_id FROM terra_identity.events WHERE dev_id = 'privileges other' AND event_type = 'user_reauth' \gset
SELECT terra_identity._reauth_of_nobody('privileges other', :event_id, 's2') AS owner;
SET ROLE regress_support;
SELECT terra_identity._reauth_of_nobody('privileges other', :event_id, 's2') AS support;
RESET ROLE;

--
-- 3. Readers of one environment
--
INSERT INTO terra_identity.events (dev_id, payload)
SELECT dev_id, payload FROM unnest('{privileges a,privileges b}'::text[]) dev_id, unnest(ARRAY[
    '{"type": "auth", "status": "success", "user": {"user_id": "u1", "provider": "GARMIN", "reference_id": "alice"}}', '{"type": "athlete", "user": {"user_id": "u1", "provider": "GARMIN"}, "athlete": {"provider_user_id": "7"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "u2", "provider": "GARMIN", "reference_id": "bob"}}', '{"type": "athlete", "user": {"user_id": "u2", "provider": "GARMIN"}, "athlete": {"provider_user_id": "7"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "u3", "provider": "GARMIN", "reference_id": "bob"}}', '{"type": "daily", "user": {"user_id": "u4"}}', '{"type": "deauth", "user": {"user_id": "u4"}}', '{"type": "daily"}']::jsonb[]) payload;
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('privileges c', 'replace');
INSERT INTO terra_identity.events (dev_id, payload) SELECT 'privileges c', payload FROM terra_identity.events WHERE dev_id = 'privileges b' ORDER BY event_id;
-- Who may read everything is not restricted by a further call.
SELECT terra_identity.grant_reader('"regress Reader"', 'privileges b');
SELECT terra_identity.revoke_reader('"regress Reader"'), terra_identity.grant_reader('"regress Reader"', 'privileges b');
CREATE FUNCTION pg_temp.environments_seen() RETURNS TABLE (relation text, dev_ids text[], all_rows boolean) LANGUAGE plpgsql AS $$
BEGIN
    FOR relation IN SELECT object FROM pg_temp.objects o WHERE kind = 'table' AND object NOT IN ('providers', 'provider_settings', 'signing_secrets', 'tombstone_key', 'readers') ORDER BY 1 LOOP
        RETURN QUERY EXECUTE format('SELECT %L::text, array_agg(DISTINCT dev_id), count(*) > 0 FROM terra_identity.%I', relation, relation);
    END LOOP;
END $$;
GRANT SELECT ON pg_temp.objects TO PUBLIC;
SET ROLE "regress Reader";
SELECT relation, dev_ids FROM pg_temp.environments_seen();
SELECT terra_identity.resolve('u1', 'privileges a') AS of_another, terra_identity.resolve('u1', 'privileges b') AS of_its_own,
       (SELECT count(*) FROM terra_identity.lineage('u1', 'privileges a')) AS of_another, (SELECT count(*) FROM terra_identity.lineage('u1', 'privileges b')) AS of_its_own;
SELECT dev_id, (SELECT count(*) FROM terra_identity.user_ids('alice', NULL, dev_id)) AS user_ids, (SELECT count(*) FROM terra_identity.reference_history('u1', dev_id)) AS periods,
       terra_identity.reference_at('u1', now(), dev_id) FROM unnest('{privileges a,privileges b}'::text[]) dev_id;
RESET ROLE;
-- Another environment.
SELECT terra_identity.grant_reader('"regress Reader"', 'privileges c'), terra_identity.revoke_reader('"regress Reader"', 'privileges b');
SET ROLE "regress Reader";
SELECT relation, dev_ids FROM pg_temp.environments_seen() WHERE all_rows;
RESET ROLE;
-- Nor does who edits through the view get past it.
GRANT INSERT, UPDATE, DELETE ON terra_identity.environments TO "regress Reader";
SET ROLE "regress Reader";
UPDATE terra_identity.environments SET signature_required = false;
INSERT INTO terra_identity.environments (dev_id, terra_dev_id) VALUES ('privileges a', 'theirs');
DELETE FROM terra_identity.environments;
RESET ROLE;
REVOKE INSERT, UPDATE, DELETE ON terra_identity.environments FROM "regress Reader";
-- Deliveries go on: what the extension writes is not the writer's.
SET ROLE regress_ingester;
SELECT outcome, http_status FROM terra_identity.ingest('{"type": "deauth", "user": {"user_id": "u1"}}'::bytea, '{"X-Terra-Trace-Id": "3"}', 'privileges a');
SELECT outcome, http_status FROM terra_identity.ingest('{'::bytea, '{"X-Terra-Trace-Id": "3"}', 'privileges a');
RESET ROLE;
SELECT user_id, status FROM terra_identity.connections WHERE dev_id = 'privileges a' AND user_id = 'u1';
SELECT * FROM terra_identity.verify('privileges a');
DROP OWNED BY regress_nobody, regress_writer, regress_ingester, regress_feed, regress_attacher, regress_support, "regress Reader";
DROP ROLE regress_nobody, regress_writer, regress_ingester, regress_feed, regress_attacher, regress_support, "regress Reader";
