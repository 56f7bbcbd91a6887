-- terra_identity: which Terra connection is current for whom.
-- Installed by CREATE EXTENSION; the extension owns its schema and everything in it.
\echo Use "CREATE EXTENSION terra_identity" to load this file. \quit

DO $$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'extension terra_identity needs a database with encoding UTF8'
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = pg_catalog.format('This database has encoding %s; Terra sends UTF-8.',
                                             pg_catalog.current_setting('server_encoding')),
                  HINT = 'Create a database with ENCODING ''UTF8''.';
    END IF;
END
$$;

CREATE SCHEMA terra_identity;
COMMENT ON SCHEMA terra_identity IS
    'Extension terra_identity: which Terra connection is current for whom. Insert webhooks into terra_identity.events.';

CREATE FUNCTION terra_identity.version() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'terra_identity_version';
COMMENT ON FUNCTION terra_identity.version() IS
    'Version of the library that this session has loaded. It works with the tables and functions of the same version '
    'only, pg_extension.extversion: with those of another every function but this one raises an error (55000), and '
    'so do INSERTs into events, until ALTER EXTENSION terra_identity UPDATE, or until the session connects again.';
