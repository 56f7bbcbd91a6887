-- What the views and the functions that answer questions say of a small story, and that they find it by index.
SET terra_identity.dev_id = 'views';
SET timezone = 'UTC';
SET datestyle = 'ISO';

\d terra_identity.current_connections
\d terra_identity.duplicate_connections
\d terra_identity.transferred_accounts
\d terra_identity.dashboard_connections
\d terra_identity.shared_references
\d terra_identity.stale_events
\d terra_identity.problems

--
-- A story: ann reconnects and has an error; ann, bob and someone unnamed use one account; cid has two accounts; dan's
-- is dead; in another environment, under replace, an account moves
--
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('views replace', 'replace');
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT dev_id, '2024-03-01 00:00Z'::timestamptz + n * interval '1 hour', payload
FROM unnest('{views,views replace}'::text[]) dev_id, unnest(ARRAY[
    '{"type": "auth", "status": "success", "user": {"user_id": "ann 1", "provider": "GARMIN", "reference_id": "ann", "scopes": "a,b"}}',
    '{"type": "athlete", "user": {"user_id": "ann 1"}, "athlete": {"provider_user_id": "wrist"}}',
    '{"type": "user_reauth", "old_user": {"user_id": "ann 1"}, "new_user": {"user_id": "ann 2", "provider": "GARMIN", "reference_id": "ann", "scopes": "a"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "bob 1", "provider": "GARMIN", "reference_id": "bob"}}',
    '{"type": "athlete", "user": {"user_id": "bob 1"}, "athlete": {"provider_user_id": "wrist"}}',
    '{"type": "athlete", "user": {"user_id": "someone", "provider": "GARMIN"}, "athlete": {"provider_user_id": "wrist"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "cid 1", "provider": "OURA", "reference_id": "cid"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "cid 2", "provider": "OURA", "reference_id": "cid"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "dan 1", "provider": "FITBIT", "reference_id": "dan"}}',
    '{"type": "daily", "user": {"user_id": "dan 1"}}', '{"type": "deauth", "user": {"user_id": "dan 1"}}',
    '{"type": "daily", "user": {"user_id": "dan 1"}}', '{"type": "sleep", "user": {"user_id": "ann 1"}}',
    '{"type": "connection_error", "user": {"user_id": "ann 2"}}', '{"type": "connection_error", "user": {"user_id": "cid 1"}}',
    '{"type": "body", "user": {"user_id": "cid 1"}}', '{"type": "daily", "user": {"user_id": 7}}', '["not an object"]'
    ]::jsonb[]) WITH ORDINALITY t (payload, n);

SELECT reference_id, provider, user_id, provider_user_id, connected_at, scopes, confirmed, degraded, lineage_id = terra_identity.lineage_of(user_id) AS lineage
FROM terra_identity.current_connections WHERE dev_id = 'views' ORDER BY user_id;
SELECT provider, provider_user_id, user_id, reference_id, connected_at, newest, connections
FROM terra_identity.duplicate_connections WHERE dev_id = 'views' ORDER BY user_id;
SELECT provider, provider_user_id, user_id, reference_id, connected_at, other_user_ids
FROM terra_identity.dashboard_connections WHERE dev_id = 'views' ORDER BY user_id;
SELECT reference_id, provider, connections, user_ids FROM terra_identity.shared_references WHERE dev_id = 'views';
SELECT user_id, event_type, event_time, received_at = event_time AS at_once, status, ended_at, after_end, resolved_user_id
FROM terra_identity.stale_events WHERE dev_id = 'views' ORDER BY event_time;
SELECT event_type, user_id, received_at, trace_id, problem, payload, headers FROM terra_identity.problems WHERE dev_id = 'views' ORDER BY event_id;
SELECT * FROM terra_identity.transferred_accounts WHERE dev_id = 'views';

-- Under replace.
SELECT user_id, provider_user_id FROM terra_identity.current_connections WHERE dev_id = 'views replace' ORDER BY user_id;
SELECT count(*) FROM terra_identity.duplicate_connections WHERE dev_id = 'views replace';
SELECT user_id, other_user_ids FROM terra_identity.dashboard_connections WHERE dev_id = 'views replace' AND provider = 'GARMIN';
SELECT provider, provider_user_id, from_reference_id, from_user_id, to_reference_id, to_user_id, transferred_at
FROM terra_identity.transferred_accounts WHERE dev_id = 'views replace' ORDER BY from_user_id;

INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'views errors', at, jsonb_build_object('type', said, 'status', 'success', 'user', person, 'new_user', person, 'data', '[]'::jsonb)
FROM unnest(terra_identity._data_types() || '{athlete,auth,user_reauth,connection_error,permission_change,processing,large_request_processing,google_no_datasource}') type,
     jsonb_build_object('user_id', type) person, LATERAL (VALUES (timestamptz '2024-03-01', 'connection_error'), ('2024-03-02', type)) e (at, said);
-- Degraded means that only errors came since: anything else ends it, a problem or an older event does not.
CREATE VIEW pg_temp.degraded AS SELECT degraded FROM terra_identity.current_connections WHERE dev_id = 'views' AND user_id = 'ann 2';
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-01 13:30Z', '{"type": "daily", "user": {"user_id": "ann 2"}}'),
    ('2024-03-02', '{"type": "daily", "user": {"user_id": "ann 2", "provider": 5}}'), ('2024-03-02', '{"type": "connection_error", "user": {"user_id": "ann 2"}}'),
    ('2024-03-02', '{"type": "daily", "user": {"user_id": "ann 2"}}');
TABLE pg_temp.degraded;
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-02 00:01Z', '{"type": "a type of next year", "user": {"user_id": "ann 2"}}');
TABLE pg_temp.degraded;
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-02 00:02Z', '{"type": "connection_error", "user": {"user_id": "ann 2"}}');
TABLE pg_temp.degraded;
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-02 00:03Z', '{"type": "user_reauth", "new_user": {"user_id": "ann 2"}, "old_user": null}');
TABLE pg_temp.degraded;

-- What ends it: one event of a type, after an error.
SELECT array_agg(type ORDER BY type) FILTER (WHERE NOT degraded) AS ends_it, array_agg(type ORDER BY type) FILTER (WHERE degraded) AS does_not
FROM (SELECT user_id AS type, degraded FROM terra_identity.current_connections WHERE dev_id = 'views errors') c;

--
-- Questions about one connection
--
SELECT user_id, terra_identity.resolve(user_id), terra_identity.user_of(terra_identity.lineage_of(user_id)) AS user_of,
       (SELECT array_agg(l.user_id) FROM terra_identity.lineage(t.user_id) l) AS lineage
FROM unnest('{ann 1,ann 2,bob 1,someone,cid 1,dan 1,nobody,"",ANN 1}'::text[]) t (user_id);
SELECT terra_identity.resolve(NULL), terra_identity.lineage_of(NULL), terra_identity.user_of(NULL), terra_identity.user_of(-1), terra_identity.lineage_of('nobody');
SELECT count(*) FROM terra_identity.lineage('nobody');
SELECT count(*) FROM terra_identity.lineage(NULL);
SELECT user_id, reference_id, status FROM terra_identity.lineage('ann 2');
-- The environment is the last argument, and by default the setting.
SELECT terra_identity.resolve('ann 1', 'views replace') AS there, terra_identity.resolve('ann 1', dev_id => 'views') AS here,
       terra_identity.resolve('ann 1', 'nowhere') AS nowhere, terra_identity.resolve('ann 1', '') AS empty, terra_identity.resolve('ann 1', NULL) AS none;
SET terra_identity.dev_id = 'views replace';
SELECT terra_identity.resolve('bob 1') AS there, terra_identity.resolve(user_id => 'bob 1', dev_id => 'views') AS here;
SELECT terra_identity.user_of(terra_identity.lineage_of('someone')), terra_identity.user_of(terra_identity.lineage_of('bob 1', 'views'), 'views') AS here;
SET terra_identity.dev_id = '';
SELECT terra_identity.resolve('ann 1') AS default_environment;
SET terra_identity.dev_id = 'views';

--
-- By index: what a look-up reads does not depend on how much there is
--
SET terra_identity.dev_id = 'views many';
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT '2024-03-01', jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', 'u' || n, 'provider', 'GARMIN', 'reference_id', 'r' || n),
                                        'athlete', jsonb_build_object('provider_user_id', 'p' || CASE WHEN n < 5 THEN 0 ELSE n END)),
       CASE n % 10 WHEN 0 THEN jsonb_build_object('X-Terra-Trace-Id', 't' || n) END
FROM generate_series(1, 20000) n;
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-02', jsonb_build_object('type', CASE n % 1000 WHEN 0 THEN 'deauth' ELSE 'daily' END, 'user', jsonb_build_object('user_id', 'u' || n))
FROM generate_series(1000, 20000, 50) n;
ANALYZE terra_identity.events, terra_identity.connections, terra_identity.changes, terra_identity.deliveries, terra_identity.reauths;
-- 'by index', or the nodes of the plan that read a whole table, and the indexes of connections that it uses.
CREATE FUNCTION pg_temp.plan(query text) RETURNS TABLE (scans text, indexes text) LANGUAGE plpgsql AS $$
DECLARE
    line text; lines text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        lines := lines || line || E'\n';
    END LOOP;
    SELECT coalesce(string_agg(DISTINCT m[1], ', '), 'by index') INTO scans FROM regexp_matches(lines, '(Seq Scan on \w+)', 'g') m;
    SELECT string_agg(DISTINCT m[1], ', ' ORDER BY m[1]) INTO indexes FROM regexp_matches(lines, '(?:using|Index Scan on) (\w+)', 'g') m;
    RETURN NEXT;
END $$;
SELECT question, p.scans FROM unnest(ARRAY[
    $$SELECT terra_identity.resolve('u7')$$,
    $$SELECT * FROM terra_identity.lineage('u7')$$,
    $$SELECT * FROM terra_identity.connections WHERE dev_id = 'views many' AND user_id = 'u7'$$,
    $$SELECT * FROM terra_identity.connections WHERE dev_id = 'views many' AND connection_id = 7$$,
    $$SELECT * FROM terra_identity.connections WHERE dev_id = 'views many' AND lineage_id = 7$$,
    $$SELECT * FROM terra_identity.connections WHERE dev_id = 'views many' AND reference_id = 'r7'$$,
    $$SELECT * FROM terra_identity.connections WHERE dev_id = 'views many' AND provider = 'GARMIN' AND provider_user_id = 'p7'$$,
    $$SELECT * FROM terra_identity.current_connections WHERE dev_id = 'views many' AND user_id = 'u7'$$,
    $$SELECT * FROM terra_identity.current_connections WHERE dev_id = 'views many' AND reference_id = 'r7'$$,
    $$SELECT * FROM terra_identity.current_connections WHERE dev_id = 'views many' AND reference_id = 'r7' AND provider = 'GARMIN'$$,
    $$SELECT * FROM terra_identity.current_connections WHERE dev_id = 'views many' AND lineage_id = 7$$,
    $$SELECT * FROM terra_identity.current_connections WHERE dev_id = 'views many' AND provider = 'GARMIN' AND provider_user_id = 'p7'$$,
    $$SELECT * FROM terra_identity.duplicate_connections WHERE dev_id = 'views many'$$,
    $$SELECT * FROM terra_identity.duplicate_connections WHERE dev_id = 'views many' AND provider = 'GARMIN' AND provider_user_id = 'p0'$$,
    $$SELECT * FROM terra_identity.transferred_accounts WHERE dev_id = 'views replace'$$,
    $$SELECT * FROM terra_identity.dashboard_connections WHERE dev_id = 'views many' AND user_id = 'u7'$$,
    $$SELECT * FROM terra_identity.dashboard_connections WHERE dev_id = 'views many' AND provider = 'GARMIN' AND provider_user_id = 'p0'$$,
    $$SELECT * FROM terra_identity.dashboard_connections WHERE dev_id = 'views many' AND reference_id = 'r7'$$,
    $$SELECT * FROM terra_identity.shared_references WHERE dev_id = 'views many' AND reference_id = 'r7'$$,
    $$SELECT * FROM terra_identity.stale_events WHERE dev_id = 'views many' AND user_id = 'u1000'$$,
    $$SELECT * FROM terra_identity.problems WHERE dev_id = 'views many'$$,
    $$SELECT * FROM terra_identity.events WHERE dev_id = 'views many' AND user_id = 'u7'$$,
    $$SELECT * FROM terra_identity.events WHERE dev_id = 'views many' AND event_id = 7$$,
    $$SELECT * FROM terra_identity.deliveries WHERE dev_id = 'views many' AND trace_id = 't70'$$,
    $$SELECT * FROM terra_identity.changes WHERE dev_id = 'views many' AND user_id = 'u7'$$,
    $$SELECT * FROM terra_identity.changes WHERE dev_id = 'views many' AND change_id > 7 ORDER BY change_id LIMIT 10$$]) question, pg_temp.plan(question) p;
-- The ledger is asked about those that had an error, and about nobody else; and what is expected of the others is not more.
BEGIN;
SET LOCAL track_functions = 'all';
SELECT count(*) AS connections, count(*) FILTER (WHERE degraded) AS degraded FROM terra_identity.current_connections WHERE dev_id IN ('views errors', 'views many');
SELECT funcname, calls FROM pg_stat_xact_user_functions WHERE funcname = '_is_degraded';
COMMIT;
CREATE FUNCTION pg_temp.cost(query text) RETURNS float LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Total Cost';
END $$;
SELECT pg_temp.cost('SELECT * FROM terra_identity.current_connections') < 2 * pg_temp.cost('SELECT * FROM terra_identity.connections') AS about_the_same;
-- Duplicates are read from their own index, and what is accepted is looked up: its cost follows their number.
SELECT question, p.indexes FROM unnest(ARRAY[
    $$SELECT * FROM terra_identity.duplicate_connections WHERE dev_id = 'views many'$$,
    $$SELECT * FROM terra_identity.duplicate_connections WHERE dev_id = 'views many' AND provider = 'GARMIN'$$]) question, pg_temp.plan(question) p;
-- The functions' own queries are by index too: 100 questions read about as much among 20,000 as among a few.
CREATE FUNCTION pg_temp.rows_read() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_all_tables WHERE schemaname = 'terra_identity'
$$;
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.rows_read() AS before \gset
SELECT count(terra_identity.resolve(id)) AS resolve, count(terra_identity.lineage_of(id)) AS lineage_of, count(terra_identity.user_of(terra_identity.lineage_of(id))) AS user_of,
       count((SELECT count(*) FROM terra_identity.lineage(id))) AS lineage
FROM (SELECT 'u' || n * 150 AS id FROM generate_series(1, 100) n) t;
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT CASE WHEN pg_temp.rows_read() - :before <= 1000 THEN 'by index' ELSE format('%s rows', pg_temp.rows_read() - :before) END AS questions;

SELECT user_id, connections FROM terra_identity.duplicate_connections WHERE dev_id = 'views many' ORDER BY 1;
SELECT terra_identity.rebuild();
SELECT * FROM terra_identity.verify();

-- user_uuid is what the cast gives where the cast works, else null.
CREATE FUNCTION pg_temp.as_uuid(id text) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    RETURN id::uuid;
EXCEPTION WHEN invalid_text_representation THEN
    RETURN NULL;
END $$;
SET terra_identity.dev_id = 'views uuid';
INSERT INTO terra_identity.events (payload)
SELECT jsonb_build_object('type', type, 'status', 'success', 'user', jsonb_build_object('user_id', id))
FROM unnest(ARRAY['auth', 'deauth']) type, unnest(ARRAY[
    '5f1c9a70-0d3e-4f0b-9a51-1020304050ef', '5F1C9A70-0D3E-4F0B-9A51-1020304050FF', '5f1c9a700d3e4f0b9a511020304050e0',
    '{5f1c9a70-0d3e-4f0b-9a51-1020304050e1}', '5f1c-9a70-0d3e-4f0b-9a51-1020-3040-50e2', '{5f1c9a70-0d3e-4f0b-9a51-1020304050e3',
    '5f1c9a70-0d3e-4f0b-9a51-1020304050e4}', '5f-1c9a70-0d3e-4f0b-9a51-1020304050e5', '5f1c9a70-0d3e-4f0b-9a51-1020304050e6-',
    '5f1c9a70-0d3e-4f0b-9a51-1020304050g7', '5f1c9a70--0d3e-4f0b-9a51-1020304050e8', 'u1', '{}']) id;
INSERT INTO terra_identity.events (payload)
SELECT jsonb_build_object('type', 'auth', 'user', jsonb_build_object('user_id', user_id)) FROM terra_identity.connections WHERE dev_id = 'views uuid';
SELECT view, count(*) AS ids, count(user_uuid) AS uuids, count(*) FILTER (WHERE user_uuid IS DISTINCT FROM pg_temp.as_uuid(user_id)) AS others
FROM (SELECT 'connections' AS view, dev_id, user_id, user_uuid FROM terra_identity.connections
      UNION ALL SELECT 'stale_events', dev_id, user_id, user_uuid FROM terra_identity.stale_events
      UNION ALL SELECT 'problems', dev_id, user_id, user_uuid FROM terra_identity.problems) v
WHERE dev_id = 'views uuid' GROUP BY view ORDER BY view;
SET terra_identity.dev_id = 'views many';

SELECT terra_identity.rebuild('views'), terra_identity.rebuild('views replace');
SELECT * FROM terra_identity.verify('views');
SELECT * FROM terra_identity.verify('views replace');
