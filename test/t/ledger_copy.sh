#!/usr/bin/env bash
# Logical replication of the ledger alone, that is of events and of the trace ids that were delivered: rebuild() makes
# the same state of it, but for what is no event: ids, rules, the feed. And what is left of the extension once it is
# dropped: nothing.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
export PSQLRC=/dev/null
there=${PGDATABASE}_there
slot=$PGDATABASE
there() { PGDATABASE=$there query "$@"; }

finish_background() {
    there -c "ALTER SUBSCRIPTION ledger DISABLE" -c "ALTER SUBSCRIPTION ledger SET (slot_name = NONE)" \
        -c "DROP SUBSCRIPTION ledger" >/dev/null
    query -c "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '$slot'" >/dev/null
}

query -q <<'SQL'
CREATE EXTENSION terra_identity;
\i test/t/deliver.sql
SQL
query -q <<'SQL' >/dev/null
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('other', 'replace');
SELECT deliver(dev_id, 1, 300) FROM unnest('{default,other}'::text[]) dev_id;
SELECT terra_identity.correct('u1', 'ended', 'she said so');
SELECT terra_identity.import_users('[{"user_id": "imported", "provider": "OURA", "reference_id": "r1"}]', now());
SQL
state() { # Without ids, and with what stands for a lineage.
    "$1" -c "
        SELECT dev_id, user_id, reference_id, provider, provider_user_id, status, successor_user_id, confirmed, scopes,
               created_at, first_seen_at, connected_at, ended_at, duplicate, terra_identity.resolve(user_id, dev_id),
               (SELECT min(l.user_id COLLATE \"C\") FROM terra_identity.connections l
                WHERE (l.dev_id, l.lineage_id) = (c.dev_id, c.lineage_id))
        FROM terra_identity.connections c ORDER BY dev_id, user_id" \
        -c "SELECT dev_id, old_user_id, new_user_id, transfer FROM terra_identity.reauths ORDER BY 1, 2, 3"
}
rebuild="SELECT sum(terra_identity.rebuild(d)) > 0 FROM (SELECT DISTINCT dev_id FROM terra_identity.events) e (d)"

query -q -c "CREATE PUBLICATION ledger FOR TABLE terra_identity.events, terra_identity.deliveries" \
    -c "SELECT pg_create_logical_replication_slot('$slot', 'pgoutput')" >/dev/null
createdb "$there"
there -q -c "CREATE EXTENSION terra_identity" \
    -c "CREATE SUBSCRIPTION ledger CONNECTION 'host=$PGHOST port=$PGPORT user=$PGUSER dbname=$PGDATABASE'
        PUBLICATION ledger WITH (create_slot = false, slot_name = '$slot')" >/dev/null
until_true "the ledger is copied" there -c "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"
query -q -c "SELECT deliver('other', 301, 400)" >/dev/null
last=$(query -c "SELECT pg_current_wal_lsn()")
until_true "what comes later arrives" query -c "
    SELECT confirmed_flush_lsn >= '$last' FROM pg_replication_slots WHERE slot_name = '$slot'"
ledger="SELECT md5(string_agg(e::text, '' ORDER BY event_id)) FROM terra_identity.events e"
same "the ledger is the same, ids included" "$(query -c "$ledger")" "$(there -c "$ledger")"
same "there is no state before it is rebuilt" "0" "$(there -c "SELECT count(*) FROM terra_identity.connections")"
there -q -c "DROP SUBSCRIPTION ledger"
same "rules are no events: they are set by hand" "" "$(there -q -c "
    INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('other', 'replace')")"
same "rebuild() makes a state of it" "t" "$(there -c "$rebuild")"
same "the same state" "$(state query)" "$(state there)"
same "which is what the ledger says" "" "$(there -c "
    SELECT v FROM unnest('{default,other}'::text[]) d, terra_identity.verify(d) v")"
same "a retry is a duplicate" "0" "$(there -q -c "WITH again AS (
    INSERT INTO terra_identity.events (dev_id, payload, headers)
    SELECT dev_id, payload, headers FROM terra_identity.events WHERE trace_id IS NOT NULL AND entered_by IS NULL
        RETURNING 1)
    SELECT count(*) FROM again")"
same "new deliveries are stored, above all ids that there were" "t" "$(there -q -c "
    INSERT INTO terra_identity.events (payload) VALUES ('{\"type\": \"auth\", \"status\": \"success\",
        \"user\": {\"user_id\": \"later\"}}') RETURNING event_id > (
            SELECT max(event_id) FROM terra_identity.events)")"
dropdb "$there"

# Everything that the catalogs know of a database.
catalogs="SELECT 'class', n.nspname, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname NOT LIKE 'pg\_toast'
    UNION ALL SELECT 'proc', pronamespace::regnamespace::text, oid::regprocedure::text FROM pg_proc
    UNION ALL SELECT 'type', typnamespace::regnamespace::text, typname FROM pg_type
        WHERE typnamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT 'namespace', nspname, nspacl::text FROM pg_namespace
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname FROM pg_trigger
    UNION ALL SELECT 'rule', ev_class::regclass::text, rulename FROM pg_rewrite
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname FROM pg_constraint
    UNION ALL SELECT 'policy', polrelid::regclass::text, polname FROM pg_policy
    UNION ALL SELECT 'event trigger', evtname, evtevent FROM pg_event_trigger
    UNION ALL SELECT 'default acl', defaclrole::regrole::text, defaclacl::text FROM pg_default_acl
    UNION ALL SELECT 'setting', setdatabase::text, setconfig::text FROM pg_db_role_setting
    UNION ALL SELECT 'extension', extname, extversion FROM pg_extension
    UNION ALL SELECT 'shared dependency', classid::regclass::text, refobjid::text FROM pg_shdepend
        WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND deptype <> 'o'
    UNION ALL SELECT 'comment', classoid::regclass::text, md5(string_agg(description, '' ORDER BY description))
        FROM pg_description GROUP BY classoid
    UNION ALL SELECT 'publication', prrelid::regclass::text, '' FROM pg_publication_rel
    UNION ALL SELECT 'initial privileges', classoid::regclass::text, count(*)::text FROM pg_init_privs GROUP BY classoid
    UNION ALL SELECT 'publication of', pubname, '' FROM pg_publication
    UNION ALL SELECT 'large object', '', count(*)::text FROM pg_largeobject_metadata ORDER BY 1, 2, 3"
createdb "$there"
there -q -c "CREATE TABLE webhooks (id bigint PRIMARY KEY, body jsonb)" -c "CREATE ROLE ledger_copy_reader"
empty=$(there -c "$catalogs")
for round in first second; do
    there -q <<'SQL' >/dev/null
CREATE EXTENSION terra_identity;
SELECT terra_identity.grant_reader('ledger_copy_reader', 'default'), terra_identity.grant_writer('ledger_copy_reader');
SELECT terra_identity.attach('webhooks', 'body');
INSERT INTO webhooks SELECT 1 + coalesce(max(id), 0), '{"type": "auth", "status": "success",
    "user": {"user_id": "u", "provider": "GARMIN"}}' FROM webhooks;
SELECT terra_identity.set_signing_secret('key', dev_id => 'signed');
UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'default';
SELECT count(*) FROM terra_identity.forget('nobody');
SQL
    same "the $round time it is created it is new" "1|1|1" "$(there -c "
        SELECT (SELECT count(*) FROM terra_identity.events), (SELECT max(event_id) FROM terra_identity.events),
               (SELECT connection_id FROM terra_identity.connections)")"
    there -q -c "SELECT terra_identity.detach('webhooks')" -c "DROP EXTENSION terra_identity" >/dev/null
    same "the $round time it is dropped nothing is left" "$empty" "$(there -c "$catalogs")"
done
there -q -c "DROP ROLE ledger_copy_reader"
dropdb "$there"
finish
