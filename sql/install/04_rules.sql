-- What users decide.

CREATE TABLE terra_identity.environment_settings (
    dev_id              text COLLATE "C" PRIMARY KEY CHECK (pg_catalog.octet_length(dev_id) BETWEEN 1 AND 512),
    terra_dev_id        text COLLATE "C" CHECK (pg_catalog.octet_length(terra_dev_id) BETWEEN 1 AND 512),
    account_policy      text COLLATE "C" NOT NULL CHECK (account_policy IN ('keep', 'replace')),
    signature_required  boolean NOT NULL DEFAULT false,
    signature_tolerance interval DEFAULT '24 hours' CHECK (signature_tolerance >= '0')
) USING heap;
-- account_policy, and sdk and account_ids below, have no DEFAULT: what an INSERT leaves out stays as it is.
CREATE UNIQUE INDEX environment_settings_terra_dev_id_key ON terra_identity.environment_settings (terra_dev_id);
COMMENT ON TABLE terra_identity.environment_settings IS
    'What was set of environments: written through the view environments, and by the extension where it learns or makes one. It is what a dump and replication take along: nothing is in it that CREATE EXTENSION brings.';
COMMENT ON COLUMN terra_identity.environment_settings.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.environment_settings.terra_dev_id IS 'See environments';
COMMENT ON COLUMN terra_identity.environment_settings.account_policy IS 'See environments';
COMMENT ON COLUMN terra_identity.environment_settings.signature_required IS 'See environments';
COMMENT ON COLUMN terra_identity.environment_settings.signature_tolerance IS 'See environments';

CREATE TABLE terra_identity.provider_settings (
    provider    text COLLATE "C" PRIMARY KEY CHECK (provider = pg_catalog.upper(provider)),
    sdk         boolean NOT NULL,
    account_ids text COLLATE "C" NOT NULL CHECK (account_ids IN ('unique', 'unusable'))
) USING heap;
COMMENT ON TABLE terra_identity.provider_settings IS
    'What was set of providers: written through the view providers. It is what a dump and replication take along: nothing is in it that CREATE EXTENSION brings.';
COMMENT ON COLUMN terra_identity.provider_settings.provider IS 'In upper case, as in connections';
COMMENT ON COLUMN terra_identity.provider_settings.sdk IS 'See providers';
COMMENT ON COLUMN terra_identity.provider_settings.account_ids IS 'See providers';

CREATE FUNCTION terra_identity._built_in_sdk_providers() RETURNS text[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'terra_identity_built_in_sdk_providers';
COMMENT ON FUNCTION terra_identity._built_in_sdk_providers() IS 'The providers that are connected by an SDK, unless provider_settings says otherwise.';

CREATE VIEW terra_identity.environments WITH (security_invoker = true) AS
SELECT s.dev_id, s.terra_dev_id, s.account_policy, s.signature_required, s.signature_tolerance
FROM terra_identity.environment_settings s
UNION ALL
SELECT 'default' COLLATE "C", NULL, 'keep' COLLATE "C", false, '24 hours'
WHERE NOT EXISTS (SELECT FROM terra_identity.environment_settings s WHERE s.dev_id OPERATOR(pg_catalog.=) 'default')
  AND NOT pg_catalog.row_security_active('terra_identity.environment_settings'); -- else it may be there all the same
ALTER VIEW terra_identity.environments ALTER COLUMN signature_tolerance SET DEFAULT '24 hours';
COMMENT ON VIEW terra_identity.environments IS
    'The rules of each environment (Terra dev_id); one that is not here has the defaults. INSERT or UPDATE, either works: connections follow in the same transaction. An INSERT of one that is there changes what it gives and leaves the rest as it is; it never relaxes signature_required, nor takes signature_tolerance back to its default: only UPDATE does. DELETE goes back to the defaults.';
COMMENT ON COLUMN terra_identity.environments.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.environments.terra_dev_id IS
    'What the header dev-id of its deliveries says. Null for the default environment: it learns the first one that it gets. From then on deliveries with another header, and no dev_id of their own, go to the environment that has it here, else to the one of that name, which is made';
COMMENT ON COLUMN terra_identity.environments.account_policy IS
    'Keep, where an INSERT leaves it out. What a new connection of another reference_id does to the one that has the same provider account: keep (both live on: Terra''s newer API; the careful default) or replace (the older one is superseded: Terra''s current API)';
COMMENT ON COLUMN terra_identity.environments.signature_required IS
    'ingest and webhook refuse what is not signed with one of the environment''s secrets. Set by set_signing_secret; stays when the last secret ends, is dropped, or is not restored with a dump';
COMMENT ON COLUMN terra_identity.environments.signature_tolerance IS
    'How far the time of a signature may be from now, either way; null: any time. Retries may carry the time of the first attempt, and go on for a day. 24 hours, where an INSERT leaves it out';

CREATE VIEW terra_identity.providers WITH (security_invoker = true) AS
SELECT s.provider, s.sdk, s.account_ids
FROM terra_identity.provider_settings s
UNION ALL
SELECT b.provider COLLATE "C", true, 'unique' COLLATE "C"
FROM pg_catalog.unnest(terra_identity._built_in_sdk_providers()) b (provider)
WHERE NOT EXISTS (
    SELECT FROM terra_identity.provider_settings s WHERE s.provider OPERATOR(pg_catalog.=) b.provider COLLATE "C")
  AND NOT pg_catalog.row_security_active('terra_identity.provider_settings');
COMMENT ON VIEW terra_identity.providers IS
    'What is particular about a provider; one that is not here is connected through the web and has unique account ids. INSERT or UPDATE, either works: connections follow in the same transaction. An INSERT of one that is there changes what it gives. DELETE takes back what was set; what is built in stays.';
COMMENT ON COLUMN terra_identity.providers.provider IS 'In upper case, as in connections';
COMMENT ON COLUMN terra_identity.providers.sdk IS
    'False, where an INSERT leaves it out. It is connected by an SDK on the person''s device. A new device of one reference_id supersedes the older one; the provider account is that of the device, which a family may share, and is not inherited';
COMMENT ON COLUMN terra_identity.providers.account_ids IS
    'unique, also where an INSERT leaves it out; or unusable, if it reports the same provider_user_id for different people: then accounts are not compared, nothing is superseded by them, and there are no duplicates';
