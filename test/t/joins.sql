-- What joins.py asks about, the same in every database: many connections and an app's own table, for plans; and ids
-- that collations put into different orders, for the state. Every time is given, and statements come one after another:
-- so connections have the same numbers everywhere.
CREATE EXTENSION terra_identity;
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('one each', 'replace');

-- Ids as Terra's are. 'first 7' is that of person 7's first connection.
CREATE FUNCTION pg_temp.id(name text) RETURNS text LANGUAGE sql IMMUTABLE RETURN md5(name)::uuid::text;
CREATE FUNCTION pg_temp.person(user_id text, reference_id text, provider text DEFAULT 'GARMIN') RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('user_id', user_id, 'reference_id', reference_id, 'provider', provider);

-- An event of one person after another, a second apart, on a day of January.
CREATE FUNCTION pg_temp.at(day int, n int) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN timestamptz '2026-01-01 00:00Z' + (day - 1) * interval '1 day' + n * interval '1 second';

CREATE FUNCTION pg_temp.auth(who jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('type', 'auth', 'status', 'success', 'user', who);
CREATE FUNCTION pg_temp.athlete(who jsonb, account text) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('type', 'athlete', 'user', who, 'athlete', jsonb_build_object('provider_user_id', account));
CREATE FUNCTION pg_temp.reauth(old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('type', 'user_reauth', 'old_user', old, 'new_user', new);
CREATE FUNCTION pg_temp.daily(who jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('type', 'daily', 'user', who, 'data', '[]'::jsonb);

-- 10,000 people connect, and their accounts get known: one in 50 is on the account of the one before.
INSERT INTO terra_identity.events (received_at, payload)
SELECT pg_temp.at(1, n), pg_temp.auth(pg_temp.person(pg_temp.id('first ' || n), 'p' || n))
FROM generate_series(1, 10000) n;
INSERT INTO terra_identity.events (received_at, payload)
SELECT pg_temp.at(2, n), pg_temp.athlete(pg_temp.person(pg_temp.id('first ' || n), 'p' || n),
                                         'account ' || n - CASE n % 50 WHEN 0 THEN 1 ELSE 0 END)
FROM generate_series(1, 10000) n;
-- Every second reconnects, and data of the old connection still comes.
INSERT INTO terra_identity.events (received_at, payload)
SELECT pg_temp.at(3, n), pg_temp.reauth(pg_temp.person(pg_temp.id('first ' || n), 'p' || n),
                                        pg_temp.person(pg_temp.id('second ' || n), 'p' || n))
FROM generate_series(1, 10000, 2) n;
INSERT INTO terra_identity.events (received_at, payload)
SELECT pg_temp.at(4, n), pg_temp.daily(pg_temp.person(pg_temp.id(which || ' ' || n), 'p' || n))
FROM unnest('{first,second}'::text[]) which, generate_series(1, 10000, 2) n;
-- Of one in 50 of these it still comes days later.
INSERT INTO terra_identity.events (received_at, payload)
SELECT pg_temp.at(9, n), pg_temp.daily(pg_temp.person(pg_temp.id('first ' || n), 'p' || n))
FROM generate_series(17, 10000, 100) n;
-- One in 40 connects a second account, and one in 40 one that nobody knows. Of one in 100 something comes that cannot
-- be read.
INSERT INTO terra_identity.events (received_at, payload)
SELECT pg_temp.at(5, n), pg_temp.athlete(pg_temp.person(pg_temp.id('other ' || n), 'p' || n), 'other account ' || n)
FROM generate_series(37, 10000, 40) n;
INSERT INTO terra_identity.events (received_at, payload)
SELECT pg_temp.at(5, n), pg_temp.auth(pg_temp.person(pg_temp.id('other ' || n), 'p' || n))
FROM generate_series(17, 10000, 40) n;
INSERT INTO terra_identity.events (received_at, payload)
SELECT pg_temp.at(6, n), jsonb_set(pg_temp.daily(pg_temp.person(pg_temp.id('first ' || n), 'p' || n)),
                                   '{user,provider}', '5')
FROM generate_series(77, 10000, 100) n;
-- The same people elsewhere, where an account goes to whom connected it last. Of one in 20 it does; one in 20 says so.
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'one each', pg_temp.at(1, n),
       pg_temp.athlete(pg_temp.person(pg_temp.id('here ' || n), 'p' || n), 'account ' || n)
FROM generate_series(1, 5000) n;
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'one each', pg_temp.at(2, n), CASE n % 20
    WHEN 0 THEN pg_temp.athlete(pg_temp.person(pg_temp.id('heir ' || n), 'heir ' || n), 'account ' || n)
    ELSE pg_temp.reauth(pg_temp.person(pg_temp.id('here ' || n), 'p' || n),
                        pg_temp.person(pg_temp.id('heir ' || n), 'heir ' || n)) END
FROM generate_series(1, 5000) n WHERE n % 20 IN (0, 17);

-- The older one of two people on an account is to be disconnected; a worker has some of them.
INSERT INTO terra_identity.environments (dev_id, on_duplicate) VALUES ('default', 'disconnect_older');
SELECT count(*) FROM terra_identity.take_disconnects(100);

-- Ids that every collation sorts in its own way. They are connected in the same second, so the user_id alone decides
-- which is newer. Each story is told three times: in this order, in the other one, and at once.
CREATE FUNCTION pg_temp.tell(story text, account_policy text, bodies jsonb[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    body jsonb;
BEGIN
    FOR i IN 1..3 LOOP
        INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES (story || i, account_policy);
    END LOOP;
    FOR i IN 1..cardinality(bodies) LOOP
        INSERT INTO terra_identity.events (dev_id, received_at, payload)
        VALUES (story || 1, pg_temp.at(1, 0), bodies[i]);
        INSERT INTO terra_identity.events (dev_id, received_at, payload)
        VALUES (story || 2, pg_temp.at(1, 0), bodies[1 + cardinality(bodies) - i]);
    END LOOP;
    INSERT INTO terra_identity.events (dev_id, received_at, payload)
    SELECT story || 3, pg_temp.at(1, 0), b FROM unnest(bodies) WITH ORDINALITY b (b, n) ORDER BY n;
END $$;
SELECT E'{a-b,aB,Ab,a b,ab,AB,a_b,a.b,a,A,b,B,z,Z,-,_,10,9,\u00e4,a\u0308,\u00c4,\u00e9,e\u0301,'
        'e,f,ss,\u00df,i,\u0131,I,\ufb00,ff,\uff41,a\u200bb,\U0001f600}'::text[] AS ids \gset
SELECT pg_temp.tell('order: one account, one person ', 'keep',
    ARRAY(SELECT pg_temp.athlete(pg_temp.person(id, 'ann'), 'wrist') FROM unnest(:'ids'::text[]) id));
SELECT pg_temp.tell('order: one account, a person each ', 'keep',
    ARRAY(SELECT pg_temp.athlete(pg_temp.person(id, 'of ' || id), 'wrist') FROM unnest(:'ids'::text[]) id));
SELECT pg_temp.tell('order: an account moves ', 'replace',
    ARRAY(SELECT pg_temp.athlete(pg_temp.person(id, 'of ' || id), 'wrist') FROM unnest(:'ids'::text[]) id));
SELECT pg_temp.tell('order: phones of one person ', 'keep',
    ARRAY(SELECT pg_temp.auth(pg_temp.person(id, 'ann', 'APPLE')) FROM unnest(:'ids'::text[]) id));
SELECT pg_temp.tell('order: an account each ', 'keep',
    ARRAY(SELECT pg_temp.athlete(pg_temp.person(id, 'ann'), id) FROM unnest(:'ids'::text[]) id));
-- One lineage with several active connections, and data of the one that they all replaced.
SELECT pg_temp.tell('order: a fork ', 'keep',
    ARRAY(SELECT pg_temp.athlete(pg_temp.person(id, 'ann'), id) FROM unnest(:'ids'::text[]) id)
             || ARRAY(SELECT pg_temp.reauth(pg_temp.person('root', 'ann'), pg_temp.person(id, 'ann'))
                      FROM unnest(:'ids'::text[]) id)
             || pg_temp.daily(pg_temp.person('root', 'ann')));

-- The app's health data: 200,000 rows, of every id that it ever saw and of some that the extension did not; under the
-- user_id as text, as varchar and as uuid, and under the person.
CREATE SCHEMA app;
CREATE TABLE app.health (id int PRIMARY KEY, user_id text NOT NULL, user_varchar varchar(64) NOT NULL,
                         user_uuid uuid NOT NULL, reference_id text NOT NULL, reference_varchar varchar(64) NOT NULL,
                         data text NOT NULL);
INSERT INTO app.health
SELECT n, u.user_id, u.user_id, u.user_id::uuid, p.reference_id, p.reference_id, repeat('.', 60)
FROM generate_series(1, 200000) n,
     LATERAL (SELECT 1 + n / 5 % 10500 AS person, ('{first,second,other,here,heir}'::text[])[1 + n % 5] AS which) w,
     LATERAL (SELECT pg_temp.id(which || ' ' || person) AS user_id) u,
     LATERAL (SELECT CASE which WHEN 'heir' THEN 'heir ' ELSE 'p' END || person AS reference_id) p;
CREATE INDEX ON app.health (user_id);
CREATE INDEX ON app.health (user_varchar);
CREATE INDEX ON app.health (user_uuid);
CREATE INDEX ON app.health (reference_id);
CREATE INDEX ON app.health (reference_varchar);
VACUUM (ANALYZE);
