-- Nothing for PUBLIC. What a dump of the database takes along.

REVOKE ALL ON SCHEMA terra_identity FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA terra_identity FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA terra_identity FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA terra_identity FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('terra_identity.events', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.events_event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.deliveries', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.connections', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.connections_connection_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.reauths', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.changes', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.changes_change_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.environments', '');
SELECT pg_catalog.pg_extension_config_dump('terra_identity.providers', '');
