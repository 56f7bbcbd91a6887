-- Accounts that may be shared: reports leave them out, and nothing else changes.
SET terra_identity.dev_id = 'accepted';
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
       pg_temp.connects('ann 2', 'ann', 'FITBIT', 'wrist', '2024-03-01 12:00Z'), pg_temp.connects('bob 2', 'bob', 'FITBIT', 'wrist', '2024-03-01 13:00Z') \g /dev/null
SELECT user_id, connections FROM terra_identity.duplicate_connections WHERE dev_id = 'accepted' ORDER BY user_id;
INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id, note) VALUES ('GARMIN', 'family scale', 'one scale, one family');
SELECT dev_id, provider, provider_user_id, note, accepted_by = current_user AS by_me, accepted_at > now() - interval '1 minute' AS just_now FROM terra_identity.accepted_duplicates;
-- Reports leave it out; state and dashboard stay as they are, and the feed says so.
SELECT user_id, connections FROM terra_identity.duplicate_connections WHERE dev_id = 'accepted' ORDER BY user_id;
SELECT user_id, provider, other_user_ids FROM terra_identity.dashboard_connections WHERE dev_id = 'accepted' ORDER BY user_id;
SELECT pg_temp.connects('cid 1', 'cid', 'GARMIN', 'family scale', '2024-03-01 14:00Z'), pg_temp.connects('cid 2', 'cid', 'FITBIT', 'wrist', '2024-03-01 15:00Z') \g /dev/null
SELECT kind, user_id, detail FROM terra_identity.changes WHERE dev_id = 'accepted' AND kind LIKE 'duplicate%' ORDER BY change_id;
-- Another environment, provider or account is not meant; nor is a spelling that no connection has.
INSERT INTO terra_identity.accepted_duplicates (dev_id, provider, provider_user_id) VALUES ('elsewhere', 'FITBIT', 'wrist');
INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id) VALUES ('FITBIT', 'Wrist'), ('GARMIN', 'wrist');
SELECT count(*) FROM terra_identity.duplicate_connections WHERE dev_id = 'accepted';
\set VERBOSITY terse
INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id) VALUES ('Fitbit', 'wrist');
INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id) VALUES ('FITBIT', 'wrist ');
INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id) VALUES ('GARMIN', 'family scale');
\set VERBOSITY default
DELETE FROM terra_identity.accepted_duplicates WHERE dev_id IN ('accepted', 'elsewhere');
SELECT user_id, connections FROM terra_identity.duplicate_connections WHERE dev_id = 'accepted' ORDER BY user_id;
SELECT * FROM terra_identity.verify();

