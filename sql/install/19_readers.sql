-- Readers: which role may read which environments. The policies that ask this table are at the end, when all tables are
-- there.

CREATE TABLE terra_identity.readers (
    dev_id            text NOT NULL CHECK (pg_catalog.octet_length(dev_id) <= 512),
    role_id           oid NOT NULL,
    system_identifier bigint NOT NULL,
    role              text NOT NULL,
    PRIMARY KEY (dev_id, role_id, system_identifier)
) USING heap;
COMMENT ON TABLE terra_identity.readers IS
    'Which role may read which environments: grant_reader and its like enter it, and revoke_reader takes it away. '
    'The row level security of every table that has a dev_id asks it. Who is subject to row level security and has '
    'no row here, nor is a member of a role that has one, reads nothing. A row is of the role with that number as '
    'long as it has that name, so that a new role of the same name has nothing of the old one, and a renamed one is '
    'granted again. In another cluster, where a dump or replication brought it, it is of the role with that name.';
COMMENT ON COLUMN terra_identity.readers.dev_id IS
    'Environment (environments.dev_id); empty for every environment. No personal data.';
COMMENT ON COLUMN terra_identity.readers.role_id IS
    'The role, pg_roles.oid. No personal data.';
COMMENT ON COLUMN terra_identity.readers.system_identifier IS
    'The cluster that role_id is of, as in pg_control_system()';
COMMENT ON COLUMN terra_identity.readers.role IS
    'Name that the role had. Personal data: the name of a role.';

-- The argument is the table's dev_id, about which the planner asks the support functions.
CREATE FUNCTION terra_identity._plan_may_read(internal) RETURNS internal
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'terra_identity_plan_may_read';
CREATE FUNCTION terra_identity._plan_may_insert(internal) RETURNS internal
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'terra_identity_plan_may_insert';
CREATE FUNCTION terra_identity._may_read(environment text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE SUPPORT terra_identity._plan_may_read
    AS 'MODULE_PATHNAME', 'terra_identity_asked_by_policies';
CREATE FUNCTION terra_identity._may_insert(environment text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE SUPPORT terra_identity._plan_may_insert
    AS 'MODULE_PATHNAME', 'terra_identity_asked_by_policies';
COMMENT ON FUNCTION terra_identity._plan_may_read(internal) IS 'What the planner puts in the place of _may_read.';
COMMENT ON FUNCTION terra_identity._plan_may_insert(internal) IS 'What the planner puts in the place of _may_insert.';
COMMENT ON FUNCTION terra_identity._may_read(text) IS
    'Policy: whether a role may read the rows of an environment. Only policies can ask it.';
COMMENT ON FUNCTION terra_identity._may_insert(text) IS
    'Policy: whether a role may insert rows of an environment: not of another one than it may read, if it may read '
    'some environments only. Only policies can ask it.';

CREATE FUNCTION terra_identity._forget_readers_everywhere() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_forget_readers_everywhere';
COMMENT ON FUNCTION terra_identity._forget_readers_everywhere() IS
    'Trigger: makes every session ask again who is a reader, and plan its queries again.';
CREATE TRIGGER forget_rules AFTER INSERT OR UPDATE OR DELETE ON terra_identity.readers
    FOR EACH ROW EXECUTE FUNCTION terra_identity._forget_readers_everywhere();
ALTER TABLE terra_identity.readers ENABLE ALWAYS TRIGGER forget_rules;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON terra_identity.readers
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._refuse_truncate();

CREATE FUNCTION terra_identity._this_cluster() RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT c.system_identifier FROM pg_control_system() c);
COMMENT ON FUNCTION terra_identity._this_cluster() IS 'What system_identifier is in the rows of readers made here.';

CREATE FUNCTION terra_identity._enter_reader(role regrole, environment text, widens boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    here CONSTANT bigint := terra_identity._this_cluster();
    name CONSTANT text := (SELECT r.rolname FROM pg_roles r WHERE r.oid = _enter_reader.role);
    everything_as oid;
BEGIN
    IF name IS NULL THEN
        RAISE EXCEPTION 'a role is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF environment = '' OR octet_length(environment) > 512 THEN
        RAISE EXCEPTION 'invalid dev_id'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'A dev_id has 1 to 512 bytes.';
    END IF;
    -- What was of roles that have been dropped or renamed. What was of this role, or came by a dump for a role of this
    -- name, if its privileges have been taken back since, or did not come along. What came with them is taken over.
    DELETE FROM terra_identity.readers d
    WHERE d.system_identifier = here
      AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = d.role_id AND r.rolname = d.role);
    IF EXISTS (SELECT FROM pg_class c
               WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind IN ('r', 'v')
                 AND has_any_column_privilege(_enter_reader.role, c.oid, 'SELECT'))
    THEN
        INSERT INTO terra_identity.readers (dev_id, role_id, system_identifier, role)
        SELECT d.dev_id, _enter_reader.role, here, name FROM terra_identity.readers d
        WHERE d.system_identifier <> here AND d.role = name
        ON CONFLICT (dev_id, role_id, system_identifier) DO NOTHING;
    ELSE
        DELETE FROM terra_identity.readers d
        WHERE d.system_identifier = here AND d.role_id = _enter_reader.role;
    END IF;
    DELETE FROM terra_identity.readers d WHERE d.system_identifier <> here AND d.role = name;

    IF environment IS NULL THEN
        IF NOT widens AND EXISTS (SELECT FROM terra_identity.readers d
                                  WHERE d.system_identifier = here AND d.role_id = _enter_reader.role)
        THEN
            RETURN;
        END IF;
        DELETE FROM terra_identity.readers d
        WHERE d.system_identifier = here AND d.role_id = _enter_reader.role;
    ELSE
        IF (SELECT r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'USAGE')
            FROM pg_roles r, pg_class c
            WHERE r.oid = _enter_reader.role AND c.oid = 'terra_identity.readers'::regclass)
        THEN
            RAISE EXCEPTION 'role "%" cannot be restricted to an environment', name
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = 'No row level security holds for superusers, for roles with BYPASSRLS, and for the '
                               'owner of the tables and its members.';
        END IF;
        SELECT d.role_id INTO everything_as FROM terra_identity.readers d
        WHERE d.dev_id = '' AND d.system_identifier = here AND pg_has_role(_enter_reader.role, d.role_id, 'USAGE')
        ORDER BY d.role_id = _enter_reader.role DESC LIMIT 1;
        IF everything_as IS NOT NULL THEN
            RAISE EXCEPTION 'role "%" may read every environment already', name
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = CASE WHEN everything_as = _enter_reader.role THEN 'It was granted all of them.'
                               ELSE format('It is a member of role %s, which may.', everything_as::regrole) END,
                      HINT = format('First: SELECT terra_identity.revoke_reader(%L);', everything_as::regrole);
        END IF;
    END IF;
    INSERT INTO terra_identity.readers (dev_id, role_id, system_identifier, role)
    VALUES (coalesce(environment, ''), _enter_reader.role, here, name)
    ON CONFLICT (dev_id, role_id, system_identifier) DO NOTHING;
END
$$;
COMMENT ON FUNCTION terra_identity._enter_reader(regrole, text, boolean) IS
    'Enters a role into readers, for an environment or, if that is null, for every one. A role that is restricted to '
    'some environments stays so, unless widens.';
