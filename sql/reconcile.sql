-- reconcile(): every kind of difference between Terra's list and the state, what settles it, and lists that are not all.
SET terra_identity.dev_id = 'reconcile';
SET timezone = 'UTC';
\set SHOW_CONTEXT never

CREATE FUNCTION pg_temp.at(day int) RETURNS timestamptz LANGUAGE sql RETURN timestamptz '2026-03-01 00:00Z' + day * interval '1 day';
CREATE FUNCTION pg_temp.hear(day int, type text, user_id text, reference_id text DEFAULT 'ann', account text DEFAULT NULL, provider text DEFAULT 'OURA') RETURNS void LANGUAGE sql
    BEGIN ATOMIC INSERT INTO terra_identity.events (received_at, headers, payload) VALUES (
        pg_temp.at(day), jsonb_build_object('X-Terra-Ordering-Timestamp', (extract(epoch FROM pg_temp.at(day)) * 1000)::bigint),
        jsonb_build_object('type', type, 'status', 'success', 'athlete', jsonb_build_object('provider_user_id', account),
                           'user', jsonb_build_object('user_id', user_id, 'provider', provider, 'reference_id', reference_id))); END;
-- A user as Terra lists it, created at a day.
CREATE FUNCTION pg_temp.u(user_id text, day int, reference_id text DEFAULT 'ann', more jsonb DEFAULT '{}', provider text DEFAULT 'OURA') RETURNS jsonb LANGUAGE sql
    RETURN jsonb_build_object('user_id', user_id, 'created_at', pg_temp.at(day), 'reference_id', reference_id, 'provider', provider) || more;
CREATE FUNCTION pg_temp.says(VARIADIC users jsonb[]) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('users', to_jsonb(users));

--
-- 1. Both agree
--
SELECT pg_temp.hear(1, 'auth', 'ring'), pg_temp.hear(1, 'auth', 'bobs', 'bob'), pg_temp.hear(2, 'deauth', 'bobs', 'bob'), pg_temp.hear(1, 'auth', 'watch', 'cleo');
SELECT pg_temp.says(pg_temp.u('ring', 1), pg_temp.u('watch', 1, 'cleo')) AS both \gset
SELECT * FROM terra_identity.reconcile(:'both', pg_temp.at(9));
-- What the list does not know yet: a connection that came after it, one that ended after it, and one that moved after it.
SELECT pg_temp.hear(10, 'auth', 'late', 'dora'), pg_temp.hear(10, 'deauth', 'watch', 'cleo'), pg_temp.hear(10, 'permission_change', 'ring', 'zoe');
SELECT * FROM terra_identity.reconcile(:'both', pg_temp.at(9));
-- A list that was taken later.
SELECT kind, user_id, sentence FROM terra_identity.reconcile(:'both', pg_temp.at(11));
-- The same list, taken before they were connected: no event here is as old.
SELECT kind, user_id FROM terra_identity.reconcile(:'both', pg_temp.at(-1));

--
-- 2. Every kind, and that what it says settles it
--
SET terra_identity.dev_id = 'settled';
-- ann: her ring was replaced silently by one that is known, and her phone by one that is not.
SELECT pg_temp.hear(1, 'auth', 'ann ring 1'), pg_temp.hear(5, 'auth', 'ann ring 2'), pg_temp.hear(1, 'auth', 'ann phone 1', provider => 'FITBIT');
-- bob: gone. cleo: listed, and never seen. dora: one that is known, and one that only the list has.
SELECT pg_temp.hear(1, 'auth', 'bob', 'bob'), pg_temp.hear(1, 'auth', 'dora 1', 'dora');
-- emil: ended here, and listed. fay: active here, and ended there. gil: somebody else here. hal: another provider here.
SELECT pg_temp.hear(1, 'auth', 'emil', 'emil'), pg_temp.hear(2, 'access_revoked', 'emil', 'emil'), pg_temp.hear(1, 'auth', 'fay', 'fay'), pg_temp.hear(1, 'auth', 'gil', 'g1l'), pg_temp.hear(1, 'auth', 'hal', 'hal');
-- ida: nobody here, only data. jon: not authenticated. kim: listed as not active, which proves nothing.
SELECT pg_temp.hear(1, 'daily', 'ida', NULL), pg_temp.hear(1, 'auth', 'jon', 'jon'), pg_temp.hear(1, 'auth', 'kim', 'kim');
-- lea and max on one account, of which Terra deleted lea's.
SELECT pg_temp.hear(1, 'athlete', 'lea', 'lea', 'shared', 'GARMIN'), pg_temp.hear(3, 'athlete', 'max', 'max', 'shared', 'GARMIN');
SELECT jsonb_build_array(
    pg_temp.says(pg_temp.u('ann ring 2', 5), pg_temp.u('ann phone 2', 6, provider => 'FITBIT'), pg_temp.u('cleo', 1, 'cleo'), pg_temp.u('dora 1', 1, 'dora'),
                 pg_temp.u('dora 2', 2, 'dora'), pg_temp.u('emil', 1, 'emil'), pg_temp.u('fay', 1, 'fay', '{"state": "deauth"}'), pg_temp.u('gil', 1, 'gil'),
                 pg_temp.u('hal', 1, 'hal', provider => 'WITHINGS'), pg_temp.u('ida', 1, 'ida'), pg_temp.u('kim', 1, 'kim', '{"active": false}'),
                 pg_temp.u('max', 3, 'max', provider => 'GARMIN'), pg_temp.u('nobody here', 1, NULL, '{"active": false}')),
    pg_temp.says(jsonb_build_object('user', pg_temp.u('jon', 1, 'jon'), 'is_authenticated', false))) AS list \gset
SELECT kind, user_id, reference_id, provider, other_user_id, sentence FROM terra_identity.reconcile(:'list', pg_temp.at(9));
SELECT kind, user_id, terra, here FROM terra_identity.reconcile(:'list', pg_temp.at(9)) WHERE user_id IN ('cleo', 'bob', 'gil', 'fay');
SELECT kind, user_id, settled_by FROM terra_identity.reconcile(:'list', pg_temp.at(9));
-- Nothing was changed by asking.
SELECT count(*) AS connections, (SELECT count(*) FROM terra_identity.events WHERE dev_id = 'settled') AS events FROM terra_identity.connections WHERE dev_id = 'settled';
-- Each statement runs, and what it settles is not told again.
\o /dev/null
SELECT settled_by FROM terra_identity.reconcile(:'list', pg_temp.at(9)) \gexec
\o
SELECT kind, user_id, sentence FROM terra_identity.reconcile(:'list', pg_temp.at(9));
SELECT user_id, status, reference_id, provider FROM terra_identity.connections WHERE dev_id = 'settled' ORDER BY user_id COLLATE "C";
SELECT * FROM terra_identity.verify();
SELECT terra_identity.rebuild();

--
-- 3. The account policy
--
SET terra_identity.dev_id = 'policy';
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('policy', 'replace');
SELECT pg_temp.hear(1, 'athlete', 'hers', 'ann', 'scale', 'WITHINGS'), pg_temp.hear(2, 'athlete', 'his', 'bob', 'scale', 'WITHINGS');
SELECT pg_temp.says(pg_temp.u('hers', 1, 'ann', provider => 'WITHINGS'), pg_temp.u('his', 2, 'bob', provider => 'WITHINGS')) AS both_listed \gset
SELECT kind, user_id, other_user_id, sentence, settled_by FROM terra_identity.reconcile(:'both_listed', pg_temp.at(9));
-- An import cannot settle it: the rules go on.
SELECT * FROM terra_identity.import_users(:'both_listed', pg_temp.at(9));
SELECT kind FROM terra_identity.reconcile(:'both_listed', pg_temp.at(9));
SELECT settled_by FROM terra_identity.reconcile(:'both_listed', pg_temp.at(9)) \gexec
SELECT kind FROM terra_identity.reconcile(:'both_listed', pg_temp.at(9));
SELECT user_id, status, reference_id FROM terra_identity.connections WHERE dev_id = 'policy' ORDER BY 1;
-- Two devices of one person, and Terra lists both.
SET terra_identity.dev_id = 'devices';
SELECT pg_temp.hear(1, 'auth', 'old phone', provider => 'APPLE'), pg_temp.hear(2, 'auth', 'new phone', provider => 'APPLE');
SELECT kind, user_id, other_user_id, sentence, settled_by
FROM terra_identity.reconcile(pg_temp.says(pg_temp.u('old phone', 1, provider => 'APPLE'), pg_temp.u('new phone', 2, provider => 'APPLE')), pg_temp.at(9));

-- Of the living one auth and user_reauth were lost for ever: it is known by data and its account alone, and so counts
-- as older than the one that Terra has deleted. To end that one first would leave nobody.
SET terra_identity.dev_id = 'lost';
SELECT pg_temp.hear(1, 'auth', 'deleted'), pg_temp.hear(1, 'athlete', 'deleted', account => 'ring'), pg_temp.hear(5, 'daily', 'living'), pg_temp.hear(6, 'athlete', 'living', account => 'ring');
SELECT user_id, status FROM terra_identity.connections WHERE dev_id = 'lost' ORDER BY 1;
SELECT pg_temp.says(pg_temp.u('living', 5) - 'created_at') AS living_listed \gset
SELECT kind, user_id, other_user_id, sentence, settled_by FROM terra_identity.reconcile(:'living_listed', pg_temp.at(9));
\o /dev/null
SELECT settled_by FROM terra_identity.reconcile(:'living_listed', pg_temp.at(9)) \gexec
\o
SELECT kind FROM terra_identity.reconcile(:'living_listed', pg_temp.at(9));
SELECT user_id, status FROM terra_identity.connections WHERE dev_id = 'lost' ORDER BY 1;

--
-- 4. Lists that are not all
--
SET terra_identity.dev_id = 'parts';
SELECT pg_temp.hear(1, 'auth', 'p' || i, 'person ' || i) FROM generate_series(1, 30) i \g /dev/null
CREATE FUNCTION pg_temp.of(first int, last int) RETURNS jsonb LANGUAGE sql
    RETURN (SELECT jsonb_agg(pg_temp.u('p' || i, 1, 'person ' || i)) FROM generate_series(first, last) i);
CREATE FUNCTION pg_temp.told(users jsonb) RETURNS TABLE (kind text, count bigint, sentence text) LANGUAGE sql AS $$
    SELECT kind, count(*), CASE WHEN count(*) = 1 THEN min(sentence) END FROM terra_identity.reconcile(users, pg_temp.at(9)) GROUP BY kind ORDER BY kind $$;
SELECT * FROM pg_temp.told('[]');
SELECT * FROM pg_temp.told('{"users": []}');
SELECT * FROM pg_temp.told('[[], {"users": []}]');
SELECT * FROM pg_temp.told(pg_temp.of(1, 30));
SELECT * FROM pg_temp.told(pg_temp.of(1, 29));
SELECT * FROM pg_temp.told(pg_temp.of(1, 15));
SELECT * FROM pg_temp.told(pg_temp.of(1, 14));
SELECT * FROM pg_temp.told(pg_temp.of(7, 7));
SELECT * FROM pg_temp.told(jsonb_build_object('user', pg_temp.of(7, 7) -> 0));
SELECT * FROM pg_temp.told(pg_temp.of(1, 29) || '[{"user_id": 5}]');
SELECT * FROM pg_temp.told(pg_temp.of(1, 29) || '[{"status": "error", "message": "too many requests"}]');
SELECT * FROM pg_temp.told(jsonb_build_object('data', jsonb_build_object('next', 2, 'max_page', 2, 'results', pg_temp.of(1, 20))));
SELECT * FROM pg_temp.told(jsonb_build_object('data', jsonb_build_object('next', NULL, 'max_page', 2, 'results', pg_temp.of(11, 30))));
SELECT * FROM pg_temp.told(jsonb_build_array(jsonb_build_object('data', jsonb_build_object('next', 2, 'max_page', 2, 'results', pg_temp.of(1, 20))),
                                             jsonb_build_object('data', jsonb_build_object('next', NULL, 'max_page', 2, 'results', pg_temp.of(11, 29)))));
-- A few are missing of few: ten or less are told, however large a share they are.
SET terra_identity.dev_id = 'few';
SELECT pg_temp.hear(1, 'auth', 'p' || i, 'person ' || i) FROM generate_series(1, 12) i \g /dev/null
SELECT kind, count(*) FROM terra_identity.reconcile(pg_temp.of(1, 2), pg_temp.at(9)) GROUP BY kind;
SELECT kind, count(*) FROM terra_identity.reconcile(pg_temp.of(1, 2) || pg_temp.of(30, 30), pg_temp.at(9)) GROUP BY kind ORDER BY kind;
-- A user twice, on two pages: of equal times the greater value wins, as for events.
SET terra_identity.dev_id = 'twice';
SELECT pg_temp.hear(1, 'auth', 'x', 'ann'), pg_temp.hear(1, 'auth', 'y', 'ann');
SELECT kind, user_id, terra, sentence FROM terra_identity.reconcile(jsonb_build_array(pg_temp.u('x', 1, 'ann'), pg_temp.u('x', 1, 'bob'), pg_temp.u('y', 1), pg_temp.u('y', 1, 'ann', '{"state": "deauth"}')), pg_temp.at(9));

--
-- 5. Who may, and what is refused
--
SELECT * FROM terra_identity.reconcile(NULL, now());
SELECT * FROM terra_identity.reconcile('[]', NULL);
SELECT * FROM terra_identity.reconcile('[]', now(), NULL);
SELECT * FROM terra_identity.reconcile('{"status": "error"}', now());
SELECT * FROM terra_identity.reconcile('"a"', now());
-- Hostile ids are literals in the statement, and strings in the sentence.
SET terra_identity.dev_id = 'it''s "here"';
SELECT pg_temp.hear(1, 'auth', E'a''; DROP TABLE x; --\\', E'o''ann"');
-- (The character that turns the direction of text is shown as <RLO>: versions of psql disagree about its width.)
SELECT replace(sentence, E'\u202e', '<RLO>') AS sentence, replace(settled_by, E'\u202e', '<RLO>') AS settled_by FROM terra_identity.reconcile(pg_temp.says(pg_temp.u('x', 1, 'bob'), pg_temp.u(E'it''s \\ "b"', 1, E'\u202e')), pg_temp.at(9)) ORDER BY user_id COLLATE "C";
-- A reader, who sees one environment only: to her the others have no connections.
SET terra_identity.dev_id = 'reconcile';
CREATE ROLE regress_nobody;
CREATE ROLE regress_reader;
SELECT terra_identity.grant_reader('regress_reader');
GRANT USAGE ON SCHEMA terra_identity TO regress_nobody;
CREATE POLICY one ON terra_identity.connections AS RESTRICTIVE FOR SELECT TO regress_reader USING (reference_id IN ('ann', 'zoe', 'dora'));
SELECT pg_temp.at(11) AS day_11 \gset
SET ROLE regress_nobody;
SELECT * FROM terra_identity.reconcile('[]', :'day_11');
SET ROLE regress_reader;
SET search_path = pg_temp, pg_catalog;
SELECT kind, user_id, here ->> 'reference_id' AS here, sentence FROM terra_identity.reconcile(:'both', :'day_11');
SELECT * FROM terra_identity.import_users(:'both', :'day_11');
RESET ROLE;
RESET search_path;
DROP POLICY one ON terra_identity.connections;
DROP OWNED BY regress_nobody, regress_reader;
DROP ROLE regress_nobody, regress_reader;
