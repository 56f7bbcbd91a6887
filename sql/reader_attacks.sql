-- A reader of one environment reads every table and view, and calls every function, about another one: nothing that is in
-- the other one is in an answer, or in an error. The rows of the other one all have a word that nothing else has.
SET client_min_messages = warning;
CREATE ROLE regress_mine;
CREATE ROLE regress_mine_support;
CREATE ROLE regress_mine_feed;
CREATE ROLE regress_theirs;
SELECT terra_identity.grant_reader('regress_mine', 'attacks mine'), terra_identity.grant_support('regress_mine_support', 'attacks mine'), terra_identity.grant_consumer('regress_mine_feed', 'attacks mine'), terra_identity.grant_reader('regress_theirs', 'attacks theirs');
INSERT INTO terra_identity.environments (dev_id, terra_dev_id, account_policy, on_duplicate) VALUES ('attacks theirs', 'xyzzy-terra', 'keep', 'disconnect_older');
INSERT INTO terra_identity.accepted_duplicates (dev_id, provider, provider_user_id, note) VALUES ('attacks theirs', 'GARMIN', 'xyzzy accepted', 'xyzzy');
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
SELECT dev_id, at, jsonb_build_object('type', type, 'status', 'success', 'user', who, 'new_user', who, 'old_user', '{"user_id": "xyzzy 1"}'::jsonb, 'athlete', jsonb_build_object('provider_user_id', account), 'data', 'xyzzy health'),
       jsonb_build_object('X-Terra-Trace-Id', 'xyzzy ' || n)
FROM (SELECT 'attacks theirs' AS dev_id) d, (VALUES
    (1, '2024-01-01'::timestamptz, 'auth', 'xyzzy 1', 'xyzzy ann', 'xyzzy account'), (2, '2024-01-01', 'athlete', 'xyzzy 1', 'xyzzy ann', 'xyzzy account'), (3, '2024-01-02', 'auth', 'xyzzy 2', 'xyzzy bob', 'xyzzy account'),
    (4, '2024-01-02', 'athlete', 'xyzzy 2', 'xyzzy bob', 'xyzzy account'), (5, '2024-01-03', 'user_reauth', 'xyzzy 3', 'xyzzy ann', 'xyzzy account'), (6, '2024-01-05', 'daily', 'xyzzy 1', 'xyzzy eve', 'xyzzy account'),
    (7, '2024-01-05', 'auth', 'xyzzy 4', 'xyzzy ann', 'xyzzy account'), (8, '2024-01-05', 'athlete', 'xyzzy 4', 'xyzzy ann', 'xyzzy other'), (9, '2024-01-06', 'daily', 'xyzzy 2', 'xyzzy bob', NULL)) e (n, at, type, user_id, reference_id, account),
    LATERAL (SELECT jsonb_build_object('user_id', user_id, 'provider', 'GARMIN', 'reference_id', reference_id)) w (who);
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('attacks theirs', '{"type": "xyzzy problem", "user": "xyzzy"}'), ('attacks mine', '{"type": "auth", "status": "success", "user": {"user_id": "mine", "provider": "GARMIN", "reference_id": "mina"}}');
SELECT outcome FROM terra_identity.ingest('{"xyzzy'::text, '{"X-Terra-Trace-Id": "xyzzy rejected"}', 'attacks theirs');
SELECT count(*) > 0 AS consumed FROM terra_identity.read_changes('xyzzy consumer', dev_id => 'attacks theirs');
SELECT terra_identity.skip_changes('xyzzy consumer', 'attacks theirs') > 0 AS skipped;
SELECT terra_identity.forget('xyzzy eve', 'attacks theirs') \g /dev/null
CREATE TABLE public.regress_hooks (body jsonb);
SELECT terra_identity.attach('public.regress_hooks', 'body', dev_id => 'attacks theirs');

-- What somebody is told: the rows as text, those that have the word, or all; or the error with all of its parts.
CREATE FUNCTION pg_temp.told(statement text, which text = 'xyzzy|theirs|regress_hooks') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    detail text;
    hint text;
    context text;
BEGIN
    EXECUTE format('SELECT string_agg(a::text, chr(10)) FROM (%s) a WHERE a::text ~ %L', statement, which) INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    RETURN concat_ws(' / ', 'ERROR ' || sqlstate, sqlerrm, detail, hint);
END $$;
CREATE TABLE pg_temp.asked AS
SELECT format('SELECT * FROM %s', c.oid::regclass) AS statement
FROM pg_class c WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind IN ('r', 'v', 'S')
UNION ALL
-- Look-ups by index, which a policy could come after; and whether there is such a row at all.
SELECT format('SELECT %I FROM %s WHERE %2$s.%1$I IS NOT NULL ORDER BY 1', a.attname, c.oid::regclass)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('user_id', 'reference_id', 'provider_user_id', 'trace_id')
WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind IN ('r', 'v')
UNION ALL
-- Every function with every combination of the arguments that fit: ids and environment of the other, or of the caller's own.
SELECT format('SELECT * FROM %s(%s)', p.oid::regproc, arguments)
FROM pg_proc p, LATERAL (
    WITH RECURSIVE built (n, arguments) AS (
        SELECT 0, ''
        UNION ALL
        SELECT b.n + 1, b.arguments || CASE b.n WHEN 0 THEN '' ELSE ', ' END || v.value
        FROM built b, LATERAL (
            SELECT unnest(CASE
                WHEN p.proargnames[b.n + 1] IN ('dev_id', 'environment') THEN '{''attacks theirs'',''attacks mine''}'
                WHEN p.proargnames[b.n + 1] = 'user_id' OR p.proargnames[b.n + 1] = 'connection' THEN '{''xyzzy 1'',''xyzzy 2''}'
                WHEN p.proargnames[b.n + 1] = 'reference_id' THEN '{''xyzzy ann''}'
                WHEN p.proargnames[b.n + 1] = 'provider' THEN '{''GARMIN''}'
                WHEN p.proargnames[b.n + 1] = 'provider_user_id' THEN '{''xyzzy account'',''xyzzy accepted''}'
                WHEN p.proargnames[b.n + 1] = 'consumer' THEN '{''xyzzy consumer'',''mine''}'
                WHEN p.proargtypes[b.n] = 'bigint'::regtype THEN array[(SELECT min(connection_id) FROM terra_identity.connections WHERE dev_id = 'attacks theirs')::text,
                                                                      (SELECT min(event_id) FROM terra_identity.events WHERE dev_id = 'attacks theirs' AND event_type = 'user_reauth')::text]
                WHEN p.proargtypes[b.n] = 'integer'::regtype THEN '{10}'
                WHEN p.proargtypes[b.n] = 'jsonb'::regtype THEN array[$a$'[{"user_id": "xyzzy 1"}]'$a$]
                WHEN p.proargtypes[b.n] IN ('timestamptz'::regtype, 'timestamp'::regtype) THEN '{''2024-06-01Z''}'
                WHEN p.proargtypes[b.n] = 'regclass'::regtype THEN '{''public.regress_hooks''}'
                WHEN p.proargtypes[b.n] = 'regrole'::regtype THEN '{''regress_mine''}'
                WHEN p.proargtypes[b.n] = 'bytea'::regtype THEN '{''\\x00''}'
                WHEN p.proargtypes[b.n] = 'boolean'::regtype THEN '{true}'
                WHEN p.proargtypes[b.n] = 'interval'::regtype THEN '{''1 minute''}'
                ELSE '{''given''}' END::text[]) AS value) v
        WHERE b.n < p.pronargs)
    SELECT arguments FROM built WHERE n = p.pronargs) a
WHERE p.pronamespace = 'terra_identity'::regnamespace AND p.prokind = 'f' AND p.prorettype NOT IN ('trigger'::regtype, 'internal'::regtype);
GRANT SELECT ON pg_temp.asked TO PUBLIC;
CREATE TABLE pg_temp.answers (role text, statement text, told text);
GRANT ALL ON pg_temp.answers TO PUBLIC;
SET ROLE regress_mine;
INSERT INTO pg_temp.answers SELECT current_user, statement, pg_temp.told(statement) FROM pg_temp.asked;
SET ROLE regress_mine_support;
INSERT INTO pg_temp.answers SELECT current_user, statement, pg_temp.told(statement) FROM pg_temp.asked;
SET ROLE regress_mine_feed;
INSERT INTO pg_temp.answers SELECT current_user, statement, pg_temp.told(statement) FROM pg_temp.asked;
RESET ROLE;
-- What it gave itself may come back to it, and is no answer.
CREATE FUNCTION pg_temp.without_given(told text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    given text;
BEGIN
    FOR given IN SELECT m[1] FROM regexp_matches(statement, '(xyzzy [a-z0-9]+|attacks theirs|regress_hooks)', 'g') m LOOP
        told := replace(told, given, '');
    END LOOP;
    RETURN told;
END $$;
SELECT role, statement, told FROM pg_temp.answers WHERE pg_temp.without_given(told, statement) ~ 'xyzzy|theirs|regress_hooks' ORDER BY role, statement;
-- A reader of the other environment is told much: the questions are real ones.
SET ROLE regress_theirs;
INSERT INTO pg_temp.answers SELECT current_user, statement, pg_temp.told(statement) FROM pg_temp.asked;
RESET ROLE;
SELECT count(*) > 50 AS much FROM pg_temp.answers WHERE role = 'regress_theirs' AND pg_temp.without_given(told, statement) ~ 'xyzzy|theirs|regress_hooks';
SELECT role, count(*) > 20 AS answered FROM pg_temp.answers WHERE told NOT LIKE 'ERROR 42501%' OR told IS NULL GROUP BY 1 ORDER BY 1;
-- Of what exists in the other environment a reader is told the same as of what does not, by words and by errors.
CREATE FUNCTION pg_temp.asked_of(id text, environment text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN replace(replace(concat_ws(chr(10), pg_temp.told(format('SELECT terra_identity.explain(%L, %L)', id, environment), ''), pg_temp.told(format('SELECT terra_identity.explain_graph(%L, %L)', id, environment), ''),
        pg_temp.told(format('SELECT terra_identity.resolve(%L, %L)', id, environment), ''), pg_temp.told(format('SELECT terra_identity.lineage(%L, %L)', id, environment), ''),
        pg_temp.told(format('SELECT terra_identity.reference_history(%L, %L)', id, environment), ''), pg_temp.told(format('SELECT terra_identity.would_duplicate(''GARMIN'', %L, %L, %L)', id, id, environment), ''),
        pg_temp.told(format('SELECT terra_identity.reconcile(jsonb_build_array(jsonb_build_object(''user_id'', %L::text)), now() - interval ''1 day'', %L)', id, environment), '')), id, 'ID'), environment, 'ENVIRONMENT');
END $$;
SET ROLE regress_mine;
SELECT length(pg_temp.asked_of('xyzzy 1', 'attacks theirs')) > 100 AS told,
       pg_temp.asked_of('xyzzy 1', 'attacks theirs') = pg_temp.asked_of('xyzzy 9', 'attacks theirs') AS as_of_nobodys,
       pg_temp.asked_of('xyzzy 1', 'attacks theirs') = pg_temp.asked_of('xyzzy 1', 'no environment') AS as_of_no_environment,
       pg_temp.asked_of('xyzzy 1', 'attacks mine') = pg_temp.asked_of('xyzzy 9', 'attacks mine') AS as_of_nobodys_of_mine;
-- A function of its own that tells what it is called with is called with its own rows only, however cheap it is.
CREATE FUNCTION pg_temp.spy(text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS $$ BEGIN IF $1 ~ 'xyzzy' THEN RAISE EXCEPTION 'seen: %', $1; END IF; RETURN true; END $$;
SELECT count(*) FROM terra_identity.connections WHERE pg_temp.spy(user_id);
SELECT count(*) FROM terra_identity.events WHERE pg_temp.spy(payload::text);
SELECT count(*) FROM terra_identity.current_connections WHERE pg_temp.spy(user_id);
SELECT count(*) FROM terra_identity.disconnects WHERE pg_temp.spy(user_id);
-- Nor does a plan tell by the rows that it removed whether another environment has an id or an end user.
CREATE FUNCTION pg_temp.removed(condition text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    line text;
    removed bigint := 0;
BEGIN
    SET LOCAL enable_seqscan = off;
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM terra_identity.connections WHERE ' || condition LOOP
        removed := removed + coalesce(substring(line FROM 'Rows Removed by .*: (\d+)')::bigint, 0);
    END LOOP;
    RETURN removed;
END $$;
RESET ROLE;
INSERT INTO terra_identity.events (dev_id, payload)
SELECT 'attacks mine', jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id', 'mine ' || n, 'provider', 'GARMIN', 'reference_id', 'mina ' || n)) FROM generate_series(1, 2000) n;
ANALYZE terra_identity.connections;
SET ROLE regress_mine;
SELECT pg_temp.removed($$reference_id = 'xyzzy ann'$$) AS end_user, pg_temp.removed($$user_id = 'xyzzy 1'$$) AS user_id;
SELECT count(*) FROM pg_stats WHERE schemaname = 'terra_identity';
RESET ROLE;
SELECT terra_identity.detach('public.regress_hooks');
DROP TABLE public.regress_hooks;
DROP OWNED BY regress_mine, regress_mine_support, regress_mine_feed, regress_theirs;
DROP ROLE regress_mine, regress_mine_support, regress_mine_feed, regress_theirs;
DELETE FROM terra_identity.environments WHERE dev_id = 'attacks theirs';
DELETE FROM terra_identity.accepted_duplicates WHERE dev_id = 'attacks theirs';
DELETE FROM terra_identity.rejected WHERE dev_id = 'attacks theirs';
