-- Why a connection is what it is. dev_id as in 07_functions.sql.

CREATE FUNCTION terra_identity.explain(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS TABLE (at timestamptz, event_id bigint, kind text, sentence text)
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10000 ROWS 10 AS 'MODULE_PATHNAME', 'terra_identity_explain';
COMMENT ON FUNCTION terra_identity.explain(text, text) IS
    'Why a connection is what it is: one row per thing that mattered, oldest first, and the conclusion last. at: when '
    'it happened, null for the conclusion; event_id: the event that says it, null if it follows from several; kind: '
    'the type of the event, or first_seen, connected_at, account, reference_id, revived, superseded, transferred, '
    'took_over, duplicate, dashboard, degraded, data, conclusion; sentence: what happened, with the rule that decided '
    'as docs/rules.md names it. Ids stand in double quotes, with quotes, backslashes, and characters that cannot be '
    'seen or run from right to left, escaped as in JSON; times are UTC. Events that repeat what others say share a '
    'row, and so do all data events. Of a user_id that was never seen: the conclusion alone. No rows if an argument is '
    'null. What row level security hides from the caller does not count. The cost depends neither on the number of '
    'events nor on that of connections: of very many identity events of one type the 100 oldest and 900 newest are '
    'read, of others on an account the 20 newest are named.';

CREATE FUNCTION terra_identity.explain_graph(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'terra_identity_explain_graph';
COMMENT ON FUNCTION terra_identity.explain_graph(text, text) IS
    'The lineage of a user_id, its accounts and who else is on them, as the text of a Mermaid flowchart, which GitHub '
    'draws. A box is an end user. A solid arrow leads from a connection to the one that replaced it by a user_reauth, '
    'a dashed one to the one that superseded it. Green frames: active. Dashed frame: the user_id that was asked for. '
    'Round: a provider account, joined to what is active on it. Times are UTC; long ids are cut in the middle. At most '
    '50,000 characters and 500 arrows: if there is more, the oldest connections are left out, and counted. Of a '
    'user_id that was never seen: one box that says so. Null if an argument is null. What row level security hides '
    'from the caller does not count.';
