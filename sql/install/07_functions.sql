-- Functions about one connection. dev_id is always the last argument that is given, and defaults to the setting
-- terra_identity.dev_id. Null is no environment: a look-up finds nothing, anything else is an error. (But ingest, like
-- the column events.dev_id, takes null for "not given": then the delivery's header may say which environment it is of.)

-- For functions in SQL: as the only condition without a column it is asked once for each query, before any table is
-- read.
CREATE FUNCTION terra_identity._can_answer() RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'terra_identity_can_answer';
COMMENT ON FUNCTION terra_identity._can_answer() IS
    'True. Error 55000 in a session that Citus opened to a worker, where the extension is an empty copy: what it read '
    'there would be no answer.';

CREATE FUNCTION terra_identity.resolve(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'terra_identity_resolve';
COMMENT ON FUNCTION terra_identity.resolve(text, text) IS
    'The user_id that any user_id, old or new, stands for now: itself if it is active, else the newest active '
    'connection of its lineage. Null if there is none, if the user_id is unknown, or if an argument is null.';

CREATE FUNCTION terra_identity.lineage_of(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'terra_identity_lineage_of';
COMMENT ON FUNCTION terra_identity.lineage_of(text, text) IS
    'The lineage_id of a connection, which is the id to keep in your app. Null if the user_id is unknown, or if an '
    'argument is null.';

CREATE FUNCTION terra_identity.user_of(
    lineage_id bigint,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'terra_identity_user_of';
COMMENT ON FUNCTION terra_identity.user_of(bigint, text) IS
    'The current user_id of a lineage. Takes any lineage_id that there ever was, also one that has become part of '
    'another lineage since. Null if no connection of it is active, if it is unknown, or if an argument is null.';

CREATE FUNCTION terra_identity.lineage(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS SETOF terra_identity.connections LANGUAGE sql STABLE PARALLEL SAFE ROWS 3
BEGIN ATOMIC
    SELECT n FROM terra_identity.connections c -- the whole row, with columns that the owner added
    JOIN terra_identity.connections n ON n.dev_id = c.dev_id AND n.lineage_id = c.lineage_id
    WHERE terra_identity._can_answer() AND c.dev_id = lineage.dev_id AND c.user_id = lineage.user_id
    ORDER BY n.dated, n.connected_at, n.user_id COLLATE "C";
END;
COMMENT ON FUNCTION terra_identity.lineage(text, text) IS
    'The connections of the lineage of a user_id, oldest first: every user_id that this end user has had for this '
    'provider account. No rows if it is unknown.';

CREATE FUNCTION terra_identity.user_ids(
    reference_id text, provider text DEFAULT NULL,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS TABLE (user_id text, user_uuid uuid) LANGUAGE sql STABLE PARALLEL SAFE ROWS 5
BEGIN ATOMIC
    -- One SELECT without ORDER BY, so that the planner puts it into the query that calls it.
    SELECT n.user_id, n.user_uuid
    FROM (SELECT m.lineage_id, bool_and(m.reference_id = user_ids.reference_id) AS is_hers_alone -- nulls do not count
          FROM terra_identity.connections m
          WHERE m.dev_id = user_ids.dev_id
            AND m.lineage_id IN (SELECT c.lineage_id FROM terra_identity.connections c
                                 WHERE c.dev_id = user_ids.dev_id AND c.reference_id = user_ids.reference_id)
          GROUP BY m.lineage_id) l
    JOIN terra_identity.connections n ON n.dev_id = user_ids.dev_id AND n.lineage_id = l.lineage_id
    WHERE terra_identity._can_answer() AND (l.is_hers_alone OR n.reference_id = user_ids.reference_id)
      AND (user_ids.provider IS NULL OR n.provider = upper(user_ids.provider COLLATE "C"));
END;
COMMENT ON FUNCTION terra_identity.user_ids(text, text, text) IS
    'Every user_id that an end user has had, whatever became of it, for one provider or for all: join your own table '
    'with it to get all of her data, by user_id, or by user_uuid if your column is of type uuid (it is null for an id '
    'that is none). These are the connections whose reference_id is hers, and those of their lineages that have none, '
    'except in a lineage in which another end user has a connection. An id that came to another end user is the last '
    'one''s: see reference_history. In no order. No rows if the end user is unknown, or if reference_id or dev_id is '
    'null.';

CREATE FUNCTION terra_identity.reference_history(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS TABLE (reference_id text, "from" timestamptz, "to" timestamptz)
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 500 ROWS 1
    AS 'MODULE_PATHNAME', 'terra_identity_reference_history';
COMMENT ON FUNCTION terra_identity.reference_history(text, text) IS
    'Whose a connection was and when, oldest first: the end user (reference_id) from a time until just before '
    'another. At each time it is the one that the last identity event (auth, user_reauth, deauth, access_revoked, '
    'permission_change, connection_error, athlete), or import, with an end user names, by event time; of several at '
    'the same time the greatest. The first period begins at -infinity and the last one ends at infinity. One period, '
    'the connection''s reference_id, if only passing events name an end user. No rows if no event does, if the '
    'user_id is unknown, or if an argument is null. Events that row level security hides from the caller do not '
    'count.';

CREATE FUNCTION terra_identity.reference_at(
    user_id text, at timestamptz,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 500 AS 'MODULE_PATHNAME', 'terra_identity_reference_at';
COMMENT ON FUNCTION terra_identity.reference_at(text, timestamptz, text) IS
    'The end user whose a connection was at a time: the reference_id of the period of reference_history that the time '
    'is in. Null if there is none, or if an argument is null.';

CREATE VIEW terra_identity.stale_events WITH (security_invoker = true) AS
SELECT e.event_id, e.dev_id, e.user_id, c.user_uuid, e.event_type, e.event_time, e.received_at, c.status,
       c.ended_at, e.event_time > c.ended_at AS after_end, c.lineage_id,
       (SELECT n.user_id FROM terra_identity.connections n
        WHERE n.dev_id = c.dev_id AND n.lineage_id = c.lineage_id AND n.status = 'active'
        ORDER BY n.dated DESC, n.connected_at DESC, n.user_id COLLATE "C" DESC LIMIT 1) AS resolved_user_id
FROM terra_identity.connections c
JOIN terra_identity.events e ON e.dev_id = c.dev_id AND e.user_id = c.user_id
WHERE c.status <> 'active' AND e.problem IS NULL AND e.entered_by IS NULL;
COMMENT ON VIEW terra_identity.stale_events IS
    'Events of connections that are not active, with the user_id that each connection resolves to now: data that may '
    'have to be filed under another user_id. Corrections and imports are left out.';
COMMENT ON COLUMN terra_identity.stale_events.event_id IS 'Number of the delivery';
COMMENT ON COLUMN terra_identity.stale_events.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.stale_events.user_id IS 'Terra''s id of the connection';
COMMENT ON COLUMN terra_identity.stale_events.user_uuid IS 'user_id as a uuid; null if it is none';
COMMENT ON COLUMN terra_identity.stale_events.event_type IS 'The type of the payload';
COMMENT ON COLUMN terra_identity.stale_events.event_time IS
    'X-Terra-Ordering-Timestamp, or received_at if there is none';
COMMENT ON COLUMN terra_identity.stale_events.received_at IS 'When the delivery was received';
COMMENT ON COLUMN terra_identity.stale_events.status IS 'Status of the connection: see connections';
COMMENT ON COLUMN terra_identity.stale_events.ended_at IS 'When the connection ended';
COMMENT ON COLUMN terra_identity.stale_events.lineage_id IS
    'The id to keep in your app: it stays when the user_id changes';
COMMENT ON COLUMN terra_identity.stale_events.after_end IS 'True: the event is later than the end of the connection';
COMMENT ON COLUMN terra_identity.stale_events.resolved_user_id IS
    'The user_id that the connection stands for now; null if no connection of its lineage is active';

-- Functions about the whole state of an environment.

CREATE FUNCTION terra_identity.rebuild(
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_rebuild';
COMMENT ON FUNCTION terra_identity.rebuild(text) IS
    'Derives every connection of an environment again from the ledger; connection_ids stay the same. Returns how many '
    'rows changed: 0 if the state was right. Statements that change connections of the environment wait meanwhile. '
    'Error: 22004 if dev_id is null.';

CREATE FUNCTION terra_identity.verify(
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'),
    OUT user_id text, OUT "column" text, OUT stored text, OUT derived text)
RETURNS SETOF record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'terra_identity_verify';
COMMENT ON FUNCTION terra_identity.verify(text) IS
    'Compares every connection of an environment with the ledger, and changes nothing. One row per column that '
    'differs, with the value that is stored and the value that follows from the ledger; no rows if the state is right. '
    'Error: 22004 if dev_id is null.';
