-- The ledger on another disk (docs/scale.md): sessions that have written go on, in the table where it is now.
SET terra_identity.dev_id = 'tablespace';
SET client_min_messages = warning;
SET allow_in_place_tablespaces = true;
CREATE TABLESPACE regress_large LOCATION '';
INSERT INTO terra_identity.events (received_at, payload, headers) VALUES
    ('2026-03-01', '{"type": "auth", "status": "success", "user": {"user_id": "a", "provider": "GARMIN", "reference_id": "ann"}}', '{"X-Terra-Trace-Id": "1"}');
ALTER TABLE terra_identity.events SET TABLESPACE regress_large;
INSERT INTO terra_identity.events (received_at, payload, headers) VALUES
    ('2026-03-01', '{"type": "auth", "status": "success", "user": {"user_id": "a", "provider": "GARMIN", "reference_id": "ann"}}', '{"X-Terra-Trace-Id": "1"}'),
    ('2026-03-02', '{"type": "user_reauth", "old_user": {"user_id": "a", "provider": "GARMIN", "reference_id": "ann"}, "new_user": {"user_id": "b", "provider": "GARMIN", "reference_id": "ann"}}', '{"X-Terra-Trace-Id": "2"}'),
    ('2026-03-03', '{"type": "daily", "user": {"user_id": "b"}, "data": []}', '{"X-Terra-Trace-Id": "3"}');
SELECT trace_id, event_type, user_id FROM terra_identity.events WHERE dev_id = 'tablespace' ORDER BY event_id;
SELECT terra_identity.resolve('a'), (SELECT string_agg(kind, ' ' ORDER BY at, event_id) FROM terra_identity.explain('a')) AS explained;
SELECT * FROM terra_identity.verify();
ALTER TABLE terra_identity.events SET TABLESPACE pg_default;
DROP TABLESPACE regress_large;
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2026-03-04', '{"type": "deauth", "user": {"user_id": "b"}}');
SELECT user_id, status FROM terra_identity.connections WHERE dev_id = 'tablespace' ORDER BY user_id;
SELECT terra_identity.rebuild(), (SELECT count(*) FROM terra_identity.verify()) AS differences;
