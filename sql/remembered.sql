-- What a session remembers between statements, the rules and the settled connections, is never older than the tables.
SET terra_identity.dev_id = 'remembered';
CREATE FUNCTION pg_temp.auth(user_id text, reference_id text, provider text DEFAULT 'GARMIN') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'auth', 'status', 'success',
        'user', jsonb_build_object('user_id', user_id, 'provider', provider, 'reference_id', reference_id, 'scopes', 'daily'))
$$;
CREATE FUNCTION pg_temp.athlete(user_id text, reference_id text, account text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', user_id, 'provider', 'GARMIN', 'reference_id', reference_id),
        'athlete', jsonb_build_object('provider_user_id', account))
$$;
CREATE FUNCTION pg_temp.data(user_id text, created_at text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'daily', 'user', jsonb_build_object('user_id', user_id, 'provider', 'FITBIT', 'created_at', created_at))
$$;
CREATE VIEW pg_temp.mine AS
    SELECT user_id, reference_id, status, successor_user_id FROM terra_identity.connections WHERE dev_id = 'remembered' ORDER BY user_id;

-- Rules. One statement that changes them and uses them, a change that is taken back, one that fires no ordinary trigger.
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.auth('a1', 'ann')), (pg_temp.athlete('a1', 'ann', 'watch'));
WITH changed AS (INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('remembered', 'replace'))
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.auth('b1', 'bob')), (pg_temp.athlete('b1', 'bob', 'watch'));
SELECT * FROM pg_temp.mine;
BEGIN;
SAVEPOINT before;
UPDATE terra_identity.environments SET account_policy = 'keep' WHERE dev_id = 'remembered';
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.auth('c1', 'cid')), (pg_temp.athlete('c1', 'cid', 'watch'));
SELECT * FROM pg_temp.mine;
ROLLBACK TO before;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.auth('c2', 'cid')), (pg_temp.athlete('c2', 'cid', 'watch'));
COMMIT;
SELECT * FROM pg_temp.mine;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.auth('g0', 'gil'));
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.athlete('g0', 'gil', 'band'));
SET session_replication_role = replica;
UPDATE terra_identity.environment_settings SET account_policy = 'keep' WHERE dev_id = 'remembered';
RESET session_replication_role;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.auth('g1', 'gil'));
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.athlete('g1', 'gil', 'scale'));
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.auth('g2', 'gus'));
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.athlete('g2', 'gus', 'scale'));
SELECT user_id, status FROM pg_temp.mine WHERE user_id LIKE 'g%';
SELECT terra_identity.rebuild() > 0 AS changed;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.auth('d1', 'dan')), (pg_temp.athlete('d1', 'dan', 'watch'));
SELECT * FROM pg_temp.mine;
SELECT * FROM terra_identity.verify();

-- Settled connections. Data says nothing new of them, but an earlier time does; a transaction's own may be taken back.
INSERT INTO terra_identity.events (payload, received_at) VALUES (pg_temp.data('a1'), '2100-01-01'), (pg_temp.data('a1'), '2100-01-02');
INSERT INTO terra_identity.events (payload, received_at) VALUES (pg_temp.data('a1', '2020-05-05T00:00Z'), '2100-01-03');
INSERT INTO terra_identity.events (payload, received_at) VALUES (pg_temp.data('a1'), '2020-04-04');
SELECT received_at, contributes FROM terra_identity.events WHERE dev_id = 'remembered' AND user_id = 'a1' AND event_type = 'daily' ORDER BY event_id;
SELECT created_at, first_seen_at FROM terra_identity.connections WHERE dev_id = 'remembered' AND user_id = 'a1';
BEGIN;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.auth('e1', 'eve'));
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.data('e1'));
ROLLBACK;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.data('e1'));
SELECT user_id, confirmed FROM terra_identity.connections WHERE dev_id = 'remembered' AND user_id = 'e1';

-- Nor is the end user whom a connection had.
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.data('a1')), ('{"type": "auth", "status": "success", "user": {"user_id": "a1", "provider": "POLAR", "reference_id": "zoe"}}');
INSERT INTO terra_identity.events (payload) SELECT '{"type": "daily", "user": {"user_id": "a1"}}'::jsonb || jsonb_build_object('reference_id', person) FROM unnest('{zoe,ann}'::text[]) person;
SELECT reference_id, disputes_reference FROM terra_identity.events WHERE dev_id = 'remembered' AND user_id = 'a1' AND event_type = 'daily' ORDER BY event_id DESC LIMIT 2;

-- A rebuild from a ledger that lost events takes facts back: data tells of the connection again.
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.auth('f1', 'fay'));
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.data('f1'));
SET session_replication_role = replica;
DELETE FROM terra_identity.events WHERE dev_id = 'remembered' AND user_id = 'f1';
RESET session_replication_role;
SELECT terra_identity.rebuild() AS changed;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.data('f1'));
SELECT user_id, confirmed FROM terra_identity.connections WHERE dev_id = 'remembered' AND user_id = 'f1';
SELECT * FROM terra_identity.verify();

--
-- What a statement saw of its own changes, and then took back, is not remembered
--
SET terra_identity.dev_id = 'remembered rule';
INSERT INTO terra_identity.environments (dev_id) VALUES ('remembered rule');
CREATE FUNCTION pg_temp.deliver(user_id text) RETURNS text LANGUAGE sql AS $$
    SELECT outcome FROM terra_identity.ingest(format('{"type": "auth", "status": "success",
        "user": {"user_id": "%s", "provider": "POLAR", "reference_id": "%s"}}', user_id, user_id)) $$;
UPDATE terra_identity.environment_settings SET account_policy = 'replace' WHERE dev_id = 'remembered rule'
RETURNING pg_temp.deliver('r1'), pg_temp.deliver('r2'), 1 / (length(account_policy) - 7);
SELECT pg_temp.deliver('r3');
SELECT user_id, account_exclusive FROM terra_identity.connections WHERE dev_id = 'remembered rule';
SELECT * FROM terra_identity.verify();

-- Nor that no signature is required, as it looked while the secrets were deleted.
SET terra_identity.dev_id = 'remembered secret';
SELECT terra_identity.set_signing_secret('secret') > 0 AS set;
DELETE FROM terra_identity.environments WHERE dev_id = 'remembered secret';
BEGIN;
DELETE FROM terra_identity.signing_secrets WHERE dev_id = 'remembered secret';
SELECT pg_temp.deliver('s1'), pg_temp.deliver('s2');
ROLLBACK;
SELECT pg_temp.deliver('s3');
DELETE FROM terra_identity.signing_secrets WHERE dev_id = 'remembered secret';
SELECT pg_temp.deliver('s4'), pg_temp.deliver('s5');
INSERT INTO terra_identity.signing_secrets (dev_id, secret) VALUES ('remembered secret', 'secret');
SELECT pg_temp.deliver('s6');
