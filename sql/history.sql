-- Whose a connection was and when, and all ids of a person: user_ids, reference_history and reference_at.
SET terra_identity.dev_id = 'history';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;

-- 'minute kind user_id key=value ...', received at that minute of 2024-03-01 and, with at=, stamped by Terra at that one.
-- Of a user_reauth, old= is the old user, and old_ref= the end user of it.
CREATE FUNCTION pg_temp.event(told text, OUT received_at timestamptz, OUT payload jsonb, OUT headers jsonb) LANGUAGE plpgsql AS $$
DECLARE
    words text[] := string_to_array(told, ' ');
    said jsonb := (SELECT coalesce(jsonb_object_agg(split_part(word, '=', 1), split_part(word, '=', 2)), '{}') FROM unnest(words[4:]) word);
    person jsonb := jsonb_strip_nulls(jsonb_build_object('user_id', words[3], 'provider', said -> 'provider', 'reference_id', said -> 'ref'));
BEGIN
    received_at := timestamptz '2024-03-01 00:00Z' + words[1]::int * interval '1 minute';
    headers := CASE WHEN said ? 'at' THEN jsonb_build_object('X-Terra-Ordering-Timestamp',
        (extract(epoch FROM timestamptz '2024-03-01 00:00Z' + (said ->> 'at')::int * interval '1 minute') * 1000)::bigint) END;
    payload := jsonb_build_object('type', words[2], 'status', coalesce(said ->> 'status', 'success'), CASE words[2] WHEN 'user_reauth' THEN 'new_user' ELSE 'user' END, person)
        || CASE words[2] WHEN 'user_reauth' THEN jsonb_build_object('old_user', jsonb_strip_nulls(jsonb_build_object('user_id', said -> 'old', 'reference_id', said -> 'old_ref')))
                         WHEN 'athlete' THEN jsonb_build_object('athlete', jsonb_build_object('provider_user_id', said -> 'account')) ELSE '{}' END;
END $$;
CREATE FUNCTION pg_temp.orders(n int) RETURNS SETOF int[] LANGUAGE sql AS $$
    WITH RECURSIVE orders AS (
        SELECT '{}'::int[] AS o
        UNION ALL
        SELECT o || i FROM orders, generate_series(1, n) i WHERE i <> ALL (o))
    SELECT o FROM orders WHERE cardinality(o) = n
$$;
CREATE PROCEDURE pg_temp.tell(dev_id text, VARIADIC told text[]) LANGUAGE sql AS $$
    INSERT INTO terra_identity.events (dev_id, received_at, payload, headers) SELECT $1, e.* FROM unnest(told) t, pg_temp.event(t) e
$$;
-- The history of everybody in an environment.
CREATE FUNCTION pg_temp.histories(dev_id text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s: %s', c.user_id, coalesce(h.told, 'nobody''s')), E'\n' ORDER BY c.user_id)
    FROM terra_identity.connections c, LATERAL (
        SELECT string_agg(CASE h."from" WHEN '-infinity' THEN '' ELSE to_char(h."from", 'from HH24:MI ') END || h.reference_id, ', ' ORDER BY n) AS told
        FROM terra_identity.reference_history(c.user_id, c.dev_id) WITH ORDINALITY h (reference_id, "from", "to", n)) h
    WHERE c.dev_id = histories.dev_id
$$;
CREATE FUNCTION pg_temp.play(story text, VARIADIC told text[]) RETURNS TABLE (title text, orders bigint, histories text) LANGUAGE plpgsql AS $$
DECLARE
    o int[]; i int;
BEGIN
    FOR o IN SELECT pg_temp.orders(cardinality(told)) LOOP
        FOREACH i IN ARRAY o LOOP
            CALL pg_temp.tell('history: ' || $1 || o::text, told[i]);
        END LOOP;
    END LOOP;
    RETURN QUERY SELECT $1, count(*), pg_temp.histories('history: ' || $1 || p::text) FROM pg_temp.orders(cardinality(told)) p GROUP BY 3;
END $$;

--
-- 1. Stories, each in every order in which its webhooks may arrive
--
\pset format unaligned
\pset tuples_only on
\pset recordsep '\n\n'
\pset fieldsep '\n'
SELECT p.* FROM pg_temp.play('an app renames its users', '0 auth a provider=GARMIN ref=alice', '1 athlete a account=G1', '5 permission_change a ref=user-1', '9 user_reauth b old=a ref=user-1 old_ref=user-1') p;
SELECT p.* FROM pg_temp.play('a tablet is handed on, and back', '0 auth t provider=APPLE ref=mum', '5 auth t provider=APPLE ref=kid', '7 daily t ref=mum', '9 auth t provider=APPLE ref=mum') p;
SELECT p.* FROM pg_temp.play('a reauth names another person as the old one', '0 auth a provider=GARMIN ref=alice', '5 user_reauth b old=a provider=GARMIN ref=carl old_ref=bob') p;
SELECT p.* FROM pg_temp.play('a deauth names another person', '0 auth a provider=GARMIN ref=alice', '5 deauth a ref=bob', '6 daily a ref=alice') p;
SELECT p.* FROM pg_temp.play('what Terra stamped earlier comes last', '3 auth a ref=bob at=2', '4 auth a ref=carl at=3', '5 auth a ref=alice at=1') p;
SELECT p.* FROM pg_temp.play('two names at one time', '0 auth a ref=zoe', '5 auth a ref=bob', '5 permission_change a ref=alice', '9 auth a ref=alice') p;
SELECT p.* FROM pg_temp.play('two names at one time, and no other', '5 auth a ref=alice', '5 permission_change a ref=bob') p;
SELECT p.* FROM pg_temp.play('known from data only', '0 daily a ref=alice', '5 daily a ref=bob', '5 daily b') p;
SELECT p.* FROM pg_temp.play('first known from data', '0 daily a ref=bob', '5 auth a ref=alice', '6 daily a ref=bob') p;
SELECT p.* FROM pg_temp.play('what is not understood changes nothing', '0 auth a ref=alice', '5 auth a ref=bob status=perhaps') p;
SELECT p.* FROM pg_temp.play('a circle of reauths', '0 user_reauth a old=b ref=alice old_ref=bob', '5 user_reauth b old=a ref=carl old_ref=dora', '9 user_reauth c old=a ref=eve old_ref=eve') p;
\pset format aligned
\pset tuples_only off
\pset recordsep '\n'
\pset fieldsep '|'

-- What the ledger's columns and old_user say, without the extension's own reading: who wrote what about whom.
CREATE VIEW pg_temp.writings AS
SELECT dev_id, user_id, event_time, reference_id FROM terra_identity.events
WHERE event_type IN ('auth', 'user_reauth', 'deauth', 'access_revoked', 'permission_change', 'connection_error', 'athlete') AND problem IS NULL AND reference_id IS NOT NULL
UNION ALL
SELECT dev_id, payload #>> '{old_user,user_id}', event_time, payload #>> '{old_user,reference_id}' FROM terra_identity.events
WHERE event_type = 'user_reauth' AND payload #>> '{old_user,reference_id}' IS NOT NULL;
-- At every time at which anything was said, a moment before, and for ever: the last writer of then, or before all the first.
CREATE VIEW pg_temp.moments AS
SELECT c.dev_id, c.user_id, c.reference_id, m.at,
       coalesce((SELECT w.reference_id FROM pg_temp.writings w WHERE (w.dev_id, w.user_id) = (c.dev_id, c.user_id) AND w.event_time <= m.at
                 ORDER BY w.event_time DESC, w.reference_id COLLATE "C" DESC LIMIT 1),
                (SELECT w.reference_id FROM pg_temp.writings w WHERE (w.dev_id, w.user_id) = (c.dev_id, c.user_id)
                 ORDER BY w.event_time, w.reference_id COLLATE "C" DESC LIMIT 1),
                c.reference_id) AS hers
FROM terra_identity.connections c, LATERAL (
    SELECT at FROM terra_identity.events e, unnest(ARRAY[e.event_time, e.event_time - interval '1 microsecond']) at WHERE e.dev_id = c.dev_id
    UNION SELECT unnest('{-infinity,4713-01-01 BC,294276-12-31,infinity}'::timestamptz[])) m
WHERE c.dev_id LIKE 'history:%';
CREATE FUNCTION pg_temp.differences() RETURNS TABLE (moments boolean, reference_at bigint, reference_history bigint, last_period bigint) LANGUAGE sql AS $$
    SELECT count(*) > 1000, count(*) FILTER (WHERE terra_identity.reference_at(m.user_id, m.at, m.dev_id) IS DISTINCT FROM m.hers),
           count(*) FILTER (WHERE ARRAY(SELECT h.reference_id FROM terra_identity.reference_history(m.user_id, m.dev_id) h
                                        WHERE m.at >= h."from" AND (m.at < h."to" OR m.at = 'infinity' AND h."to" = m.at)) <> array_remove(ARRAY[m.hers], NULL)),
           count(*) FILTER (WHERE m.at = 'infinity' AND m.hers IS DISTINCT FROM m.reference_id)
    FROM pg_temp.moments m
$$;
SELECT * FROM pg_temp.differences();
-- The periods of a connection follow one another without a gap, oldest first.
SELECT count(*) > 100 AS periods, count(*) FILTER (WHERE h."from" IS DISTINCT FROM coalesce(h.before, '-infinity') OR h.n = h.of AND h."to" <> 'infinity') AS gaps
FROM (SELECT h.*, lag(h."to") OVER w AS before, count(*) OVER (PARTITION BY c.connection_id) AS of
      FROM terra_identity.connections c, terra_identity.reference_history(c.user_id, c.dev_id) WITH ORDINALITY h (reference_id, "from", "to", n)
      WHERE c.dev_id LIKE 'history:%' WINDOW w AS (PARTITION BY c.connection_id ORDER BY n)) h;
-- Passing events are not needed: without them, for whom anybody but them has named, nothing changes.
CREATE TABLE pg_temp.before AS SELECT c.dev_id, c.user_id, h.* FROM terra_identity.connections c, terra_identity.reference_history(c.user_id, c.dev_id) h
WHERE c.dev_id LIKE 'history:%' AND NOT c.reference_id_passing;
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM terra_identity.events WHERE event_type = 'daily' AND dev_id LIKE 'history:%';
SELECT (SELECT count(*) > 100 FROM pg_temp.before) AS periods, count(*) AS differences FROM (
    (TABLE pg_temp.before EXCEPT ALL SELECT c.dev_id, c.user_id, h.* FROM terra_identity.connections c, terra_identity.reference_history(c.user_id, c.dev_id) h)) d;
ROLLBACK;

--
-- 2. Environments, and arguments
--
CALL pg_temp.tell('history', '0 auth e provider=GARMIN ref=alice', '1 user_reauth f old=e provider=GARMIN ref=alice old_ref=alice', '9 permission_change e ref=bob', '0 daily p ref=pam', '0 daily q');
CALL pg_temp.tell('history elsewhere', '5 auth e provider=GARMIN ref=eve', '6 user_reauth f old=e provider=GARMIN ref=fay old_ref=guy');
SELECT d.dev_id, h.* FROM (VALUES (NULL), ('history elsewhere')) d (dev_id), LATERAL (
    SELECT * FROM terra_identity.reference_history('e') WHERE d.dev_id IS NULL
    UNION ALL SELECT * FROM terra_identity.reference_history('e', d.dev_id)) h;
SELECT terra_identity.reference_at('e', '2024-03-01 00:05Z') AS here, terra_identity.reference_at('e', '2024-03-01 00:05Z', 'history elsewhere') AS elsewhere,
       terra_identity.reference_at('p', '2024-03-01 00:05Z') AS from_data;
-- Nobody's, unknown, of no environment, or without one of the arguments.
SELECT count(*) AS rows FROM unnest('{q,nobody,"",NULL}'::text[]) u, terra_identity.reference_history(u) UNION ALL
SELECT count(*) FROM terra_identity.reference_history('e', 'nowhere') UNION ALL SELECT count(*) FROM terra_identity.reference_history('e', NULL);
SELECT num_nonnulls(terra_identity.reference_at('q', now()), terra_identity.reference_at('nobody', now()), terra_identity.reference_at(NULL, now()), terra_identity.reference_at('e', NULL),
                    terra_identity.reference_at('e', now(), 'nowhere'), terra_identity.reference_at('e', now(), NULL), terra_identity.reference_at(repeat('e', 100000), now())) AS known;

--
-- 3. All ids of a person
--
CALL pg_temp.tell('history ids', '0 auth g1 provider=GARMIN ref=alice', '1 athlete g1 account=G1', '2 user_reauth g2 old=g1 provider=GARMIN', '3 deauth g2', '4 auth 01234567-89ab-cdef-0123-456789abcdef provider=FITBIT ref=alice',
    '0 daily p provider=OURA ref=alice', '5 auth h1 provider=GARMIN ref=bob', '6 athlete h1 account=G1 ref=bob', '0 auth z provider=GARMIN ref=ALICE', '0 auth n provider=GARMIN');
CREATE FUNCTION pg_temp.ids(reference_id text, provider text = NULL, dev_id text = 'history ids') RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(u.user_id || ' ' || c.status || CASE WHEN u.user_uuid IS NOT NULL THEN ' uuid' ELSE '' END, ', ' ORDER BY u.user_id)
    FROM terra_identity.user_ids($1, $2, $3) u JOIN terra_identity.connections c ON (c.dev_id, c.user_id) = ($3, u.user_id)
$$;
SELECT pg_temp.ids('alice') AS all, pg_temp.ids('alice', 'Garmin') AS garmin, pg_temp.ids('alice', 'fitbit') AS fitbit, pg_temp.ids('bob') AS bob;
-- g2 has no end user of its own, so it is hers as long as there is no other person in its lineage.
CALL pg_temp.tell('history ids', '7 user_reauth g3 old=g2 provider=GARMIN');
SELECT pg_temp.ids('alice', 'GARMIN') AS alice;
CALL pg_temp.tell('history ids', '8 auth g3 provider=GARMIN ref=bob');
SELECT pg_temp.ids('alice', 'GARMIN') AS alice, pg_temp.ids('bob', 'GARMIN') AS bob;
SELECT count(DISTINCT lineage_id) AS lineages FROM terra_identity.connections WHERE dev_id = 'history ids' AND user_id LIKE 'g_';
-- An id that came to another end user is the last one's.
CALL pg_temp.tell('history ids', '8 auth p provider=OURA ref=bob');
SELECT pg_temp.ids('alice', 'OURA') AS alice, pg_temp.ids('bob', 'OURA') AS bob;
-- In ASCII upper case, as providers are: whatever the collation of who asks.
SELECT pg_temp.ids('alice', 'fıtbıt') AS dotless, pg_temp.ids('alice', 'fitbit' COLLATE "C") AS c, pg_temp.ids('alice' COLLATE "C") = pg_temp.ids('alice') AS same;
SELECT count(*) AS rows FROM (SELECT FROM terra_identity.user_ids('nobody', dev_id => 'history ids') UNION ALL SELECT FROM terra_identity.user_ids(NULL, dev_id => 'history ids')
    UNION ALL SELECT FROM terra_identity.user_ids('alice', dev_id => NULL) UNION ALL SELECT FROM terra_identity.user_ids('alice', dev_id => 'nowhere')
    UNION ALL SELECT FROM terra_identity.user_ids('alice', '', 'history ids') UNION ALL SELECT FROM terra_identity.user_ids('', dev_id => 'history ids')) n;
SELECT array_agg(user_id ORDER BY user_id) AS by_setting FROM terra_identity.user_ids('bob');
-- It is a part of the query that calls it, which reaches the app's table by its index.
CREATE TABLE pg_temp.health (user_id text, value int);
INSERT INTO pg_temp.health SELECT 'g' || n % 10000, n FROM generate_series(1, 20000) n;
CREATE INDEX health_user_id ON pg_temp.health (user_id);
ANALYZE pg_temp.health;
CREATE FUNCTION pg_temp.plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text; result text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        result := result || line || E'\n';
    END LOOP;
    RETURN result;
END $$;
SELECT plan ~ 'health_user_id' AS by_index, plan ~ 'Seq Scan on health' AS all_of_it, plan ~ 'Function Scan' AS as_a_function
FROM pg_temp.plan($$SELECT h.* FROM terra_identity.user_ids('alice', dev_id => 'history ids') u JOIN pg_temp.health h USING (user_id)$$) plan;
SELECT count(*) AS of_alice, count(DISTINCT user_id) AS ids FROM terra_identity.user_ids('alice', dev_id => 'history ids') u JOIN pg_temp.health h USING (user_id);

--
-- 4. Only identity events are read, by index
--
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'history large', e.received_at, e.payload || jsonb_build_object('data', large)
FROM (SELECT string_agg(md5(n::text), '') AS large FROM generate_series(1, 4400) n) l, generate_series(1, 50) n, pg_temp.event(n || ' daily l ref=alice') e;
CALL pg_temp.tell('history large', '0 auth l ref=alice', '5 permission_change l ref=bob', '6 user_reauth k old=l old_ref=carl', '7 user_reauth k old=m', '8 auth k', '3 auth x ref=alice');
SELECT count(*) FILTER (WHERE pg_column_size(payload) > 140000) AS large FROM terra_identity.events WHERE dev_id = 'history large';
-- What a query reads of the ledger: entries of its index by user_id, rows otherwise found, and blocks of what is out of line.
CREATE FUNCTION pg_temp.reading(query text) RETURNS TABLE (answer text, entries bigint, rows bigint, out_of_line boolean) LANGUAGE plpgsql AS $$
DECLARE
    ledger oid := 'terra_identity.events'::regclass; by_user oid := 'terra_identity.events_user_id_idx'::regclass;
    toast oid := (SELECT reltoastrelid FROM pg_class WHERE oid = ledger);
    was bigint[] := ARRAY[pg_stat_get_xact_tuples_returned(by_user), pg_stat_get_xact_tuples_returned(ledger), pg_stat_get_xact_blocks_fetched(toast)];
BEGIN
    EXECUTE query INTO answer;
    RETURN QUERY SELECT answer, pg_stat_get_xact_tuples_returned(by_user) - was[1], pg_stat_get_xact_tuples_returned(ledger) - was[2], pg_stat_get_xact_blocks_fetched(toast) > was[3];
END $$;
\set reading 'SELECT * FROM pg_temp.reading($$SELECT string_agg(h.reference_id, \' \' ORDER BY h."from") FROM terra_identity.reference_history(\'l\', \'history large\') h$$)'
:reading;
-- (What it would be otherwise.)
SELECT * FROM pg_temp.reading($$SELECT count(payload ->> 'data') FROM terra_identity.events WHERE user_id = 'l' AND event_type || '' = 'daily'$$);

--
-- 5. Who asks sees what a query would show
--
CREATE ROLE regress_history_reader;
CREATE ROLE regress_history_row_reader;
CREATE ROLE regress_history_column_reader;
CREATE ROLE regress_history_stranger;
SELECT terra_identity.grant_reader('regress_history_reader'), terra_identity.grant_reader('regress_history_row_reader'),
       terra_identity._enter_reader('regress_history_column_reader', NULL, true);
GRANT USAGE ON SCHEMA terra_identity TO regress_history_column_reader, regress_history_stranger;
GRANT EXECUTE ON FUNCTION terra_identity.reference_history, terra_identity.reference_at, terra_identity.user_ids, terra_identity._can_answer TO regress_history_column_reader, regress_history_stranger;
GRANT SELECT (dev_id, user_id, user_uuid, reference_id, reference_id_passing, lineage_id, provider) ON terra_identity.connections TO regress_history_column_reader;
GRANT SELECT (dev_id, old_user_id, new_user_id) ON terra_identity.reauths TO regress_history_column_reader;
GRANT SELECT (dev_id, user_id, event_type, received_at, payload, headers, entered_by) ON terra_identity.events TO regress_history_column_reader;
CREATE SCHEMA regress_hostile;
CREATE FUNCTION regress_hostile.yes(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE OPERATOR regress_hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_hostile.yes);
CREATE FUNCTION regress_hostile.upper(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN 'HOSTILE';
GRANT USAGE ON SCHEMA regress_hostile TO PUBLIC;
CREATE FUNCTION pg_temp.answers(OUT e text, OUT here text, OUT elsewhere text, OUT unknown text, OUT ids text) LANGUAGE plpgsql AS $$
BEGIN
    SELECT (SELECT string_agg(h.reference_id, ' ' ORDER BY h."from") FROM terra_identity.reference_history('e', 'history') h),
           terra_identity.reference_at('e', '2024-03-01 00:05Z', 'history'), terra_identity.reference_at('e', '2024-03-01 00:05Z', 'history elsewhere'),
           terra_identity.reference_at('nobody', '2024-03-01 00:05Z', 'history'), (SELECT string_agg(u.user_id, ' ' ORDER BY u.user_id) FROM terra_identity.user_ids('alice', 'garmin', 'history') u)
    INTO e, here, elsewhere, unknown, ids;
END $$;
SET ROLE regress_history_reader;
SELECT * FROM pg_temp.answers();
SET search_path = regress_hostile, pg_catalog;
SELECT * FROM pg_temp.answers();
RESET search_path;
SET ROLE regress_history_column_reader;
SET search_path = regress_hostile, pg_catalog;
SELECT * FROM pg_temp.answers();
RESET search_path;
-- The same number of entries of the index, whoever asks.
:reading;
SET ROLE regress_history_stranger;
\set SHOW_CONTEXT never
SELECT terra_identity.reference_at('e', now(), 'history');
SELECT * FROM terra_identity.reference_history('e', 'history');
SELECT * FROM terra_identity.user_ids('alice', dev_id => 'history');
\set SHOW_CONTEXT errors
RESET ROLE;
REVOKE SELECT (payload) ON terra_identity.events FROM regress_history_column_reader;
SET ROLE regress_history_column_reader;
\set SHOW_CONTEXT never
SELECT terra_identity.reference_at('e', now(), 'history');
\set SHOW_CONTEXT errors
RESET ROLE;
-- Rows of one person: the connections that are hers now; then, of the ledger, what names her. What is hidden does not count.
CREATE POLICY hers ON terra_identity.connections AS RESTRICTIVE FOR SELECT TO regress_history_row_reader USING (reference_id = 'alice');
SET ROLE regress_history_row_reader;
SELECT * FROM pg_temp.answers();
SELECT user_id, h.reference_id FROM terra_identity.connections c, terra_identity.reference_history(c.user_id, c.dev_id) h WHERE dev_id = 'history';
RESET ROLE;
DROP POLICY hers ON terra_identity.connections;
CREATE POLICY hers ON terra_identity.events AS RESTRICTIVE FOR SELECT TO regress_history_row_reader USING (reference_id = 'alice');
SET ROLE regress_history_row_reader;
SELECT * FROM pg_temp.answers();
SET ROLE regress_history_reader;
SELECT * FROM pg_temp.answers();
RESET ROLE;
DROP POLICY hers ON terra_identity.events;
SET ROLE regress_history_row_reader;
SELECT * FROM pg_temp.answers();
RESET ROLE;
DROP SCHEMA regress_hostile CASCADE;
DROP OWNED BY regress_history_reader, regress_history_row_reader, regress_history_column_reader, regress_history_stranger;
DROP ROLE regress_history_reader, regress_history_row_reader, regress_history_column_reader, regress_history_stranger;

-- They only read: also where nothing may be written, and in parallel.
BEGIN READ ONLY;
SELECT * FROM pg_temp.answers();
COMMIT;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 1;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SET enable_bitmapscan = off;
\set everybody 'SELECT count(*), count(terra_identity.reference_at(c.user_id, now(), c.dev_id)) AS at, count(h.*) AS periods FROM terra_identity.connections c LEFT JOIN LATERAL terra_identity.reference_history(c.user_id, c.dev_id) h ON true WHERE c.dev_id LIKE ''history:%'''
SELECT plan ~ 'Gather' AS parallel FROM pg_temp.plan(:'everybody') plan;
CREATE TABLE pg_temp.parallel AS :everybody;
SET max_parallel_workers_per_gather = 0;
SELECT count > 100 AS some, p = (SELECT s FROM (:everybody) s) AS the_same FROM pg_temp.parallel p;
-- What a transaction has just told counts, and a cursor keeps its snapshot.
BEGIN;
DECLARE before CURSOR FOR SELECT h.reference_id FROM terra_identity.reference_history('p') h;
CALL pg_temp.tell('history', '9 auth p ref=new');
SELECT reference_id FROM terra_identity.reference_history('p');
FETCH ALL FROM before;
ROLLBACK;
