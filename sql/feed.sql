-- The feed of changes: one row for each transition of a connection, of every kind.
SET terra_identity.dev_id = 'feed';
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- Inserts one event; what it changed, with the event that is named, is printed.
CREATE FUNCTION pg_temp.tell(at time, payload jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    last bigint := coalesce((SELECT max(change_id) FROM terra_identity.changes), 0);
    told bigint;
BEGIN
    INSERT INTO terra_identity.events (received_at, payload) VALUES ((date '2024-03-01' + at) AT TIME ZONE 'UTC', payload) RETURNING event_id INTO told;
    RETURN QUERY
    SELECT concat_ws(' ', c.kind, c.user_id, 'of ' || c.reference_id, pg_temp.without_ids(c.detail)::text,
                     CASE WHEN c.event_id IS DISTINCT FROM told THEN 'BY ANOTHER EVENT' END,
                     CASE WHEN c.lineage_id <> terra_identity.lineage_of(c.user_id) THEN 'OF ANOTHER LINEAGE' END)
    FROM terra_identity.changes c WHERE c.dev_id = current_setting('terra_identity.dev_id') AND c.change_id > last ORDER BY c.change_id;
END $$;
-- A lineage_id of the detail as the user_id whose connection_id it is.
CREATE FUNCTION pg_temp.without_ids(detail jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(key, CASE WHEN key LIKE '%lineage_id' THEN
        to_jsonb((SELECT 'that of ' || user_id FROM terra_identity.connections WHERE connection_id = value::bigint)) ELSE value END)
    FROM jsonb_each(detail)
$$;
CREATE FUNCTION pg_temp.auth(user_id text, reference_id text DEFAULT NULL, provider text DEFAULT 'GARMIN') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id', $1, 'provider', $3, 'reference_id', $2))
$$;
CREATE FUNCTION pg_temp.event(type text, user_id text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', $1, 'user', jsonb_build_object('user_id', $2)) || $3
$$;
CREATE FUNCTION pg_temp.athlete(user_id text, account text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT pg_temp.event('athlete', $1, jsonb_build_object('athlete', jsonb_build_object('provider_user_id', $2)))
$$;
CREATE FUNCTION pg_temp.reauth(old_id text, new_id text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'user_reauth', 'old_user', jsonb_build_object('user_id', $1), 'new_user', jsonb_build_object('user_id', $2))
$$;

-- One person connects, is identified, is told about twice, has data, an error and other scopes.
SELECT * FROM pg_temp.tell('10:00', pg_temp.auth('a1', 'ann'));
SELECT * FROM pg_temp.tell('10:01', pg_temp.athlete('a1', 'wrist'));
SELECT * FROM pg_temp.tell('10:02', pg_temp.auth('a1', 'ann'));
SELECT * FROM pg_temp.tell('10:03', pg_temp.athlete('a1', 'wrist'));
SELECT * FROM pg_temp.tell('10:04', pg_temp.event('daily', 'a1'));
SELECT * FROM pg_temp.tell('10:05', pg_temp.event('connection_error', 'a1'));
SELECT * FROM pg_temp.tell('10:06', '{"type": "permission_change", "user": {"user_id": "a1", "scopes": "all"}}');
SELECT * FROM pg_temp.tell('10:07', '{"type": "permission_change", "user": {"user_id": "a1", "scopes": "some"}}');
SELECT * FROM pg_temp.tell('10:08', '[]');
SELECT * FROM pg_temp.tell('10:09', '{"type": "permission_change", "user": {"user_id": "a1", "reference_id": "Ann"}}');
SELECT * FROM pg_temp.tell('10:10', '{"type": "permission_change", "user": {"user_id": "a1", "reference_id": "ann"}}');
SELECT * FROM pg_temp.tell('10:11', '{"type": "permission_change", "user": {"user_id": "a1", "provider": "polar"}}');
SELECT * FROM pg_temp.tell('10:12', '{"type": "permission_change", "user": {"user_id": "a1", "provider": "garmin"}}');
SELECT * FROM pg_temp.tell('10:13', pg_temp.athlete('a1', 'ankle'));
SELECT * FROM pg_temp.tell('10:14', pg_temp.athlete('a1', 'wrist'));

-- She reconnects: by a reauth, and by a new auth of the same account, told before or after it is known.
SELECT * FROM pg_temp.tell('11:00', pg_temp.reauth('a1', 'a2'));
SELECT * FROM pg_temp.tell('11:01', pg_temp.auth('a2', 'ann'));
SELECT * FROM pg_temp.tell('12:00', pg_temp.auth('a3', 'ann'));
SELECT * FROM pg_temp.tell('12:01', pg_temp.athlete('a3', 'wrist'));
SELECT * FROM pg_temp.tell('13:00', pg_temp.event('deauth', 'a3'));
SELECT * FROM pg_temp.tell('13:01', pg_temp.event('deauth', 'a3'));
SELECT * FROM pg_temp.tell('14:00', pg_temp.reauth('a3', 'a4'));

-- The ends and a revival. An end at first sight is one all the same.
SELECT * FROM pg_temp.tell('15:00', pg_temp.event('access_revoked', 'a4'));
SELECT * FROM pg_temp.tell('15:01', pg_temp.event('auth', 'a4', '{"status": "error"}'));
SELECT * FROM pg_temp.tell('15:02', '{"type": "auth", "status": "success", "user": {"user_id": "a4", "created_at": "2024-03-01T15:02:00Z"}}');
SELECT * FROM pg_temp.tell('15:03', pg_temp.event('auth', 'f', '{"status": "error"}'));
SELECT * FROM pg_temp.tell('15:04', pg_temp.event('deauth', 'd'));
SELECT * FROM pg_temp.tell('15:05', pg_temp.event('access_revoked', 'r'));
SELECT * FROM pg_temp.tell('15:06', pg_temp.event('daily', 'seen in passing'));

-- Another person on the same account: a duplicate opens and closes.
SELECT * FROM pg_temp.tell('16:00', pg_temp.auth('b1', 'bob'));
SELECT * FROM pg_temp.tell('16:01', pg_temp.athlete('b1', 'wrist'));
SELECT * FROM pg_temp.tell('16:02', pg_temp.auth('c1', 'cid'));
SELECT * FROM pg_temp.tell('16:03', pg_temp.athlete('c1', 'wrist'));
SELECT * FROM pg_temp.tell('16:04', pg_temp.auth('c2', 'cid'));
SELECT * FROM pg_temp.tell('16:05', pg_temp.athlete('c2', 'wrist'));

-- Under replace it is a transfer instead. A changed rule has no event.
SELECT max(change_id) AS last FROM terra_identity.changes \gset
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('feed', 'replace');
SELECT kind, user_id, event_id, detail FROM terra_identity.changes WHERE dev_id = 'feed' AND change_id > :last ORDER BY user_id, change_id;
SELECT * FROM pg_temp.tell('17:00', pg_temp.auth('e1', 'eve'));
SELECT * FROM pg_temp.tell('17:01', pg_temp.athlete('e1', 'wrist'));
SELECT max(change_id) AS last FROM terra_identity.changes \gset
UPDATE terra_identity.environments SET account_policy = 'keep' WHERE dev_id = 'feed';
SELECT kind, user_id, event_id, detail FROM terra_identity.changes WHERE dev_id = 'feed' AND change_id > :last ORDER BY user_id, change_id;

-- The duplicate closes as people leave the account: by an end, by another account, as another's.
SELECT * FROM pg_temp.tell('18:00', pg_temp.event('deauth', 'c2'));
SELECT * FROM pg_temp.tell('18:01', pg_temp.athlete('b1', 'ankle'));
SELECT * FROM pg_temp.tell('18:02', pg_temp.athlete('b1', 'wrist'));
SELECT * FROM pg_temp.tell('18:03', '{"type": "permission_change", "user": {"user_id": "b1", "reference_id": "eve"}}');

-- Lineages that turn out to be one; a cycle.
SELECT * FROM pg_temp.tell('19:00', pg_temp.auth('h1', 'hal'));
SELECT * FROM pg_temp.tell('19:01', pg_temp.reauth('c2', 'h1'));
SELECT * FROM pg_temp.tell('20:00', pg_temp.reauth('y1', 'y2'));
SELECT * FROM pg_temp.tell('20:01', pg_temp.reauth('y2', 'y1'));

-- An account that reaches a suspicious number of end users: told once, and again only if it had become smaller.
SELECT pg_temp.tell(time '20:30' + n * interval '1 minute', pg_temp.auth('m' || n, 'member ' || n)),
       pg_temp.tell(time '20:30' + n * interval '1 minute' + interval '1 second', pg_temp.athlete('m' || n, 'crowded'))
FROM generate_series(1, 6) n;
SELECT * FROM pg_temp.tell('20:40', pg_temp.event('deauth', 'm6'));
SELECT * FROM pg_temp.tell('20:41', pg_temp.event('deauth', 'm5'));
SELECT * FROM pg_temp.tell('20:42', pg_temp.auth('m7', 'member 7'));
SELECT * FROM pg_temp.tell('20:43', pg_temp.athlete('m7', 'crowded'));

-- A user_reauth that names no old connection, while others of the same end user and provider are active.
SELECT * FROM pg_temp.tell('20:50', pg_temp.auth('n1', 'nan'));
SELECT * FROM pg_temp.tell('20:51', pg_temp.auth('n2', 'nan'));
SELECT * FROM pg_temp.tell('20:52', pg_temp.auth('n3', 'nan', 'FITBIT'));
SELECT * FROM pg_temp.tell('20:53', '{"type": "user_reauth", "old_user": null, "new_user": {"user_id": "n4", "provider": "GARMIN"}}');
SELECT * FROM pg_temp.tell('20:54', '{"type": "user_reauth", "old_user": null, "new_user": {"user_id": "n5", "provider": "GARMIN", "reference_id": "nan"}}');

-- Data that names another end user: told once for each that it names, by every way in, and never of what is under way.
CREATE FUNCTION pg_temp.data(type text, person text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT pg_temp.event($1, 'o1', jsonb_build_object('reference_id', $2))
$$;
SELECT * FROM pg_temp.tell('20:55', pg_temp.auth('o1', 'ola'));
SELECT * FROM pg_temp.tell('20:54', pg_temp.data('daily', 'old app''s ola'));
SELECT * FROM pg_temp.tell('20:56', pg_temp.data('daily', 'pia'));
SELECT * FROM pg_temp.tell('20:57', pg_temp.data('daily', 'pia'));
SELECT * FROM pg_temp.tell('20:57', pg_temp.data('sleep', 'ola'));
SELECT max(change_id) AS last FROM terra_identity.changes \gset
INSERT INTO terra_identity.events (payload)
SELECT pg_temp.data('body', person) FROM unnest('{pia,qi,qi,ola,rob,qi}'::text[]) WITH ORDINALITY p (person, n) ORDER BY n;
SELECT person, outcome FROM unnest('{rob,sue,sue}'::text[]) person, terra_identity.ingest(pg_temp.data('body', person)::text);
BEGIN;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.data('body', 'tim'));
ROLLBACK;
BEGIN;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.data('body', 'tim'));
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.data('body', 'tim'));
COMMIT;
SELECT kind, user_id, reference_id, detail FROM terra_identity.changes WHERE dev_id = 'feed' AND change_id > :last ORDER BY change_id;
SELECT event_type, reference_id, disputes_reference, contributes FROM terra_identity.events WHERE dev_id = 'feed' AND user_id = 'o1' ORDER BY event_id;

-- A statement tells what changed from its start to its end: what it both begins and ends never was.
SELECT max(change_id) AS last FROM terra_identity.changes \gset
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 21:00Z', pg_temp.auth('s1', 'sam')), ('2024-03-01 21:01Z', pg_temp.athlete('s1', 'sams')),
    ('2024-03-01 21:02Z', pg_temp.reauth('s1', 's2')), ('2024-03-01 21:03Z', pg_temp.auth('s2', 'sam')),
    ('2024-03-01 21:04Z', pg_temp.reauth('s2', 's3')), ('2024-03-01 21:05Z', pg_temp.event('connection_error', 's3'));
SELECT kind, user_id, reference_id, detail, (SELECT received_at FROM terra_identity.events e WHERE e.dev_id = c.dev_id AND e.event_id = c.event_id)
FROM terra_identity.changes c WHERE dev_id = 'feed' AND change_id > :last ORDER BY change_id;

-- rebuild of what is right changes nothing and tells nothing; of what was tampered with it tells, without an event.
SELECT max(change_id) AS last FROM terra_identity.changes \gset
SELECT terra_identity.rebuild();
UPDATE terra_identity.connections SET status = 'deauthenticated' WHERE dev_id = 'feed' AND user_id = 's3';
SELECT terra_identity.rebuild();
SELECT kind, user_id, event_id, detail FROM terra_identity.changes WHERE dev_id = 'feed' AND change_id > :last ORDER BY change_id;

-- Every kind occurred, and no other.
SELECT kind FROM terra_identity.changes WHERE dev_id = 'feed'
EXCEPT SELECT unnest('{connected,reconnected,replaced,superseded,deauthenticated,revoked,failed,revived,account_identified,reference_changed,
    scopes_changed,degraded,duplicate_opened,duplicate_closed,transferred,lineage_merged,anomaly}'::text[]);
SELECT unnest('{connected,reconnected,replaced,superseded,deauthenticated,revoked,failed,revived,account_identified,reference_changed,
    scopes_changed,degraded,duplicate_opened,duplicate_closed,transferred,lineage_merged,anomaly}'::text[])
EXCEPT SELECT kind FROM terra_identity.changes WHERE dev_id = 'feed';
-- Every change belongs to a connection and, but for changed rules and rebuilds, to an event of its environment.
SELECT count(*) FROM terra_identity.changes c
WHERE dev_id = 'feed' AND NOT (EXISTS (SELECT FROM terra_identity.connections WHERE dev_id = c.dev_id AND user_id = c.user_id)
    AND (event_id IS NULL OR EXISTS (SELECT FROM terra_identity.events WHERE dev_id = c.dev_id AND event_id = c.event_id)));
SELECT * FROM terra_identity.verify();
