-- The module works with the install script of its own version only; and it notices when that changes.
\set ON_ERROR_ROLLBACK on
\set VERBOSITY sqlstate
\set SHOW_CONTEXT never
SELECT terra_identity.version() = extversion AS same, terra_identity.version() = default_version AS the_default
FROM pg_extension JOIN pg_available_extensions ON name = extname WHERE extname = 'terra_identity';

BEGIN;
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "daily", "user": {"user_id": "V", "provider": "GARMIN"}}');
SELECT terra_identity.resolve('V');
-- An earlier script, such as the database has until ALTER EXTENSION UPDATE.
UPDATE pg_extension SET extversion = '0.9.0' WHERE extname = 'terra_identity';
CREATE FUNCTION pg_temp.any_change_of_functions() RETURNS int RETURN 1;
DO $$
DECLARE
    error text;
    detail text;
    hint text;
BEGIN
    INSERT INTO terra_identity.events (payload) VALUES ('{"type": "healthcheck"}');
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    GET STACKED DIAGNOSTICS error = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    CREATE TEMP TABLE refusal ON COMMIT DROP AS SELECT
        replace(error, terra_identity.version(), 'VERSION') AS error, detail, hint;
END$$;
\x
TABLE refusal;
\x
COPY terra_identity.events (payload) FROM stdin;
{"type": "healthcheck"}
\.
SELECT terra_identity.resolve('V');
SELECT outcome FROM terra_identity.ingest('{"type": "healthcheck"}'::bytea);
SELECT terra_identity.rebuild();
SELECT * FROM terra_identity.verify();
INSERT INTO terra_identity.environments (dev_id) VALUES ('V');
-- Only the version is told. What is stored can be read.
SELECT terra_identity.version() = default_version AS the_librarys
FROM pg_available_extensions WHERE name = 'terra_identity';
SELECT event_type FROM terra_identity.events WHERE user_id = 'V';
-- Nor does row level security let anybody through whom it cannot judge.
CREATE ROLE version_reader;
GRANT USAGE ON SCHEMA terra_identity TO version_reader;
GRANT SELECT ON terra_identity.events TO version_reader;
SET ROLE version_reader;
SELECT event_type FROM terra_identity.events WHERE user_id = 'V';
RESET ROLE;
-- It works again as soon as the script is the right one, in the same session.
UPDATE pg_extension SET extversion = terra_identity.version() WHERE extname = 'terra_identity';
SELECT terra_identity.resolve('V');
ROLLBACK;
SELECT terra_identity.resolve('V');
