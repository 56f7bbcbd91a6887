-- Reconciling: where Terra's own list of users and the state differ.

CREATE FUNCTION terra_identity._listed_users(
    users jsonb, taken_at timestamptz, environment text,
    OUT user_id text, OUT reference_id text, OUT provider text, OUT scopes text, OUT created_at timestamptz,
    OUT state text, OUT authenticated boolean, OUT problem text, OUT listed jsonb)
RETURNS SETOF record LANGUAGE c STABLE PARALLEL SAFE ROWS 10000
    AS 'MODULE_PATHNAME', 'terra_identity_listed_users';
COMMENT ON FUNCTION terra_identity._listed_users(jsonb, timestamptz, text) IS
    'The users of a list as import_users reads them, one row each. state: alive, listed (that proves nothing), '
    'deauthenticated or revoked; null if the user cannot be read, and problem says why. authenticated: false if the '
    'answer says that. listed: the user as Terra gave it. The errors are those of import_users.';

CREATE FUNCTION terra_identity._list_gap(users jsonb) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'terra_identity_list_gap';
COMMENT ON FUNCTION terra_identity._list_gap(jsonb) IS
    'Why a list cannot have every user of the environment: a page is missing, or it is about one user. Null if it says '
    'nothing of the kind.';

-- What is compared is as of taken_at: what happened here later is no difference. What connections lack in a list that
-- may be a part of Terra's is not told: an empty answer must not end everybody.
CREATE FUNCTION terra_identity.reconcile(
    users jsonb, taken_at timestamptz,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS TABLE (kind text, user_id text, reference_id text, provider text, other_user_id text, terra jsonb, here jsonb,
               sentence text, settled_by text)
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 100
    SET enable_nestloop = off -- the planner takes the differences for a few, and joins them one by one
BEGIN ATOMIC
    WITH entries AS MATERIALIZED (
        SELECT * FROM terra_identity._listed_users(reconcile.users, reconcile.taken_at, reconcile.dev_id)),
    -- A user who is listed several times: of equal times the greater value wins, and an end wins over life.
    listed AS MATERIALIZED (
        SELECT e.user_id, max(e.reference_id COLLATE "C") COLLATE pg_catalog."default" AS reference_id,
               max(e.provider COLLATE "C") COLLATE pg_catalog."default" AS provider, min(e.created_at) AS created_at,
               coalesce(min(e.state) FILTER (WHERE e.state NOT IN ('alive', 'listed')), min(e.state)) AS state,
               bool_and(e.authenticated) AS authenticated,
               CASE WHEN count(*) = 1 THEN jsonb_agg(e.listed) -> 0 ELSE jsonb_agg(e.listed) END AS terra
        FROM entries e WHERE e.problem IS NULL GROUP BY e.user_id),
    compared AS MATERIALIZED (
        SELECT coalesce(l.user_id, c.user_id) AS user_id, l.user_id IS NOT NULL AS is_listed, l.state, l.authenticated,
               l.terra, l.reference_id AS terra_reference_id, l.provider AS terra_provider, c.status,
               c.reference_id AS here_reference_id, c.provider AS here_provider, c.provider_user_id,
               c.successor_user_id, c.account_exclusive, c.ended_at,
               -- Superseded, because nobody knows since when it exists: its auth may have been lost.
               c.status = 'superseded' AND NOT c.dated AS is_undated,
               coalesce(c.reference_id, l.reference_id) AS reference_id, coalesce(c.provider, l.provider) AS provider,
               coalesce(c.connected_at, l.created_at) AS connected_at,
               -- Whether something later than the list may explain the difference.
               coalesce(greatest(c.connected_at, c.alive_at) > reconcile.taken_at, false) AS is_later,
               c.reference_id_at < reconcile.taken_at OR c.reference_id_passing AS is_older_reference,
               c.provider_at < reconcile.taken_at OR c.provider_passing AS is_older_provider,
               jsonb_build_object('status', c.status, 'reference_id', c.reference_id, 'provider', c.provider,
                                  'connected_at', c.connected_at, 'ended_at', c.ended_at,
                                  'successor_user_id', c.successor_user_id) AS here
        FROM listed l
        FULL JOIN (SELECT * FROM terra_identity.connections t WHERE t.dev_id = reconcile.dev_id) c
            ON c.user_id = l.user_id),
    missing AS MATERIALIZED (
        SELECT * FROM compared c WHERE NOT c.is_listed AND c.status = 'active' AND NOT c.is_later),
    gap AS MATERIALIZED (
        SELECT CASE
            WHEN n.entries = 0 THEN 'it has no users'
            WHEN n.gap IS NOT NULL THEN n.gap
            WHEN n.unreadable > 0 THEN format('%s of its entries cannot be read', n.unreadable)
            WHEN n.missing_of_others > 0 THEN format('it names no end user but %s, and others are active here',
                                                     to_json(n.one_reference))
            WHEN n.missing > 10 AND n.missing * 2 > n.active
            THEN format('it lacks %s of the %s connections that are active here', n.missing, n.active) END AS why,
            n.missing
        FROM (SELECT o.*, terra_identity._list_gap(reconcile.users) AS gap,
                     (SELECT count(*) FROM entries) AS entries,
                     (SELECT count(*) FROM entries e WHERE e.problem IS NOT NULL) AS unreadable,
                     (SELECT count(*) FROM compared c WHERE c.status = 'active' AND NOT c.is_later) AS active,
                     (SELECT count(*) FROM missing) AS missing,
                     (SELECT count(*) FROM missing m WHERE m.reference_id <> o.one_reference) AS missing_of_others
              FROM (SELECT CASE WHEN min(l.reference_id) = max(l.reference_id) AND count(*) = count(l.reference_id)
                                THEN min(l.reference_id) END AS one_reference FROM listed l) o) n),
    -- The newest listed connection that may have replaced one that is missing.
    replacing AS MATERIALIZED (
        SELECT DISTINCT ON (r.user_id) r.*
        FROM (SELECT m.user_id, n.user_id AS newer_user_id, n.connected_at, NULL::text AS newer_reference_id
              FROM missing m JOIN compared n ON n.reference_id = m.reference_id AND n.provider = m.provider
              WHERE n.state = 'alive' AND coalesce(n.connected_at > m.connected_at, true)
              UNION ALL
              SELECT m.user_id, n.user_id, n.connected_at, coalesce(n.reference_id, 'nobody')
              FROM missing m JOIN compared n ON n.provider_user_id = m.provider_user_id AND n.provider = m.provider
              WHERE n.state = 'alive' AND n.connected_at > m.connected_at
                AND n.reference_id IS DISTINCT FROM m.reference_id) r
        ORDER BY r.user_id, r.newer_reference_id NULLS FIRST, r.connected_at DESC NULLS FIRST,
                 r.newer_user_id COLLATE "C"),
    named AS (
        SELECT c.*, to_json(c.user_id)::text AS id,
               format('%s of %s at %s', to_json(c.user_id), coalesce(to_json(c.reference_id)::text, 'nobody known'),
                      coalesce(c.provider, 'an unknown provider')) AS who,
               format('SELECT * FROM terra_identity.import_users(%L, %L, %L);', c.terra,
                      to_json(reconcile.taken_at) #>> '{}', reconcile.dev_id) AS by_import
        FROM compared c
        WHERE c.status IS DISTINCT FROM 'active' OR NOT c.is_listed OR c.state <> 'alive' OR NOT c.authenticated
           OR c.terra_reference_id IS DISTINCT FROM c.here_reference_id
           OR c.terra_provider IS DISTINCT FROM c.here_provider)
    SELECT d.kind, d.user_id, d.reference_id, d.provider, d.other_user_id, d.terra, d.here, d.sentence, d.settled_by
    FROM (
        SELECT 0 AS place, 'list_incomplete' AS kind, NULL::text AS user_id, NULL::text AS reference_id,
               NULL::text AS provider, NULL::text AS other_user_id, NULL::jsonb AS terra, NULL::jsonb AS here,
               format('The list does not seem to be all of Terra''s users: %s. So nothing is said of %s that %s active '
                      'here and not in the list.', g.why,
                      CASE g.missing WHEN 1 THEN '1 connection' ELSE g.missing || ' connections' END,
                      CASE g.missing WHEN 1 THEN 'is' ELSE 'are' END) AS sentence,
               NULL::text AS settled_by
        FROM gap g WHERE g.why IS NOT NULL
        UNION ALL
        SELECT 1, 'problem', NULL, NULL, NULL, NULL, e.listed, NULL,
               format('An entry of the list cannot be read: %s.', e.problem), NULL
        FROM entries e WHERE e.problem IS NOT NULL
        UNION ALL
        SELECT 2, CASE WHEN k.user_id IS NULL THEN 'missed_auth' ELSE 'only_listed' END, u.user_id, u.reference_id,
               u.provider, coalesce(k.user_id, r.user_id), u.terra, NULL,
               format('Terra lists %s, and no event here names it', u.who)
               || CASE WHEN k.user_id IS NOT NULL
                       THEN format(', while %s of the same end user and provider is both listed and active here: it '
                                   'may be an id that only Terra''s dashboard and lists show, or a second account '
                                   'whose auth was missed.', to_json(k.user_id))
                       WHEN r.user_id IS NOT NULL
                       THEN format(': its auth was missed, and so was that it replaced %s.', to_json(r.user_id))
                       ELSE ': its auth was missed.' END,
               u.by_import
        FROM named u
        LEFT JOIN (SELECT c.reference_id, c.provider, min(c.user_id COLLATE "C") COLLATE pg_catalog."default" AS user_id
                   FROM compared c WHERE c.state = 'alive' AND c.status = 'active'
                   GROUP BY c.reference_id, c.provider) k
            ON k.reference_id = u.reference_id AND k.provider = u.provider
        LEFT JOIN (SELECT n.newer_user_id, min(n.user_id COLLATE "C") COLLATE pg_catalog."default" AS user_id
                   FROM replacing n
                   WHERE n.newer_reference_id IS NULL AND EXISTS (SELECT FROM gap g WHERE g.why IS NULL)
                   GROUP BY n.newer_user_id) r ON r.newer_user_id = u.user_id
        WHERE u.status IS NULL AND u.state = 'alive'
        UNION ALL
        SELECT 3, CASE WHEN r.user_id IS NULL THEN 'missed_deauth' ELSE 'silent_replacement' END, m.user_id,
               m.reference_id, m.provider, r.newer_user_id, NULL, m.here,
               m.who || ' is active here, but Terra does not list it, '
               || CASE WHEN r.user_id IS NULL
                       THEN 'nor a newer one that could have replaced it: its end was missed.'
                       WHEN r.newer_reference_id IS NULL
                       THEN format('and lists %s, which is newer and of the same end user and provider: Terra replaced '
                                   'it, and no user_reauth came.', to_json(r.newer_user_id))
                       ELSE format('and lists %s of %s, which is newer and on the same account: Terra replaced it '
                                   'without a word, as under account policy replace.', to_json(r.newer_user_id),
                                   to_json(r.newer_reference_id)) END
               || CASE WHEN w.user_id IS NOT NULL
                       THEN ' Here that one counts as the older, because no event says since when it exists.'
                       ELSE '' END,
               coalesce(w.by_import,
                        format('SELECT terra_identity.correct(%L, ''ended'', %L, dev_id => %L);', m.user_id,
                               'not in Terra''s list of ' || (to_json(reconcile.taken_at) #>> '{}'), reconcile.dev_id))
        FROM named m
        LEFT JOIN replacing r ON r.user_id = m.user_id
        LEFT JOIN named w ON w.user_id = r.newer_user_id AND w.is_undated
        WHERE NOT m.is_listed AND m.status = 'active' AND NOT m.is_later
          AND EXISTS (SELECT FROM gap g WHERE g.why IS NULL)
        UNION ALL
        SELECT 4, 'missed_deauth', c.user_id, c.reference_id, c.provider, NULL, c.terra, c.here,
               format('Terra says that %s has ended, while it is active here: its end was missed.', c.who), c.by_import
        FROM named c WHERE c.state IN ('deauthenticated', 'revoked') AND c.status = 'active' AND NOT c.is_later
        UNION ALL
        SELECT 5, 'not_authenticated', c.user_id, c.reference_id, c.provider, NULL, c.terra, c.here,
               format('Terra answers that %s is not authenticated, while it is active here: if no data comes, the '
                      'person has to connect again.', c.who),
               format('SELECT * FROM terra_identity.freshness WHERE user_id = %L AND dev_id = %L;', c.user_id,
                      reconcile.dev_id)
        FROM named c
        WHERE c.state = 'listed' AND NOT c.authenticated AND c.status = 'active' AND NOT c.is_later
        UNION ALL
        SELECT 6, CASE WHEN s.user_id IS NOT NULL THEN 'wrong_policy' ELSE 'still_listed' END, c.user_id,
               c.reference_id, c.provider, c.successor_user_id, c.terra, c.here,
               format('Terra lists %s, which has been %s here since %s%s', c.who,
                      c.status || coalesce(' by ' || to_json(c.successor_user_id)::text, ''),
                      terra_identity._minute(c.ended_at),
                      CASE WHEN s.user_id IS NOT NULL
                           THEN format(', and lists that one of %s, too: Terra keeps both, so the account policy keep '
                                       'is right.', coalesce(to_json(s.reference_id)::text, 'nobody known'))
                           WHEN c.is_undated
                           THEN ': no event here says since when it exists, so it counts as the older.'
                           WHEN c.status = 'superseded'
                           THEN ': Terra did not end it when the newer one was connected.'
                           ELSE ': it was connected again under the same id, or it never ended.' END),
               CASE WHEN s.user_id IS NOT NULL
                    THEN format('INSERT INTO terra_identity.environments (dev_id, account_policy) '
                                'VALUES (%L, ''keep'');', reconcile.dev_id)
                    WHEN c.status = 'superseded' AND NOT c.is_undated
                    THEN format('SELECT * FROM terra_identity.explain(%L, %L);', c.user_id, reconcile.dev_id)
                    ELSE c.by_import END
        FROM named c
        LEFT JOIN compared s
            ON c.status = 'superseded' AND c.account_exclusive AND s.user_id = c.successor_user_id
               AND s.state = 'alive' AND s.reference_id IS DISTINCT FROM c.here_reference_id
        WHERE c.state = 'alive' AND c.status <> 'active' AND c.ended_at <= reconcile.taken_at
        UNION ALL
        SELECT 7, 'other_reference', c.user_id, c.here_reference_id, c.provider, NULL, c.terra, c.here,
               format('Terra says that %s is of %s, while it is of %s here: it came to another end user, or an event '
                      'was missed.', c.id, to_json(c.terra_reference_id),
                      coalesce(to_json(c.here_reference_id)::text, 'nobody known')), c.by_import
        FROM named c
        WHERE c.state IN ('alive', 'listed') AND c.status IN ('active', 'superseded')
          AND c.terra_reference_id IS DISTINCT FROM c.here_reference_id AND c.terra_reference_id IS NOT NULL
          AND coalesce(c.is_older_reference, true)
        UNION ALL
        SELECT 8, 'other_provider', c.user_id, c.reference_id, c.here_provider, NULL, c.terra, c.here,
               format('Terra says that the provider of %s is %s, while it is %s here: an event was missed.', c.id,
                      c.terra_provider, coalesce(c.here_provider, 'unknown')), c.by_import
        FROM named c
        WHERE c.state IN ('alive', 'listed') AND c.status IN ('active', 'superseded')
          AND c.terra_provider IS DISTINCT FROM c.here_provider AND c.terra_provider IS NOT NULL
          AND coalesce(c.is_older_provider, true)) d
    ORDER BY d.place, d.user_id COLLATE "C";
END;
COMMENT ON FUNCTION terra_identity.reconcile(jsonb, timestamptz, text) IS
    'Where Terra''s own list of users and this database differ, one row each; it changes nothing. users and taken_at, '
    'and the errors, are those of import_users; give all pages of GET /subscriptions. What happened here after '
    'taken_at is no difference. kind: list_incomplete (always first: the list is empty, a page, of one end user, '
    'cannot be read in parts, or lacks more than half of the active connections and more than ten; then nothing is '
    'said of what it lacks), problem (an entry cannot be read), missed_auth (listed, and not known here), only_listed '
    '(the same, but other_user_id is known and listed for the same end user and provider), silent_replacement (active '
    'here and not listed, while the newer other_user_id is), missed_deauth (active here, and not listed or listed as '
    'ended), not_authenticated, wrong_policy (superseded here under account policy replace by other_user_id, and both '
    'are listed), still_listed (listed, but ended or superseded here), other_reference, other_provider. terra: what '
    'the list says, and here: what this database says, null if nothing. sentence says why it is probable, and '
    'settled_by is the statement that settles it, or shows what there is to decide; null if there is none. A user '
    'listed with active or is_authenticated false, or with a state that is not known, is taken for neither alive nor '
    'ended. It reads with the rights and the row level security of the caller.';
