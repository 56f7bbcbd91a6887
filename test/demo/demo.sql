-- A tour of terra_identity, for someone who has never heard of Terra. Run by "make demo".
\set QUIET on
\pset footer off
\pset null '-'
\pset border 1
SET client_min_messages = warning;

\echo
\echo 'Terra connects apps to wearables: Garmin, Fitbit, Oura, Apple ... For every wearable that a person connects,'
\echo 'Terra gives the app a user_id, and from then on sends webhooks (HTTP requests with JSON) that carry it. The'
\echo 'trouble: whenever the person reconnects, that id is deleted and another one takes its place; webhooks come late,'
\echo 'twice and in any order; and nobody says when one wearable sits under two people.'
\echo
\echo 'Here is an app''s database. It has a table of its own, app.people, and now it gets the extension:'
\echo
\echo '    CREATE EXTENSION terra_identity;'
\echo
CREATE SCHEMA app;
CREATE TABLE app.people (id text PRIMARY KEY, name text NOT NULL);
INSERT INTO app.people VALUES ('alice', 'Alice Ames'), ('bob', 'Bob Berg');
CREATE EXTENSION terra_identity;

\echo '== 1. Every kind of webhook, once =='
\echo
\echo 'The app''s webhook handler does one thing with each request: it inserts the body.'
\echo
\echo '    INSERT INTO terra_identity.events (payload)'
\echo '        VALUES (''{"type": "auth", "status": "success", "user": {...}}'');'
\echo
\echo 'Here are webhooks of all the types that Terra sends, in an environment of their own (dev_id "tour"):'
\echo

CREATE TEMPORARY TABLE tour (number int GENERATED ALWAYS AS IDENTITY, payload jsonb);
INSERT INTO tour (payload) VALUES
    ('{"type": "auth", "status": "success", "message": "User has successfully authenticated",
      "widget_session_id": "5d1b9f0e-0b1f-4d0b-9f3a-1f2e3d4c5b6a", "user": {"user_id": "7a1c-tour",
      "provider": "OURA", "reference_id": "tour", "scopes": "DAILY,SLEEP", "active": true,
      "last_webhook_update": null, "created_at": "2026-03-01T08:00:00.000000+00:00"}}'),
    ('{"type": "athlete", "version": "2022-03-16", "user": {"user_id": "7a1c-tour", "provider": "OURA",
      "reference_id": "tour", "active": true}, "athlete": {"provider_user_id": "OU-5521", "first_name": "Tess"}}'),
    ('{"type": "permission_change", "status": "warning", "scopes_added": "WORKOUT", "scopes_removed": "",
      "user": {"user_id": "7a1c-tour", "provider": "OURA", "reference_id": "tour", "scopes": "DAILY,SLEEP,WORKOUT",
      "active": true}}'),
    ('{"type": "connection_error", "status": "warning", "message": "the provider rejected the access token",
      "user": {"user_id": "7a1c-tour", "provider": "OURA", "reference_id": "tour", "active": true}}'),
    ('{"type": "google_no_datasource", "user": {"user_id": "7a1c-tour", "provider": "OURA", "reference_id": "tour"}}'),
    ('{"type": "user_reauth", "status": "warning", "old_user": {"user_id": "7a1c-tour", "provider": "OURA",
      "reference_id": "tour", "active": false}, "new_user": {"user_id": "8b2d-tour", "provider": "OURA",
      "reference_id": "tour", "active": true}}'),
    ('{"type": "access_revoked", "status": "warning", "user": {"user_id": "9c3e-tour", "provider": "FITBIT",
      "reference_id": "tour", "active": false}}'),
    ('{"type": "deauth", "status": "success", "user": {"user_id": "ad4f-tour", "provider": "POLAR",
      "reference_id": "tour", "active": false}}'),
    ('{"type": "auth", "status": "error", "reason": "failed to authenticate and has been deleted",
      "user": {"user_id": "be50-tour", "provider": "WHOOP", "reference_id": "tour"}}'),
    ('{"type": "auth_cancelled", "status": "error", "flow_id": "f1", "reason": "access_denied",
      "reference_id": "tour"}');
INSERT INTO tour (payload)
SELECT jsonb_build_object('type', type, 'version', '2022-03-16', 'data', '[{"metadata": {"upload_type": 0}}]'::jsonb,
                          'user', '{"user_id": "8b2d-tour", "provider": "OURA", "reference_id": "tour",
                                    "active": true}'::jsonb)
FROM unnest(ARRAY['activity', 'body', 'daily', 'sleep', 'nutrition', 'menstruation', 'planned_workout', 'hormone',
                  'health_observation']) type;
INSERT INTO tour (payload)
SELECT jsonb_build_object('type', type, 'reference', 'c0ffee00-0000-4000-8000-000000000001',
                          'user', '{"user_id": "8b2d-tour", "provider": "OURA", "reference_id": "tour",
                                    "active": true}'::jsonb)
FROM unnest(ARRAY['large_request_processing', 'large_request_sending', 'processing', 'rate_limit_hit']) type;
INSERT INTO tour (payload) VALUES
    ('{"type": "s3_payload", "status": "success", "url": "https://bucket.example/payload.json", "expires_in": 300}'),
    ('{"type": "healthcheck", "creation_timestamp": "2026-03-01", "trend_percentage": 0,
      "sent_webhooks_last_hour": 0}'),
    ('{"type": "lab_report.completed", "event_id": "evt_1", "upload_id": "upl_1", "data": {"reference_id": "tour",
      "results": []}}'),
    ('{"type": "lab_report.failed", "event_id": "evt_2", "data": {"reference_id": "tour",
      "error": {"code": "file_unreadable"}}}'),
    ('{"type": "something_new", "note": "Terra may add types at any time"}'),
    ('{"type": "auth", "status": "success"}');

INSERT INTO terra_identity.events (dev_id, payload) SELECT 'tour', payload FROM tour ORDER BY number;

SELECT event_type AS "type", count(*) AS events, max(user_id) AS "user_id", max(problem) AS problem
FROM terra_identity.events WHERE dev_id = 'tour'
GROUP BY event_type ORDER BY min(event_id);

\echo 'Nothing is refused and nothing is lost. The last one, an auth without a user, is kept with the problem that it'
\echo 'has. From the others follows one row for each connection, with what became of it:'
\echo
SELECT user_id, provider, status, successor_user_id, provider_user_id, scopes
FROM terra_identity.connections WHERE dev_id = 'tour' ORDER BY connection_id;

\echo '== 2. Alice connects her watch, and reconnects =='
\echo
\echo 'On Monday Alice connects her Garmin. Terra calls the connection "a-monday"; the app knows her as "alice". An'
\echo 'athlete webhook tells which Garmin account it is: G-42.'
\echo
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2026-03-02 09:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "a-monday", "provider": "GARMIN",
      "reference_id": "alice", "scopes": "ACTIVITY_EXPORT", "active": true}}'),
    ('2026-03-02 09:01Z', '{"type": "athlete", "user": {"user_id": "a-monday", "provider": "GARMIN",
      "reference_id": "alice"}, "athlete": {"provider_user_id": "G-42"}}'),
    ('2026-03-02 21:00Z', '{"type": "daily", "user": {"user_id": "a-monday", "provider": "GARMIN",
      "reference_id": "alice"}, "data": [{}]}');

SELECT reference_id, provider, user_id, lineage_id, provider_user_id, confirmed FROM terra_identity.current_connections
    WHERE dev_id = 'default';

\echo 'On Tuesday she signs in again. Terra deletes "a-monday" and gives her "a-tuesday". The webhooks about it arrive'
\echo 'in a mess: the auth of the new id comes twice, with the reauth between, and a day late comes the deauth of the'
\echo 'old id. It must not end the new one.'
\echo
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2026-03-03 10:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "a-tuesday",
      "provider": "GARMIN", "reference_id": "alice", "scopes": "ACTIVITY_EXPORT", "active": true}}'),
    ('2026-03-03 10:01Z', '{"type": "user_reauth", "status": "warning", "old_user": {"user_id": "a-monday",
      "provider": "GARMIN", "reference_id": "alice", "active": false}, "new_user": {"user_id": "a-tuesday",
      "provider": "GARMIN", "reference_id": "alice", "active": true}}'),
    ('2026-03-03 10:05Z', '{"type": "auth", "status": "success", "user": {"user_id": "a-tuesday",
      "provider": "GARMIN", "reference_id": "alice", "scopes": "ACTIVITY_EXPORT", "active": true}}'),
    ('2026-03-04 10:00Z', '{"type": "deauth", "status": "success", "user": {"user_id": "a-monday",
      "provider": "GARMIN", "reference_id": "alice", "active": false}}');

\echo 'The current connections: one, the new id, on the same account (Terra did not even have to say so again).'
\echo
SELECT reference_id, provider, user_id, lineage_id, provider_user_id, confirmed FROM terra_identity.current_connections
    WHERE dev_id = 'default';

\echo 'The lineage: all the ids that Alice''s watch has had, oldest first. The app keeps lineage_id, which stays.'
\echo
SELECT user_id, lineage_id, status, successor_user_id, ended_at AT TIME ZONE 'UTC' AS ended_at
    FROM terra_identity.lineage('a-monday');

\echo 'An old id, found in some old row of the app, still leads to the right one: resolve(''a-monday'')'
\echo
SELECT terra_identity.resolve('a-monday');

\echo '== 3. Someone else connects the same watch account =='
\echo
\echo 'On Friday Bob signs in on his phone, with Alice''s Garmin account. Is it still Alice''s? That depends on the'
\echo 'version of Terra''s API, and Terra does not say. The extension knows both rules. The careful one, "keep", is the'
\echo 'default: Alice''s connection lives on.'
\echo
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2026-03-06 18:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "b-friday", "provider": "GARMIN",
      "reference_id": "bob", "scopes": "ACTIVITY_EXPORT", "active": true}}'),
    ('2026-03-06 18:01Z', '{"type": "athlete", "user": {"user_id": "b-friday", "provider": "GARMIN",
      "reference_id": "bob"}, "athlete": {"provider_user_id": "G-42"}}');

SELECT reference_id, provider, user_id, lineage_id, provider_user_id FROM terra_identity.current_connections
    WHERE dev_id = 'default' ORDER BY lineage_id;

\echo 'But now one account feeds two people. That is a duplicate, and here it is told:'
\echo
SELECT d.provider, d.provider_user_id, d.reference_id, p.name, d.user_id, d.newest
FROM terra_identity.duplicate_connections d LEFT JOIN app.people p ON p.id = d.reference_id
WHERE d.dev_id = 'default' ORDER BY d.connected_at;

\echo 'Terra''s dashboard shows only the newest of them, which is why it does not match the webhooks that keep'
\echo 'arriving:'
\echo
SELECT provider, provider_user_id, user_id AS "shown user_id", reference_id AS "shown reference_id",
    other_user_ids AS "also sending"
FROM terra_identity.dashboard_connections WHERE dev_id = 'default';

\echo 'An app on Terra''s current API says so once. There, Bob''s connection takes the account away from Alice:'
\echo
\echo '    UPDATE terra_identity.environments SET account_policy = ''replace'' WHERE dev_id = ''default'';'
\echo
UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'default';

\echo 'The current connections:'
\echo
SELECT reference_id, provider, user_id, lineage_id, provider_user_id FROM terra_identity.current_connections
    WHERE dev_id = 'default';

\echo 'The duplicates: none any more. Instead there is a transfer:'
\echo
SELECT count(*) AS duplicates FROM terra_identity.duplicate_connections WHERE dev_id = 'default';
SELECT provider, provider_user_id, from_reference_id, from_user_id, to_reference_id, to_user_id,
    transferred_at AT TIME ZONE 'UTC' AS transferred_at
FROM terra_identity.transferred_accounts WHERE dev_id = 'default';

\echo 'And what is Alice''s oldest id now? Nothing, rather than Bob''s data: resolve never crosses from one person to'
\echo 'another by a guess.'
\echo
SELECT terra_identity.resolve('a-monday') AS "a-monday", terra_identity.resolve('b-friday') AS "b-friday";

\echo 'Everything that happened, as a feed that the app can follow:'
\echo
SELECT kind, user_id, lineage_id, reference_id, detail FROM terra_identity.changes
    WHERE dev_id = 'default' ORDER BY change_id;

\echo '== 4. Why? =='
\echo
\echo 'Alice writes to support: her watch is gone. What happened to her last id? explain(''a-tuesday'') says it, in the'
\echo 'order in which it happened, with the rule that decided:'
\echo
\pset format unaligned
\pset tuples_only on
\pset fieldsep '  '
SELECT '    ' || coalesce(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), 'So it is now:   '), sentence
    FROM terra_identity.explain('a-tuesday');

\echo
\echo 'And as a picture, for a page that draws Mermaid, such as a comment on GitHub: explain_graph(''a-tuesday'')'
\echo
SELECT terra_identity.explain_graph('a-tuesday');
\pset format aligned
\pset tuples_only off

\echo 'All this follows from the set of webhooks alone. A check of the state against the ledger finds differences:'
\echo
SELECT count(*) AS differences FROM terra_identity.verify();
