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
