-- The rules that users can change.

CREATE TABLE terra_identity.environment_settings (
    dev_id              text PRIMARY KEY CHECK (pg_catalog.octet_length(dev_id) BETWEEN 1 AND 512),
    account_policy      text NOT NULL CHECK (account_policy IN ('keep', 'replace')),
    signature_required  boolean NOT NULL DEFAULT false,
    signature_tolerance interval DEFAULT '24 hours' CHECK (signature_tolerance >= '0'),
    terra_dev_id        text CHECK (pg_catalog.octet_length(terra_dev_id) BETWEEN 1 AND 512),
    on_duplicate        text NOT NULL CHECK (on_duplicate IN ('report', 'disconnect_older', 'disconnect_newer')),
    store_data          boolean NOT NULL
) USING heap;
-- account_policy, on_duplicate and store_data, and sdk and account_ids below, have no DEFAULT: a column that an INSERT
-- leaves out keeps its value.
CREATE UNIQUE INDEX environment_settings_terra_dev_id_key ON terra_identity.environment_settings (terra_dev_id);
COMMENT ON TABLE terra_identity.environment_settings IS
    'The rows behind the view environments: what users have set there, and what the extension has learned from the '
    'header dev-id. Edit the view. The table is empty after CREATE EXTENSION, so that dumps and replication can bring '
    'all of its rows.';
COMMENT ON COLUMN terra_identity.environment_settings.dev_id IS 'See the view environments. No personal data.';
COMMENT ON COLUMN terra_identity.environment_settings.terra_dev_id IS 'See the view environments. No personal data.';
COMMENT ON COLUMN terra_identity.environment_settings.account_policy IS 'See the view environments. No personal data.';
COMMENT ON COLUMN terra_identity.environment_settings.signature_required IS 'See the view environments';
COMMENT ON COLUMN terra_identity.environment_settings.signature_tolerance IS 'See the view environments';
COMMENT ON COLUMN terra_identity.environment_settings.on_duplicate IS 'See the view environments. No personal data.';
COMMENT ON COLUMN terra_identity.environment_settings.store_data IS 'See the view environments';

CREATE TABLE terra_identity.provider_settings (
    provider    text PRIMARY KEY CHECK (provider = pg_catalog.upper(provider COLLATE "C")),
    sdk         boolean NOT NULL,
    account_ids text NOT NULL CHECK (account_ids IN ('unique', 'unusable'))
) USING heap;
COMMENT ON TABLE terra_identity.provider_settings IS
    'The rows behind the view providers: what users have set there. Edit the view. The table is empty after CREATE '
    'EXTENSION, so that dumps and replication can bring all of its rows.';
COMMENT ON COLUMN terra_identity.provider_settings.provider IS 'See the view providers. No personal data.';
COMMENT ON COLUMN terra_identity.provider_settings.sdk IS 'See the view providers';
COMMENT ON COLUMN terra_identity.provider_settings.account_ids IS 'See the view providers. No personal data.';

CREATE FUNCTION terra_identity._built_in_sdk_providers() RETURNS text[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'terra_identity_built_in_sdk_providers';
COMMENT ON FUNCTION terra_identity._built_in_sdk_providers() IS
    'The providers that are connected by an SDK, unless provider_settings says otherwise.';

CREATE FUNCTION terra_identity._shows_environment(environment text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'terra_identity_shows_environment';
COMMENT ON FUNCTION terra_identity._shows_environment(text) IS
    'Whether row level security shows the caller the rules of an environment, also if they have no row.';

CREATE VIEW terra_identity.environments WITH (security_invoker = true) AS
SELECT s.dev_id, s.account_policy, s.signature_required, s.signature_tolerance, s.terra_dev_id, s.on_duplicate,
       s.store_data
FROM terra_identity.environment_settings s
UNION ALL
SELECT 'default', 'keep', false, '24 hours', NULL, 'report', true
WHERE NOT EXISTS (SELECT FROM terra_identity.environment_settings s WHERE s.dev_id OPERATOR(pg_catalog.=) 'default')
  AND terra_identity._shows_environment('default'); -- a policy may hide the row
ALTER VIEW terra_identity.environments ALTER COLUMN signature_tolerance SET DEFAULT '24 hours';
COMMENT ON VIEW terra_identity.environments IS
    'The rules of each environment; one that has no row has the defaults. INSERT, UPDATE and DELETE '
    'work, and the connections follow in the same transaction. An INSERT of an environment that has a row changes the '
    'columns that it gives and leaves the others. INSERT never relaxes the signature rules: only UPDATE sets '
    'signature_required to false, or signature_tolerance back to its default. DELETE goes back to the defaults, but an '
    'environment that has signing secrets, or has stored signed deliveries, goes on requiring signatures.';
COMMENT ON COLUMN terra_identity.environments.dev_id IS
    'Your own name of the environment; Terra''s dev_id is terra_dev_id';
COMMENT ON COLUMN terra_identity.environments.terra_dev_id IS
    'What the header dev-id of its deliveries says. The default environment learns it from the first delivery that has '
    'the header; until then it is null. From then on, a delivery that has another header and no dev_id of its own goes '
    'to the environment that has this header here, or else to the environment of that name, which is created';
COMMENT ON COLUMN terra_identity.environments.account_policy IS
    'What happens when a second end user connects a provider account that another end user has. keep, the default: '
    'both connections stay active, as in Terra''s newer API. replace: the older one becomes superseded, as in Terra''s '
    'current API';
COMMENT ON COLUMN terra_identity.environments.signature_required IS
    'True: ingest and webhook refuse what is not signed with one of the environment''s secrets. set_signing_secret '
    'sets it, and it stays when the last secret expires, is dropped, or is missing after a restore. Default false';
COMMENT ON COLUMN terra_identity.environments.signature_tolerance IS
    'How far the signed time may be from now, either way; null: any time. Default 24 hours, because retries may carry '
    'the time of the first attempt for a day';
COMMENT ON COLUMN terra_identity.environments.on_duplicate IS
    'What is done when several end users have an active connection to one provider account. report, the default: '
    'nothing, duplicate_connections reports them. disconnect_older: all but the newest connection are queued in '
    'disconnects, to be deauthenticated at Terra; disconnect_newer: all but the oldest. An edit holds at once, for the '
    'duplicates that there are, too: it queues them, or closes the rows that no longer follow';
COMMENT ON COLUMN terra_identity.environments.store_data IS
    'True, the default: events are stored as they were delivered. False: of every event but identity events the ledger '
    'stores the envelope, which is what the rules read of it; its data and its headers are never written to disk. '
    'Connections, explain and all views are the same. An edit holds for the deliveries after it: see prune for those '
    'before it. s3_payload and s3_upload, whose data lies behind a URL, are stored whole';

CREATE VIEW terra_identity.providers WITH (security_invoker = true) AS
SELECT s.provider, s.sdk, s.account_ids
FROM terra_identity.provider_settings s
UNION ALL
SELECT b.provider, true, 'unique'
FROM pg_catalog.unnest(terra_identity._built_in_sdk_providers()) b (provider)
WHERE NOT EXISTS (
    SELECT FROM terra_identity.provider_settings s WHERE s.provider OPERATOR(pg_catalog.=) b.provider)
  AND NOT pg_catalog.row_security_active('terra_identity.provider_settings');
COMMENT ON VIEW terra_identity.providers IS
    'What is special about a provider; one that has no row is connected through the web and has unique account ids. '
    'INSERT, UPDATE and DELETE work, and the connections follow in the same transaction. An INSERT of a provider that '
    'has a row changes the columns that it gives and leaves the others. DELETE goes back to what is built in.';
COMMENT ON COLUMN terra_identity.providers.provider IS 'Name of the provider in upper case, as in connections';
COMMENT ON COLUMN terra_identity.providers.sdk IS
    'True: it is connected by an SDK on the person''s device. A new device of an end user supersedes the older one. '
    'The provider account is that of the device, which a family may share, and a reconnection does not inherit it. '
    'Default false, except for the SDK providers that are built in';
COMMENT ON COLUMN terra_identity.providers.account_ids IS
    'unique, the default; or unusable: it reports the same provider_user_id for different people. Then its accounts '
    'are not compared: they supersede no connection, and there are no duplicates';

CREATE TABLE terra_identity.accepted_duplicates (
    dev_id           text NOT NULL
        DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'),
    provider         text NOT NULL CHECK (provider = pg_catalog.upper(pg_catalog.btrim(provider) COLLATE "C")),
    provider_user_id text NOT NULL CHECK (provider_user_id = pg_catalog.btrim(provider_user_id)),
    note             text,
    accepted_by      text NOT NULL DEFAULT CURRENT_USER,
    accepted_at      timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (dev_id, provider, provider_user_id)
) USING heap;
COMMENT ON TABLE terra_identity.accepted_duplicates IS
    'Provider accounts that several end users may share: duplicate_connections leaves them out, and the feed says '
    'accepted in the detail of duplicate_opened and duplicate_closed. INSERT and DELETE rows. They change no '
    'connection: everybody on the account stays what the account policy makes of them.';
COMMENT ON COLUMN terra_identity.accepted_duplicates.dev_id IS
    'Environment (environments.dev_id), by default the one that the setting terra_identity.dev_id names. No personal '
    'data.';
COMMENT ON COLUMN terra_identity.accepted_duplicates.provider IS
    'Name of the provider in upper case, as in connections. No personal data.';
COMMENT ON COLUMN terra_identity.accepted_duplicates.provider_user_id IS
    'The provider account, as in connections. Personal data: an id.';
COMMENT ON COLUMN terra_identity.accepted_duplicates.note IS
    'Why it may be shared; null if nobody said so. Personal data: what somebody wrote.';
COMMENT ON COLUMN terra_identity.accepted_duplicates.accepted_by IS
    'The role that accepted it. Personal data: the name of a role.';
COMMENT ON COLUMN terra_identity.accepted_duplicates.accepted_at IS 'When it was accepted';
