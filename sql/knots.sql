-- Reauths that form knots and long chains, and an account that everyone has: all ends well, and an event stays cheap.
SET terra_identity.dev_id = 'knots';
SET timezone = 'UTC';
SET datestyle = 'ISO';

--
-- 1. Reauths in knots
--
CREATE FUNCTION pg_temp.reauth(old_id text, new_id text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'user_reauth', 'old_user', jsonb_build_object('user_id', $1, 'provider', 'GARMIN', 'reference_id', 'r'),
                                                     'new_user', jsonb_build_object('user_id', $2, 'provider', 'GARMIN', 'reference_id', 'r'))
$$;
CREATE FUNCTION pg_temp.athlete(user_id text, account text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', $1, 'provider', 'GARMIN', 'reference_id', 'r'),
                              'athlete', jsonb_build_object('provider_user_id', $2))
$$;
-- Cycles of two (a) and three (b), a fork (c), a fan-in (d), a self reauth (e), and two cycles that touch (f).
DO $$
DECLARE
    link text[];
BEGIN
    FOREACH link SLICE 1 IN ARRAY '{{1,a1,a2},{2,a2,a1},{3,b1,b2},{4,b2,b3},{5,b3,b1},{6,c1,c2},{7,c1,c3},{8,d1,d3},{8,d2,d3},
                                    {9,e1,e1},{10,f1,f2},{11,f2,f1},{12,f2,f3},{13,f3,f2}}'::text[] LOOP
        INSERT INTO terra_identity.events (received_at, payload)
        VALUES ('2024-03-01 00:00Z'::timestamptz + link[1]::int * interval '1 minute', pg_temp.reauth(link[2], link[3]));
    END LOOP;
END $$;
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 01:00Z', pg_temp.athlete(id, 'account of ' || id) FROM unnest('{a1,b2,c1,d1,d2,f3}'::text[]) id;
SELECT user_id, status, successor_user_id, provider_user_id, cyclic, terra_identity.resolve(user_id),
       dense_rank() OVER (ORDER BY lineage_id) AS lineage
FROM terra_identity.connections WHERE dev_id = 'knots' ORDER BY user_id;
SELECT terra_identity.rebuild();
SELECT * FROM terra_identity.verify();

-- A chain of 1,000 in a fixed random order, told one by one and all at once; its athlete comes last and is the first's.
CREATE TEMP TABLE chain AS
SELECT pg_temp.reauth('k' || n - 1, 'k' || n) AS payload,
       jsonb_build_object('X-Terra-Ordering-Timestamp', (1709251200000 + n)::text) AS headers, md5(n::text) AS place
FROM generate_series(1, 1000) n;
CREATE FUNCTION pg_temp.chain_state()
RETURNS TABLE (connections bigint, lineages bigint, active bigint, account text, resolved text, rebuilt bigint) LANGUAGE sql AS $$
    SELECT count(*), count(DISTINCT lineage_id), count(*) FILTER (WHERE status = 'active'),
           string_agg(DISTINCT coalesce(provider_user_id, 'none'), ', '), terra_identity.resolve('k0'), terra_identity.rebuild()
    FROM terra_identity.connections WHERE dev_id = current_setting('terra_identity.dev_id')
$$;
SET terra_identity.dev_id = 'knots chain';
DO $$
DECLARE
    e record;
BEGIN
    FOR e IN SELECT * FROM chain ORDER BY place LOOP
        INSERT INTO terra_identity.events (received_at, payload, headers) VALUES ('2024-03-02', e.payload, e.headers);
    END LOOP;
END $$;
SELECT * FROM pg_temp.chain_state();
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-02', pg_temp.athlete('k0', 'the first'));
SELECT * FROM pg_temp.chain_state();
SELECT * FROM terra_identity.verify();
SET terra_identity.dev_id = 'knots chain at once';
INSERT INTO terra_identity.events (received_at, payload, headers) SELECT '2024-03-02', payload, headers FROM chain ORDER BY place;
SELECT * FROM pg_temp.chain_state();
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-02', pg_temp.athlete('k0', 'the first'));
SELECT * FROM pg_temp.chain_state();
SELECT * FROM terra_identity.verify();
-- Both end in the same state.
SELECT count(*) AS differences FROM (
    SELECT user_id, status, successor_user_id, provider_user_id, confirmed, first_seen_at, connected_at, ended_at
    FROM terra_identity.connections WHERE dev_id = 'knots chain'
    EXCEPT
    SELECT user_id, status, successor_user_id, provider_user_id, confirmed, first_seen_at, connected_at, ended_at
    FROM terra_identity.connections WHERE dev_id = 'knots chain at once') d;

--
-- 2. Everyone has the account "0": an event costs the same among 20,000 connections as among 200
--
-- Rows and index entries of connections read or written so far.
CREATE FUNCTION pg_temp.work() RETURNS bigint LANGUAGE sql AS $$
    SELECT n_tup_ins + n_tup_upd + n_tup_del + seq_tup_read + idx_tup_fetch
           + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_all_indexes i WHERE i.relid = t.relid)
    FROM pg_stat_all_tables t WHERE relid = 'terra_identity.connections'::regclass
$$;
-- Events of connections of which the first is number first, one for each statement and transaction.
CREATE PROCEDURE pg_temp.tell_singly(first int, last int, template text) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN first .. last LOOP
        INSERT INTO terra_identity.events (received_at, payload)
        VALUES ('2024-03-01 00:00Z'::timestamptz + n * interval '1 second', replace(template, '#', n::text)::jsonb);
        COMMIT;
    END LOOP;
END $$;
CREATE FUNCTION pg_temp.flat(few bigint, many bigint) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN $2 < 2 * $1 THEN 'yes' ELSE format('no: 100 events cost %s among 200, %s among 20,000', $1, $2) END
$$;
CREATE FUNCTION pg_temp.zeros() RETURNS TABLE (status text, duplicate boolean, connections bigint, lineages bigint) LANGUAGE sql AS $$
    SELECT status, duplicate, count(*), count(DISTINCT lineage_id)
    FROM terra_identity.connections WHERE dev_id = current_setting('terra_identity.dev_id') GROUP BY 1, 2 ORDER BY 1, 2
$$;

-- One reference.
SET terra_identity.dev_id = 'knots zero, one reference';
\set template '{"type": "athlete", "user": {"user_id": "z#", "provider": "X", "reference_id": "r"}, "athlete": {"provider_user_id": "0"}}'
CALL pg_temp.tell_singly(1, 100, :'template');
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.work() AS at_100 \gset
CALL pg_temp.tell_singly(101, 200, :'template');
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.work() AS at_200 \gset
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 00:00Z'::timestamptz + n * interval '1 second', replace(:'template', '#', n::text)::jsonb FROM generate_series(201, 20000) n;
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.work() AS at_20000 \gset
CALL pg_temp.tell_singly(20001, 20100, :'template');
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.flat(:at_200 - :at_100, pg_temp.work() - :at_20000);
SELECT * FROM pg_temp.zeros();
SELECT terra_identity.resolve('z1'), terra_identity.rebuild();
SELECT * FROM terra_identity.verify();

-- A reference each, under keep.
SET terra_identity.dev_id = 'knots zero, keep';
\set template '{"type": "athlete", "user": {"user_id": "z#", "provider": "X", "reference_id": "r#"}, "athlete": {"provider_user_id": "0"}}'
CALL pg_temp.tell_singly(1, 100, :'template');
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.work() AS at_100 \gset
CALL pg_temp.tell_singly(101, 200, :'template');
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.work() AS at_200 \gset
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 00:00Z'::timestamptz + n * interval '1 second', replace(:'template', '#', n::text)::jsonb FROM generate_series(201, 20000) n;
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.work() AS at_20000 \gset
CALL pg_temp.tell_singly(20001, 20100, :'template');
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.flat(:at_200 - :at_100, pg_temp.work() - :at_20000);
SELECT * FROM pg_temp.zeros();
SELECT terra_identity.resolve('z1'), terra_identity.rebuild();
SELECT * FROM terra_identity.verify();

-- A reference each, under replace.
SET terra_identity.dev_id = 'knots zero, replace';
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('knots zero, replace', 'replace');
CALL pg_temp.tell_singly(1, 100, :'template');
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.work() AS at_100 \gset
CALL pg_temp.tell_singly(101, 200, :'template');
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.work() AS at_200 \gset
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 00:00Z'::timestamptz + n * interval '1 second', replace(:'template', '#', n::text)::jsonb FROM generate_series(201, 20000) n;
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.work() AS at_20000 \gset
CALL pg_temp.tell_singly(20001, 20100, :'template');
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.flat(:at_200 - :at_100, pg_temp.work() - :at_20000);
SELECT * FROM pg_temp.zeros();
SELECT terra_identity.resolve('z1'), terra_identity.resolve('z20100'), terra_identity.rebuild();
SELECT * FROM terra_identity.verify();

-- A transaction of thousands of statements holds no thousands of locks.
BEGIN;
DO $$
BEGIN
    FOR i IN 1 .. 2000 LOOP
        INSERT INTO terra_identity.events (dev_id, payload) VALUES ('knots statements', jsonb_build_object('type', 'athlete',
            'user', jsonb_build_object('user_id', 'u' || i, 'provider', 'GARMIN', 'reference_id', 'ann'),
            'athlete', jsonb_build_object('provider_user_id', i % 100)));
    END LOOP;
END
$$;
SELECT count(*) BETWEEN 100 AND 1100 AS few_locks FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory';
COMMIT;
SELECT count(*) FROM terra_identity.connections WHERE dev_id = 'knots statements' AND status = 'active';
SELECT * FROM terra_identity.verify('knots statements');

-- The history of every connection ends with the end user that it has.
SELECT count(*) > 1000 AS connections, count(*) FILTER (WHERE h.reference_id IS DISTINCT FROM c.reference_id) AS that_end_otherwise
FROM terra_identity.connections c
LEFT JOIN LATERAL terra_identity.reference_history(c.user_id, c.dev_id) h ON h."to" = 'infinity'
WHERE c.dev_id LIKE 'knots%';
