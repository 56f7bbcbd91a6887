-- explain and explain_graph: why a connection is what it is.
SET terra_identity.dev_id = 'explain';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;

-- 'minute kind user_id key=value ...', received at that minute of 2024-03-01 and, with at=, stamped by Terra at that one.
-- Of a user_reauth, old= is the old user, ref= the end user of both, old_ref= and new_ref= that of one.
CREATE FUNCTION pg_temp.event(told text, OUT received_at timestamptz, OUT payload jsonb, OUT headers jsonb) LANGUAGE plpgsql AS $$
DECLARE
    words text[] := string_to_array(told, ' ');
    said jsonb := (SELECT coalesce(jsonb_object_agg(split_part(word, '=', 1), split_part(word, '=', 2)), '{}') FROM unnest(words[4:]) word);
    person jsonb := jsonb_strip_nulls(jsonb_build_object('user_id', words[3], 'provider', said -> 'provider', 'reference_id', said -> 'ref', 'scopes', said -> 'scopes',
        'created_at', to_char(timestamptz '2024-03-01 00:00Z' + (said ->> 'created')::int * interval '1 minute', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')));
BEGIN
    received_at := timestamptz '2024-03-01 00:00Z' + words[1]::int * interval '1 minute';
    headers := CASE WHEN said ? 'at' THEN jsonb_build_object('X-Terra-Ordering-Timestamp',
        (extract(epoch FROM timestamptz '2024-03-01 00:00Z' + (said ->> 'at')::int * interval '1 minute') * 1000)::bigint) END;
    payload := CASE words[2]
        WHEN 'user_reauth' THEN jsonb_build_object('type', 'user_reauth',
            'old_user', jsonb_strip_nulls(jsonb_build_object('user_id', said -> 'old', 'provider', said -> 'provider', 'reference_id', coalesce(said -> 'old_ref', said -> 'ref'))),
            'new_user', jsonb_strip_nulls(person || jsonb_build_object('reference_id', coalesce(said -> 'new_ref', said -> 'ref'))))
        WHEN 'auth' THEN jsonb_build_object('type', 'auth', 'status', coalesce(said ->> 'status', 'success'), 'user', person)
        WHEN 'athlete' THEN jsonb_build_object('type', 'athlete', 'user', person, 'athlete', jsonb_build_object('provider_user_id', said -> 'account'))
        ELSE jsonb_build_object('type', words[2], 'user', person) END;
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
-- The explanation of a connection, without what differs between orders: ids that are counted, and the environment.
CREATE FUNCTION pg_temp.why(user_id text, dev_id text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(coalesce(to_char(e.at, 'HH24:MI'), '     ') || CASE WHEN e.event_id IS NULL THEN '   ' ELSE ' * ' END || e.kind || ': '
                      || replace(replace(regexp_replace(e.sentence, 'lineage \d+', 'the lineage'), to_json(dev_id)::text, '"HERE"'), '2024-03-01 ', ''), E'\n' ORDER BY n)
    FROM terra_identity.explain($1, $2) WITH ORDINALITY e (at, event_id, kind, sentence, n)
$$;
-- Tells a story in every order, and explains each of its connections: one row for each explanation that there is.
CREATE FUNCTION pg_temp.play(story text, VARIADIC told text[]) RETURNS TABLE (title text, user_id text, orders bigint, why text) LANGUAGE plpgsql AS $$
DECLARE
    o int[]; i int; d text;
BEGIN
    FOR o IN SELECT pg_temp.orders(cardinality(told)) LOOP
        d := 'explain: ' || story || ' ' || o::text;
        IF story LIKE 'replace:%' THEN
            INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES (d, 'replace');
        END IF;
        FOREACH i IN ARRAY o LOOP
            CALL pg_temp.tell(d, told[i]);
        END LOOP;
    END LOOP;
    RETURN QUERY SELECT '--- ' || story, c.user_id, count(*), pg_temp.why(c.user_id, c.dev_id) AS w FROM terra_identity.connections c
                 WHERE c.dev_id LIKE 'explain: ' || story || ' %' GROUP BY c.user_id, w ORDER BY c.user_id;
END $$;
\pset format unaligned
\pset tuples_only on
\pset recordsep '\n\n'
\pset fieldsep '\n'

--
-- 1. The questions, and the stories of stories.sql
--
-- Why is this not current? Why does this old id lead there? Why did webhooks stop?
SELECT * FROM pg_temp.play('reconnected', '0 auth a provider=GARMIN ref=alice', '1 athlete a account=G1', '5 user_reauth b old=a provider=GARMIN ref=alice', '60 daily a provider=GARMIN');
SELECT * FROM pg_temp.play('late retries', '0 auth B provider=GARMIN ref=alice', '1 user_reauth B old=A provider=GARMIN ref=alice', '60 auth A provider=GARMIN ref=alice');
SELECT * FROM pg_temp.play('new phone', '0 auth new provider=APPLE ref=alice', '1 user_reauth new old=old provider=APPLE ref=alice', '2 daily old provider=APPLE ref=alice');
SELECT * FROM pg_temp.play('the extension came later', '0 auth new provider=APPLE ref=alice created=-1440', '5 daily old provider=APPLE ref=alice');
SELECT * FROM pg_temp.play('a webhook is lost', '0 athlete a provider=GARMIN ref=alice created=0 account=G1', '60 auth b provider=GARMIN ref=alice created=60', '61 athlete b account=G1', '62 daily a');
SELECT * FROM pg_temp.play('disconnected', '0 auth a provider=GARMIN ref=alice', '5 deauth a', '9 daily a', '9 sleep a');
SELECT * FROM pg_temp.play('disconnected and back', '0 athlete a provider=GARMIN ref=alice created=0 account=G1', '9 auth b provider=GARMIN ref=alice created=9', '10 athlete b account=G1', '5 deauth a');
SELECT * FROM pg_temp.play('revived', '0 auth a provider=GARMIN ref=alice at=0', '5 access_revoked a at=5', '9 auth a at=9');
SELECT * FROM pg_temp.play('everything ended it', '0 auth a provider=GARMIN ref=alice', '5 deauth a', '6 access_revoked a', '7 auth a status=error');
SELECT * FROM pg_temp.play('degraded', '0 auth a provider=GARMIN ref=alice', '5 connection_error a', '6 connection_error a', '7 large_request_processing a');
SELECT * FROM pg_temp.play('cured', '0 auth a provider=GARMIN ref=alice', '5 connection_error a', '7 sleep a');
-- Why do two people have this account? Why does the dashboard show another id?
SELECT * FROM pg_temp.play('two people', '0 athlete a provider=GARMIN ref=alice account=G1', '1 athlete b provider=GARMIN ref=bob account=G1', '2 daily a');
SELECT * FROM pg_temp.play('replace: two people', '0 athlete a provider=GARMIN ref=alice account=G1', '1 athlete b provider=GARMIN ref=bob account=G1', '2 daily a');
SELECT * FROM pg_temp.play('replace: a tablet', '0 athlete mum provider=APPLE ref=mum account=tablet', '1 athlete dad provider=APPLE ref=dad account=tablet', '2 athlete kid provider=APPLE ref=kid account=tablet');
SELECT * FROM pg_temp.play('alice to bob', '0 auth g1 provider=GARMIN ref=alice', '1 user_reauth g2 old=g1 provider=GARMIN old_ref=alice new_ref=bob', '2 athlete g2 account=G1');
SELECT * FROM pg_temp.play('alice to somebody', '0 auth g1 provider=GARMIN ref=alice', '1 user_reauth g2 old=g1 provider=GARMIN old_ref=alice new_ref=bob', '2 user_reauth g2 old=g1 provider=GARMIN old_ref=alice');
SELECT * FROM pg_temp.play('two accounts', '0 athlete g1 provider=GARMIN ref=alice account=G1', '1 user_reauth g2 old=g1 provider=GARMIN ref=alice', '2 athlete g2 account=G2', '3 athlete g3 provider=GARMIN ref=alice account=G1');
SELECT * FROM pg_temp.play('created in the same second', '0 auth zz provider=GARMIN ref=alice created=0', '1 user_reauth aa old=zz provider=GARMIN ref=alice created=0', '4 athlete aa account=G1');
SELECT * FROM pg_temp.play('renamed', '0 auth a provider=GARMIN ref=alice scopes=DAILY', '5 permission_change a ref=user-1 scopes=DAILY,SLEEP', '9 user_reauth b old=a provider=GARMIN ref=user-1');
SELECT * FROM pg_temp.play('in passing', '0 daily a provider=GARMIN ref=alice', '5 daily b', '9 daily a');
SELECT * FROM pg_temp.play('a circle', '0 user_reauth a old=b ref=alice', '5 user_reauth b old=a ref=alice', '6 athlete a provider=GARMIN account=G1');
SELECT * FROM pg_temp.play('a reauth without an old user', '0 user_reauth a provider=GARMIN ref=alice', '5 auth a');
SELECT * FROM pg_temp.play('unknown', '0 auth a provider=GARMIN ref=alice', '5 auth a status=perhaps');
INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('DASHES', 'unusable');
SELECT * FROM pg_temp.play('unusable', '0 athlete a provider=DASHES ref=alice account=-', '1 athlete b provider=DASHES ref=bob account=-');
DELETE FROM terra_identity.providers WHERE provider = 'DASHES';

-- One sentence says the status, one what the id stands for; both as the tables have it.
SELECT count(*) > 300 AS connections, count(*) FILTER (WHERE NOT right_status) AS wrong_status, count(*) FILTER (WHERE NOT right_resolution) AS wrong_resolution, count(*) FILTER (WHERE NOT in_order) AS out_of_order
FROM (SELECT (array_agg(e.sentence ORDER BY n DESC))[1] ~ format('^%s of .* is %s[ :]', to_json(c.user_id), c.status) AS right_status,
             (array_agg(e.sentence ORDER BY n DESC))[1] ~ format('%s stands for %s', to_json(c.user_id), CASE r WHEN c.user_id THEN 'itself' ELSE coalesce(to_json(r)::text || ' now', 'nobody') END) AS right_resolution,
             array_agg(e.at ORDER BY n) = array_agg(e.at ORDER BY e.at, n) AND bool_and((e.at IS NULL) = (e.kind = 'conclusion')) AND count(*) FILTER (WHERE e.at IS NULL) = 1 AS in_order
      FROM terra_identity.connections c, terra_identity.resolve(c.user_id, c.dev_id) r, terra_identity.explain(c.user_id, c.dev_id) WITH ORDINALITY e (at, event_id, kind, sentence, n)
      WHERE c.dev_id LIKE 'explain: %' GROUP BY c.dev_id, c.user_id, c.status, r) s;
-- An event that is named names the connection, and is of the type and the time of its row.
SELECT count(*) > 500 AS events, count(*) FILTER (WHERE v.event_time <> e.at OR e.kind NOT IN (v.event_type, 'data') OR c.user_id NOT IN (v.user_id, v.payload #>> '{old_user,user_id}')) AS wrong
FROM terra_identity.connections c, terra_identity.explain(c.user_id, c.dev_id) e LEFT JOIN terra_identity.events v USING (event_id) WHERE c.dev_id LIKE 'explain: %' AND e.event_id IS NOT NULL;
-- The pictures of some.
SELECT d, u, terra_identity.explain_graph(u, 'explain: ' || d) FROM (VALUES ('reconnected {1,2,3,4}', 'a'), ('two people {1,2,3}', 'a'), ('replace: two people {1,2,3}', 'b'), ('alice to bob {1,2,3}', 'g1'),
    ('two accounts {1,2,3,4}', 'g3'), ('a circle {1,2,3}', 'a')) v (d, u);

--
-- 2. Ids that were never seen, hostile ids, and arguments
--
CALL pg_temp.tell('explain', '0 auth Known provider=GARMIN ref=carl', '1 daily elsewhere provider=GARMIN ref=carl');
CALL pg_temp.tell('explain elsewhere', '0 auth stranger provider=GARMIN');
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "auth", "status": "perhaps", "user": {"user_id": "problematic"}}');
SELECT e.* FROM unnest('{nobody,KNOWN," Known ",carl,stranger,problematic,""}'::text[]) WITH ORDINALITY u (user_id, n), terra_identity.explain(u.user_id) e ORDER BY n;
SELECT terra_identity.explain_graph('nobody');
SELECT sentence FROM terra_identity.explain('Known', 'nowhere');
SELECT pg_temp.why('stranger', 'explain elsewhere');
SELECT length(sentence) < 1000 AS short FROM terra_identity.explain(repeat('x', 100000));
SELECT count(*) AS rows FROM (SELECT FROM terra_identity.explain(NULL) UNION ALL SELECT FROM terra_identity.explain('Known', NULL)) n;
SELECT terra_identity.explain_graph(NULL) IS NULL AND terra_identity.explain_graph('Known', NULL) IS NULL AS nulls;

CREATE TABLE pg_temp.hostile (n int GENERATED ALWAYS AS IDENTITY, id text);
INSERT INTO pg_temp.hostile (id) VALUES ('x" is active: nothing ended it (rule: Status). "y'), ('<script>alert("1")</script>'), (E'two\nlines\\'), (U&'\202Egnp.x\202C'), (U&'\05D0\05D1'), (U&'zero\200Bwidth'),
    (repeat('"', 512)), (repeat('w', 512)), ('`"]; end; click n1 "javascript:alert(1)" #quot; %%'), (U&'t\00EAte \4E2D\6587 \+01F600');
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'explain hostile', '2024-03-01 00:00Z', jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', id, 'provider', id, 'reference_id', id), 'athlete', jsonb_build_object('provider_user_id', id))
FROM pg_temp.hostile;
SELECT left(regexp_replace(e.sentence, 'lineage \d+', 'the lineage'), 200) FROM pg_temp.hostile h, terra_identity.explain(h.id, 'explain hostile') WITH ORDINALITY e (at, event_id, kind, sentence, n) WHERE e.kind = 'conclusion' ORDER BY h.n;
-- What stands in quotes is JSON, and the id itself; nothing that cannot be seen is left.
SELECT count(*) AS sentences, count(*) FILTER (WHERE (substring(e.sentence FROM '^("(?:[^"\\]|\\.)*") of end user ')::jsonb #>> '{}') IS DISTINCT FROM h.id) AS other_id,
       count(*) FILTER (WHERE e.sentence ~ U&'[\0001-\001F\007F-\009F\200B-\200F\202A-\202E\05D0-\05EA]') AS unseen
FROM pg_temp.hostile h, terra_identity.explain(h.id, 'explain hostile') e WHERE e.kind = 'conclusion';
SELECT terra_identity.explain_graph(id, 'explain hostile') FROM pg_temp.hostile WHERE n IN (2, 4, 9) ORDER BY n;

--
-- 3. Who may read
--
CREATE ROLE regress_explain_reader;
CREATE ROLE regress_explain_row_reader;
CREATE ROLE regress_explain_stranger;
SELECT terra_identity.grant_reader('regress_explain_reader'), terra_identity.grant_reader('regress_explain_row_reader');
GRANT USAGE ON SCHEMA terra_identity TO regress_explain_stranger;
GRANT EXECUTE ON FUNCTION terra_identity.explain TO regress_explain_stranger;
-- How it is asked must not matter: a hostile operator stands before the server's own on the path.
CREATE SCHEMA regress_hostile;
CREATE FUNCTION regress_hostile.yes(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE OPERATOR regress_hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_hostile.yes);
GRANT USAGE ON SCHEMA regress_hostile TO PUBLIC;
CREATE TABLE pg_temp.asked (user_id text, dev_id text);
INSERT INTO pg_temp.asked VALUES ('a', 'explain: two people {1,2,3}'), ('b', 'explain: replace: two people {1,2,3}'), ('a', 'explain: reconnected {1,2,3,4}'), ('stranger', 'explain');
CREATE TABLE pg_temp.owners_answer AS SELECT a.*, e.at, e.event_id, e.kind, e.sentence, terra_identity.explain_graph(a.user_id, a.dev_id) FROM pg_temp.asked a, terra_identity.explain(a.user_id, a.dev_id) e;
GRANT SELECT ON pg_temp.asked, pg_temp.owners_answer TO PUBLIC;
\set difference 'SELECT count(*) AS rows, count(*) - (SELECT count(*) FROM (SELECT a.*, e.at, e.event_id, e.kind, e.sentence, terra_identity.explain_graph(a.user_id, a.dev_id) FROM pg_temp.asked a, terra_identity.explain(a.user_id, a.dev_id) e INTERSECT ALL TABLE pg_temp.owners_answer) s) AS differences FROM pg_temp.owners_answer'
SET ROLE regress_explain_reader;
SET search_path = regress_hostile, pg_catalog;
:difference;
RESET search_path;
SET ROLE regress_explain_stranger;
\set SHOW_CONTEXT never
SELECT * FROM terra_identity.explain('a');
SELECT * FROM terra_identity.explain_graph('a');
\set SHOW_CONTEXT errors
RESET ROLE;
-- Of what is hidden nothing is told: neither who else is on the account, nor in which other environment an id is known.
CREATE POLICY hers ON terra_identity.connections AS RESTRICTIVE FOR SELECT TO regress_explain_row_reader USING (reference_id = 'alice');
SET ROLE regress_explain_row_reader;
SELECT pg_temp.why('a', 'explain: two people {1,2,3}');
SELECT pg_temp.why('b', 'explain: two people {1,2,3}');
SELECT pg_temp.why('a', 'explain: replace: two people {1,2,3}');
SELECT pg_temp.why('stranger', 'explain');
SELECT terra_identity.explain_graph('a', 'explain: two people {1,2,3}');
SET ROLE regress_explain_reader;
:difference;
RESET ROLE;
CREATE POLICY none ON terra_identity.events AS RESTRICTIVE FOR SELECT TO regress_explain_row_reader USING (false);
SET ROLE regress_explain_row_reader;
SELECT pg_temp.why('a', 'explain: reconnected {1,2,3,4}');
RESET ROLE;
DROP POLICY none ON terra_identity.events;
DROP POLICY hers ON terra_identity.connections;
DROP SCHEMA regress_hostile CASCADE;
DROP OWNED BY regress_explain_reader, regress_explain_row_reader, regress_explain_stranger;
DROP ROLE regress_explain_reader, regress_explain_row_reader, regress_explain_stranger;
BEGIN READ ONLY;
:difference;
COMMIT;

--
-- 4. What it reads
--
-- A lineage of 10,000, an account of 2,000 people, 10,000 athlete events and 20,000 data events of one connection.
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'explain much', timestamptz '2024-03-01 00:00Z' + n * interval '1 minute', jsonb_build_object('type', 'user_reauth', 'old_user', jsonb_build_object('user_id', 'l' || n, 'provider', 'GARMIN', 'reference_id', 'alice'),
    'new_user', jsonb_build_object('user_id', 'l' || n + 1, 'provider', 'GARMIN', 'reference_id', 'alice')) FROM generate_series(1, 10000) n;
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'explain much', timestamptz '2024-03-09 00:00Z' + n * interval '1 minute', jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', 'l10001'), 'athlete', jsonb_build_object('provider_user_id', 'G1'))
FROM generate_series(1, 10000) n;
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'explain much', timestamptz '2024-03-09 00:00Z' + n * interval '1 minute', jsonb_build_object('type', (ARRAY['daily', 'sleep'])[n % 2 + 1], 'user', jsonb_build_object('user_id', 'l10001')) FROM generate_series(1, 20000) n;
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'explain much', timestamptz '2024-03-20 00:00Z' + n * interval '1 minute', jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', 'p' || n, 'provider', 'GARMIN', 'reference_id', 'p' || n),
    'athlete', jsonb_build_object('provider_user_id', 'G1')) FROM generate_series(1, 2000) n;
SELECT count(*) AS connections FROM terra_identity.connections WHERE dev_id = 'explain much';
-- The rows that one statement reads, by index and without.
CREATE FUNCTION pg_temp.read(query text, OUT by_index bigint, OUT by_scan bigint) LANGUAGE plpgsql AS $$
DECLARE
    i bigint; s bigint;
BEGIN
    SELECT sum(idx_tup_fetch), sum(seq_tup_read) INTO i, s FROM pg_stat_xact_all_tables WHERE schemaname = 'terra_identity';
    EXECUTE query;
    SELECT sum(idx_tup_fetch) - i, sum(seq_tup_read) - s INTO by_index, by_scan FROM pg_stat_xact_all_tables WHERE schemaname = 'terra_identity';
END $$;
SELECT user_id, f, r.by_index < 5000 AS few, r.by_index > 20 AS some, r.by_scan
FROM unnest('{l10001,l5000,l1,p1,p2000,nobody}'::text[]) user_id, unnest('{explain,explain_graph}'::text[]) f, pg_temp.read(format('SELECT * FROM terra_identity.%I(%L, ''explain much'')', f, user_id)) r;
ANALYZE terra_identity.connections, terra_identity.reauths, terra_identity.events;
SELECT user_id, f, r.by_index < 5000 AS few, r.by_index > 20 AS some, r.by_scan
FROM unnest('{l10001,l5000,l1,p1,p2000,nobody}'::text[]) user_id, unnest('{explain,explain_graph}'::text[]) f, pg_temp.read(format('SELECT * FROM terra_identity.%I(%L, ''explain much'')', f, user_id)) r;
SELECT pg_temp.why('l10001', 'explain much');
SELECT pg_temp.why('l5000', 'explain much');
SELECT length(g) < 50000 AS small, regexp_count(g, 'n\d+\[') > 100 AS many, substring(g FROM 'older\[.*?\]') AS older, substring(g FROM 'others\[.*?\]') AS others
FROM terra_identity.explain_graph('l10001', 'explain much') g;
