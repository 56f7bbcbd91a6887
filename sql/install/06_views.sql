-- The views.

CREATE FUNCTION terra_identity._data_types() RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{activity,body,daily,sleep,nutrition,menstruation,planned_workout,hormone,health_observation}'::text[];
COMMENT ON FUNCTION terra_identity._data_types() IS 'The types of events that are data.';

-- It is a function, which is not inlined, because a sub-query would be counted for every connection, though it runs for
-- the few that had an error: a plan for many was made for hundreds of times the work, and compiled whole.
CREATE FUNCTION terra_identity._is_degraded(environment text, connection text, since timestamptz) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE COST 10
RETURN NOT EXISTS (
    SELECT FROM terra_identity.events e
    WHERE e.dev_id = environment AND e.user_id = connection AND e.event_time > since
      AND e.event_type = ANY (terra_identity._data_types() || '{athlete,auth,user_reauth}') AND e.problem IS NULL);
COMMENT ON FUNCTION terra_identity._is_degraded(text, text, timestamptz) IS
    'Whether a connection (a user_id) is degraded that had its last connection_error at a time: no data, athlete, auth '
    'or user_reauth has come for it since. It reads with the rights of its caller.';

CREATE VIEW terra_identity.current_connections WITH (security_invoker = true) AS
SELECT c.dev_id, c.reference_id, c.provider, c.user_id, c.user_uuid, c.lineage_id, c.provider_user_id,
       c.connected_at, c.scopes, c.confirmed,
       c.degraded_at IS NOT NULL AND terra_identity._is_degraded(c.dev_id, c.user_id, c.degraded_at) AS degraded
FROM terra_identity.connections c
WHERE c.status = 'active';
COMMENT ON VIEW terra_identity.current_connections IS 'The active connections: whose data may be used for whom, now.';
COMMENT ON COLUMN terra_identity.current_connections.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.current_connections.reference_id IS
    'The end user: your app''s own id; null if no event named it';
COMMENT ON COLUMN terra_identity.current_connections.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE; null if no event named it';
COMMENT ON COLUMN terra_identity.current_connections.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.current_connections.user_uuid IS 'user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.current_connections.provider_user_id IS
    'The provider account; null if it is not known';
COMMENT ON COLUMN terra_identity.current_connections.connected_at IS 'When it was connected: see connections';
COMMENT ON COLUMN terra_identity.current_connections.scopes IS
    'Scopes that the person granted, comma-separated, as last reported; null if never reported';
COMMENT ON COLUMN terra_identity.current_connections.confirmed IS
    'True: an auth success or a user_reauth connected it, or it was imported. False: it is known from passing events '
    'only';
COMMENT ON COLUMN terra_identity.current_connections.lineage_id IS
    'The id to keep in your app: it stays when the user_id changes';
COMMENT ON COLUMN terra_identity.current_connections.degraded IS
    'True: a connection_error came for it, and no data, athlete, auth or user_reauth since: the person may have to '
    'reconnect';

CREATE VIEW terra_identity.duplicate_connections WITH (security_invoker = true) AS
SELECT c.dev_id, c.provider, c.provider_user_id, c.user_id, c.user_uuid, c.reference_id, c.lineage_id,
       c.connected_at, pg_catalog.row_number() OVER newest_first = 1 AS newest,
       pg_catalog.count(*) OVER (PARTITION BY c.dev_id, c.provider, c.provider_user_id) AS connections
FROM terra_identity.connections c
WHERE c.duplicate
  AND NOT EXISTS (SELECT FROM terra_identity.accepted_duplicates a
                  WHERE a.dev_id = c.dev_id AND a.provider = c.provider AND a.provider_user_id = c.provider_user_id)
WINDOW newest_first AS (PARTITION BY c.dev_id, c.provider, c.provider_user_id
                        ORDER BY c.dated DESC, c.connected_at DESC, c.user_id COLLATE "C" DESC);
COMMENT ON VIEW terra_identity.duplicate_connections IS
    'Provider accounts on which several end users have an active connection: one wearable under several people. One '
    'row per connection. Accounts in accepted_duplicates are left out.';
COMMENT ON COLUMN terra_identity.duplicate_connections.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.duplicate_connections.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE';
COMMENT ON COLUMN terra_identity.duplicate_connections.provider_user_id IS 'The provider account';
COMMENT ON COLUMN terra_identity.duplicate_connections.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.duplicate_connections.user_uuid IS 'user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.duplicate_connections.reference_id IS
    'The end user: your app''s own id; null if no event named it';
COMMENT ON COLUMN terra_identity.duplicate_connections.lineage_id IS
    'The id to keep in your app: it stays when the user_id changes';
COMMENT ON COLUMN terra_identity.duplicate_connections.connected_at IS 'When it was connected: see connections';
COMMENT ON COLUMN terra_identity.duplicate_connections.newest IS 'True for the newest connection of the account';
COMMENT ON COLUMN terra_identity.duplicate_connections.connections IS 'Number of active connections of the account';

-- Each SELECT of the pairs is of one table and has no WHERE: only into such ones does a join look by index.
CREATE VIEW terra_identity.transferred_accounts WITH (security_invoker = true) AS
SELECT o.dev_id, o.provider, o.provider_user_id, o.reference_id AS from_reference_id, o.user_id AS from_user_id,
       o.user_uuid AS from_user_uuid, n.reference_id AS to_reference_id, n.user_id AS to_user_id,
       n.user_uuid AS to_user_uuid, o.ended_at AS transferred_at
FROM (SELECT c.dev_id, c.user_id, c.successor_user_id, c.account_exclusive, false FROM terra_identity.connections c
      UNION ALL
      SELECT r.dev_id, r.old_user_id, r.new_user_id, r.transfer, true FROM terra_identity.reauths r)
    pair (dev_id, old_user_id, new_user_id, transfer, reauth)
JOIN terra_identity.connections o ON o.dev_id = pair.dev_id AND o.user_id = pair.old_user_id
JOIN terra_identity.connections n ON n.dev_id = pair.dev_id AND n.user_id = pair.new_user_id
WHERE pair.transfer AND pair.new_user_id IS NOT NULL AND o.successor_user_id = pair.new_user_id
  AND pair.reauth = (o.status = 'replaced')
  AND (pair.reauth OR (n.provider = o.provider AND n.provider_user_id = o.provider_user_id
                       AND n.reference_id IS DISTINCT FROM o.reference_id));
COMMENT ON VIEW terra_identity.transferred_accounts IS
    'Provider accounts that moved from one end user to another: a newer connection took the account over (account '
    'policy replace), or a user_reauth names two people. From then on the account''s data belongs to the other person.';
COMMENT ON COLUMN terra_identity.transferred_accounts.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.transferred_accounts.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE; null if no event named it';
COMMENT ON COLUMN terra_identity.transferred_accounts.provider_user_id IS
    'The provider account; null if it is not known';
COMMENT ON COLUMN terra_identity.transferred_accounts.from_reference_id IS 'The end user who had the account';
COMMENT ON COLUMN terra_identity.transferred_accounts.from_user_id IS 'The connection that had it';
COMMENT ON COLUMN terra_identity.transferred_accounts.from_user_uuid IS 'from_user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.transferred_accounts.to_reference_id IS 'The end user who has had it since';
COMMENT ON COLUMN terra_identity.transferred_accounts.to_user_id IS 'The connection that took it over';
COMMENT ON COLUMN terra_identity.transferred_accounts.to_user_uuid IS 'to_user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.transferred_accounts.transferred_at IS 'When the other end user connected';

CREATE VIEW terra_identity.dashboard_connections WITH (security_invoker = true) AS
SELECT c.dev_id, c.provider, c.provider_user_id, c.user_id, c.user_uuid, c.reference_id, c.lineage_id,
       c.connected_at,
       CASE WHEN c.duplicate THEN ARRAY(
           SELECT o.user_id FROM terra_identity.connections o
           WHERE o.duplicate AND o.dev_id = c.dev_id AND o.provider = c.provider
             AND o.provider_user_id = c.provider_user_id AND o.user_id <> c.user_id
           ORDER BY o.dated DESC, o.connected_at DESC, o.user_id COLLATE "C" DESC)
       ELSE '{}' END AS other_user_ids
FROM terra_identity.connections c
WHERE c.status = 'active'
  AND NOT (c.duplicate AND EXISTS (
      SELECT FROM terra_identity.connections o
      WHERE o.duplicate AND o.dev_id = c.dev_id AND o.provider = c.provider AND o.provider_user_id = c.provider_user_id
        AND (o.dated, o.connected_at, o.user_id COLLATE "C") > (c.dated, c.connected_at, c.user_id)));
COMMENT ON VIEW terra_identity.dashboard_connections IS
    'What Terra''s dashboard shows: the newest active connection of each provider account. A connection whose account '
    'is not known has a row of its own.';
COMMENT ON COLUMN terra_identity.dashboard_connections.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.dashboard_connections.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE; null if no event named it';
COMMENT ON COLUMN terra_identity.dashboard_connections.provider_user_id IS
    'The provider account; null if it is not known';
COMMENT ON COLUMN terra_identity.dashboard_connections.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.dashboard_connections.user_uuid IS 'user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.dashboard_connections.reference_id IS
    'The end user: your app''s own id; null if no event named it';
COMMENT ON COLUMN terra_identity.dashboard_connections.lineage_id IS
    'The id to keep in your app: it stays when the user_id changes';
COMMENT ON COLUMN terra_identity.dashboard_connections.connected_at IS 'When it was connected: see connections';
COMMENT ON COLUMN terra_identity.dashboard_connections.other_user_ids IS
    'The other active connections of the account, newest first: the dashboard does not show them, but their webhooks '
    'still come';

CREATE VIEW terra_identity.shared_references WITH (security_invoker = true) AS
SELECT c.dev_id, c.reference_id, c.provider, pg_catalog.count(*) AS connections,
       pg_catalog.array_agg(c.user_id ORDER BY c.dated, c.connected_at, c.user_id COLLATE "C") AS user_ids
FROM terra_identity.connections c
WHERE c.status = 'active' AND c.reference_id IS NOT NULL AND c.provider IS NOT NULL
GROUP BY c.dev_id, c.reference_id, c.provider
HAVING pg_catalog.count(*) > 1;
COMMENT ON VIEW terra_identity.shared_references IS
    'End users with several active connections at one provider: two provider accounts under one reference_id.';
COMMENT ON COLUMN terra_identity.shared_references.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.shared_references.reference_id IS 'The end user: your app''s own id';
COMMENT ON COLUMN terra_identity.shared_references.provider IS
    'Name of the provider in upper case, such as GARMIN, FITBIT or APPLE';
COMMENT ON COLUMN terra_identity.shared_references.connections IS 'Number of active connections';
COMMENT ON COLUMN terra_identity.shared_references.user_ids IS 'Their user_ids, oldest first';

CREATE VIEW terra_identity.problems WITH (security_invoker = true) AS
SELECT e.event_id, e.dev_id, e.received_at, e.event_type, e.user_id,
       CASE WHEN e.user_id ~ '^(([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}|[{]([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}[}])$'
           THEN e.user_id::uuid END AS user_uuid,
       e.trace_id, e.problem, e.payload, e.headers
FROM terra_identity.events e
WHERE e.problem IS NOT NULL;
COMMENT ON VIEW terra_identity.problems IS
    'Events whose payload is not what its type needs. They changed no connection.';
COMMENT ON COLUMN terra_identity.problems.event_id IS 'Number of the delivery';
COMMENT ON COLUMN terra_identity.problems.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.problems.received_at IS 'When the delivery was received';
COMMENT ON COLUMN terra_identity.problems.event_type IS 'The type of the payload; null if it has none';
COMMENT ON COLUMN terra_identity.problems.user_id IS 'Terra''s id of the connection; null if the event names none';
COMMENT ON COLUMN terra_identity.problems.user_uuid IS 'user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.problems.trace_id IS 'X-Terra-Trace-Id; null if the delivery has none';
COMMENT ON COLUMN terra_identity.problems.problem IS 'Why the payload is not what its type needs';
COMMENT ON COLUMN terra_identity.problems.payload IS 'The webhook''s body';
COMMENT ON COLUMN terra_identity.problems.headers IS 'The webhook''s headers; null if none were given';
