-- What those ask who run an app: whom to ask for an account, who fell silent, and figures to graph.
SET terra_identity.dev_id = 'operations';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;

\d terra_identity.unidentified_connections
\d terra_identity.freshness
\d terra_identity.overview

CREATE FUNCTION pg_temp.connects(user_id text, reference_id text, provider text, account text, at timestamptz, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
    INSERT INTO terra_identity.events (received_at, payload)
    SELECT $5 + n * interval '1 minute', payload || $6 FROM unnest(ARRAY[
        jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id', $1, 'provider', $3, 'reference_id', $2)),
        jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', $1), 'athlete', jsonb_build_object('provider_user_id', $4))])
        WITH ORDINALITY p (payload, n)
    WHERE n = 1 OR $4 IS NOT NULL
$$;
-- 'by index', or the nodes of the plan that read a whole table, or sort all connections; and the indexes that it uses.
CREATE FUNCTION pg_temp.plan(query text) RETURNS TABLE (scans text, indexes text) LANGUAGE plpgsql AS $$
DECLARE
    line text; lines text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        lines := lines || line || E'\n';
    END LOOP;
    SELECT coalesce(string_agg(DISTINCT m[1], ', '), 'by index') INTO scans FROM regexp_matches(lines, '(Seq Scan on \w+|^Sort|^Limit\n *->  Sort)', 'g') m;
    SELECT string_agg(DISTINCT m[1], ', ' ORDER BY m[1]) INTO indexes FROM regexp_matches(lines, '(?:using|Index Scan on) (\w+)', 'g') m;
    RETURN NEXT;
END $$;

SELECT pg_temp.connects('ann 1', 'ann', 'GARMIN', 'wrist', '2024-03-01 10:00Z'), pg_temp.connects('bob 1', 'bob', 'GARMIN', 'wrist', '2024-03-01 11:00Z'),
       pg_temp.connects('bob 2', 'bob', 'FITBIT', 'scale', '2024-03-01 12:00Z'), pg_temp.connects('cid 1', 'cid', 'GARMIN', 'ankle', '2024-03-01 13:00Z'),
       pg_temp.connects('cid 2', 'cid', 'FITBIT', 'scale', '2024-03-01 14:00Z') \g /dev/null
INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id) VALUES ('FITBIT', 'scale');

--
-- 1. Unidentified connections
--
SELECT pg_temp.connects('dan 1', 'dan', 'OURA', NULL, '2024-03-02 10:00Z'), pg_temp.connects('dan 2', 'dan', 'APPLE', NULL, '2024-03-02 11:00Z'),
       pg_temp.connects('dan 3', 'dan', 'OPERATIONS_UNUSABLE', NULL, '2024-03-02 12:00Z'), pg_temp.connects('5f1c9a70-0d3e-4f0b-9a51-1020304050ef', NULL, NULL, NULL, '2024-03-02 13:00Z'),
       pg_temp.connects('dan 5', 'dan', 'POLAR', NULL, '2024-03-02 14:00Z') \g /dev/null
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "deauth", "user": {"user_id": "dan 5"}}');
SELECT user_id, user_uuid, reference_id, provider, sdk, connected_at FROM terra_identity.unidentified_connections WHERE dev_id = 'operations' ORDER BY connected_at DESC;
INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('OPERATIONS_UNUSABLE', 'unusable');
SELECT user_id FROM terra_identity.unidentified_connections WHERE dev_id = 'operations' ORDER BY connected_at DESC;
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "athlete", "user": {"user_id": "dan 1"}, "athlete": {"provider_user_id": "ring"}}');
SELECT user_id FROM terra_identity.unidentified_connections WHERE dev_id = 'operations' ORDER BY connected_at DESC;

--
-- 2. Freshness: the last event and the last data, whatever came in which order
--
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT '2024-03-03'::timestamptz + n * interval '1 hour', jsonb_build_object('type', type, 'user', jsonb_build_object('user_id', user_id)),
       CASE WHEN late THEN jsonb_build_object('X-Terra-Ordering-Timestamp', 1709424000000) END
FROM (VALUES (1, 'ann 1', 'daily', false), (2, 'ann 1', 'sleep', false), (3, 'ann 1', 'a type of next year', false), (4, 'ann 1', 'body', true),
             (5, 'bob 1', 'connection_error', false), (6, 'cid 1', 'daily', false)) t (n, user_id, type, late);
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-04', '{"type": "daily", "user": {"user_id": "ann 1", "provider": 5}}');
-- The same user_id in another environment is another connection.
INSERT INTO terra_identity.events (dev_id, received_at, payload) VALUES ('operations elsewhere', '2024-03-05', '{"type": "daily", "user": {"user_id": "bob 1"}}');
SELECT user_id, connected_at, last_event_at, last_event_type, last_received_at, last_data_at, silence = now() - coalesce(last_data_at, connected_at) AS since_data
FROM terra_identity.freshness WHERE dev_id = 'operations' AND user_id IN ('ann 1', 'bob 1', 'cid 1', 'dan 5') ORDER BY user_id;
-- A clock that is ahead is no negative silence.
INSERT INTO terra_identity.events (payload, headers) SELECT '{"type": "daily", "user": {"user_id": "cid 1"}}',
    jsonb_build_object('X-Terra-Ordering-Timestamp', (extract(epoch FROM now() + interval '1 hour') * 1000)::bigint);
SELECT user_id, silence FROM terra_identity.freshness WHERE dev_id = 'operations' AND user_id = 'cid 1';
-- It is what reading all of the ledger says.
SELECT f.dev_id, f.user_id, f.last_event_at, f.last_data_at FROM terra_identity.freshness f WHERE dev_id IN ('operations', 'views', 'feed', 'stories')
EXCEPT
SELECT c.dev_id, c.user_id, max(e.event_time), max(e.event_time) FILTER (WHERE e.event_type IN ('activity', 'body', 'daily', 'sleep', 'nutrition', 'menstruation', 'planned_workout', 'hormone', 'health_observation'))
FROM terra_identity.connections c LEFT JOIN terra_identity.events e ON e.dev_id = c.dev_id AND e.user_id = c.user_id AND e.problem IS NULL
WHERE c.status = 'active' GROUP BY c.dev_id, c.user_id;

--
-- 3. Overview
--
-- What is recent is inserted just now.
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT now() - n * interval '10 minutes', jsonb_build_object('type', 'daily', 'user', jsonb_build_object('user_id', 'ann 1', 'provider', 'GARMIN')),
       jsonb_build_object('X-Terra-Ordering-Timestamp', (extract(epoch FROM now() - n * interval '10 minutes' - n * interval '1 second') * 1000)::bigint)
FROM generate_series(1, 12) n;
INSERT INTO terra_identity.events (received_at, payload)
VALUES (now() - interval '5 minutes', '{"type": "user_reauth", "old_user": {"user_id": "bob 2", "provider": "FITBIT"}, "new_user": {"user_id": "bob 3", "provider": "FITBIT", "reference_id": "bob"}}'),
       (now() - interval '5 hours', '{"type": "user_reauth", "old_user": {"user_id": "cid 2", "provider": "FITBIT"}, "new_user": {"user_id": "cid 3", "provider": "FITBIT", "reference_id": "cid"}}'),
       (now() - interval '5 days', '{"type": "user_reauth", "old_user": null, "new_user": {"user_id": "cid 3", "provider": "FITBIT", "reference_id": "cid"}}'),
       (now() - interval '5 hours', '["not an object"]');
SELECT outcome FROM terra_identity.ingest('not json'::text);
INSERT INTO terra_identity.refusal_counters (dev_id, reason, refused, first_at, last_at, logged_at) VALUES ('operations', 'missing', 3, now(), now(), now()), ('operations', 'wrong', 4, now(), now(), now());
SELECT provider, active, superseded, replaced, deauthenticated, revoked, failed, duplicates, unidentified, problems, rejected, refused
FROM terra_identity.overview WHERE dev_id = 'operations' ORDER BY provider;
SELECT provider, events_hour, events_day, reauths_hour, reauths_day, round(extract(epoch FROM delay_median)) AS delay_median, delay_p95 BETWEEN delay_median AND '6 seconds' AS p95,
       now() - last_received_at < interval '1 day' AS recent
FROM terra_identity.overview WHERE dev_id = 'operations' ORDER BY provider;
-- The whole is the sum of its parts.
SELECT dev_id, sum(active + superseded + replaced + deauthenticated + revoked + failed), sum(unidentified), sum(duplicates), sum(problems) FROM terra_identity.overview
WHERE dev_id IN ('operations', 'views', 'feed', 'hostile') GROUP BY dev_id
EXCEPT
SELECT dev_id, (SELECT count(*) FROM terra_identity.connections c WHERE c.dev_id = e.dev_id), (SELECT count(*) FROM terra_identity.unidentified_connections c WHERE c.dev_id = e.dev_id),
       (SELECT count(*) FROM terra_identity.duplicate_connections c WHERE c.dev_id = e.dev_id), (SELECT count(*) FROM terra_identity.problems p WHERE p.dev_id = e.dev_id)
FROM unnest('{operations,views,feed,hostile}'::text[]) e (dev_id);
SELECT count(*) FROM terra_identity.overview WHERE dev_id = 'never seen';
-- Where the 100,000 newest deliveries do not reach back a day, what the day had is not known.
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'operations busy', now() - n * interval '0.5 seconds', '{"type": "healthcheck"}' FROM generate_series(100001, 1, -1) n;
SELECT provider, events_hour BETWEEN 6000 AND 7200 AS hour, events_day, reauths_hour, reauths_day FROM terra_identity.overview WHERE dev_id = 'operations busy';

--
-- Readers of one environment see no other, in any of these.
--
CREATE ROLE regress_operator;
SELECT terra_identity.grant_reader('regress_operator') \g /dev/null
CREATE ROLE regress_isolated;
SELECT terra_identity.grant_reader('regress_isolated', 'operations elsewhere') \g /dev/null
CREATE FUNCTION pg_temp.seen(OUT accepted bigint, OUT duplicates text, OUT unidentified text, OUT fresh text, OUT overview text) LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM terra_identity.accepted_duplicates), (SELECT string_agg(DISTINCT dev_id, ', ' ORDER BY dev_id) FROM terra_identity.duplicate_connections WHERE dev_id LIKE 'operations%'),
           (SELECT string_agg(DISTINCT dev_id, ', ' ORDER BY dev_id) FROM terra_identity.unidentified_connections WHERE dev_id LIKE 'operations%'),
           (SELECT string_agg(DISTINCT dev_id, ', ' ORDER BY dev_id) FROM terra_identity.freshness WHERE dev_id LIKE 'operations%'),
           (SELECT string_agg(DISTINCT dev_id, ', ' ORDER BY dev_id) FROM terra_identity.overview WHERE dev_id LIKE 'operations%')
$$;
SET ROLE regress_operator;
SELECT * FROM pg_temp.seen();
RESET ROLE;
SET ROLE regress_isolated;
SELECT * FROM pg_temp.seen();
RESET ROLE;
-- Without the privilege there is an error, not an answer.
CREATE ROLE regress_no_reader;
GRANT USAGE ON SCHEMA terra_identity TO regress_no_reader;
SET ROLE regress_no_reader;
SELECT * FROM terra_identity.overview;
SELECT * FROM terra_identity.freshness;
RESET ROLE;
DROP OWNED BY regress_operator, regress_isolated, regress_no_reader;
DROP ROLE regress_operator, regress_isolated, regress_no_reader;
DELETE FROM terra_identity.accepted_duplicates WHERE dev_id = 'operations';
DELETE FROM terra_identity.providers WHERE provider = 'OPERATIONS_UNUSABLE';
DELETE FROM terra_identity.rejected WHERE dev_id = 'operations';
DELETE FROM terra_identity.refusal_counters WHERE dev_id = 'operations';

--
-- By index among many: what is read does not depend on how much there is
--
SET terra_identity.dev_id = 'operations many';
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01', jsonb_build_object('type', CASE WHEN n % 100 = 0 THEN 'auth' ELSE 'athlete' END, 'status', 'success', 'user', jsonb_build_object('user_id', 'o' || n, 'provider', 'GARMIN', 'reference_id', 'r' || n),
                                        'athlete', jsonb_build_object('provider_user_id', 'p' || n))
FROM generate_series(1, 20000) n;
ANALYZE terra_identity.events, terra_identity.connections;
SELECT question, p.scans, p.indexes FROM unnest(ARRAY[
    $$SELECT * FROM terra_identity.unidentified_connections WHERE dev_id = 'operations many' ORDER BY connected_at DESC LIMIT 100$$,
    $$SELECT * FROM terra_identity.unidentified_connections WHERE user_id = 'o7'$$,
    $$SELECT * FROM terra_identity.freshness WHERE dev_id = 'operations many' AND user_id = 'o7'$$,
    $$SELECT * FROM terra_identity.freshness WHERE dev_id = 'operations many' AND reference_id = 'r7'$$,
    $$SELECT * FROM terra_identity.freshness WHERE lineage_id = 7 AND dev_id = 'operations many'$$]) question, pg_temp.plan(question) p;
-- What a connection's freshness reads does not depend on how many there are.
CREATE FUNCTION pg_temp.rows_read() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_all_tables WHERE schemaname = 'terra_identity'
$$;
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.rows_read() AS before \gset
SELECT count(last_event_at) FROM generate_series(1, 100) n, terra_identity.freshness f WHERE f.dev_id = 'operations many' AND f.user_id = 'o' || n * 150;
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT CASE WHEN pg_temp.rows_read() - :before <= 1000 THEN 'by index' ELSE format('%s rows', pg_temp.rows_read() - :before) END AS questions;
SELECT * FROM terra_identity.verify();
