-- Privileges: none for PUBLIC. Then the tables whose rows a dump of the database takes along.

CREATE FUNCTION terra_identity.grant_writer(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grant_writer.role) THEN
        RAISE EXCEPTION 'a role is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA terra_identity TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION terra_identity.ingest(bytea, jsonb, text),
                        terra_identity.ingest(text, jsonb, text), terra_identity.webhook(json) TO %s', role);
END
$$;
COMMENT ON FUNCTION terra_identity.grant_writer(regrole) IS
    'Lets a role deliver webhooks through ingest and webhook, which check signatures, and do nothing else: for the '
    'role of your webhook handler. Error 22004 if the role is null.';

CREATE FUNCTION terra_identity.grant_consumer(role regrole, dev_id text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM terra_identity._enter_reader(role, dev_id, false);
    EXECUTE format('GRANT USAGE ON SCHEMA terra_identity TO %s', role);
    EXECUTE format('GRANT SELECT ON terra_identity.changes, terra_identity.consumers TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION terra_identity.read_changes(text, integer, text),
                        terra_identity.commit_changes(text, bigint, text), terra_identity.skip_changes(text, text),
                        terra_identity._position_changes(text, integer, text) TO %s', role);
END
$$;
COMMENT ON FUNCTION terra_identity.grant_consumer(regrole, text) IS
    'Lets a role read changes, and call read_changes, commit_changes and skip_changes, for a consumer of any name: for '
    'services that act on what changed. dev_id as in grant_reader, but a role that may read some environments only '
    'stays so if it is null. A role that sees one environment can move no consumer of another. Errors as of '
    'grant_reader.';

-- What the views and functions of readers call with their rights.
CREATE FUNCTION terra_identity._change_helpers(change text, role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(change, 'EXECUTE ON FUNCTION
                        terra_identity._built_in_sdk_providers(), terra_identity._under_way(),
                        terra_identity._data_types(), terra_identity._crowd(), terra_identity._minute(timestamptz),
                        terra_identity._shows_environment(text),
                        terra_identity._is_degraded(text, text, timestamptz), terra_identity._can_answer(),
                        terra_identity._reauth_of_nobody(text, bigint, text)', role);
END
$$;
COMMENT ON FUNCTION terra_identity._change_helpers(text, regrole) IS
    'Grants or revokes what the views and functions of readers call with their rights: change as in '
    '_change_state_reader.';

-- What readers and support staff both have.
CREATE FUNCTION terra_identity._change_state_reader(change text, role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(change, 'SELECT ON terra_identity.connections, terra_identity.reauths, terra_identity.changes,
                        terra_identity.environments, terra_identity.providers,
                        terra_identity.environment_settings, terra_identity.provider_settings,
                        terra_identity.accepted_duplicates, terra_identity.disconnects,
                        terra_identity.current_connections,
                        terra_identity.duplicate_connections, terra_identity.transferred_accounts,
                        terra_identity.dashboard_connections, terra_identity.shared_references,
                        terra_identity.stale_events, terra_identity.unidentified_connections, terra_identity.freshness,
                        terra_identity.account_neighbours, terra_identity.contradictions,
                        terra_identity.policy_evidence', role);
    EXECUTE format(change, 'EXECUTE ON FUNCTION
                        terra_identity.resolve(text, text), terra_identity.lineage_of(text, text),
                        terra_identity.user_of(bigint, text), terra_identity.lineage(text, text),
                        terra_identity.user_ids(text, text, text),
                        terra_identity.explain(text, text), terra_identity.explain_graph(text, text),
                        terra_identity.would_duplicate(text, text, text, text)', role);
    PERFORM terra_identity._change_helpers(change, role);
END
$$;
COMMENT ON FUNCTION terra_identity._change_state_reader(text, regrole) IS
    'Grants or revokes what grant_reader and grant_support both give: change is GRANT %s TO %s or REVOKE %s FROM %s.';

CREATE FUNCTION terra_identity._change_reader(change text, role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM terra_identity._change_state_reader(change, role);
    EXECUTE format(change, 'SELECT ON terra_identity.events, terra_identity.deliveries, terra_identity.consumers,
                        terra_identity.signatures, terra_identity.rejected, terra_identity.refusal_counters,
                        terra_identity.refusals, terra_identity.tombstones, terra_identity.problems,
                        terra_identity.overview, terra_identity.attached_tables,
                        terra_identity.prune_positions', role);
    EXECUTE format(change, 'EXECUTE ON FUNCTION
                        terra_identity.version(), terra_identity.reference_history(text, text),
                        terra_identity.reference_at(text, timestamptz, text),
                        terra_identity.reconcile(jsonb, timestamptz, text),
                        terra_identity._listed_users(jsonb, timestamptz, text), terra_identity._list_gap(jsonb),
                        terra_identity._recent_deliveries(text), terra_identity._trigger_arguments(bytea)', role);
END
$$;
COMMENT ON FUNCTION terra_identity._change_reader(text, regrole) IS
    'Grants or revokes what grant_reader gives: change as in _change_state_reader.';

CREATE FUNCTION terra_identity.grant_reader(role regrole, dev_id text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM terra_identity._enter_reader(role, dev_id, true);
    EXECUTE format('GRANT USAGE ON SCHEMA terra_identity TO %s', role);
    PERFORM terra_identity._change_reader('GRANT %s TO %s', role);
END
$$;
COMMENT ON FUNCTION terra_identity.grant_reader(regrole, text) IS
    'Lets a role read every table and view except signing_secrets, tombstone_key and readers, payloads included, and '
    'call resolve, lineage_of, user_of, lineage, user_ids, reference_history, reference_at, explain, explain_graph, '
    'would_duplicate, reconcile and version: of one environment, and with further calls of further ones; or if '
    'dev_id is null, of every environment that there will ever be. (It does not default to the setting, so that '
    'leaving it out means the same in every session.) A role that is restricted may be given every environment; to '
    'restrict a role that has every one, call revoke_reader first. What restricts it is part of the extension, and '
    'survives a dump and restore. Members of the role read what it reads. A role that is renamed has to be granted '
    'again. Errors: 22004 if the role is null, 22023 if dev_id is empty or longer than 512 bytes, 55000 if a role '
    'cannot be restricted, or may read every environment already.';

CREATE FUNCTION terra_identity._change_support(change text, role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM terra_identity._change_state_reader(change, role);
    EXECUTE format(change, format(
        'SELECT (%s) ON terra_identity.events',
        (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = 'terra_identity.events'::regclass AND a.attnum > 0 AND NOT a.attisdropped
           AND a.attname NOT IN ('payload', 'headers'))), role);
END
$$;
COMMENT ON FUNCTION terra_identity._change_support(text, regrole) IS
    'Grants or revokes what grant_support gives: change as in _change_state_reader.';

CREATE FUNCTION terra_identity.grant_support(role regrole, dev_id text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM terra_identity._enter_reader(role, dev_id, true);
    EXECUTE format('GRANT USAGE ON SCHEMA terra_identity TO %s', role);
    PERFORM terra_identity._change_support('GRANT %s TO %s', role);
END
$$;
COMMENT ON FUNCTION terra_identity.grant_support(regrole, text) IS
    'Lets a role read what a person needs who answers support mail, and no health data: of the ledger all but payload '
    'and headers, the connections and what is derived from them, and resolve, lineage_of, user_of, lineage, user_ids, '
    'explain, explain_graph and would_duplicate. It is what examples/support needs. explain and contradictions read '
    'payloads themselves, and tell what these say of connections: ids, accounts and people. dev_id, and the errors, as '
    'in grant_reader.';

CREATE FUNCTION terra_identity.revoke_reader(role regrole, dev_id text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    here CONSTANT bigint := terra_identity._this_cluster();
    name CONSTANT text := (SELECT r.rolname FROM pg_roles r WHERE r.oid = revoke_reader.role);
BEGIN
    IF name IS NULL THEN
        RAISE EXCEPTION 'a role is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    DELETE FROM terra_identity.readers d
    WHERE (d.system_identifier, d.role_id) = (here, revoke_reader.role::oid)
            AND (revoke_reader.dev_id IS NULL OR d.dev_id = revoke_reader.dev_id)
       OR d.system_identifier <> here AND d.role = name
            AND (revoke_reader.dev_id IS NULL OR d.dev_id = revoke_reader.dev_id);
    IF NOT FOUND AND revoke_reader.dev_id IS NOT NULL THEN
        RAISE EXCEPTION 'role "%" is no reader of environment "%"', name, revoke_reader.dev_id
            USING ERRCODE = 'undefined_object', HINT = 'SELECT * FROM terra_identity.readers;';
    END IF;
    IF NOT EXISTS (SELECT FROM terra_identity.readers d
                   WHERE (d.system_identifier, d.role_id) = (here, revoke_reader.role::oid)
                      OR d.system_identifier <> here AND d.role = name)
    THEN
        PERFORM terra_identity._change_reader('REVOKE %s FROM %s', role);
        PERFORM terra_identity._change_support('REVOKE %s FROM %s', role);
    END IF;
END
$$;
COMMENT ON FUNCTION terra_identity.revoke_reader(regrole, text) IS
    'Takes an environment from a role that grant_reader, grant_support or grant_consumer gave it; all of them if '
    'dev_id is null. With the last one go the privileges that these give on tables, and what grant_reader lets it '
    'call. It holds in every session as soon as it is committed; only a transaction that is under way may go on with '
    'a prepared statement until its end, as after any REVOKE. A role that reads every environment cannot lose a '
    'single one. What the role may read as a member of another role stays. Errors: 22004 if the role is null, 42704 '
    'if it was not entered for this environment.';

CREATE FUNCTION terra_identity.grant_attacher(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grant_attacher.role) THEN
        RAISE EXCEPTION 'a role is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA terra_identity TO %s', role);
    EXECUTE format('GRANT SELECT ON terra_identity.attached_tables TO %s', role);
    EXECUTE format('GRANT EXECUTE ON ROUTINE
                        terra_identity.attach(regclass, name, name, name, name, boolean, text),
                        terra_identity.detach(regclass), terra_identity.backfill(regclass, int),
                        terra_identity._feed(), terra_identity._feed_rows(text, text, text, bigint, bigint),
                        terra_identity._trigger_arguments(bytea), terra_identity._shows_environment(text),
                        terra_identity._check_column(regclass, text, name, regtype[]),
                        terra_identity._rows_to_feed(terra_identity.attached_tables, text[], int),
                        terra_identity._attached(regclass), terra_identity._check_backfill(regclass, int),
                        terra_identity._about_rows(regclass)
                    TO %s', role);
END
$$;
COMMENT ON FUNCTION terra_identity.grant_attacher(regrole) IS
    'Lets a role attach, backfill and detach its own tables: for the owner of your webhook table, if the extension '
    'belongs to another role. It can then insert events that nobody signed, into every environment. The roles that '
    'insert into an attached table need no rights. Error 22004 if the role is null.';

-- Row level security. Every table that has a dev_id shows a role what it may read; an UPDATE or DELETE needs that, too.
-- Privileges decide who may write at all. signing_secrets and readers have no policy: they are shown to nobody.
DO $$
DECLARE
    shown regclass;
BEGIN
    FOR shown IN
        SELECT c.oid FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'dev_id'
        WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind = 'r'
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', shown);
        CONTINUE WHEN shown IN ('terra_identity.signing_secrets'::regclass, 'terra_identity.readers'::regclass);
        EXECUTE pg_catalog.format(
            'CREATE POLICY readers ON %1$s FOR SELECT USING (terra_identity._may_read(dev_id));
             CREATE POLICY readers_update ON %1$s FOR UPDATE USING (terra_identity._may_read(dev_id));
             CREATE POLICY readers_delete ON %1$s FOR DELETE USING (terra_identity._may_read(dev_id));
             CREATE POLICY inserters ON %1$s FOR INSERT WITH CHECK (terra_identity._may_insert(dev_id))', shown);
    END LOOP;
END
$$;

REVOKE ALL ON SCHEMA terra_identity FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA terra_identity FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA terra_identity FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA terra_identity FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('terra_identity.events', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.events_event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.deliveries', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.connections', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.connections_connection_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.reauths', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.changes', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.changes_change_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.changes_position_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.consumers', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.environment_settings', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.provider_settings', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.accepted_duplicates', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.disconnects', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.disconnects_disconnect_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.prune_positions', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.signatures', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.rejected', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.rejected_rejected_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.refusal_counters', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.refusal_counters_counter_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.tombstones', '');
-- Not the rows of roles that have another name now: elsewhere they would be of whoever has that name.
SELECT pg_catalog.pg_extension_config_dump(
    'terra_identity.readers',
    'WHERE system_identifier <> terra_identity._this_cluster()
        OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = role_id AND r.rolname = role)');
