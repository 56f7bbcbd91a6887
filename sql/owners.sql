-- What the owner of the database may do to the extension's tables: triggers, columns, read-only transactions, long ids.
SET terra_identity.dev_id = 'owners';
CREATE FUNCTION pg_temp.event(type text, user_id text, reference_id text, account text DEFAULT NULL, created_at text DEFAULT NULL, scopes text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', type, 'status', 'success', 'athlete', jsonb_build_object('provider_user_id', account),
        'user', jsonb_build_object('user_id', user_id, 'provider', 'GARMIN', 'reference_id', reference_id, 'created_at', created_at, 'scopes', scopes))
$$;

-- A row trigger on the feed and one on the state fire, and leave nothing open behind (a leak is a WARNING).
CREATE TABLE heard (what text);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO heard VALUES (tg_table_name || ' ' || tg_op); RETURN NULL; END $$;
CREATE TRIGGER hear AFTER INSERT ON terra_identity.changes FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER hear AFTER INSERT OR UPDATE ON terra_identity.connections FOR EACH ROW EXECUTE FUNCTION hear();
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.event('auth', 'a', 'ann'));
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.event('deauth', 'a', 'ann'));
SELECT what, count(*) FROM heard GROUP BY what ORDER BY what;
DROP TRIGGER hear ON terra_identity.changes;
DROP TRIGGER hear ON terra_identity.connections;
DROP TABLE heard;
DROP FUNCTION hear();

-- Constraints and indexes that somebody added hold: of a kind that is written directly, and of one that is not.
BEGIN;
ALTER TABLE terra_identity.connections ADD CONSTRAINT no_bob CHECK (reference_id <> 'bob') NOT VALID;
CREATE UNIQUE INDEX one_ann ON terra_identity.connections (reference_id) WHERE dev_id = 'owners' AND reference_id = 'ann' AND status = 'active';
CREATE INDEX by_length ON terra_identity.connections (pg_catalog.length(user_id));
CREATE INDEX by_hash ON terra_identity.changes USING hash (user_id);
SAVEPOINT before;
\set VERBOSITY terse
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.event('auth', 'c', 'bob'));
\set VERBOSITY default
ROLLBACK TO before;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.event('auth', 'c', 'ann')), (pg_temp.event('auth', 'd', 'ann'));
ROLLBACK TO before;
DROP INDEX terra_identity.by_length;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.event('auth', 'c', 'bob'));
ROLLBACK TO before;
DROP INDEX terra_identity.by_length;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.event('auth', 'c', 'ann')), (pg_temp.event('auth', 'd', 'ann'));
ROLLBACK TO before;
DROP INDEX terra_identity.by_hash;
DELETE FROM terra_identity.changes;
ALTER TABLE terra_identity.changes ALTER COLUMN detail SET NOT NULL;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.event('auth', 'c', 'ann'));
ROLLBACK TO before;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.event('auth', 'c', 'ann')), (pg_temp.event('auth', 'd', 'dan'));
SET LOCAL enable_seqscan = off;
SELECT user_id, reference_id FROM terra_identity.connections WHERE pg_catalog.length(user_id) = 1 AND dev_id = 'owners' ORDER BY user_id;
SELECT kind, user_id FROM terra_identity.changes WHERE dev_id = 'owners' AND user_id = 'd';
ROLLBACK;

-- A column that somebody added is an error, not a crash.
BEGIN;
ALTER TABLE terra_identity.changes ADD COLUMN note text;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.event('auth', 'b', 'ann'));
ROLLBACK;
BEGIN;
ALTER TABLE terra_identity.connections ADD COLUMN note text;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.event('auth', 'b', 'ann'));
ROLLBACK;

-- A read-only transaction stays one.
UPDATE terra_identity.connections SET status = 'revoked' WHERE dev_id = 'owners';
BEGIN READ ONLY;
SELECT terra_identity.rebuild();
ROLLBACK;
SELECT terra_identity.rebuild();

-- Ids that are long enough to be compressed in their row: four on one account, one of which moves before the others.
INSERT INTO terra_identity.events (payload, received_at)
SELECT pg_temp.event('athlete', rpad(u, 500, 'u'), rpad('r', 500, 'r'), rpad('p', 500, 'p'), created_at, repeat('scope,', 300)), '2024-06-01'
FROM (VALUES ('a', '2024-01-01T00:00Z'), ('b', '2024-02-01T00:00Z'), ('c', '2024-03-01T00:00Z'), ('d', '2024-04-01T00:00Z')) v (u, created_at);
INSERT INTO terra_identity.events (payload, received_at)
VALUES (pg_temp.event('permission_change', rpad('c', 500, 'u'), rpad('r', 500, 'r'), NULL, '2023-01-01T00:00Z'), '2024-06-02');
SELECT left(user_id, 1) AS user_id, status, left(successor_user_id, 1) AS successor, pg_column_size(user_id) < 500 AS compressed
FROM terra_identity.connections WHERE dev_id = 'owners' AND length(user_id) = 500 ORDER BY 1;

SELECT * FROM terra_identity.verify();
