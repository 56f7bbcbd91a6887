#!/usr/bin/env bash
# ALTER EXTENSION UPDATE from every earlier version, whose install scripts are test/data/terra_identity--*.sql: the
# catalogs are then those of a new installation, the state follows the rules of this version under the same ids, and
# what users have made on the extension's objects is there as before.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
export PSQLRC=/dev/null PGOPTIONS='-c client_min_messages=warning -c terra_identity.progress=off'
this=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" terra_identity.control)

databases=(upgrade_new upgrade_empty upgrade_filled upgrade_policies upgrade_hidden)
finish_background() {
    local name
    for name in "${databases[@]}"; do
        dropdb --if-exists "$name"
    done
    query -c "DROP ROLE IF EXISTS upgrade_reader, upgrade_writer, upgrade_owner, upgrade_isolated"
}
for name in "${databases[@]}"; do
    createdb -T template0 "$name"
done
catalog() { # DATABASE
    query -d "$1" -f test/t/catalog.sql
}
fill() { # DATABASE
    query -d "$1" -f test/t/fill_0.1.0.sql >/dev/null
}

query -d upgrade_new -c "CREATE EXTENSION terra_identity"
wanted=$(catalog upgrade_new)
check "the catalogs are read" "$(grep -c . <<<"$wanted" | awk '$1 < 500 { print "only " $1 " lines" }')"
for script in test/data/terra_identity--*.sql; do
    from=${script##*--}
    from=${from%.sql}
    query -d upgrade_empty -c "DROP EXTENSION IF EXISTS terra_identity"
    query -d upgrade_empty -c "CREATE EXTENSION terra_identity VERSION '$from'"
    check "$from: nothing works before the update, and says what to do" "$(
        query -d upgrade_empty -c "\set VERBOSITY verbose" -c "SELECT terra_identity.resolve('x')" |
            grep -q 'ALTER EXTENSION terra_identity UPDATE' || echo 'no hint')"
    check "$from: it is updated" "$(query -d upgrade_empty -c "ALTER EXTENSION terra_identity UPDATE" |
        grep -E 'ERROR|WARNING')"
    same "$from: to what a new installation is" "$wanted" "$(catalog upgrade_empty)"
done

# A filled database of 0.1.0, with views, roles and privileges of its own.
query -d upgrade_filled <<SQL
CREATE EXTENSION terra_identity VERSION '0.1.0';
CREATE ROLE upgrade_reader;
CREATE ROLE upgrade_writer;
CREATE ROLE upgrade_owner;
SQL
fill upgrade_filled
query -d upgrade_filled <<SQL
SELECT terra_identity.grant_reader('upgrade_reader') \g /dev/null
SELECT terra_identity.grant_writer('upgrade_writer') \g /dev/null
GRANT SELECT ON terra_identity.current_connections TO upgrade_owner WITH GRANT OPTION;
GRANT SELECT ON terra_identity.connections TO upgrade_owner;
GRANT USAGE ON SCHEMA terra_identity TO upgrade_owner;
GRANT UPDATE ON terra_identity.environments TO upgrade_writer;
CREATE VIEW public.active AS SELECT * FROM terra_identity.current_connections;
CREATE VIEW public."Garmin" WITH (security_barrier) AS SELECT reference_id FROM public.active WHERE provider = 'GARMIN';
ALTER VIEW public.active OWNER TO upgrade_owner;
COMMENT ON VIEW public."Garmin" IS 'of an app';
COMMENT ON COLUMN public."Garmin".reference_id IS 'whose';
GRANT SELECT ON public."Garmin" TO upgrade_reader;
UPDATE terra_identity.environments SET signature_tolerance = '1 hour' WHERE dev_id = 'default';
SQL
without_acl='s/ acl [^ ]*,//; s/^schema [^ ]*/schema/'
users_things() {
    query -d upgrade_filled -c "
        SELECT c.relname, c.relowner::regrole, c.relacl, c.reloptions, obj_description(c.oid),
               col_description(c.oid, 1), c.oid IN (SELECT objid FROM pg_depend WHERE deptype = 'e'),
               EXISTS (SELECT FROM pg_init_privs WHERE objoid = c.oid)
        FROM pg_class c WHERE relnamespace = 'public'::regnamespace ORDER BY 1" -c "
        SELECT g.relname, a.grantee::regrole::text, a.privilege_type, a.is_grantable
        FROM pg_class g, aclexplode(g.relacl) a
        WHERE relnamespace = 'terra_identity'::regnamespace AND a.grantee <> g.relowner
          AND g.relname NOT IN ('environments', 'environment_settings', 'providers', 'provider_settings',
                                'accepted_duplicates')
        ORDER BY 1, 2, 3" -c "
        SELECT p.oid::regprocedure::text, a.grantee::regrole::text, a.privilege_type
        FROM pg_proc p, aclexplode(p.proacl) a
        WHERE pronamespace = 'terra_identity'::regnamespace AND a.grantee <> p.proowner AND p.proname !~ '^_'
        ORDER BY 1, 2, 3"
}
ids() {
    query -d upgrade_filled -c "SELECT dev_id, user_id, connection_id FROM terra_identity.connections ORDER BY 1, 2"
}
statuses() {
    query -d upgrade_filled -c "SELECT dev_id, user_id, status FROM terra_identity.connections ORDER BY 1, 2"
}
before=$(users_things)
ids_before=$(ids)
statuses_before=$(statuses)
node() { # TABLE
    query -d upgrade_filled -c "SELECT pg_relation_filenode('terra_identity.$1')"
}
node_before=$(node events)
changes_before=$(query -d upgrade_filled -c "SELECT max(change_id) FROM terra_identity.changes")
PGOPTIONS='-c terra_identity.progress=off' psql -qAtX -d upgrade_filled -c "ALTER EXTENSION terra_identity UPDATE" \
    >"$work/notices" 2>&1 || true
differ=$(diff <(echo "$statuses_before") <(statuses) | grep -c '^>' || true)
same "a filled database is updated, and counts what changed" \
    "NOTICE:  $differ of $(wc -l <<<"$statuses_before") connections have another status by the rules of version 1.0.0" \
    "$(grep -v '^HINT' "$work/notices")"
check "some did" "$([[ $differ -gt 0 ]] || echo none)"
same "each is told in changes" "$differ" "$(query -d upgrade_filled -c "
    SELECT count(DISTINCT (dev_id, user_id)) FROM terra_identity.changes
    WHERE change_id > $changes_before AND event_id IS NULL
      AND kind IN ('connected', 'reconnected', 'revived', 'replaced', 'superseded', 'deauthenticated', 'revoked',
                   'failed')")"
same "under the same ids" "$ids_before" "$(ids)"
same "the ledger was not written anew" "$node_before" "$(node events)"
check "the state is what follows from the ledger" "$(query -d upgrade_filled -c "
    SELECT v FROM terra_identity.environments e, terra_identity.verify(e.dev_id) v")"
same "views and privileges of users are there as before" "$before" "$(users_things)"
same "the catalogs are those of a new installation but for these privileges" \
    "$(sed "$without_acl" <<<"$wanted" | grep -v '^member')" \
    "$(catalog upgrade_filled | sed "$without_acl" | grep -v '^member')"
same "no view of users has become a part of the extension" "$(grep '^member' <<<"$wanted")" \
    "$(catalog upgrade_filled | grep '^member')"
same "rules that users set stay, those that are the default are not stored" "default|01:00:00
FITBIT|f" "$(
    query -d upgrade_filled -c "SELECT dev_id, signature_tolerance FROM terra_identity.environment_settings
        WHERE dev_id = 'default'" -c "SELECT provider, sdk FROM terra_identity.provider_settings")"
same "readers read, and writers write" "8
stored" "$(query -d upgrade_filled -c "SET ROLE upgrade_reader" -c "SELECT count(*) FROM terra_identity.connections" \
    -c "SET ROLE upgrade_writer" -c "SELECT outcome FROM terra_identity.ingest(
        '{\"type\": \"auth\", \"status\": \"success\", \"user\": {\"user_id\": \"N\"}}'::bytea)")"
readable=$(query -d upgrade_filled -c "
    SELECT format('SELECT count(r::text) FROM %s r;', c.oid::regclass) FROM pg_class c
    WHERE relnamespace = 'terra_identity'::regnamespace AND relkind IN ('r', 'v') AND
          has_table_privilege('upgrade_reader', c.oid, 'SELECT') ORDER BY 1")
check "every view and table that a reader may read, whole" "$(
    [[ $readable == *current_connections* && $readable == *environments* ]] || echo "only: $readable"
    sed '1i SET ROLE upgrade_reader;' <<<"$readable" |
        psql -qAtX -d upgrade_filled 2>&1 | grep ERROR)"
same "what these need is granted to readers, and to nobody else" "accepted_duplicates|upgrade_reader|SELECT
_is_degraded|upgrade_owner|EXECUTE
_is_degraded|upgrade_reader|EXECUTE" "$(query -d upgrade_filled -c "
    SELECT c.relname, a.grantee::regrole, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'terra_identity.accepted_duplicates'::regclass AND a.grantee <> c.relowner
    UNION ALL (
    SELECT p.proname, a.grantee::regrole, a.privilege_type FROM pg_proc p, aclexplode(p.proacl) a
    WHERE p.oid = 'terra_identity._is_degraded'::regproc AND a.grantee <> p.proowner ORDER BY a.grantee::regrole::text COLLATE \"C\")")"
check "and the functions" "$(query -d upgrade_filled -c "SET ROLE upgrade_reader" -c "
    SELECT count(*) FROM terra_identity.lineage('g2'), terra_identity.resolve('g2')" 2>&1 | grep ERROR)"
same "so does a reader of views only" "4" "$(query -d upgrade_filled -c "SET ROLE upgrade_owner" \
    -c "SELECT count(*) FROM public.active WHERE user_id <> 'N' AND dev_id <> 'default' OR user_id = 'g2'")"
events=$(query -d upgrade_filled -c "SELECT count(*) FROM terra_identity.events")
same "what Terra sends again is known" "$events" "$(query -d upgrade_filled -c "
    INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
    SELECT dev_id, received_at, payload, headers FROM terra_identity.events WHERE trace_id IS NOT NULL" -c "
    SELECT count(*) FROM terra_identity.events")"

# Policies of users, as the example of 0.1.0 made them, go on deciding what a role sees.
query -d upgrade_policies <<SQL
CREATE EXTENSION terra_identity VERSION '0.1.0';
CREATE ROLE upgrade_isolated;
SQL
fill upgrade_policies
query -d upgrade_policies <<SQL
SELECT terra_identity.grant_reader('upgrade_isolated') \g /dev/null
ALTER TABLE terra_identity.connections ENABLE ROW LEVEL SECURITY;
CREATE POLICY isolated ON terra_identity.connections FOR SELECT TO upgrade_isolated USING (dev_id = 'tablet');
SQL
seen() {
    query -d upgrade_policies -c "SET ROLE upgrade_isolated" \
        -c "SELECT dev_id, count(*) FROM terra_identity.connections GROUP BY 1"
}
seen_before=$(seen)
query -d upgrade_policies -c "ALTER EXTENSION terra_identity UPDATE" >/dev/null
same "policies of users let nobody see more" "$seen_before" "$(seen)"
same "and make nobody a reader" "0" \
    "$(query -d upgrade_policies -c "SELECT count(*) FROM terra_identity.readers")"

# Row level security without any policy hid everything.
query -d upgrade_hidden <<SQL
CREATE EXTENSION terra_identity VERSION '0.1.0';
SQL
fill upgrade_hidden
query -d upgrade_hidden <<SQL
SELECT terra_identity.grant_reader('upgrade_isolated') \g /dev/null
ALTER TABLE terra_identity.connections ENABLE ROW LEVEL SECURITY;
ALTER EXTENSION terra_identity UPDATE;
SQL
check "row level security without a policy makes nobody a reader" "$(query -d upgrade_hidden \
    -c "SET ROLE upgrade_isolated" -c "SELECT count(*) FROM terra_identity.connections" |
    grep -vE '^(ERROR|DETAIL|HINT)')"

# What stands in the way is named, and nothing has changed then.
query -d upgrade_empty <<SQL
DROP EXTENSION terra_identity;
CREATE EXTENSION terra_identity VERSION '0.1.0';
CREATE MATERIALIZED VIEW public.kept AS SELECT user_id FROM terra_identity.connections;
SQL
same "a materialized view stands in the way, and is named" \
    "ERROR:  objects of yours stand in the way of the update of extension terra_identity
DETAIL:  They depend on its tables or views: materialized view public.kept." \
    "$(query -d upgrade_empty -c "ALTER EXTENSION terra_identity UPDATE" | head -n 2)"
same "then nothing has changed" "0.1.0|r" "$(query -d upgrade_empty -c "
    SELECT extversion, relkind FROM pg_extension, pg_class WHERE extname = 'terra_identity'
    AND pg_class.oid = 'terra_identity.environments'::regclass")"

# A released version does not change: whoever has it would never get the change.
if [[ -e test/data/terra_identity--$this.sql ]]; then
    same "version $this is released: change the install script in another version, with a script in sql/upgrade" \
        "$(<"test/data/terra_identity--$this.sql")" "$(cat sql/install/*.sql)"
fi
for script in test/data/terra_identity--*.sql; do
    from=${script##*--}
    from=${from%.sql}
    check "an update leads from $from to $this" "$([[ $from == "$this" || -n $(query -d upgrade_new -c "
        SELECT path FROM pg_extension_update_paths('terra_identity')
        WHERE source = '$from' AND target = '$this' AND path IS NOT NULL") ]] || echo "none: see docs/architecture.md")"
done
finish
