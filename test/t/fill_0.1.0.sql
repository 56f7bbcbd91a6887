-- Fills a database that has the extension's version 0.1.0, as a dump of that version has it. Its triggers would call
-- the module of this version.
DO $$
DECLARE
    t regclass;
BEGIN
    FOR t IN SELECT c.oid FROM pg_class c WHERE relnamespace = 'terra_identity'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', t);
    END LOOP;
    DELETE FROM terra_identity.environments;
    DELETE FROM terra_identity.providers;
END
$$;
\ir ../data/dump_0.1.0.sql
