-- resolve, lineage_of and user_of show their callers what a query would: no more, and no less.
SET client_min_messages = warning;
SET terra_identity.dev_id = 'readers';
CREATE FUNCTION pg_temp.user(user_id text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('user_id', user_id, 'provider', 'GARMIN', 'reference_id', 'ann') $$;
INSERT INTO terra_identity.events (payload) VALUES
    (jsonb_build_object('type', 'auth', 'status', 'success', 'user', pg_temp.user('old'))),
    (jsonb_build_object('type', 'user_reauth', 'old_user', pg_temp.user('old'), 'new_user', pg_temp.user('new'))),
    (jsonb_build_object('type', 'auth', 'status', 'success', 'user', pg_temp.user('gone'))),
    (jsonb_build_object('type', 'deauth', 'user', pg_temp.user('gone')));
CREATE ROLE regress_reader;
CREATE ROLE regress_column_reader;
CREATE ROLE regress_row_reader;
CREATE ROLE regress_stranger;
GRANT USAGE ON SCHEMA terra_identity TO regress_reader, regress_column_reader, regress_row_reader, regress_stranger;
GRANT EXECUTE ON FUNCTION terra_identity.resolve, terra_identity.lineage_of, terra_identity.user_of
    TO regress_reader, regress_column_reader, regress_row_reader, regress_stranger;
SELECT terra_identity._enter_reader(role, NULL, true) FROM unnest('{regress_reader,regress_column_reader,regress_row_reader}'::regrole[]) role;
GRANT SELECT ON terra_identity.connections TO regress_reader, regress_row_reader;
GRANT SELECT (dev_id, user_id, connection_id, lineage_id, status, dated, connected_at) ON terra_identity.connections TO regress_column_reader;

-- How it is asked must not matter: a hostile operator stands before the server's own on the path.
CREATE SCHEMA regress_hostile;
CREATE FUNCTION regress_hostile.yes(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE OPERATOR regress_hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_hostile.yes);
GRANT USAGE ON SCHEMA regress_hostile TO PUBLIC;

CREATE FUNCTION pg_temp.answers(OUT resolved text, OUT ended text, OUT unknown text, OUT elsewhere text, OUT lineage boolean, OUT current text)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT terra_identity.resolve('old'), terra_identity.resolve('gone'), terra_identity.resolve('nobody'),
           terra_identity.resolve('old', 'elsewhere'), terra_identity.lineage_of('old') = terra_identity.lineage_of('new'),
           terra_identity.user_of(terra_identity.lineage_of('old'))
    INTO resolved, ended, unknown, elsewhere, lineage, current;
END
$$;
SELECT * FROM pg_temp.answers();
-- Null is no environment: what asks finds nothing, what acts refuses.
SELECT count(*) FROM terra_identity.lineage('old', NULL);
SELECT terra_identity.rebuild(NULL);
SELECT terra_identity.verify(NULL);
SELECT terra_identity.replay_rejected(NULL);
SELECT terra_identity.set_signing_secret('secret', dev_id => NULL);
SELECT terra_identity.drop_signing_secret(1, NULL);
SELECT terra_identity.resolve(NULL) IS NULL AND terra_identity.resolve('old', NULL) IS NULL AND terra_identity.user_of(NULL) IS NULL AS nulls;
SET ROLE regress_reader;
SET search_path = regress_hostile, pg_catalog;
SELECT * FROM pg_temp.answers();
RESET search_path;
SET ROLE regress_column_reader;
SET search_path = regress_hostile, pg_catalog;
SELECT * FROM pg_temp.answers();
RESET search_path;
SET ROLE regress_stranger;
\set SHOW_CONTEXT never
SELECT * FROM pg_temp.answers();
\set SHOW_CONTEXT errors
RESET ROLE;

-- Row level security.
CREATE POLICY others ON terra_identity.connections AS RESTRICTIVE FOR SELECT TO regress_row_reader USING (user_id <> 'new');
SET ROLE regress_row_reader;
SELECT * FROM pg_temp.answers();
SELECT * FROM pg_temp.answers();
SET ROLE regress_reader;
SELECT * FROM pg_temp.answers();
RESET ROLE;
DROP POLICY others ON terra_identity.connections;
SET ROLE regress_row_reader;
SELECT * FROM pg_temp.answers();
RESET ROLE;

DROP SCHEMA regress_hostile CASCADE;
DROP OWNED BY regress_reader, regress_column_reader, regress_row_reader, regress_stranger;
DROP ROLE regress_reader, regress_column_reader, regress_row_reader, regress_stranger;
