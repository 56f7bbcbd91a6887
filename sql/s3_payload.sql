-- A delivery whose content lies behind a URL: what is fetched is an event of its own, and is known to have been fetched
-- (docs/questions/s3-payload-urls.md).
SET terra_identity.dev_id = 's3';
SET timezone = 'UTC';
CREATE VIEW pg_temp.not_fetched AS
SELECT e.dev_id, e.event_id, e.payload ->> 'url' AS url FROM terra_identity.events e
WHERE e.user_id IS NULL AND e.event_type IN ('s3_payload', 's3_upload') AND e.dev_id = 's3' AND NOT EXISTS (
    SELECT FROM terra_identity.deliveries d
    WHERE d.trace_id = e.trace_id AND d.dev_id = e.dev_id AND d.event_id <> e.event_id);
PREPARE fetched (text, bigint, jsonb) AS
INSERT INTO terra_identity.events (dev_id, received_at, headers, payload)
SELECT e.dev_id, e.received_at, e.headers, $3 FROM terra_identity.events e
WHERE e.dev_id = $1 AND e.event_id = $2;

INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT '2026-03-01 08:00:05Z', jsonb_build_object('type', 's3_payload', 'status', 'success', 'url', 'https://example.com/' || n, 'expires_in', 300),
       jsonb_build_object('X-Terra-Trace-Id', 's3 ' || n, 'X-Terra-Ordering-Timestamp', '1772352000000')
FROM generate_series(1, 3) n;
SELECT url FROM pg_temp.not_fetched ORDER BY event_id;
SELECT count(*) AS connections FROM terra_identity.connections WHERE dev_id = 's3';
SELECT event_id AS first FROM pg_temp.not_fetched WHERE url LIKE '%1' \gset
SELECT event_id AS second FROM pg_temp.not_fetched WHERE url LIKE '%2' \gset
EXECUTE fetched('s3', :first, '{"type": "auth", "status": "success", "user": {"user_id": "behind", "provider": "OURA", "reference_id": "sue"}}');
EXECUTE fetched('s3', :second, '{"type": "athlete", "athlete": {"provider_user_id": "S-1"}, "user": {"user_id": "behind", "provider": "OURA"}}');
-- Once more, by another worker.
EXECUTE fetched('s3', :second, '{"type": "athlete", "athlete": {"provider_user_id": "S-1"}, "user": {"user_id": "behind", "provider": "OURA"}}');
SELECT url FROM pg_temp.not_fetched;
SELECT event_type, user_id, event_time, received_at, problem FROM terra_identity.events WHERE dev_id = 's3' AND user_id IS NOT NULL ORDER BY event_id;
SELECT user_id, status, reference_id, provider_user_id, first_seen_at FROM terra_identity.connections WHERE dev_id = 's3';
SELECT count(*) AS differences FROM terra_identity.verify();
DEALLOCATE fetched;
