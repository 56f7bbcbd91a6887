-- Citus creates the coordinator's extensions on its workers, where they stay empty. There a function that reads the
-- state is an error: it would find nothing, and the query that called it would lose rows without a word. Citus names
-- the sessions that it opens between its servers.
SET terra_identity.dev_id = 'empty copy';
SET client_min_messages = warning;
INSERT INTO terra_identity.events (payload)
VALUES ('{"type": "auth", "status": "success", "user": {"user_id": "first", "provider": "GARMIN", "reference_id": "ann"}}');

-- Every function that reads the state, with arguments that nobody has: what it answers, or the error.
CREATE FUNCTION pg_temp.answers() RETURNS TABLE (function text, answer text) LANGUAGE plpgsql AS $$
BEGIN
    FOR function, answer IN
        SELECT p.proname, format('SELECT count(*) || '' rows'' FROM terra_identity.%I(%s)', p.proname, (
            SELECT string_agg(CASE argument WHEN 'timestamptz'::regtype THEN 'now()' WHEN 'jsonb'::regtype THEN '''[]''' ELSE '''7''' END, ', ')
            FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a (argument, n) WHERE n <= p.pronargs - p.pronargdefaults))
        FROM pg_proc p
        WHERE p.pronamespace = 'terra_identity'::regnamespace AND p.provolatile = 's' AND p.proname !~ '^_' AND p.proname <> 'tombstone_key'
        ORDER BY p.proname COLLATE "C"
    LOOP
        BEGIN
            EXECUTE answer INTO answer;
        EXCEPTION WHEN object_not_in_prerequisite_state THEN
            answer := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
END $$;

-- Where there are connections, whichever, such a session is answered as any other.
SET application_name = 'citus_internal gpid=10000000123';
SELECT terra_identity.resolve('first') AS first, terra_identity.resolve('nobody') AS nobody;
SELECT * FROM pg_temp.answers();

-- Where there are none, it is not; other sessions are.
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM terra_identity.connections;
SELECT * FROM pg_temp.answers();
SAVEPOINT asked;
SELECT terra_identity.resolve('first');
ROLLBACK TO asked;
SET LOCAL application_name = 'citus_rebalancer';
SELECT terra_identity.resolve('first') IS NULL AS nobody;
SELECT DISTINCT answer FROM pg_temp.answers();
ROLLBACK;
RESET application_name;
