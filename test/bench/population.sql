-- Connections and their ledger, set-wise: what the extension would have made of the same events (verify() agrees).
-- :connections of them, the first :duplicates in pairs that share a provider account; :each ledger rows apiece, an
-- auth, an athlete and data. One transaction, tables emptied and indexes built last: under wal_level minimal none of it
-- is logged.
BEGIN;
SET LOCAL session_replication_role = replica;
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL timezone = 'UTC';
TRUNCATE terra_identity.events, terra_identity.connections, terra_identity.changes;
UPDATE pg_index SET indisready = false, indisvalid = false
WHERE indrelid IN ('terra_identity.events'::regclass, 'terra_identity.connections'::regclass,
                   'terra_identity.changes'::regclass);

CREATE FUNCTION pg_temp.number(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN (:first + n * :factor % :modulus)::text;
CREATE FUNCTION pg_temp.received(event_id bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    RETURN timestamptz '2026-01-01 00:00Z' + event_id * interval '1 millisecond';
-- The number of the account: of a pair, that of its first.
CREATE FUNCTION pg_temp.account(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN 'G-' || pg_temp.number(n - CASE WHEN n <= :duplicates THEN (n + 1) % 2 ELSE 0 END);

INSERT INTO terra_identity.events (
    event_id, dev_id, received_at, payload, event_type, user_id, reference_id, provider, event_time, contributes)
OVERRIDING SYSTEM VALUE
SELECT e.event_id, 'default', e.received_at,
       (kind.head || e.user_id || '","provider":"GARMIN","reference_id":"' || e.reference_id || '"' ||
        kind.tail || CASE kind.place WHEN 1 THEN pg_temp.account(e.n) || '"}}' ELSE '' END)::jsonb,
       kind.event_type, e.user_id, e.reference_id, 'GARMIN', e.received_at, kind.place < 2
FROM (VALUES (0, 'auth', '{"type":"auth","status":"success","user":{"user_id":"',
              ',"scopes":"' || :'scopes' || '"}}'),
             (1, 'athlete', '{"type":"athlete","user":{"user_id":"',
              ',"scopes":"' || :'scopes' || '"},"athlete":{"provider_user_id":"'),
             (2, 'daily', '{"type":"daily","user":{"user_id":"', '},"data":[]}')) kind (place, event_type, head, tail),
     generate_series(kind.place, CASE kind.place WHEN 2 THEN :each - 1 ELSE kind.place END) round,
     LATERAL (SELECT n, round * :connections + n AS event_id,
                     pg_temp.received(round * :connections + n) AS received_at,
                     :'known' || pg_temp.number(n) AS user_id, 'member-' || pg_temp.number(n) AS reference_id
              FROM generate_series(1, :connections) n) e;

INSERT INTO terra_identity.connections (
    connection_id, dev_id, user_id, lineage_id, reference_id, provider, provider_user_id, status, confirmed, scopes,
    first_seen_at, connected_at, live, dated, own_provider_user_id, own_provider_user_id_at, provider_at,
    reference_id_at,
    scopes_at, duplicate, user_uuid)
OVERRIDING SYSTEM VALUE
SELECT n, 'default', :'known' || pg_temp.number(n), n, 'member-' || pg_temp.number(n), 'GARMIN', pg_temp.account(n),
       'active', true, :'scopes', pg_temp.received(n), pg_temp.received(n), true, true, pg_temp.account(n),
       identified_at,
       identified_at, identified_at, identified_at, n <= :duplicates, (:'known' || pg_temp.number(n))::uuid
FROM generate_series(1, :connections) n, LATERAL (SELECT pg_temp.received(:connections + n) AS identified_at) at;

INSERT INTO terra_identity.changes (change_id, changed_at, event_id, kind, dev_id, user_id, lineage_id, reference_id)
OVERRIDING SYSTEM VALUE
SELECT n, pg_temp.received(n), n, 'connected', 'default', :'known' || pg_temp.number(n), n,
       'member-' || pg_temp.number(n)
FROM generate_series(1, :connections) n;

REINDEX TABLE terra_identity.events;
REINDEX TABLE terra_identity.connections;
REINDEX TABLE terra_identity.changes;
SELECT setval('terra_identity.events_event_id_seq', :connections * :each),
       setval('terra_identity.connections_connection_id_seq', :connections),
       setval('terra_identity.changes_change_id_seq', :connections);
COMMIT;
