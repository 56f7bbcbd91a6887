-- contradictions, account_neighbours and policy_evidence: every kind, on both sides of its threshold; row level security; what the
-- look-up of one connection reads.
SET terra_identity.dev_id = 'contradictions';
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

CREATE FUNCTION pg_temp.said(type text, user_id text, reference_id text DEFAULT NULL, account text DEFAULT NULL, provider text DEFAULT 'OURA') RETURNS jsonb LANGUAGE sql
    RETURN jsonb_strip_nulls(jsonb_build_object('type', type, 'status', CASE type WHEN 'auth' THEN 'success' END,
        'user', jsonb_build_object('user_id', user_id, 'provider', provider, 'reference_id', reference_id),
        'athlete', CASE WHEN account IS NOT NULL THEN jsonb_build_object('provider_user_id', account) END));
-- At that hour of 2026-03-01 and after; created_at is there, too.
CREATE FUNCTION pg_temp.hear(hour numeric, payload jsonb) RETURNS void LANGUAGE sql
    BEGIN ATOMIC INSERT INTO terra_identity.events (received_at, payload) VALUES (timestamptz '2026-03-01 00:00Z' + hour * interval '1 hour', payload); END;
CREATE FUNCTION pg_temp.found(VARIADIC ids text[]) RETURNS TABLE (kind text, user_id text, count bigint, last_at timestamptz, sentence text, settled_by text) LANGUAGE sql AS $$
    SELECT kind, user_id, count, last_at, sentence, settled_by FROM terra_identity.contradictions
    WHERE dev_id = 'contradictions' AND user_id = ANY (ids) ORDER BY 1, 2
$$;
\pset format unaligned
\pset tuples_only on

--
-- 1. data_after_end: a day of it is a contradiction, what was under way is none
--
SELECT count(pg_temp.hear(0, pg_temp.said('auth', id, 'ann'))) FROM unnest('{late,early,silent}'::text[]) id;
SELECT count(pg_temp.hear(10, pg_temp.said('deauth', id))) FROM unnest('{late,early,silent}'::text[]) id;
SELECT pg_temp.hear(9, pg_temp.said('daily', 'silent')), pg_temp.hear(34, pg_temp.said('daily', 'early')), pg_temp.hear(34, pg_temp.said('daily', 'late')),
       pg_temp.hear(50, pg_temp.said('rate_limit_hit', 'early')), pg_temp.hear(50, pg_temp.said('connection_error', 'early')),
       pg_temp.hear(50, '{"type": "daily", "user": {"user_id": "early", "provider": 5}}');
SELECT * FROM pg_temp.found('late', 'early', 'silent');
SELECT pg_temp.hear(34.001, pg_temp.said('sleep', 'late')), pg_temp.hear(40, pg_temp.said('daily', 'late')), pg_temp.hear(50, pg_temp.said('daily', 'late'));
SELECT * FROM pg_temp.found('late', 'early', 'silent');
-- What settles it, settles it.
SELECT rtrim(settled_by, ';') AS settled_by FROM pg_temp.found('late') \gset
:settled_by \g /dev/null
SELECT * FROM pg_temp.found('late');
SELECT status FROM terra_identity.connections WHERE dev_id = 'contradictions' AND user_id = 'late';

--
-- 2. Two people on one account, under keep: both go on, or the older one falls silent
--
SELECT count(pg_temp.hear(0, pg_temp.said('athlete', 'old ' || n, 'ann' || n, 'account ' || n))),
       count(pg_temp.hear(1, pg_temp.said('daily', 'old ' || n))),
       count(pg_temp.hear(10, pg_temp.said('athlete', 'new ' || n, 'bob' || n, 'account ' || n))) FROM generate_series(1, 4) n;
-- 1: both send. 2: the older one stops, at the threshold. 3: the newer one has not sent for two days. 4: the older one never sent later, nor the newer.
SELECT pg_temp.hear(34.001, pg_temp.said('daily', 'old 1')), pg_temp.hear(60, pg_temp.said('daily', 'new 1')),
       pg_temp.hear(34, pg_temp.said('daily', 'old 2')), pg_temp.hear(58.001, pg_temp.said('daily', 'new 2')), pg_temp.hear(58, pg_temp.said('daily', 'new 3'));
SELECT user_id, newer_user_id, last_data_at, newer_last_data_at, speaks_for FROM terra_identity.account_neighbours WHERE dev_id = 'contradictions' ORDER BY 1;
SELECT * FROM pg_temp.found('old 1', 'old 2', 'old 3', 'old 4', 'new 1', 'new 2', 'new 3', 'new 4');
SELECT * FROM terra_identity.policy_evidence WHERE dev_id = 'contradictions';
-- Under replace, what still sends contradicts, and what fell silent does not.
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('contradictions', 'replace');
SELECT * FROM pg_temp.found('old 1', 'old 2', 'old 3', 'old 4', 'new 1', 'new 2', 'new 3', 'new 4');
SELECT user_id, status, newer_user_id, speaks_for FROM terra_identity.account_neighbours WHERE dev_id = 'contradictions' ORDER BY 1;
SELECT * FROM terra_identity.policy_evidence WHERE dev_id = 'contradictions';
SELECT rtrim(settled_by, ';') AS settled_by FROM pg_temp.found('old 1') \gset
:settled_by \g /dev/null
SELECT kind, user_id FROM pg_temp.found('old 1', 'old 2');
-- One verdict each way.
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'verdict ' || policy, timestamptz '2026-03-01 00:00Z' + hour * interval '1 hour', payload
FROM unnest('{keep,replace,none}'::text[]) policy, LATERAL (VALUES
    (0, pg_temp.said('athlete', 'old', 'ann', 'x')), (1, pg_temp.said('daily', 'old')), (10, pg_temp.said('athlete', 'new', 'bob', 'x')),
    (99, CASE policy WHEN 'keep' THEN pg_temp.said('daily', 'old') WHEN 'replace' THEN pg_temp.said('daily', 'new') ELSE '{"type": "healthcheck"}' END)) v (hour, payload);
SELECT dev_id, account_policy, connections, for_keep, for_replace, verdict FROM terra_identity.policy_evidence WHERE dev_id LIKE 'verdict %' ORDER BY 1;
INSERT INTO terra_identity.environments (dev_id, account_policy) SELECT 'verdict ' || policy, 'replace' FROM unnest('{keep,replace,none}'::text[]) policy;
SELECT dev_id, account_policy, connections, for_keep, for_replace, verdict FROM terra_identity.policy_evidence WHERE dev_id LIKE 'verdict %' ORDER BY 1;

--
-- 3. other_reference: the last data of each type, later than what named the end user
--
SELECT count(pg_temp.hear(10, pg_temp.said('auth', id, 'ann'))) FROM unnest('{claimed,reclaimed,unclaimed}'::text[]) id;
SELECT pg_temp.hear(10, pg_temp.said('daily', 'claimed', 'bob')), pg_temp.hear(20, pg_temp.said('sleep', 'reclaimed', 'bob')), pg_temp.hear(20, pg_temp.said('daily', 'unclaimed', 'ann'));
SELECT * FROM pg_temp.found('claimed', 'unclaimed', 'reclaimed');
SELECT pg_temp.hear(21, pg_temp.said('sleep', 'reclaimed', 'ann')), pg_temp.hear(20, pg_temp.said('daily', 'claimed', 'bob')), pg_temp.hear(21, pg_temp.said('body', 'claimed', 'cid'));
SELECT * FROM pg_temp.found('claimed', 'unclaimed', 'reclaimed');
-- Known from data alone: nobody has said otherwise.
SELECT pg_temp.hear(1, pg_temp.said('daily', 'passing', 'ann')), pg_temp.hear(2, pg_temp.said('daily', 'passing', 'bob'));
SELECT * FROM pg_temp.found('passing');
-- Nor is it what was said of the same user_id in another environment.
INSERT INTO terra_identity.events (dev_id, received_at, payload) VALUES ('contradictions elsewhere', '2026-03-01 01:00Z', pg_temp.said('auth', 'passing', 'ann'));
INSERT INTO terra_identity.events (dev_id, received_at, payload) VALUES ('contradictions elsewhere', '2026-03-01 02:00Z', pg_temp.said('daily', 'passing', 'bob'));
SELECT user_id, disputes_reference FROM terra_identity.events WHERE dev_id = 'contradictions elsewhere' AND disputes_reference;
SELECT * FROM pg_temp.found('passing');

--
-- 4. reauth_of_nobody: the others are candidates for what it replaced
--
SELECT pg_temp.hear(0, pg_temp.said('auth', 'before', 'dan')), pg_temp.hear(30, pg_temp.said('auth', 'after', 'dan')), pg_temp.hear(0, pg_temp.said('auth', 'other provider', 'dan', provider => 'FITBIT')),
       pg_temp.hear(0, pg_temp.said('auth', 'gone', 'dan')), pg_temp.hear(1, pg_temp.said('deauth', 'gone'));
SELECT pg_temp.hear(20, '{"type": "user_reauth", "old_user": null, "new_user": {"user_id": "it''s", "provider": "OURA", "reference_id": "dan"}}');
SELECT * FROM pg_temp.found('it''s', 'before', 'after', 'gone', 'other provider');
SELECT rtrim(settled_by, ';') AS settled_by FROM pg_temp.found('it''s') \gset
:settled_by \g /dev/null
SELECT * FROM pg_temp.found('it''s');
SELECT pg_temp.hear(0, pg_temp.said('auth', 'named', 'eve')), pg_temp.hear(0, pg_temp.said('auth', 'not named', 'eve')),
       pg_temp.hear(20, '{"type": "user_reauth", "old_user": {"user_id": "named"}, "new_user": {"user_id": "new", "provider": "OURA", "reference_id": "eve"}}');
SELECT * FROM pg_temp.found('new');

--
-- 5. crowded_account: from five on
--
SELECT count(pg_temp.hear(n, pg_temp.said('athlete', 'crowd ' || n, 'p' || n, 'crowded'))) FROM generate_series(1, 4) n;
SELECT kind, user_id FROM pg_temp.found('crowd 1', 'crowd 4');
SELECT pg_temp.hear(5, pg_temp.said('athlete', 'crowd 5', 'p5', 'crowded'));
SELECT kind, user_id, count, last_at, sentence, settled_by FROM pg_temp.found('crowd 1', 'crowd 5');
SELECT rtrim(settled_by, ';') AS settled_by FROM pg_temp.found('crowd 1') \gset
:settled_by \g /dev/null
SELECT kind, user_id FROM pg_temp.found('crowd 1', 'crowd 5');
DELETE FROM terra_identity.providers WHERE provider = 'OURA';

--
-- 6. Never seen; ids of every kind; readers; what is read
--
SELECT count(*) FROM terra_identity.contradictions WHERE user_id = 'never seen';
SELECT pg_temp.hear(0, pg_temp.said('auth', E'%s %L \\ "\u202e''', 'a%sn''n')), pg_temp.hear(1, pg_temp.said('deauth', E'%s %L \\ "\u202e''')), pg_temp.hear(90, pg_temp.said('daily', E'%s %L \\ "\u202e'''));
SELECT sentence FROM pg_temp.found(E'%s %L \\ "\u202e''');
SELECT rtrim(settled_by, ';') AS settled_by FROM pg_temp.found(E'%s %L \\ "\u202e''') \gset
:settled_by \g /dev/null
SELECT count(*) FROM pg_temp.found(E'%s %L \\ "\u202e''');
CREATE ROLE regress_support;
SELECT terra_identity.grant_reader('regress_support', 'verdict keep');
SET ROLE regress_support;
SELECT dev_id, kind, user_id FROM terra_identity.contradictions ORDER BY 1, 2, 3;
SELECT dev_id, connections FROM terra_identity.policy_evidence;
RESET ROLE;
DROP OWNED BY regress_support;
DROP ROLE regress_support;

-- One connection is looked up by index in every table, whatever it is asked by; and of its data only the last of each type is read.
CREATE FUNCTION pg_temp.whole_reads(query text) RETURNS TABLE (whole_read text) LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    SET LOCAL enable_seqscan = off;
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN QUERY SELECT n ->> 'Relation Name' FROM jsonb_path_query(plan::jsonb, 'strict $.** ? (@."Node Type" == "Seq Scan")') n;
END $$;
SELECT pg_temp.whole_reads('SELECT * FROM terra_identity.contradictions WHERE user_id = ''late''');
SELECT pg_temp.whole_reads('SELECT * FROM terra_identity.contradictions WHERE reference_id = ''ann''');
SELECT pg_temp.whole_reads('SELECT * FROM terra_identity.account_neighbours WHERE user_id = ''late''');
