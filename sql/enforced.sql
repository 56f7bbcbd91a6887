-- The database itself refuses a second active connection in a slot; verify tells what was tampered with, rebuild mends it.
SET terra_identity.dev_id = 'enforced';
SET timezone = 'UTC';
SET datestyle = 'ISO';

INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('enforced replace', 'replace');
-- In each environment: w1 and w2 are one person's, w3 another's on another account; p1 and p2 are devices; o was replaced by n.
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT dev_id, '2024-03-01 10:00Z'::timestamptz + n * interval '1 minute', payload
FROM unnest('{enforced,enforced replace}'::text[]) dev_id, unnest(ARRAY[
    '{"type": "auth", "status": "success", "user": {"user_id": "w1", "provider": "GARMIN", "reference_id": "wim", "created_at": "2024-02-01T00:00:00Z"}}',
    '{"type": "athlete", "user": {"user_id": "w1"}, "athlete": {"provider_user_id": "wrist"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "w2", "provider": "GARMIN", "reference_id": "wim", "scopes": "a"}}',
    '{"type": "athlete", "user": {"user_id": "w2"}, "athlete": {"provider_user_id": "wrist"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "w3", "provider": "GARMIN", "reference_id": "zoe"}}',
    '{"type": "athlete", "user": {"user_id": "w3"}, "athlete": {"provider_user_id": "ankle"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "w4", "provider": "GARMIN"}}',
    '{"type": "athlete", "user": {"user_id": "w4"}, "athlete": {"provider_user_id": "wrist 4"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "p1", "provider": "APPLE", "reference_id": "wim"}}',
    '{"type": "auth", "status": "success", "user": {"user_id": "p2", "provider": "APPLE", "reference_id": "wim"}}',
    '{"type": "user_reauth", "old_user": {"user_id": "o"}, "new_user": {"user_id": "n", "provider": "OURA", "reference_id": "wim"}}',
    '{"type": "connection_error", "user": {"user_id": "n"}}', '{"type": "deauth", "user": {"user_id": "d"}}',
    '{"type": "access_revoked", "user": {"user_id": "d"}}', '{"type": "auth", "status": "error", "user": {"user_id": "d"}}'
    ]::jsonb[]) WITH ORDINALITY t (payload, n);
SELECT dev_id, user_id, reference_id, provider_user_id, status FROM terra_identity.connections WHERE dev_id LIKE 'enforced%' ORDER BY 1, 2;

--
-- 1. A second active connection in a slot: refused whoever writes, in every kind of slot
--
CREATE FUNCTION pg_temp.tried(environment text, change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    EXECUTE format('UPDATE terra_identity.connections SET %s AND dev_id = %L', change, environment);
    RETURN 'done';
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME;
    RETURN 'unique_violation of ' || name;
END $$;
SELECT current_setting('is_superuser') AS superuser;
BEGIN;
SELECT change, pg_temp.tried('enforced', change) AS keep, pg_temp.tried('enforced replace', change) AS replace FROM unnest(ARRAY[
    $$status = 'active' WHERE user_id = 'w1'$$,
    $$provider_user_id = 'wrist', reference_id = 'wim' WHERE user_id = 'w3'$$,
    $$provider_user_id = 'wrist', reference_id = NULL WHERE user_id = 'w3'$$,
    $$provider_user_id = 'wrist' WHERE user_id = 'w4'$$,
    $$status = 'active' WHERE user_id = 'p1'$$,
    $$reference_id = 'another' WHERE user_id = 'p2'$$]) change;
ROLLBACK;
-- The null of reference_id is an end user too.
BEGIN;
SELECT pg_temp.tried('enforced', $$provider_user_id = 'wrist 4', reference_id = NULL WHERE user_id = 'w3'$$) AS null_equals_null;
ROLLBACK;
-- By INSERT as by UPDATE; nobody needs a trigger to be enabled for it.
BEGIN;
SET LOCAL session_replication_role = replica;
\set VERBOSITY terse
INSERT INTO terra_identity.connections (dev_id, user_id, lineage_id, reference_id, provider, provider_user_id, status, confirmed, first_seen_at, connected_at, live, dated)
VALUES ('enforced', 'new', 1, 'wim', 'GARMIN', 'wrist', 'active', true, now(), now(), true, true);
ROLLBACK;
UPDATE terra_identity.connections SET status = 'alive' WHERE dev_id = 'enforced';
\set VERBOSITY default
SELECT * FROM terra_identity.verify('enforced');
SELECT * FROM terra_identity.verify('enforced replace');

--
-- 2. Tampering is told by verify, column by column, and mended by rebuild
--
CREATE VIEW pg_temp.state AS
SELECT c::text AS stored FROM terra_identity.connections c WHERE dev_id LIKE 'enforced%'
UNION ALL SELECT r::text FROM terra_identity.reauths r WHERE dev_id LIKE 'enforced%';
CREATE TEMP TABLE before AS TABLE pg_temp.state;
-- Whether verify tells of a change, rebuild says that it mended something, and all is as before. Then takes it all back.
CREATE FUNCTION pg_temp.tampered(change text) RETURNS TABLE (told boolean, rebuilt boolean, mended boolean) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE change;
    told := EXISTS (SELECT FROM terra_identity.verify());
    rebuilt := terra_identity.rebuild() > 0;
    mended := NOT EXISTS (SELECT FROM terra_identity.verify())
        AND NOT EXISTS (TABLE pg_temp.state EXCEPT ALL TABLE before) AND NOT EXISTS (TABLE before EXCEPT ALL TABLE pg_temp.state);
    RAISE EXCEPTION 'back' USING ERRCODE = 'TITST';
EXCEPTION WHEN SQLSTATE 'TITST' THEN
    RETURN NEXT;
END $$;
-- What it tells: a row for each column, as it is stored and as it follows from the ledger.
BEGIN;
UPDATE terra_identity.connections SET status = 'active', successor_user_id = 'w4', ended_at = NULL WHERE dev_id = 'enforced' AND user_id = 'o';
UPDATE terra_identity.connections SET provider_user_id = 'stolen', confirmed = false, scopes_at = '2024-03-01 12:00Z', provider_passing = true
WHERE dev_id = 'enforced' AND user_id = 'w2';
UPDATE terra_identity.reauths SET new_user_id = 'w3' WHERE dev_id = 'enforced';
SELECT * FROM terra_identity.verify() ORDER BY 1, 2, 3;
ROLLBACK;
-- Each column that follows from the ledger, where it has a value and where it has none.
SELECT change, t.* FROM unnest(ARRAY[
    $$status = 'deauthenticated', ended_at = '2024-03-01 12:00Z' WHERE user_id = 'w2'$$, $$status = 'active' WHERE user_id = 'o'$$,
    $$lineage_id = -1 WHERE user_id = 'w1'$$,
    $$reference_id = 'eve' WHERE user_id = 'w2'$$, $$reference_id = NULL WHERE user_id = 'w2'$$, $$reference_id = 'eve' WHERE user_id = 'w4'$$,
    $$reference_id_at = '2024-03-01 12:00Z' WHERE user_id = 'w2'$$, $$reference_id_passing = true WHERE user_id = 'w2'$$,
    $$reference_id_at = '2024-03-01 12:00Z' WHERE user_id = 'w4'$$, $$reference_id_passing = true WHERE user_id = 'w4'$$,
    $$provider = 'FITBIT' WHERE user_id = 'w2'$$, $$provider = 'FITBIT' WHERE user_id = 'd'$$,
    $$provider_at = '2024-03-01 12:00Z' WHERE user_id = 'w2'$$, $$provider_passing = true WHERE user_id = 'w2'$$,
    $$scopes = 'a,b' WHERE user_id = 'w2'$$, $$scopes = 'a,b' WHERE user_id = 'w3'$$,
    $$scopes_at = '2024-03-01 12:00Z' WHERE user_id = 'w2'$$, $$scopes_passing = true WHERE user_id = 'w2'$$,
    $$provider_user_id = 'stolen' WHERE user_id = 'w2'$$, $$provider_user_id = NULL WHERE user_id = 'w1'$$, $$provider_user_id = 'x' WHERE user_id = 'p2'$$,
    $$own_provider_user_id = 'stolen' WHERE user_id = 'w2'$$, $$own_provider_user_id = 'stolen' WHERE user_id = 'n'$$,
    $$own_provider_user_id_at = '2024-03-01 12:00Z' WHERE user_id = 'w2'$$,
    $$successor_user_id = NULL WHERE user_id = 'w1'$$, $$successor_user_id = 'w3' WHERE user_id = 'w4'$$,
    $$confirmed = false WHERE user_id = 'w2'$$, $$live = false WHERE user_id = 'w1'$$,
    $$created_at = NULL WHERE user_id = 'w1'$$, $$created_at = '2024-01-01' WHERE user_id = 'w2'$$,
    $$first_seen_at = '2024-03-01 09:00Z' WHERE user_id = 'w1'$$, $$connected_at = '2024-03-01 12:00Z' WHERE user_id = 'w1'$$,
    $$ended_at = NULL WHERE user_id = 'w1'$$, $$ended_at = '2024-03-01' WHERE user_id = 'w2'$$,
    $$alive_at = NULL WHERE user_id = 'w1'$$, $$alive_at = '2024-03-01 12:00Z' WHERE user_id = 'd'$$,
    $$replaced_at = '2024-03-01 12:00Z' WHERE user_id = 'o'$$, $$replaced_at = '2024-03-01 12:00Z' WHERE user_id = 'w2'$$,
    $$replaced_by = 'w3' WHERE user_id = 'o'$$, $$replaced_by = 'w3' WHERE user_id = 'w2'$$,
    $$replaced_at = NULL, replaced_by = NULL WHERE user_id = 'o'$$, $$deauthenticated_at = NULL WHERE user_id = 'd'$$,
    $$revoked_at = NULL WHERE user_id = 'd'$$, $$failed_at = NULL WHERE user_id = 'd'$$, $$degraded_at = NULL WHERE user_id = 'n'$$,
    $$dated = false WHERE user_id = 'w2'$$, $$sdk = false WHERE user_id = 'p2'$$, $$account_unusable = true WHERE user_id = 'w2'$$, $$account_exclusive = true WHERE user_id = 'w2'$$, $$duplicate = true WHERE user_id = 'w2'$$,
    $$cyclic = true WHERE user_id = 'n'$$, $$user_uuid = 'c0ffee00-0000-4000-8000-000000000000' WHERE user_id = 'n'$$,
    $$same_person_as = 'w3' WHERE user_id = 'w2'$$, $$same_person_as_at = '2024-03-01 12:00Z' WHERE user_id = 'w2'$$,
    $$same_person_as = '', same_person_as_at = '2024-03-01 12:00Z' WHERE user_id = 'w2'$$]) change,
    pg_temp.tampered(format('UPDATE terra_identity.connections SET %s AND dev_id = ''enforced''', change)) t;
-- No column of connections was left out: all others are keys.
SELECT string_agg(attname, ', ' ORDER BY attnum) AS keys FROM pg_attribute
WHERE attrelid = 'terra_identity.connections'::regclass AND attnum > 0
  AND attname NOT IN ('status', 'ended_at', 'lineage_id', 'reference_id', 'provider', 'provider_user_id', 'successor_user_id', 'confirmed',
    'scopes', 'created_at', 'first_seen_at', 'connected_at', 'live', 'alive_at', 'replaced_at', 'replaced_by', 'deauthenticated_at',
    'revoked_at', 'failed_at', 'degraded_at', 'own_provider_user_id', 'own_provider_user_id_at', 'provider_at', 'provider_passing',
    'reference_id_at', 'reference_id_passing', 'scopes_at', 'scopes_passing', 'dated', 'sdk', 'account_exclusive', 'account_unusable', 'duplicate', 'cyclic', 'user_uuid', 'same_person_as', 'same_person_as_at');
-- Rows that are added, and reauths that are added or gone.
SELECT t.* FROM pg_temp.tampered($$INSERT INTO terra_identity.connections (dev_id, user_id, lineage_id, status, confirmed, first_seen_at, connected_at, live, dated)
    VALUES ('enforced', 'ghost', 1, 'active', true, '2024-03-01', '2024-03-01', true, true)$$) t;
SELECT t.* FROM pg_temp.tampered($$DELETE FROM terra_identity.reauths WHERE dev_id = 'enforced'$$) t;
SELECT t.* FROM pg_temp.tampered($$INSERT INTO terra_identity.reauths VALUES ('enforced', 'w1', 'w3', false)$$) t;
SELECT t.* FROM pg_temp.tampered($$INSERT INTO terra_identity.reauths VALUES ('enforced', 'ghost', 'w3', false)$$) t;
-- The slots held by the wrong ones: on the way back they do not get into each other's way.
SELECT t.* FROM pg_temp.tampered($change$DO $$ BEGIN
    UPDATE terra_identity.connections SET status = 'superseded' WHERE dev_id = 'enforced' AND user_id IN ('w2', 'p2');
    UPDATE terra_identity.connections SET status = 'active' WHERE dev_id = 'enforced' AND user_id IN ('w1', 'p1');
END $$ $change$) t;
SELECT t.* FROM pg_temp.tampered($change$DO $$ BEGIN
    UPDATE terra_identity.connections SET provider_user_id = 'between' WHERE dev_id = 'enforced' AND user_id = 'w3';
    UPDATE terra_identity.connections SET provider_user_id = 'ankle', reference_id = 'zoe' WHERE dev_id = 'enforced' AND user_id = 'w2';
    UPDATE terra_identity.connections SET provider_user_id = 'wrist', reference_id = 'wim' WHERE dev_id = 'enforced' AND user_id = 'w3';
END $$ $change$) t;

-- Rows that are gone come back, under new connection_ids; all else about them is the same.
CREATE TEMP TABLE complete AS TABLE terra_identity.connections;
BEGIN;
DELETE FROM terra_identity.connections WHERE dev_id = 'enforced' AND user_id IN ('w1', 'n');
SELECT user_id, "column", stored IS NULL AS missing FROM terra_identity.verify() ORDER BY 1, 2;
SELECT terra_identity.rebuild() > 0 AS rebuilt;
SELECT user_id, now.status = was.status AS status, now.connection_id > was.connection_id AS new_id
FROM terra_identity.connections now JOIN complete was USING (dev_id, user_id)
WHERE dev_id = 'enforced' AND user_id IN ('w1', 'n') ORDER BY 1;
SELECT user_id, count(*) OVER (PARTITION BY lineage_id) AS members FROM terra_identity.connections
WHERE dev_id = 'enforced' AND user_id IN ('w1', 'w2', 'o', 'n') ORDER BY 1;
SELECT * FROM terra_identity.verify();
-- All of them.
DELETE FROM terra_identity.connections WHERE dev_id = 'enforced';
DELETE FROM terra_identity.reauths WHERE dev_id = 'enforced';
SELECT "column", count(*) FROM terra_identity.verify() GROUP BY 1 ORDER BY 1;
SELECT terra_identity.rebuild();
SELECT count(*) AS differences FROM (
    SELECT user_id, reference_id, provider_user_id, status, successor_user_id, terra_identity.resolve(user_id)
    FROM terra_identity.connections WHERE dev_id = 'enforced'
    EXCEPT SELECT user_id, reference_id, provider_user_id, status, successor_user_id, terra_identity.resolve(user_id, 'enforced replace')
    FROM complete WHERE dev_id = 'enforced') d;
SELECT * FROM terra_identity.verify();
ROLLBACK;

-- verify writes nothing, and looks at the environment that it is asked about alone.
BEGIN READ ONLY;
SELECT * FROM terra_identity.verify();
ROLLBACK;
BEGIN;
UPDATE terra_identity.connections SET scopes = 'z' WHERE dev_id = 'enforced' AND user_id = 'w2';
SELECT * FROM terra_identity.verify('enforced replace');
SELECT * FROM terra_identity.verify('no such environment');
SELECT terra_identity.rebuild('enforced replace') AS another, terra_identity.rebuild('no such environment') AS none, terra_identity.rebuild() AS this;
ROLLBACK;

SELECT terra_identity.rebuild('enforced'), terra_identity.rebuild('enforced replace');
SELECT * FROM terra_identity.verify('enforced');
SELECT * FROM terra_identity.verify('enforced replace');
