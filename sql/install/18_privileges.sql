-- Privileges: none for PUBLIC. Then the tables whose rows a dump of the database takes along.

CREATE FUNCTION terra_identity.grant_writer(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF role IS NULL OR role = 0::oid THEN
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

CREATE FUNCTION terra_identity.grant_consumer(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF role IS NULL OR role = 0::oid THEN
        RAISE EXCEPTION 'a role is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA terra_identity TO %s', role);
    EXECUTE format('GRANT SELECT ON terra_identity.changes, terra_identity.consumers TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION terra_identity.read_changes(text, integer, text),
                        terra_identity.commit_changes(text, bigint, text), terra_identity.skip_changes(text, text),
                        terra_identity._position_changes(text, integer, text) TO %s', role);
END
$$;
COMMENT ON FUNCTION terra_identity.grant_consumer(regrole) IS
    'Lets a role read changes, and call read_changes, commit_changes and skip_changes, for a consumer of any name: for '
    'services that act on what changed. Row level security on changes holds: a role that sees one environment can move '
    'no consumer of another. Error 22004 if the role is null.';

CREATE FUNCTION terra_identity.grant_reader(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF role IS NULL OR role = 0::oid THEN
        RAISE EXCEPTION 'a role is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA terra_identity TO %s', role);
    EXECUTE format('GRANT SELECT ON terra_identity.events, terra_identity.deliveries, terra_identity.connections,
                        terra_identity.reauths, terra_identity.changes, terra_identity.consumers,
                        terra_identity.environments,
                        terra_identity.providers,
                        terra_identity.environment_settings, terra_identity.provider_settings,
                        terra_identity.accepted_duplicates, terra_identity.disconnects,
                        terra_identity.signatures, terra_identity.rejected, terra_identity.refusal_counters,
                        terra_identity.refusals, terra_identity.tombstones,
                        terra_identity.current_connections,
                        terra_identity.duplicate_connections, terra_identity.transferred_accounts,
                        terra_identity.dashboard_connections, terra_identity.shared_references, terra_identity.problems,
                        terra_identity.stale_events, terra_identity.unidentified_connections, terra_identity.freshness,
                        terra_identity.account_neighbours, terra_identity.contradictions,
                        terra_identity.policy_evidence, terra_identity.overview,
                        terra_identity.attached_tables TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION terra_identity.resolve(text, text), terra_identity.lineage_of(text, text),
                        terra_identity.user_of(bigint, text), terra_identity.lineage(text, text),
                        terra_identity.user_ids(text, text, text), terra_identity.reference_history(text, text),
                        terra_identity.reference_at(text, timestamptz, text),
                        terra_identity.explain(text, text), terra_identity.explain_graph(text, text),
                        terra_identity.would_duplicate(text, text, text, text),
                        terra_identity.reconcile(jsonb, timestamptz, text),
                        terra_identity._listed_users(jsonb, timestamptz, text), terra_identity._list_gap(jsonb),
                        terra_identity._built_in_sdk_providers(), terra_identity._recent_deliveries(text),
                        terra_identity._under_way(), terra_identity._data_types(), terra_identity._crowd(),
                        terra_identity._minute(timestamptz), terra_identity._trigger_arguments(bytea) TO %s', role);
END
$$;
COMMENT ON FUNCTION terra_identity.grant_reader(regrole) IS
    'Lets a role read every table and view except signing_secrets and tombstone_key, payloads included, and call '
    'resolve, lineage_of, user_of, lineage, user_ids, reference_history, reference_at, explain, explain_graph, '
    'would_duplicate and reconcile. Row level security on the tables holds for all of these. Error 22004 if the role is null.';

CREATE FUNCTION terra_identity.grant_attacher(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF role IS NULL OR role = 0::oid THEN
        RAISE EXCEPTION 'a role is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA terra_identity TO %s', role);
    EXECUTE format('GRANT SELECT ON terra_identity.attached_tables TO %s', role);
    EXECUTE format('GRANT EXECUTE ON ROUTINE
                        terra_identity.attach(regclass, name, name, name, name, boolean, text),
                        terra_identity.detach(regclass), terra_identity.backfill(regclass, int),
                        terra_identity._feed(), terra_identity._feed_rows(text, text, text, bigint, bigint),
                        terra_identity._trigger_arguments(bytea),
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
SELECT pg_catalog.pg_extension_config_dump('terra_identity.signatures', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.rejected', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.rejected_rejected_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.refusal_counters', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.refusal_counters_counter_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.tombstones', '');
