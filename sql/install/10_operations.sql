-- What those ask who run an app: whom to ask for an account, who fell silent, what somebody's connecting would lead to,
-- and figures to graph.

CREATE VIEW terra_identity.unidentified_connections WITH (security_invoker = true) AS
SELECT c.dev_id, c.user_id, c.user_uuid, c.reference_id, c.provider, c.sdk, c.lineage_id, c.connected_at
FROM terra_identity.connections c
WHERE c.status = 'active' AND c.provider_user_id IS NULL AND NOT c.account_unusable;
COMMENT ON VIEW terra_identity.unidentified_connections IS
    'Active connections whose provider account is not known: duplicates of these cannot be seen. Ask Terra''s GET '
    '/athlete for each user_id, and insert the answer as an event, or let it come as a webhook. Providers whose '
    'account ids are unusable are left out. Polling it is cheap: WHERE dev_id = ... ORDER BY connected_at DESC LIMIT '
    '100 reads the newest 100 from an index that holds nothing else.';
COMMENT ON COLUMN terra_identity.unidentified_connections.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.unidentified_connections.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.unidentified_connections.user_uuid IS 'user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.unidentified_connections.reference_id IS
    'The end user: your app''s own id; null if no event named it';
COMMENT ON COLUMN terra_identity.unidentified_connections.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE; null if no event named it';
COMMENT ON COLUMN terra_identity.unidentified_connections.sdk IS
    'True: its provider is connected by an SDK, so its account is that of a device';
COMMENT ON COLUMN terra_identity.unidentified_connections.lineage_id IS
    'The id to keep in your app: it stays when the user_id changes';
COMMENT ON COLUMN terra_identity.unidentified_connections.connected_at IS 'When it was connected: see connections';

-- The types of the events of a connection are few: each step of the recursion looks up the next one in
-- events_user_id_idx, and then the last event of each type.
CREATE VIEW terra_identity.freshness WITH (security_invoker = true) AS
SELECT c.dev_id, c.user_id, c.user_uuid, c.reference_id, c.provider, c.lineage_id, c.connected_at,
       l.last_event_at, l.last_event_type, l.last_received_at, l.last_data_at,
       greatest(pg_catalog.now() - coalesce(l.last_data_at, c.connected_at), '0') AS silence
FROM terra_identity.connections c
CROSS JOIN LATERAL (
    WITH RECURSIVE types (event_type) AS (
        (SELECT e.event_type FROM terra_identity.events e
         WHERE e.user_id = c.user_id ORDER BY e.event_type USING ~<~ LIMIT 1)
        UNION ALL
        SELECT (SELECT e.event_type FROM terra_identity.events e
                WHERE e.user_id = c.user_id AND e.event_type ~>~ t.event_type
                ORDER BY e.event_type USING ~<~ LIMIT 1)
        FROM types t WHERE t.event_type IS NOT NULL)
    SELECT pg_catalog.max(e.event_time) AS last_event_at,
           (pg_catalog.array_agg(t.event_type ORDER BY e.event_time DESC, t.event_type COLLATE "C"))[1]
               AS last_event_type,
           (pg_catalog.array_agg(e.received_at ORDER BY e.event_time DESC, t.event_type COLLATE "C"))[1]
               AS last_received_at,
           pg_catalog.max(e.event_time) FILTER (
               WHERE t.event_type = ANY (terra_identity._data_types())) AS last_data_at
    FROM types t
    CROSS JOIN LATERAL (
        SELECT e.event_time, e.received_at FROM terra_identity.events e
        WHERE e.user_id = c.user_id AND e.event_type = t.event_type AND e.dev_id = c.dev_id AND e.problem IS NULL
          AND e.entered_by IS NULL
        ORDER BY e.event_time DESC LIMIT 1) e) l
WHERE c.status = 'active';
COMMENT ON VIEW terra_identity.freshness IS
    'What came last for each active connection, and how long no data has come. For one person or some it is a few '
    'index look-ups each; for everybody it takes about as long as that many look-ups, so ask for everybody seldom. '
    'Events with a problem do not count, nor what correct() and import_users() inserted.';
COMMENT ON COLUMN terra_identity.freshness.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.freshness.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.freshness.user_uuid IS 'user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.freshness.reference_id IS
    'The end user: your app''s own id; null if no event named it';
COMMENT ON COLUMN terra_identity.freshness.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE; null if no event named it';
COMMENT ON COLUMN terra_identity.freshness.lineage_id IS
    'The id to keep in your app: it stays when the user_id changes';
COMMENT ON COLUMN terra_identity.freshness.connected_at IS 'When it was connected: see connections';
COMMENT ON COLUMN terra_identity.freshness.last_event_at IS
    'The latest event time of its events of any type; null if the ledger has none';
COMMENT ON COLUMN terra_identity.freshness.last_event_type IS 'The type of that event';
COMMENT ON COLUMN terra_identity.freshness.last_received_at IS 'When that event was received';
COMMENT ON COLUMN terra_identity.freshness.last_data_at IS
    'The latest event time of its data: activity, body, daily, sleep, nutrition, menstruation, planned_workout, '
    'hormone and health_observation; null if the ledger has none';
COMMENT ON COLUMN terra_identity.freshness.silence IS
    'How long no data has come: from last_data_at until now, or from connected_at if there was none; never negative';

CREATE FUNCTION terra_identity.would_duplicate(
    provider text, provider_user_id text, reference_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'),
    OUT outcome text, OUT user_id text, OUT user_uuid uuid, OUT holder_reference_id text, OUT lineage_id bigint,
    OUT connected_at timestamptz, OUT sentence text)
RETURNS SETOF record LANGUAGE c STABLE PARALLEL SAFE COST 500 ROWS 1
    AS 'MODULE_PATHNAME', 'terra_identity_would_duplicate';
COMMENT ON FUNCTION terra_identity.would_duplicate(text, text, text, text) IS
    'What would follow if an end user connected a provider account now: ask it before you send somebody through the '
    'widget, when the account is not known yet (provider_user_id null), or right after GET /athlete. One row for each '
    'active connection of the account, and of this end user at this provider, the newest first. outcome says what '
    'becomes of it: reconnection (superseded: the same end user, the lineage goes on), transfer (superseded: the '
    'account moves to this end user), duplicate (both stay, with different end users), accepted (the same, but the '
    'account is in accepted_duplicates), second_account (both stay, with one end user), undecided (reconnection or '
    'second_account, because an account is not known), unusable (both stay: the account ids of the provider are not '
    'compared). Exactly one row, with outcome none, or unusable, and nulls, if there is nothing. sentence says the '
    'same in English. It follows the rules of the environment and the row level security of the caller; it writes '
    'nothing. provider and ids are read as in payloads: white space around them is removed, an empty one is null, and '
    'the provider is put in upper case.';

-- The ledger's part of the overview: of each environment the 100,000 newest deliveries. It is a function, which is not
-- inlined, because the planner would take an unknown number of environments for many, and compile the whole query.
CREATE FUNCTION terra_identity._recent_deliveries(environment text)
RETURNS TABLE (provider text, seen bigint, first_received_at timestamptz, last_received_at timestamptz,
               events_hour bigint, events_day bigint, reauths_hour bigint, reauths_day bigint, delay_median interval,
               delay_p95 interval)
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 5 SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT e.provider, count(*), min(e.received_at), max(e.received_at),
           count(*) FILTER (WHERE e.received_at > now() - interval '1 hour'),
           count(*) FILTER (WHERE e.received_at > now() - interval '1 day'),
           count(*) FILTER (WHERE e.received_at > now() - interval '1 hour' AND e.event_type = 'user_reauth'),
           count(*) FILTER (WHERE e.received_at > now() - interval '1 day' AND e.event_type = 'user_reauth'),
           -- A delivery without an ordering timestamp has the time of its receipt as event time.
           percentile_cont(0.5) WITHIN GROUP (ORDER BY e.received_at - e.event_time)
               FILTER (WHERE e.received_at > now() - interval '1 hour' AND e.event_time <> e.received_at),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY e.received_at - e.event_time)
               FILTER (WHERE e.received_at > now() - interval '1 hour' AND e.event_time <> e.received_at)
    FROM (SELECT l.provider, l.event_type, l.received_at, l.event_time FROM terra_identity.events l
          WHERE l.dev_id = environment AND l.entered_by IS NULL ORDER BY l.event_id DESC LIMIT 100000) e
    GROUP BY e.provider;
END;
COMMENT ON FUNCTION terra_identity._recent_deliveries(text) IS
    'What the view overview says of the 100,000 newest deliveries of an environment, by provider.';

CREATE VIEW terra_identity.overview WITH (security_invoker = true) AS
WITH RECURSIVE environment (dev_id) AS (
    (SELECT e.dev_id FROM terra_identity.events e ORDER BY e.dev_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.dev_id FROM terra_identity.events e WHERE e.dev_id > d.dev_id ORDER BY e.dev_id LIMIT 1)
    FROM environment d WHERE d.dev_id IS NOT NULL)
SELECT f.dev_id, f.provider,
       coalesce(pg_catalog.sum(f.active), 0)::bigint AS active,
       coalesce(pg_catalog.sum(f.superseded), 0)::bigint AS superseded,
       coalesce(pg_catalog.sum(f.replaced), 0)::bigint AS replaced,
       coalesce(pg_catalog.sum(f.deauthenticated), 0)::bigint AS deauthenticated,
       coalesce(pg_catalog.sum(f.revoked), 0)::bigint AS revoked,
       coalesce(pg_catalog.sum(f.failed), 0)::bigint AS failed,
       coalesce(pg_catalog.sum(f.duplicates), 0)::bigint AS duplicates,
       coalesce(pg_catalog.sum(f.unidentified), 0)::bigint AS unidentified,
       coalesce(pg_catalog.sum(f.problems), 0)::bigint AS problems,
       coalesce(pg_catalog.sum(f.rejected), 0)::bigint AS rejected,
       coalesce(pg_catalog.sum(f.refused), 0)::bigint AS refused,
       CASE WHEN coalesce(pg_catalog.bool_and(pg_catalog.bool_and(f.has_hour)) OVER same, true)
            THEN coalesce(pg_catalog.sum(f.events_hour), 0)::bigint END AS events_hour,
       CASE WHEN coalesce(pg_catalog.bool_and(pg_catalog.bool_and(f.has_day)) OVER same, true)
            THEN coalesce(pg_catalog.sum(f.events_day), 0)::bigint END AS events_day,
       CASE WHEN coalesce(pg_catalog.bool_and(pg_catalog.bool_and(f.has_hour)) OVER same, true)
            THEN coalesce(pg_catalog.sum(f.reauths_hour), 0)::bigint END AS reauths_hour,
       CASE WHEN coalesce(pg_catalog.bool_and(pg_catalog.bool_and(f.has_day)) OVER same, true)
            THEN coalesce(pg_catalog.sum(f.reauths_day), 0)::bigint END AS reauths_day,
       pg_catalog.max(f.delay_median) AS delay_median, pg_catalog.max(f.delay_p95) AS delay_p95,
       pg_catalog.max(f.last_received_at) AS last_received_at
FROM (
    SELECT c.dev_id, c.provider,
           pg_catalog.count(*) FILTER (WHERE c.status = 'active') AS active,
           pg_catalog.count(*) FILTER (WHERE c.status = 'superseded') AS superseded,
           pg_catalog.count(*) FILTER (WHERE c.status = 'replaced') AS replaced,
           pg_catalog.count(*) FILTER (WHERE c.status = 'deauthenticated') AS deauthenticated,
           pg_catalog.count(*) FILTER (WHERE c.status = 'revoked') AS revoked,
           pg_catalog.count(*) FILTER (WHERE c.status = 'failed') AS failed,
           NULL::bigint AS duplicates,
           pg_catalog.count(*) FILTER (WHERE c.status = 'active' AND c.provider_user_id IS NULL
                                         AND NOT c.account_unusable) AS unidentified,
           NULL::bigint AS problems, NULL::bigint AS rejected, NULL::bigint AS refused,
           NULL::boolean AS has_hour, NULL::boolean AS has_day, NULL::bigint AS events_hour,
           NULL::bigint AS events_day, NULL::bigint AS reauths_hour, NULL::bigint AS reauths_day,
           NULL::interval AS delay_median, NULL::interval AS delay_p95, NULL::timestamptz AS last_received_at
    FROM terra_identity.connections c
    GROUP BY c.dev_id, c.provider
    UNION ALL
    SELECT d.dev_id, d.provider, NULL, NULL, NULL, NULL, NULL, NULL, pg_catalog.count(*), NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM terra_identity.duplicate_connections d
    GROUP BY d.dev_id, d.provider
    UNION ALL
    SELECT p.dev_id, p.provider, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, pg_catalog.count(*), NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM (SELECT d.dev_id, e.provider
          FROM environment d
          CROSS JOIN LATERAL (
              SELECT e.provider FROM terra_identity.events e
              WHERE e.dev_id = d.dev_id AND e.problem IS NOT NULL ORDER BY e.event_id DESC LIMIT 100000) e) p
    GROUP BY p.dev_id, p.provider
    UNION ALL
    SELECT r.dev_id COLLATE pg_catalog."default", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           pg_catalog.count(*), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM terra_identity.rejected r
    GROUP BY r.dev_id
    UNION ALL
    SELECT r.dev_id COLLATE pg_catalog."default", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           pg_catalog.sum(r.refused)::bigint, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM terra_identity.refusal_counters r
    WHERE r.reason <> 'forgotten'
    GROUP BY r.dev_id
    UNION ALL
    SELECT n.dev_id, n.provider, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           pg_catalog.sum(n.seen) OVER env < 100000
               OR pg_catalog.min(n.first_received_at) OVER env <= pg_catalog.now() - interval '1 hour',
           pg_catalog.sum(n.seen) OVER env < 100000
               OR pg_catalog.min(n.first_received_at) OVER env <= pg_catalog.now() - interval '1 day',
           n.events_hour, n.events_day, n.reauths_hour, n.reauths_day, n.delay_median, n.delay_p95, n.last_received_at
    FROM (SELECT d.dev_id, r.* FROM environment d CROSS JOIN LATERAL terra_identity._recent_deliveries(d.dev_id) r) n
    WINDOW env AS (PARTITION BY n.dev_id)) f
GROUP BY f.dev_id, f.provider
WINDOW same AS (PARTITION BY f.dev_id);
COMMENT ON VIEW terra_identity.overview IS
    'Figures to graph, for each environment and provider. One row with provider null has what belongs to no provider. '
    'It reads connections once, and of each environment the 100,000 newest deliveries. docs/performance.md says what '
    'that costs; examples/prometheus has the queries of an exporter, and alerts.';
COMMENT ON COLUMN terra_identity.overview.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.overview.provider IS
    'Name of the provider in upper case; null for what names none: some problems, rejected and refused deliveries';
COMMENT ON COLUMN terra_identity.overview.active IS 'Number of connections of this status';
COMMENT ON COLUMN terra_identity.overview.superseded IS 'Number of connections of this status';
COMMENT ON COLUMN terra_identity.overview.replaced IS 'Number of connections of this status';
COMMENT ON COLUMN terra_identity.overview.deauthenticated IS 'Number of connections of this status';
COMMENT ON COLUMN terra_identity.overview.revoked IS 'Number of connections of this status';
COMMENT ON COLUMN terra_identity.overview.failed IS 'Number of connections of this status';
COMMENT ON COLUMN terra_identity.overview.duplicates IS 'Number of rows in duplicate_connections';
COMMENT ON COLUMN terra_identity.overview.unidentified IS 'Number of rows in unidentified_connections';
COMMENT ON COLUMN terra_identity.overview.problems IS
    'Number of rows in problems, of the newest 100,000 of the environment';
COMMENT ON COLUMN terra_identity.overview.rejected IS 'Number of rows in rejected';
COMMENT ON COLUMN terra_identity.overview.refused IS
    'How many deliveries were refused (401), as in refusals, where those of forgotten people are counted as well; it '
    'starts again when somebody deletes the counters';
COMMENT ON COLUMN terra_identity.overview.events_hour IS
    'Deliveries received in the last hour. Null if these are more than the 100,000 newest of the environment';
COMMENT ON COLUMN terra_identity.overview.events_day IS
    'Deliveries received in the last day. Null if these are more than the 100,000 newest of the environment';
COMMENT ON COLUMN terra_identity.overview.reauths_hour IS 'How many of events_hour are of type user_reauth';
COMMENT ON COLUMN terra_identity.overview.reauths_day IS 'How many of events_day are of type user_reauth';
COMMENT ON COLUMN terra_identity.overview.delay_median IS
    'Median of the time from ordering timestamp to receipt, of the deliveries of the last hour that have one, among '
    'the 100,000 newest of the environment; null if there are none';
COMMENT ON COLUMN terra_identity.overview.delay_p95 IS 'The same for the 95th percentile';
COMMENT ON COLUMN terra_identity.overview.last_received_at IS
    'When the last delivery was received, among the 100,000 newest of the environment; null if there are none';
