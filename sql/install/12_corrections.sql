-- Corrections: what a person decides about a connection.

CREATE FUNCTION terra_identity.correct(
    user_id text, what text, note text, other_user_id text DEFAULT NULL,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_correct';
COMMENT ON FUNCTION terra_identity.correct(text, text, text, text, text) IS
    'Records what a person knows better than the webhooks, as an event of type correction, and returns its event_id. '
    'what: active (the connection is alive), ended (it is not: it becomes deauthenticated), same_person_as (it and '
    'other_user_id are of one lineage), not_same_person_as (takes that back). note: how you know. The event has the '
    'role that called and the time, and counts like any other: a later webhook, or another correction, that says '
    'otherwise wins. Only connections of one end user and provider can be linked; if they turn out to be of two '
    'later, the link does not count. Errors: TI004 if it cannot be said, with a reason, and then nothing is '
    'stored; 22023 if what is unknown, an argument is empty, or other_user_id is superfluous; 22004 if an argument is '
    'null. For the owner, and for roles to which the owner grants EXECUTE, who can correct connections of every '
    'environment.';
