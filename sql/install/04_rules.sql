-- What users decide.

CREATE TABLE terra_identity.environments (
    dev_id              text COLLATE "C" PRIMARY KEY CHECK (pg_catalog.octet_length(dev_id) BETWEEN 1 AND 512),
    terra_dev_id        text COLLATE "C" CHECK (pg_catalog.octet_length(terra_dev_id) BETWEEN 1 AND 512),
    account_policy      text COLLATE "C" NOT NULL CHECK (account_policy IN ('keep', 'replace')),
    signature_required  boolean NOT NULL DEFAULT false,
    signature_tolerance interval DEFAULT '24 hours' CHECK (signature_tolerance >= '0')
);
CREATE UNIQUE INDEX environments_terra_dev_id_key ON terra_identity.environments (terra_dev_id);
COMMENT ON TABLE terra_identity.environments IS
    'The rules of each environment (Terra dev_id); one without a row has the defaults. INSERT or UPDATE, either works: connections follow in the same transaction. An INSERT of one that is there changes what it gives and leaves the rest as it is; it never relaxes signature_required, nor takes signature_tolerance back to its default: only UPDATE does.';
COMMENT ON COLUMN terra_identity.environments.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.environments.terra_dev_id IS
    'What the header dev-id of its deliveries says. Null for the default environment: it learns the first one that it gets. From then on deliveries with another header, and no dev_id of their own, go to the environment that has it here, else to the one of that name, which is made';
COMMENT ON COLUMN terra_identity.environments.account_policy IS
    'Keep, where an INSERT leaves it out. What a new connection of another reference_id does to the one that has the same provider account: keep (both live on: Terra''s newer API; the careful default) or replace (the older one is superseded: Terra''s current API)';

COMMENT ON COLUMN terra_identity.environments.signature_required IS
    'ingest and webhook refuse what is not signed with one of the environment''s secrets. Set by set_signing_secret; stays when the last secret ends, is dropped, or is not restored with a dump';
COMMENT ON COLUMN terra_identity.environments.signature_tolerance IS
    'How far the time of a signature may be from now, either way; null: any time. Retries may carry the time of the first attempt, and go on for a day';

CREATE TABLE terra_identity.providers (
    provider    text COLLATE "C" PRIMARY KEY CHECK (provider = pg_catalog.upper(provider)),
    sdk         boolean NOT NULL,
    account_ids text COLLATE "C" NOT NULL CHECK (account_ids IN ('unique', 'unusable'))
);
COMMENT ON TABLE terra_identity.providers IS
    'What is particular about a provider; one without a row is connected through the web and has unique account ids. INSERT or UPDATE, either works: connections follow in the same transaction; set sdk to false rather than delete a row, which a dump would bring back.';
COMMENT ON COLUMN terra_identity.providers.provider IS 'In upper case, as in connections';
COMMENT ON COLUMN terra_identity.providers.sdk IS
    'False, where an INSERT leaves it out. It is connected by an SDK on the person''s device. A new device of one reference_id supersedes the older one; the provider account is that of the device, which a family may share, and is not inherited';
COMMENT ON COLUMN terra_identity.providers.account_ids IS
    'unique, also where an INSERT leaves it out; or unusable, if it reports the same provider_user_id for different people: then accounts are not compared, nothing is superseded by them, and there are no duplicates';

INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('default', 'keep');
INSERT INTO terra_identity.providers (provider, sdk, account_ids)
SELECT p, true, 'unique' FROM pg_catalog.unnest('{APPLE,SAMSUNG,HEALTH_CONNECT,GOOGLEFIT,FREESTYLELIBRESDK}'::text[]) p;
