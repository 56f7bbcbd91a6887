-- What would follow if somebody connected now: foretold from the same rules, as the caller may see it, and nothing is
-- written.
SET terra_identity.dev_id = 'would';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.connects(user_id text, reference_id text, provider text, account text, at timestamptz, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
    INSERT INTO terra_identity.events (received_at, payload)
    SELECT $5 + n * interval '1 minute', payload || $6 FROM unnest(ARRAY[
        jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id', $1, 'provider', $3, 'reference_id', $2)),
        jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', $1), 'athlete', jsonb_build_object('provider_user_id', $4))])
        WITH ORDINALITY p (payload, n)
    WHERE n = 1 OR $4 IS NOT NULL
$$;

SELECT pg_temp.connects('ann 1', 'ann', 'GARMIN', 'family scale', '2024-03-01 10:00Z'), pg_temp.connects('bob 1', 'bob', 'GARMIN', 'family scale', '2024-03-01 11:00Z'),
       pg_temp.connects('ann 2', 'ann', 'FITBIT', 'wrist', '2024-03-01 12:00Z'), pg_temp.connects('bob 2', 'bob', 'FITBIT', 'wrist', '2024-03-01 13:00Z'),
       pg_temp.connects('cid 2', 'cid', 'FITBIT', 'wrist', '2024-03-01 14:00Z'), pg_temp.connects('dan 1', 'dan', 'OURA', NULL, '2024-03-02 10:00Z'),
       pg_temp.connects('5f1c9a70-0d3e-4f0b-9a51-1020304050ef', 'dan', 'APPLE', 'phone', '2024-03-02 11:00Z'), pg_temp.connects('dan 3', 'dan', 'WOULD_UNUSABLE', 'any', '2024-03-02 12:00Z') \g /dev/null
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "deauth", "user": {"user_id": "cid 2"}}');
INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('WOULD_UNUSABLE', 'unusable');
INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id) VALUES ('GARMIN', 'family scale');
CREATE FUNCTION pg_temp.would(provider text, account text, reference_id text) RETURNS TABLE (outcome text, user_id text, holder text, same_lineage boolean, sentence text) LANGUAGE sql AS $$
    SELECT w.outcome, w.user_id, w.holder_reference_id, w.lineage_id = terra_identity.lineage_of(w.user_id), w.sentence
    FROM terra_identity.would_duplicate($1, $2, $3) w
$$;
SELECT * FROM pg_temp.would('FITBIT', 'wrist', 'eve');
SELECT * FROM pg_temp.would(' fitbit ', ' wrist ', 'ann');
SELECT * FROM pg_temp.would('FITBIT', 'another wrist', 'ann');
SELECT * FROM pg_temp.would('FITBIT', NULL, 'ann');
SELECT * FROM pg_temp.would('GARMIN', 'family scale', 'eve');
SELECT * FROM pg_temp.would('APPLE', 'another phone', 'dan');
SELECT * FROM pg_temp.would('APPLE', 'phone', 'eve');
SELECT * FROM pg_temp.would('OURA', 'ring', 'dan');
SELECT user_id, user_uuid, lineage_id = terra_identity.lineage_of(user_id) AS lineage, connected_at FROM terra_identity.would_duplicate('APPLE', 'phone', 'dan');
SELECT * FROM pg_temp.would('WOULD_UNUSABLE', 'any', 'dan');
SELECT * FROM pg_temp.would('WOULD_UNUSABLE', 'any', 'eve');
-- Never seen, or not given: one clear row each.
SELECT * FROM pg_temp.would('WHOOP', 'never seen', 'nobody');
SELECT * FROM pg_temp.would('WHOOP', NULL, 'nobody');
SELECT * FROM pg_temp.would('FITBIT', 'wrist', NULL);
SELECT * FROM pg_temp.would('WHOOP', 'never seen', NULL);
SELECT * FROM pg_temp.would('FITBIT', '', NULL);
SELECT * FROM pg_temp.would(NULL, 'wrist', 'ann');
SELECT outcome, user_id FROM terra_identity.would_duplicate('FITBIT', 'wrist', 'ann', 'would elsewhere');
SELECT outcome, user_id FROM terra_identity.would_duplicate('FITBIT', 'wrist', 'ann', NULL);
-- It writes nothing, and what it says is what happens.
BEGIN READ ONLY;
SELECT count(*) FROM terra_identity.would_duplicate('FITBIT', 'wrist', 'eve');
COMMIT;
BEGIN;
SELECT pg_temp.connects('eve 1', 'eve', 'FITBIT', 'wrist', '2024-03-06') \g /dev/null
SELECT user_id FROM terra_identity.duplicate_connections WHERE dev_id = 'would' AND provider = 'FITBIT' ORDER BY connected_at DESC;
ROLLBACK;
-- Under replace.
BEGIN;
SELECT pg_temp.connects('fay 1', 'fay', 'WHOOP', 'band', '2024-03-06') \g /dev/null
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('would', 'replace');
SELECT * FROM pg_temp.would('WHOOP', 'band', 'eve');
SELECT * FROM pg_temp.would('WHOOP', 'band', 'fay');
SELECT pg_temp.connects('eve 1', 'eve', 'WHOOP', 'band', '2024-03-07') \g /dev/null
SELECT from_user_id, to_user_id FROM terra_identity.transferred_accounts WHERE dev_id = 'would' AND provider = 'WHOOP';
ROLLBACK;

-- It says what the caller may see, and no more.
CREATE ROLE regress_operator;
SELECT terra_identity.grant_reader('regress_operator') \g /dev/null
CREATE ROLE regress_isolated;
SELECT terra_identity.grant_reader('regress_isolated') \g /dev/null
CREATE ROLE regress_no_reader;
GRANT USAGE ON SCHEMA terra_identity TO regress_no_reader;
CREATE SCHEMA regress_hostile;
CREATE FUNCTION regress_hostile.yes(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE OPERATOR regress_hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_hostile.yes);
GRANT USAGE ON SCHEMA regress_hostile TO regress_operator;
SET ROLE regress_operator;
SET search_path = regress_hostile, pg_catalog;
SELECT outcome, user_id FROM terra_identity.would_duplicate('WHOOP', 'never seen', 'nobody');
SELECT outcome, user_id FROM terra_identity.would_duplicate('FITBIT', 'wrist', 'ann') ORDER BY user_id;
RESET search_path;
RESET ROLE;
BEGIN;
CREATE POLICY hers ON terra_identity.connections AS RESTRICTIVE FOR SELECT TO regress_isolated USING (reference_id = 'ann');
SET LOCAL ROLE regress_isolated;
SELECT outcome, user_id FROM terra_identity.would_duplicate('FITBIT', 'wrist', 'ann');
SELECT * FROM pg_temp.would('OURA', 'ring', 'dan');
ROLLBACK;
SET ROLE regress_no_reader;
SELECT * FROM terra_identity.would_duplicate('FITBIT', 'wrist', 'ann');
RESET ROLE;
GRANT EXECUTE ON FUNCTION terra_identity.would_duplicate TO regress_no_reader;
SET ROLE regress_no_reader;
\set SHOW_CONTEXT never
SELECT * FROM terra_identity.would_duplicate('FITBIT', 'wrist', 'ann');
\set SHOW_CONTEXT errors
RESET ROLE;
DROP SCHEMA regress_hostile CASCADE;
DROP OWNED BY regress_operator, regress_isolated, regress_no_reader;
DROP ROLE regress_operator, regress_isolated, regress_no_reader;
DELETE FROM terra_identity.accepted_duplicates WHERE dev_id = 'would';
DELETE FROM terra_identity.providers WHERE provider = 'WOULD_UNUSABLE';

-- By index among many: what is read does not depend on how much there is.
SET terra_identity.dev_id = 'would many';
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01', jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', 'w' || n, 'provider', 'GARMIN', 'reference_id', 'r' || n),
                                        'athlete', jsonb_build_object('provider_user_id', 'p' || n))
FROM generate_series(1, 20000) n;
ANALYZE terra_identity.connections;
CREATE FUNCTION pg_temp.rows_read() RETURNS bigint LANGUAGE sql AS $$
    SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_all_tables WHERE relid = 'terra_identity.connections'::regclass
$$;
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT pg_temp.rows_read() AS before \gset
SELECT outcome, count(*) FROM generate_series(1, 100) n, terra_identity.would_duplicate('GARMIN', 'p' || n * 150, 'r' || n * 151) w GROUP BY outcome ORDER BY outcome;
SELECT pg_stat_force_next_flush() AS flushed \gset
SELECT CASE WHEN pg_temp.rows_read() - :before <= 2000 THEN 'by index' ELSE format('%s rows', pg_temp.rows_read() - :before) END AS questions;
