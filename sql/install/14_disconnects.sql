-- Disconnects: which connections are to be deauthenticated at Terra, and the functions of the workers that do it.

CREATE TABLE terra_identity.disconnects (
    disconnect_id    bigint GENERATED ALWAYS AS IDENTITY,
    dev_id           text NOT NULL,
    user_id          text NOT NULL,
    lineage_id       bigint NOT NULL,
    reference_id     text,
    provider         text NOT NULL,
    provider_user_id text NOT NULL,
    on_duplicate     text NOT NULL,
    event_id         bigint,
    requested_at     timestamptz NOT NULL,
    state            text NOT NULL CHECK (state IN ('queued', 'taken', 'done', 'closed')),
    next_attempt_at  timestamptz NOT NULL,
    attempts         integer NOT NULL DEFAULT 0,
    taken_by         text,
    last_error       text,
    last_of_account  boolean,
    other_user_ids   text[],
    closed_at        timestamptz,
    closed_because   text,
    PRIMARY KEY (dev_id, disconnect_id)
) USING heap;

-- One open row of a connection, whatever writes.
CREATE UNIQUE INDEX disconnects_open_key
    ON terra_identity.disconnects (user_id text_pattern_ops, dev_id text_pattern_ops)
    WHERE state IN ('queued', 'taken');
-- The open rows of an account; and those that are due, first the ones that have waited longest.
CREATE INDEX disconnects_account_idx ON terra_identity.disconnects (
    dev_id text_pattern_ops, provider text_pattern_ops, provider_user_id text_pattern_ops)
    WHERE state IN ('queued', 'taken');
CREATE INDEX disconnects_due_idx ON terra_identity.disconnects (dev_id, next_attempt_at, disconnect_id)
    WHERE state IN ('queued', 'taken');
CREATE INDEX disconnects_user_id_idx ON terra_identity.disconnects (user_id text_pattern_ops, disconnect_id)
    WITH (deduplicate_items = off);

COMMENT ON TABLE terra_identity.disconnects IS
    'The connections that are to be deauthenticated at Terra, because another end user has the same provider account '
    'and environments.on_duplicate says which of them is to go; and those that were. The open rows (queued or taken) '
    'always follow from the duplicates: the transaction that opens or closes a duplicate, edits the rule or accepts '
    'the account opens and closes them, too. Workers use take_disconnects, confirm_disconnect and fail_disconnect; do '
    'not write to it, but delete old rows that are done or closed as you like.';
COMMENT ON COLUMN terra_identity.disconnects.disconnect_id IS 'Number of the row';
COMMENT ON COLUMN terra_identity.disconnects.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.disconnects.user_id IS
    'The connection that is to be deauthenticated: Terra''s id of it. Personal data: an id.';
COMMENT ON COLUMN terra_identity.disconnects.lineage_id IS 'Its lineage when the row was opened. Personal data: an id.';
COMMENT ON COLUMN terra_identity.disconnects.reference_id IS
    'Its end user when the row was opened. Personal data: an id.';
COMMENT ON COLUMN terra_identity.disconnects.provider IS
    'Name of the provider in upper case, as in connections. No personal data.';
COMMENT ON COLUMN terra_identity.disconnects.provider_user_id IS
    'The provider account that several end users have. Personal data: an id.';
COMMENT ON COLUMN terra_identity.disconnects.on_duplicate IS
    'The rule that decided: environments.on_duplicate then. No personal data.';
COMMENT ON COLUMN terra_identity.disconnects.event_id IS
    'The event that made it a connection to disconnect; null if an edit of the rules or rebuild() did';
COMMENT ON COLUMN terra_identity.disconnects.requested_at IS 'When the row was opened';
COMMENT ON COLUMN terra_identity.disconnects.state IS
    'queued: it waits for a worker. taken: a worker has it, until next_attempt_at. done: Terra has deauthenticated the '
    'connection, as a worker confirmed. closed: nothing is to be done any more, see closed_because. No personal data.';
COMMENT ON COLUMN terra_identity.disconnects.next_attempt_at IS
    'From when on a worker can take an open row: at once; after a failure later; and while a worker has it, when its '
    'lease ends';
COMMENT ON COLUMN terra_identity.disconnects.attempts IS 'How often it was taken';
COMMENT ON COLUMN terra_identity.disconnects.taken_by IS
    'The role that took it last; null if none has. Personal data: the name of a role.';
COMMENT ON COLUMN terra_identity.disconnects.last_error IS
    'Why the last attempt failed, as fail_disconnect was told; null if none has. Personal data: what somebody wrote.';
COMMENT ON COLUMN terra_identity.disconnects.last_of_account IS
    'True: when it was last taken or confirmed, no other connection of the account was active. Then Terra also revokes '
    'your app''s access at the provider, for the person who owns the account: whoever connects it again has to consent '
    'again. Null if it was never taken or confirmed';
COMMENT ON COLUMN terra_identity.disconnects.other_user_ids IS
    'The other connections of the account that were active then, newest first. Null if it was never taken or '
    'confirmed. Personal data: an id.';
COMMENT ON COLUMN terra_identity.disconnects.closed_at IS 'When it was done or closed; null if it is open';
COMMENT ON COLUMN terra_identity.disconnects.closed_because IS
    'Why it was closed, in a sentence; null if it was not. A row that was closed while a worker had it may still '
    'become done. No personal data.';

CREATE FUNCTION terra_identity.take_disconnects(
    n integer DEFAULT 1, lease interval DEFAULT '5 minutes',
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'),
    OUT disconnect_id bigint, OUT user_id text, OUT reference_id text, OUT provider text, OUT provider_user_id text,
    OUT last_of_account boolean, OUT other_user_ids text[], OUT attempts integer, OUT last_error text,
    OUT leased_until timestamptz)
RETURNS SETOF record LANGUAGE c VOLATILE ROWS 1 AS 'MODULE_PATHNAME', 'terra_identity_take_disconnects';
COMMENT ON FUNCTION terra_identity.take_disconnects(integer, interval, text) IS
    'For workers: takes up to n rows of disconnects that are due, those first that have waited longest, and returns '
    'them. No other worker gets them during the lease; if nobody confirms or fails one until then, it is due again. '
    'Rows that another transaction is just taking are skipped: it waits for nobody. Each row is looked at again: what '
    'is no longer to be disconnected is closed instead. So last_of_account, whether Terra would also revoke the '
    'access at the provider, is false in every row, and other_user_ids names the connections that are active beside '
    'it. Call it in a transaction of its own, for what you do at once. Errors: 22004 if an argument is null, 22023 if '
    'n is less than 1 or the lease not positive.';

CREATE FUNCTION terra_identity.confirm_disconnect(
    disconnect_id bigint,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_confirm_disconnect';
COMMENT ON FUNCTION terra_identity.confirm_disconnect(bigint, text) IS
    'For workers: Terra has answered that it deauthenticated the connection. The row is done, and the connection ends '
    'now unless it has ended already: by an event of the ledger, the correction ended, so that it holds even if '
    'Terra''s deauth never comes. True if the row was not done before; also for one whose lease ran out, or that was '
    'closed meanwhile. False if it was done; and if a webhook says that the connection is alive at a later time, by '
    'Terra''s clock: then the row is due again later, as after a failure. Errors: 22004 if an argument is null, 22023 '
    'if there is no such row, for instance because its end user was forgotten meanwhile.';

CREATE FUNCTION terra_identity.fail_disconnect(
    disconnect_id bigint, error text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS timestamptz
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_fail_disconnect';
COMMENT ON FUNCTION terra_identity.fail_disconnect(bigint, text, text) IS
    'For workers: an attempt failed, for this reason (of which 1000 characters are kept). Returns when the row is due '
    'again: half a minute later, after each further attempt twice as long, at most an hour; it is never given up '
    'while the duplicate is there. Null if nothing is to be done any more: the row is done or closed, and stays so. '
    'Errors: 22004 if an argument is null, 22023 if there is no such row.';

CREATE FUNCTION terra_identity._collect_accepted_duplicate() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_collect_accepted_duplicate';
CREATE FUNCTION terra_identity._follow_accepted_duplicates() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_follow_accepted_duplicates';
COMMENT ON FUNCTION terra_identity._collect_accepted_duplicate() IS
    'Trigger: collects the accounts that a statement accepts, or no longer accepts, as shared.';
COMMENT ON FUNCTION terra_identity._follow_accepted_duplicates() IS
    'Trigger: at the end of a statement, opens and closes the disconnects of these accounts.';
CREATE TRIGGER collect_accepted_duplicate AFTER INSERT OR UPDATE OR DELETE ON terra_identity.accepted_duplicates
    FOR EACH ROW EXECUTE FUNCTION terra_identity._collect_accepted_duplicate();
CREATE TRIGGER follow_accepted_duplicates AFTER INSERT OR UPDATE OR DELETE ON terra_identity.accepted_duplicates
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._follow_accepted_duplicates();
