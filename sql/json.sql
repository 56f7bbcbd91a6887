-- Bodies of every kind, through INSERT and through ingest: both take the same ones, and read the same ids from them.
-- test/data/json_cases.tsv, written by hand, says what comes of each: stored or the SQLSTATE of the cast, ingest's outcome
-- and http_status, whether the event has a problem, and the ids read. In its bodies and ids <FF 00> are bytes, and
-- <9*text> is the text nine times, with the number of the time for each # in it; all else stands for itself.
SET timezone = 'UTC';
-- What is nested too deeply depends on it.
SET max_stack_depth = '2MB';

CREATE FUNCTION pg_temp.raw(notation text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    raw bytea := convert_to(split_part(notation, '<', 1), 'UTF8');
    part text; code text; again text; times int;
BEGIN
    FOREACH part IN ARRAY (string_to_array(notation, '<'))[2:] LOOP
        code := split_part(part, '>', 1);
        times := substring(code FROM '^(\d+)\*');
        again := substr(code, strpos(code, '*') + 1);
        raw := raw || CASE
            WHEN times IS NULL THEN decode(code, 'hex')
            WHEN again LIKE '%#%' THEN convert_to((SELECT string_agg(replace(again, '#', time::text), '') FROM generate_series(1, times) time), 'UTF8')
            ELSE convert_to(repeat(again, times), 'UTF8') END || convert_to(substr(part, strpos(part, '>') + 1), 'UTF8');
    END LOOP;
    RETURN raw;
END $$;
CREATE TEMP TABLE cases (
    n int GENERATED ALWAYS AS IDENTITY, class text NOT NULL, name text NOT NULL,
    inserted text NOT NULL, ingested text NOT NULL, problem text, user_id text, reference_id text, provider_user_id text,
    notation text, body bytea, UNIQUE (class, name));
ALTER TABLE cases ALTER body SET STORAGE EXTERNAL;
\copy cases (class, name, inserted, ingested, problem, user_id, reference_id, provider_user_id, notation) FROM 'test/data/json_cases.tsv' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01', HEADER, ENCODING 'UTF8')
UPDATE cases SET body = pg_temp.raw(coalesce(notation, '')), user_id = convert_from(pg_temp.raw(user_id), 'UTF8');

-- What becomes of a body by INSERT: stored, or the SQLSTATE of the cast. The INSERT of what is jsonb must not fail.
CREATE FUNCTION pg_temp.insert_body(environment text, body bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told jsonb;
BEGIN
    BEGIN
        told := convert_from(body, 'UTF8');
    EXCEPTION WHEN OTHERS THEN
        RETURN SQLSTATE;
    END;
    INSERT INTO terra_identity.events (dev_id, payload) VALUES (environment, told);
    RETURN 'stored';
END $$;
-- The same by webhook, whose body is json before it gets there; null if it is not.
CREATE FUNCTION pg_temp.post_body(environment text, body bytea, OUT outcome text, OUT http_status int) LANGUAGE plpgsql AS $$
DECLARE
    told json;
BEGIN
    BEGIN
        told := convert_from(body, 'UTF8');
    EXCEPTION WHEN OTHERS THEN
        RETURN;
    END;
    PERFORM set_config('terra_identity.dev_id', environment, true);
    outcome := terra_identity.webhook(told) ->> 'outcome';
    http_status := current_setting('response.status');
END $$;

--
-- 1. The cases of the table, every way
--
-- Each in an environment of its own. ingest must not fail for any of them.
CREATE TEMP TABLE outcomes (n int, way text, dev_id text, outcome text);
INSERT INTO outcomes
SELECT n, 'insert', 'json insert ' || n, pg_temp.insert_body('json insert ' || n, body) FROM cases;
INSERT INTO outcomes
SELECT n, 'ingest', 'json ingest ' || n, outcome || ' ' || http_status
FROM cases, LATERAL terra_identity.ingest(body, NULL, 'json ingest ' || n) i;
INSERT INTO outcomes
SELECT n, 'ingest text', 'json text ' || n, outcome || ' ' || http_status
FROM cases, LATERAL terra_identity.ingest(convert_from(body, 'UTF8'), NULL, 'json text ' || n) i WHERE inserted <> '22021';
INSERT INTO outcomes
SELECT n, 'webhook', 'json webhook ' || n, i.outcome || ' ' || i.http_status
FROM cases, LATERAL pg_temp.post_body('json webhook ' || n, body) i WHERE i.outcome IS NOT NULL;

SELECT class, count(*) AS cases, count(*) FILTER (WHERE inserted = 'stored') AS stored, count(problem) AS problems,
       count(*) FILTER (WHERE inserted = '22P02') AS "22P02", count(*) FILTER (WHERE inserted = '22P05') AS "22P05",
       count(*) FILTER (WHERE inserted = '22021') AS "22021", count(*) FILTER (WHERE inserted = '22003') AS "22003",
       count(*) FILTER (WHERE inserted = '54001') AS "54001"
FROM cases GROUP BY ROLLUP (class) ORDER BY class;
-- webhook gets no body that is not json; json has lone surrogates, NULs and larger numbers than jsonb.
SELECT way, outcome, count(*) FROM outcomes GROUP BY 1, 2 ORDER BY 1, 2;

-- What differs from the table.
CREATE TEMP TABLE read AS
SELECT o.n, way, outcome, event_type, e.user_id, e.reference_id, e.provider, c.provider_user_id, problem, md5(payload::text) AS payload
FROM outcomes o LEFT JOIN terra_identity.events e USING (dev_id) LEFT JOIN terra_identity.connections c USING (dev_id, user_id);
SELECT way, class, name, left(of_the_table, 99) AS of_the_table, left(as_read, 99) AS as_read
FROM cases c JOIN read r USING (n),
     LATERAL (SELECT ROW (CASE way WHEN 'insert' THEN inserted ELSE ingested END, c.problem IS NOT NULL, c.user_id, c.reference_id, c.provider_user_id)::text AS of_the_table,
                     ROW (outcome, r.problem IS NOT NULL, r.user_id, r.reference_id, r.provider_user_id)::text AS as_read) t
WHERE of_the_table <> as_read ORDER BY n, way;

-- Where another way takes what INSERT does not, or reads it otherwise.
SELECT class, name, other.way, own.outcome, other.outcome
FROM cases JOIN read own USING (n) JOIN read other USING (n)
WHERE own.way = 'insert' AND other.way <> 'insert' AND ((own.outcome = 'stored') <> (other.outcome = 'stored 200')
       OR (own.event_type, own.user_id, own.reference_id, own.provider, own.provider_user_id, own.problem, own.payload)
          IS DISTINCT FROM (other.event_type, other.user_id, other.reference_id, other.provider, other.provider_user_id, other.problem, other.payload));
CREATE TEMP VIEW connections AS
SELECT n, way, c.user_id, c.reference_id, c.provider, c.provider_user_id, c.status, c.successor_user_id, c.confirmed, c.live, c.scopes, c.created_at
FROM outcomes JOIN terra_identity.connections c USING (dev_id);
SELECT other.way, count(*) AS connections, count(*) FILTER (WHERE own.user_id IS NULL) AS not_by_insert
FROM (SELECT * FROM connections WHERE way <> 'insert') other
     LEFT JOIN (SELECT * FROM connections WHERE way = 'insert') own
     ON to_jsonb(own) - 'way' = to_jsonb(other) - 'way'
GROUP BY 1 ORDER BY 1;

-- What was rejected is kept byte for byte, and nothing else is; and it is rejected again.
SELECT way, count(*) AS rejected, count(*) FILTER (WHERE c.body IS DISTINCT FROM r.body) AS not_kept
FROM outcomes o JOIN cases c USING (n) LEFT JOIN terra_identity.rejected r USING (dev_id)
WHERE outcome = 'rejected 400' GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM terra_identity.rejected WHERE dev_id LIKE 'json %';
-- Why is told in a few words, however long the body is.
SELECT max(octet_length(reason)) < 300 AS short FROM terra_identity.rejected WHERE dev_id LIKE 'json %';
SELECT i.outcome, count(*) FROM outcomes o, LATERAL terra_identity.replay_rejected(o.dev_id) i WHERE way = 'ingest' GROUP BY 1;
SELECT count(*) FROM terra_identity.rejected WHERE dev_id LIKE 'json %';
SELECT way, v.* FROM outcomes o, LATERAL terra_identity.verify(o.dev_id) v;

--
-- 2. Every byte of an event cut off with all that follow, left out, doubled, changed, and replaced by bytes that mean something
--
CREATE TEMP TABLE mutants AS
WITH event AS (
    SELECT pg_temp.raw('{"type":"auth","status":"success","user":{"user_id":"r\u0069\ud83d\ude00<C3 A9>t","reference_id":"a\n\"","provider":"\\x"},"x":[-1.5e+30,true,null,{}]}') AS body)
SELECT row_number() OVER (ORDER BY at, change) AS n, body
FROM (SELECT at, change, substr(event.body, 1, at - 1) || CASE change
                 WHEN 'cut' THEN ''
                 ELSE CASE change WHEN 'left out' THEN ''
                                  WHEN 'doubled' THEN substr(event.body, at, 1) || substr(event.body, at, 1)
                                  WHEN 'changed' THEN set_byte('\x00', 0, get_byte(event.body, at - 1) # 32)
                                  ELSE decode(change, 'hex') END || substr(event.body, at + 1) END AS body
      FROM event, generate_series(1, length(event.body)) at,
           unnest('{cut,left out,doubled,changed,00,09,20,22,2c,30,3a,5b,5c,5d,65,75,7b,7d,7f,80,c0,ed,f4,ff}'::text[]) change) t;
CREATE TEMP TABLE mutated AS
SELECT n, body, inserted, ingested, i.event_id
FROM (SELECT *, pg_temp.insert_body('json mutants inserted', body) AS inserted FROM mutants ORDER BY n) m,
     LATERAL (SELECT outcome || ' ' || http_status AS ingested, event_id FROM terra_identity.ingest(body, NULL, 'json mutants ingested')) i;
SELECT inserted, ingested, count(*) FROM mutated GROUP BY 1, 2 ORDER BY 1;
-- Both have read the same.
SELECT count(*), count(DISTINCT own.user_id) AS user_ids, count(DISTINCT own.payload) AS payloads, count(own.problem) AS problems,
       count(*) FILTER (WHERE (own.event_type, own.user_id, own.reference_id, own.provider, own.problem, own.payload)
                              IS NOT DISTINCT FROM (other.event_type, other.user_id, other.reference_id, other.provider, other.problem, other.payload)) AS alike
FROM (SELECT *, row_number() OVER (ORDER BY event_id) AS n FROM terra_identity.events WHERE dev_id = 'json mutants inserted') own
     FULL JOIN (SELECT *, row_number() OVER (ORDER BY event_id) AS n FROM terra_identity.events WHERE dev_id = 'json mutants ingested') other USING (n);
SELECT count(*) FROM (SELECT body FROM mutated WHERE ingested = 'rejected 400' EXCEPT SELECT body FROM terra_identity.rejected WHERE dev_id = 'json mutants ingested') lost;
SELECT count(*) FROM (SELECT body FROM terra_identity.rejected WHERE dev_id = 'json mutants ingested' EXCEPT SELECT body FROM mutated WHERE ingested = 'rejected 400') never_came;
SELECT * FROM terra_identity.verify('json mutants inserted');
SELECT * FROM terra_identity.verify('json mutants ingested');
