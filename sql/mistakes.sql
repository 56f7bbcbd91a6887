-- The mistakes that handlers of these webhooks make, one by one, and that this one does not make them.
SET terra_identity.dev_id = 'mistakes';
SET timezone = 'UTC';
SET datestyle = 'ISO';

CREATE VIEW pg_temp.state AS
SELECT user_id, reference_id, status, successor_user_id, terra_identity.resolve(user_id)
FROM terra_identity.connections WHERE dev_id = 'mistakes' ORDER BY connected_at, user_id;

--
-- Mistake: deduplicating on terra-reference, which the chunks of one large request share
--
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT '2024-03-01 10:00Z', jsonb_build_object('type', 'daily', 'user', jsonb_build_object('user_id', 'chunked'), 'data', jsonb_build_array(n)),
       jsonb_build_object('terra-reference', 'request 1', 'X-Terra-Trace-Id', 'trace 1:chunk:' || n)
FROM generate_series(1, 3) n;
-- A retry of the second chunk.
INSERT INTO terra_identity.events (received_at, payload, headers)
VALUES ('2024-03-01 10:10Z', '{"type": "daily", "user": {"user_id": "chunked"}, "data": [2]}',
        '{"Terra-Reference": "request 1", "x-terra-trace-id": "trace 1:chunk:2"}');
SELECT trace_id, payload -> 'data' AS data FROM terra_identity.events WHERE dev_id = 'mistakes' AND user_id = 'chunked' ORDER BY event_id;

--
-- Mistake: UPDATE ... SET user_id = new WHERE user_id = old on a reauth
--
-- The auth of the new one came first (a unique violation); the old one is unknown (nothing happens); there is none (a crash).
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 10:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "u1 old", "provider": "GARMIN", "reference_id": "una"}}'),
    ('2024-03-01 11:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "u1 new", "provider": "GARMIN", "reference_id": "una"}}'),
    ('2024-03-01 11:01Z', '{"type": "user_reauth", "status": "warning",
                            "old_user": {"user_id": "u1 old", "provider": "GARMIN", "reference_id": "una"},
                            "new_user": {"user_id": "u1 new", "provider": "GARMIN", "reference_id": "una"}}');
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 11:02Z', '{"type": "user_reauth", "status": "warning",
                            "old_user": {"user_id": "u2 never seen", "provider": "GARMIN", "reference_id": "uwe"},
                            "new_user": {"user_id": "u2 new", "provider": "GARMIN", "reference_id": "uwe"}}');
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 11:03Z', '{"type": "user_reauth", "status": "warning", "old_user": null,
                            "new_user": {"user_id": "u3 new", "provider": "GARMIN", "reference_id": "uli"}}');
SELECT * FROM pg_temp.state WHERE user_id LIKE 'u_ %';
-- What was stored under the old id is found under the new one, and the id to keep is the same.
SELECT terra_identity.lineage_of('u1 old') = terra_identity.lineage_of('u1 new') AS same_lineage,
       terra_identity.user_of(terra_identity.lineage_of('u1 old'));

--
-- Mistake: reading payload.user on user_reauth
--
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 12:00Z', '{"type": "user_reauth", "status": "warning", "user": {"user_id": "not this", "reference_id": "nor this"},
                            "old_user": {"user_id": "p old", "reference_id": "pia"}, "new_user": {"user_id": "p new", "reference_id": "pia"}}')
RETURNING user_id, reference_id, problem;
SELECT * FROM pg_temp.state WHERE user_id IN ('not this', 'p old', 'p new');

--
-- Mistake: looking a connection up by (reference_id, provider), so that a late revoke of the old id ends the new one
--
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 13:00Z', '{"type": "user_reauth", "status": "warning",
                            "old_user": {"user_id": "r old", "provider": "FITBIT", "reference_id": "rob"},
                            "new_user": {"user_id": "r new", "provider": "FITBIT", "reference_id": "rob"}}'),
    ('2024-03-01 13:10Z', '{"type": "access_revoked", "status": "warning", "user": {"user_id": "r old", "provider": "FITBIT", "reference_id": "rob"}}'),
    ('2024-03-01 13:20Z', '{"type": "deauth", "status": "success", "user": {"user_id": "r old", "provider": "FITBIT", "reference_id": "rob"}}');
SELECT * FROM pg_temp.state WHERE reference_id = 'rob';

--
-- Mistake: treating any auth as a success
--
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 14:00Z', '{"type": "auth", "status": "error", "reason": "failed to authenticate and has been deleted", "user": {"user_id": "a failed", "provider": "OURA"}}'),
    ('2024-03-01 14:01Z', '{"type": "auth", "user": {"user_id": "a untold", "provider": "OURA"}}'),
    ('2024-03-01 14:02Z', '{"type": "auth_cancelled", "status": "error", "flow_id": null, "reason": "cancelled", "reference_id": "art"}');
SELECT * FROM pg_temp.state WHERE user_id LIKE 'a %';
SELECT event_type, user_id, problem FROM terra_identity.events WHERE dev_id = 'mistakes' AND received_at >= '2024-03-01 14:00Z' ORDER BY event_id;
SELECT user_id FROM terra_identity.current_connections WHERE dev_id = 'mistakes' AND provider = 'OURA';

--
-- Mistake: letting any data event set a connection active again
--
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 15:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "d", "provider": "GARMIN", "active": true}}'),
    ('2024-03-01 15:10Z', '{"type": "deauth", "status": "success", "user": {"user_id": "d", "provider": "GARMIN", "active": true}}'),
    ('2024-03-01 15:20Z', '{"type": "daily", "user": {"user_id": "d", "provider": "GARMIN", "active": true}, "data": []}'),
    ('2024-03-01 15:30Z', '{"type": "auth", "status": "success", "user": {"user_id": "d", "provider": "GARMIN", "active": true}}');
SELECT * FROM pg_temp.state WHERE user_id = 'd';
-- The data is kept, and shown as stale.
SELECT event_type, event_time, after_end, resolved_user_id FROM terra_identity.stale_events WHERE dev_id = 'mistakes' AND user_id = 'd' ORDER BY event_time;

--
-- Mistake: deleting data, or the connection, on connection_error
--
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 16:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "e", "provider": "GARMIN"}}'),
    ('2024-03-01 16:10Z', '{"type": "connection_error", "status": "warning", "user": {"user_id": "e", "provider": "GARMIN"}}');
SELECT user_id, degraded FROM terra_identity.current_connections WHERE dev_id = 'mistakes' AND user_id = 'e';
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-01 16:20Z', '{"type": "body", "user": {"user_id": "e"}, "data": []}');
SELECT user_id, degraded FROM terra_identity.current_connections WHERE dev_id = 'mistakes' AND user_id = 'e';

--
-- Mistake: refusing an unknown user, so that it is sent again for hours
--
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 17:00Z', '{"type": "sleep", "user": {"user_id": "unknown", "provider": "oura", "reference_id": "uta"}, "data": []}');
SELECT user_id, reference_id, provider, confirmed FROM terra_identity.current_connections WHERE dev_id = 'mistakes' AND user_id = 'unknown';

--
-- Mistake: never storing athlete events, which alone name the provider account
--
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 18:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "t1", "provider": "GARMIN", "reference_id": "tom"}}'),
    ('2024-03-01 18:01Z', '{"type": "athlete", "user": {"user_id": "t1"}, "athlete": {"provider_user_id": "watch"}}'),
    ('2024-03-01 18:02Z', '{"type": "auth", "status": "success", "user": {"user_id": "t2", "provider": "GARMIN", "reference_id": "tim"}}'),
    ('2024-03-01 18:03Z', '{"type": null, "user": {"user_id": "t2"}, "athlete": {"provider_user_id": "watch"}}'),
    ('2024-03-01 18:04Z', '{"type": "deauth", "user": {"user_id": "t1"}}'),
    ('2024-03-01 18:05Z', '{"type": "auth", "status": "success", "user": {"user_id": "t3", "provider": "GARMIN", "reference_id": "tom"}}');
SELECT * FROM pg_temp.state WHERE user_id LIKE 't_';
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 18:06Z', '{"type": "athlete", "user": {"user_id": "t3"}, "data": [{"provider_user_id": "watch"}]}');
SELECT * FROM pg_temp.state WHERE user_id LIKE 't_';
SELECT user_id, reference_id, newest FROM terra_identity.duplicate_connections WHERE dev_id = 'mistakes' ORDER BY newest DESC;

SELECT terra_identity.rebuild();
SELECT * FROM terra_identity.verify();
