-- Contradictions: where what keeps coming does not fit the state, and what a person can do about it.

-- A delivery may be under way for a day: Terra retries that long. Data that is later than that was not under way.
CREATE FUNCTION terra_identity._under_way() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '1 day';
COMMENT ON FUNCTION terra_identity._under_way() IS
    'How long after the end of a connection its data may still come without being a contradiction.';

-- The same as `crowd` in src/core/rules.h: sql/contradictions.sql and sql/feed.sql show that both are five.
CREATE FUNCTION terra_identity._crowd() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 5;
COMMENT ON FUNCTION terra_identity._crowd() IS
    'From how many end users on a provider account is suspicious: a family that shares a device is smaller.';

CREATE FUNCTION terra_identity._minute(at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"');
COMMENT ON FUNCTION terra_identity._minute(timestamptz) IS 'A time as sentences name it.';

CREATE FUNCTION terra_identity._reauth_of_nobody(environment text, event_id bigint, connection text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'terra_identity_reauth_of_nobody';
COMMENT ON FUNCTION terra_identity._reauth_of_nobody(text, bigint, text) IS
    'Whether an event is a user_reauth that names no old connection, or this one (a user_id). It needs no privilege '
    'on payloads.';

-- Pairs of neighbours on a provider account that are of different end users, and whether the older goes on sending data
-- once the newer has come. One row for each older connection, so that a join looks it up.
CREATE VIEW terra_identity.account_neighbours WITH (security_invoker = true) AS
SELECT c.dev_id, c.provider, c.provider_user_id, c.user_id, c.user_uuid, c.reference_id, c.status,
       n.user_id AS newer_user_id, n.reference_id AS newer_reference_id, n.connected_at AS newer_connected_at,
       older.last_at AS last_data_at, newer.last_at AS newer_last_data_at,
       CASE WHEN older.last_at > n.connected_at + terra_identity._under_way() THEN 'keep'
            WHEN older.last_at IS NOT NULL AND newer.last_at > n.connected_at + 2 * terra_identity._under_way()
            THEN 'replace' END AS speaks_for
FROM terra_identity.connections c
CROSS JOIN LATERAL (
    (SELECT o.user_id, o.reference_id, o.connected_at FROM terra_identity.connections o
     WHERE c.duplicate AND o.duplicate AND o.dev_id = c.dev_id AND o.provider = c.provider
       AND o.provider_user_id = c.provider_user_id
       AND (o.dated, o.connected_at, o.user_id COLLATE "C") > (c.dated, c.connected_at, c.user_id)
     ORDER BY o.dated, o.connected_at, o.user_id COLLATE "C" LIMIT 1)
    UNION ALL
    SELECT o.user_id, o.reference_id, o.connected_at FROM terra_identity.connections o
    WHERE c.status = 'superseded' AND c.account_exclusive AND o.dev_id = c.dev_id AND o.user_id = c.successor_user_id
      AND o.reference_id IS DISTINCT FROM c.reference_id) n
CROSS JOIN LATERAL (
    SELECT pg_catalog.max(e.event_time) AS last_at
    FROM pg_catalog.unnest(terra_identity._data_types()) t (type)
    CROSS JOIN LATERAL (
        SELECT d.event_time FROM terra_identity.events d
        WHERE d.user_id = c.user_id AND d.event_type = t.type AND d.dev_id = c.dev_id AND d.problem IS NULL
        ORDER BY d.event_time DESC LIMIT 1) e
    WHERE n.user_id IS NOT NULL) older -- after n, which few connections have
CROSS JOIN LATERAL (
    SELECT pg_catalog.max(e.event_time) AS last_at
    FROM pg_catalog.unnest(terra_identity._data_types()) t (type)
    CROSS JOIN LATERAL (
        SELECT d.event_time FROM terra_identity.events d
        WHERE d.user_id = n.user_id AND d.event_type = t.type AND d.dev_id = c.dev_id AND d.problem IS NULL
        ORDER BY d.event_time DESC LIMIT 1) e) newer
WHERE c.duplicate OR (c.account_exclusive AND c.successor_user_id IS NOT NULL); -- for their partial indexes
COMMENT ON VIEW terra_identity.account_neighbours IS
    'Connections that another end user followed on the same provider account: duplicates under account policy keep, '
    'transfers under replace. What the data of both says about the policy: see speaks_for.';
COMMENT ON COLUMN terra_identity.account_neighbours.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.account_neighbours.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE';
COMMENT ON COLUMN terra_identity.account_neighbours.provider_user_id IS 'The provider account';
COMMENT ON COLUMN terra_identity.account_neighbours.user_id IS 'The older connection';
COMMENT ON COLUMN terra_identity.account_neighbours.user_uuid IS 'user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.account_neighbours.reference_id IS
    'Its end user: your app''s own id; null if no event named it';
COMMENT ON COLUMN terra_identity.account_neighbours.status IS 'Its status: active or superseded';
COMMENT ON COLUMN terra_identity.account_neighbours.newer_user_id IS 'The next newer connection of the account';
COMMENT ON COLUMN terra_identity.account_neighbours.newer_reference_id IS 'The end user of that one';
COMMENT ON COLUMN terra_identity.account_neighbours.newer_connected_at IS 'When that one was connected';
COMMENT ON COLUMN terra_identity.account_neighbours.last_data_at IS
    'Event time of the last data of the older connection; null if there was none';
COMMENT ON COLUMN terra_identity.account_neighbours.newer_last_data_at IS
    'Event time of the last data of the newer connection; null if there was none';
COMMENT ON COLUMN terra_identity.account_neighbours.speaks_for IS
    'keep: the older connection sent data later than a day after the newer one was connected, so Terra keeps both. '
    'replace: the older one had sent data, and sent none later than that, while the newer one still sent some two days '
    'after it was connected, so Terra ended the older. Null: it cannot be told yet';

CREATE VIEW terra_identity.contradictions WITH (security_invoker = true) AS
SELECT c.dev_id, c.user_id, c.user_uuid, c.reference_id, c.provider, c.lineage_id, k.kind, k.count, k.last_at,
       k.sentence, k.settled_by
FROM terra_identity.connections c
CROSS JOIN LATERAL (
    SELECT 'data_after_end', pg_catalog.count(*), pg_catalog.max(e.event_time),
           pg_catalog.format(
               'Connection %s has been %s since %s, but data of it came later than a day after that, last at %s.',
               pg_catalog.to_json(c.user_id),
               c.status || coalesce(' by ' || pg_catalog.to_json(c.successor_user_id)::text, ''),
               terra_identity._minute(c.ended_at),
               terra_identity._minute(pg_catalog.max(e.event_time))),
           CASE WHEN c.status <> 'superseded'
                THEN pg_catalog.format('SELECT terra_identity.correct(%L, ''active'', ''it still sends data'', '
                                       'dev_id => %L);', c.user_id, c.dev_id)
                WHEN c.account_exclusive
                THEN pg_catalog.format('INSERT INTO terra_identity.environments (dev_id, account_policy) '
                                       'VALUES (%L, ''keep'');', c.dev_id)
                ELSE pg_catalog.format('SELECT * FROM terra_identity.stale_events WHERE user_id = %L AND dev_id = %L;',
                                       c.user_id, c.dev_id) END
    FROM pg_catalog.unnest(terra_identity._data_types()) t (type)
    CROSS JOIN LATERAL (
        SELECT d.event_time FROM terra_identity.events d
        WHERE d.user_id = c.user_id AND d.event_type = t.type
          AND d.event_time > c.ended_at + terra_identity._under_way() AND d.dev_id = c.dev_id AND d.problem IS NULL
        ORDER BY d.event_time DESC LIMIT 100) e
    WHERE c.status <> 'active'
    HAVING pg_catalog.count(*) > 0
    UNION ALL
    SELECT 'silent_duplicate', 1, a.newer_last_data_at,
           pg_catalog.format(
               'Connection %s shares its account with %s, who connected at %s as %s. It has sent no data later than a '
               'day after that, while the newer one has, last at %s: Terra seems to have ended it.',
               pg_catalog.to_json(c.user_id), coalesce(pg_catalog.to_json(a.newer_reference_id)::text, 'nobody'),
               terra_identity._minute(a.newer_connected_at), pg_catalog.to_json(a.newer_user_id),
               terra_identity._minute(a.newer_last_data_at)),
           pg_catalog.format('INSERT INTO terra_identity.environments (dev_id, account_policy) '
                             'VALUES (%L, ''replace'');', c.dev_id)
    FROM terra_identity.account_neighbours a
    WHERE c.duplicate AND a.dev_id = c.dev_id AND a.user_id = c.user_id AND a.speaks_for = 'replace'
    UNION ALL
    SELECT 'other_reference', pg_catalog.count(*), pg_catalog.max(e.event_time),
           pg_catalog.format(
               'Connection %s is of %s, but its data names %s, last at %s.', pg_catalog.to_json(c.user_id),
               pg_catalog.to_json(c.reference_id),
               pg_catalog.string_agg(DISTINCT pg_catalog.to_json(e.reference_id)::text, ', '),
               terra_identity._minute(pg_catalog.max(e.event_time))),
           pg_catalog.format('SELECT * FROM terra_identity.reference_history(%L, %L);', c.user_id, c.dev_id)
    FROM pg_catalog.unnest(terra_identity._data_types()) t (type)
    CROSS JOIN LATERAL (
        SELECT d.event_time, d.reference_id FROM terra_identity.events d
        WHERE d.user_id = c.user_id AND d.event_type = t.type AND d.event_time > c.reference_id_at
          AND d.dev_id = c.dev_id AND d.problem IS NULL
        ORDER BY d.event_time DESC LIMIT 1) e
    WHERE NOT c.reference_id_passing AND e.reference_id <> c.reference_id
      AND (SELECT true FROM terra_identity.events m -- one look-up for all, in an index that holds few
           WHERE m.user_id = c.user_id AND m.disputes_reference LIMIT 1)
    HAVING pg_catalog.count(*) > 0
    UNION ALL
    SELECT 'reauth_of_nobody', pg_catalog.count(*), pg_catalog.max(e.event_time),
           pg_catalog.format(
               'A user_reauth connected %s at %s and names no old connection, while %s active for the same person at '
               'this provider: %s.', pg_catalog.to_json(c.user_id),
               terra_identity._minute(pg_catalog.max(e.event_time)),
               CASE pg_catalog.max(o.count) WHEN 1 THEN 'another one is' ELSE 'others are' END,
               pg_catalog.string_agg(DISTINCT o.user_ids, ', ')),
           pg_catalog.format('SELECT terra_identity.correct(%L, ''ended'', %L, dev_id => %L);',
                             pg_catalog.max(o.first), 'replaced by ' || c.user_id, c.dev_id)
    FROM terra_identity.events e
    CROSS JOIN LATERAL (
        SELECT pg_catalog.count(*) AS count, pg_catalog.min(l.user_id COLLATE "C") AS first,
               pg_catalog.string_agg(pg_catalog.to_json(l.user_id)::text, ', ' ORDER BY l.user_id COLLATE "C")
                   AS user_ids
        FROM (SELECT p.user_id FROM terra_identity.connections p
              WHERE p.reference_id = c.reference_id AND p.status = 'active' AND p.dev_id = c.dev_id
                AND p.provider = c.provider AND p.user_id <> c.user_id AND p.connected_at < e.event_time
              ORDER BY p.connected_at DESC, p.user_id COLLATE "C" LIMIT 10) l) o
    WHERE c.status = 'active' AND c.reference_id IS NOT NULL AND e.user_id = c.user_id
      AND e.event_type = 'user_reauth' AND e.dev_id = c.dev_id AND e.problem IS NULL AND o.count > 0
      AND terra_identity._reauth_of_nobody(e.dev_id, e.event_id, c.user_id)
    HAVING pg_catalog.count(*) > 0
    UNION ALL
    SELECT 'crowded_account', s.count, s.last_at,
           pg_catalog.format(
               'Connection %s is on %s account %s, like those of %s end users%s, so the provider may report the same '
               'account for everybody.', pg_catalog.to_json(c.user_id), pg_catalog.to_json(c.provider),
               pg_catalog.to_json(c.provider_user_id), s.count,
               CASE WHEN s.count = 100 THEN ' or more' ELSE '' END),
           pg_catalog.format('INSERT INTO terra_identity.providers (provider, account_ids) VALUES (%L, ''unusable'');',
                             c.provider)
    FROM (SELECT pg_catalog.count(*) AS count, pg_catalog.max(l.connected_at) AS last_at
          FROM (SELECT p.connected_at FROM terra_identity.connections p
                WHERE p.duplicate AND p.dev_id = c.dev_id AND p.provider = c.provider
                  AND p.provider_user_id = c.provider_user_id
                ORDER BY p.dated DESC, p.connected_at DESC, p.user_id COLLATE "C" DESC LIMIT 100) l) s
    WHERE c.duplicate AND s.count >= terra_identity._crowd() AND NOT EXISTS (
        SELECT FROM terra_identity.accepted_duplicates a
        WHERE a.dev_id = c.dev_id AND a.provider = c.provider AND a.provider_user_id = c.provider_user_id)
) k (kind, count, last_at, sentence, settled_by);
COMMENT ON VIEW terra_identity.contradictions IS
    'Where what keeps coming does not fit the state: one row for each connection and kind. data_after_end: it is not '
    'active, but data came later than a day after its end (what comes within a day was under way). silent_duplicate: '
    'another end user connected its account, and since then it has sent no data, while that one has: see '
    'account_neighbours.speaks_for. other_reference: the last data of a type names another end user. '
    'reauth_of_nobody: a user_reauth connected it without an old connection, while others of the same end user and '
    'provider are active. crowded_account: five or more end users are active on its account. For one connection or '
    'person it is some index look-ups; for everybody it takes some seconds for a million connections.';
COMMENT ON COLUMN terra_identity.contradictions.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.contradictions.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.contradictions.user_uuid IS 'user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.contradictions.reference_id IS
    'The end user: your app''s own id; null if no event named it';
COMMENT ON COLUMN terra_identity.contradictions.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE; null if no event named it';
COMMENT ON COLUMN terra_identity.contradictions.lineage_id IS
    'The id to keep in your app: it stays when the user_id changes';
COMMENT ON COLUMN terra_identity.contradictions.kind IS
    'data_after_end, silent_duplicate, other_reference, reauth_of_nobody or crowded_account';
COMMENT ON COLUMN terra_identity.contradictions.count IS
    'How many events contradict, of each type of data at most 100 and, for other_reference, one; for silent_duplicate '
    '1; for crowded_account the number of end users, at most 100';
COMMENT ON COLUMN terra_identity.contradictions.last_at IS
    'Event time of the last of these events; for silent_duplicate of the newer one''s last data; for crowded_account '
    'when the newest was connected';
COMMENT ON COLUMN terra_identity.contradictions.sentence IS 'What does not fit, in English';
COMMENT ON COLUMN terra_identity.contradictions.settled_by IS
    'The statement that settles it if that is how it is, or that shows what there is to decide';

CREATE VIEW terra_identity.policy_evidence WITH (security_invoker = true) AS
SELECT s.dev_id, s.provider, coalesce(e.account_policy, 'keep') AS account_policy, s.connections, s.for_keep,
       s.for_replace, s.first_at, s.last_at,
       CASE WHEN s.for_keep = 0 AND s.for_replace = 0
            THEN 'Nothing speaks for either policy yet.'
            WHEN s.for_keep > 0 AND s.for_replace > 0
            THEN 'The data contradicts itself: look at account_neighbours.'
            WHEN (s.for_keep > 0) = (coalesce(e.account_policy, 'keep') = 'keep')
            THEN pg_catalog.format('The policy %s is right, as far as the data shows.',
                                   coalesce(e.account_policy, 'keep'))
            ELSE pg_catalog.format('The policy is %s, but all that the data shows speaks for %s.',
                                   coalesce(e.account_policy, 'keep'),
                                   CASE WHEN s.for_keep > 0 THEN 'keep' ELSE 'replace' END) END AS verdict
FROM (SELECT a.dev_id, a.provider, pg_catalog.count(*) AS connections,
             pg_catalog.count(*) FILTER (WHERE a.speaks_for = 'keep') AS for_keep,
             pg_catalog.count(*) FILTER (WHERE a.speaks_for = 'replace') AS for_replace,
             pg_catalog.min(a.newer_connected_at) AS first_at, pg_catalog.max(a.newer_connected_at) AS last_at
      FROM terra_identity.account_neighbours a GROUP BY a.dev_id, a.provider) s
LEFT JOIN terra_identity.environments e ON e.dev_id = s.dev_id;
COMMENT ON VIEW terra_identity.policy_evidence IS
    'Is my account policy the right one? For each environment and provider, how many provider accounts that several '
    'end users connected speak for keep, and how many for replace: see account_neighbours.speaks_for. No row where no '
    'account was connected by several.';
COMMENT ON COLUMN terra_identity.policy_evidence.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.policy_evidence.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE';
COMMENT ON COLUMN terra_identity.policy_evidence.account_policy IS 'The policy of the environment: keep or replace';
COMMENT ON COLUMN terra_identity.policy_evidence.connections IS
    'Number of connections that another end user followed on their account';
COMMENT ON COLUMN terra_identity.policy_evidence.for_keep IS 'How many of them went on sending data';
COMMENT ON COLUMN terra_identity.policy_evidence.for_replace IS
    'How many of them stopped, while the newer one sent data';
COMMENT ON COLUMN terra_identity.policy_evidence.first_at IS 'When the first of the followers was connected';
COMMENT ON COLUMN terra_identity.policy_evidence.last_at IS 'When the last of them was connected';
COMMENT ON COLUMN terra_identity.policy_evidence.verdict IS 'What that means, in English';
