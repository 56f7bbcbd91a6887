#!/usr/bin/env bash
# A table, view, column or function of the extension has to be named in several places. Each check compares one of them
# with the catalogs of an installed extension, and says what is missing where.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
export PSQLRC=/dev/null PGOPTIONS='-c client_min_messages=warning'

ours="relnamespace = 'terra_identity'::regnamespace"
our_functions="pronamespace = 'terra_identity'::regnamespace"

# Another table access method than the extension's tables are written by.
query -q <<'SQL'
CREATE ACCESS METHOD another_heap TYPE TABLE HANDLER heap_tableam_handler;
SET default_table_access_method = another_heap;
CREATE EXTENSION terra_identity;
CREATE ROLE tables_reader;
SELECT terra_identity.grant_reader('tables_reader') \g /dev/null
SQL
# What secrets are in, as the COMMENT of a column says, and its sequences, is not dumped, not granted and not published.
secrets=$(query -c "
    SELECT string_agg(DISTINCT quote_literal(s.relname), ', ') FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND col_description(c.oid, a.attnum) LIKE '% A secret.'
    JOIN pg_class s ON s.oid = c.oid OR s.relkind = 'S' AND EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = s.oid AND refobjid = c.oid)
    WHERE c.$ours AND c.relkind = 'r'")
secret="relname IN ($secrets)"
# What is granted to nobody.
hidden="$secret OR relname = 'readers'"
check "there are secrets" "$([[ $secrets == *"'signing_secrets'"* ]] || echo "$secrets")"

check "tables are heaps, whatever the default" "$(query -c "
    SELECT relname || ': USING heap is missing in its CREATE TABLE' FROM pg_class
    WHERE $ours AND relkind = 'r' AND relam <> (SELECT oid FROM pg_am WHERE amname = 'heap')")"

check "a dump has them" "$(query -c "
    SELECT relname || CASE WHEN $secret THEN ': it must not be dumped, and pg_extension_config_dump says so'
                           ELSE ': pg_extension_config_dump is missing in sql/install' END
    FROM pg_class WHERE $ours AND relkind IN ('r', 'S')
    AND ($secret) = (oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'terra_identity'))
        ORDER BY 1")"

check "a reader reads them" "$(query -c "
    SELECT relname || CASE WHEN $hidden THEN ': grant_reader must not grant it'
        ELSE ': it is missing in grant_reader' END
    FROM pg_class WHERE $ours AND relkind IN ('r', 'v')
        AND ($hidden) = has_table_privilege('tables_reader', oid, 'SELECT') ORDER BY 1")"

check "policies show one environment of each" "$(query -c "
    SELECT relname || ': it has a dev_id, and no row level security' FROM pg_class c
    WHERE $ours AND relkind = 'r'
    AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'dev_id')
    AND NOT (relrowsecurity AND ($hidden) = NOT EXISTS (
        SELECT FROM pg_policy WHERE polrelid = c.oid AND polcmd = 'r'
        AND pg_get_expr(polqual, polrelid) = 'terra_identity._may_read(dev_id)')) ORDER BY 1")"

page=$(grep -lxF '<!-- replication: publisher -->' README.md docs/*.md || true)
check "one page says what to publish" \
    "$([[ $page == *.md && $page != *$'\n'* ]] || echo "<!-- replication: publisher -->: ${page:-nowhere}")"
check "it publishes them" "$({
    echo 'BEGIN;'
    awk '$0 == "<!-- replication: publisher -->" { found = 1; next } found && /^```$/ { exit } found && !/^```/' $page
    echo "SELECT relname || CASE WHEN $secret THEN ': it must not be published in $page'
        ELSE ': it is missing in $page' END
        FROM pg_class WHERE $ours AND relkind = 'r'
        AND ($secret) = (relname IN (SELECT tablename FROM pg_publication_tables WHERE pubname = 'terra_identity'))
            ORDER BY 1;"
} | query)"

# Row types are not asked for: of them pg_dump cannot keep what is revoked, and who may not use the schema cannot name
# them.
check "nothing is granted to PUBLIC" "$(query -c "
    SELECT format('%s: %s is granted to PUBLIC', name, privilege_type)
    FROM (SELECT oid::regclass::text, coalesce(relacl, acldefault('r', relowner)) FROM pg_class WHERE $ours
          AND relkind <> 'i'
          UNION ALL SELECT attrelid::regclass || '.' || attname, attacl FROM pg_attribute
              JOIN pg_class c ON c.oid = attrelid WHERE $ours
          UNION ALL SELECT oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc
              WHERE $our_functions
          UNION ALL SELECT nspname, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace
              WHERE nspname = 'terra_identity') o (name, acl),
         aclexplode(acl) WHERE grantee = 0 ORDER BY 1")"

check "everything is explained" "$(query -c "
    SELECT name || ': COMMENT is missing in sql/install'
    FROM (SELECT oid::regclass::text, obj_description(oid, 'pg_class') FROM pg_class WHERE $ours
          AND relkind IN ('r', 'v')
          UNION ALL SELECT attrelid::regclass || '.' || attname, col_description(attrelid, attnum)
          FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE $ours AND relkind IN ('r', 'v') AND attnum > 0
              AND NOT attisdropped
          UNION ALL SELECT oid::regprocedure::text, obj_description(oid, 'pg_proc') FROM pg_proc WHERE $our_functions
          UNION ALL SELECT extname, obj_description(oid, 'pg_extension') FROM pg_extension
              WHERE extname = 'terra_identity'
          UNION ALL SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace
              WHERE nspname = 'terra_identity') o (name, comment)
    WHERE comment IS NULL ORDER BY 1")"

# But of ingest, which takes null for "not given", as the column does, and of what gives and takes every environment.
check "dev_id is the last argument of every function that has one, with one default" "$(query -c "
    SELECT format('%s: %s', oid::regprocedure,
                  CASE WHEN names[pronargs] = 'dev_id' THEN 'default ' || own ELSE 'dev_id is not the last' END)
    FROM (SELECT oid, pronargs, proargnames AS names, proname,
                 pg_get_function_arg_default(oid, array_position(proargnames, 'dev_id')) AS own
          FROM pg_proc WHERE $our_functions AND 'dev_id' = ANY (proargnames[:pronargs])) f
    WHERE names[pronargs] <> 'dev_id'
        OR own IS DISTINCT FROM CASE WHEN proname = 'ingest' OR proname ~ '^(grant|revoke)_' THEN 'NULL::text' ELSE
        (SELECT pg_get_function_arg_default('terra_identity.resolve(text, text)'::regprocedure, 2)) END")"
check "there are such functions" "$(query -c "
    SELECT 'only ' || count(*) FROM pg_proc WHERE $our_functions AND 'dev_id' = ANY (proargnames[:pronargs])
    HAVING count(*) < 10")"

# What the library exports is what SQL calls.
module=$("$PRIVATE_BINDIR/pg_config" --pkglibdir)/terra_identity.so
nm -D --defined-only "$module" | sed -nE 's/^[0-9a-f]+ T (terra_identity_.*)/\1/p' | sort >"$work/exported"
query -c "SELECT DISTINCT prosrc FROM pg_proc WHERE $our_functions
    AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'c')" |
    sort >"$work/called"
check "there are functions in C" "$([[ -s $work/called ]] || cat "$work/exported")"
check "each is in the library" \
    "$(comm -13 "$work/exported" "$work/called" | sed 's/$/: sql\/install names it, and no C++ source exports it/')"
# And what scripts of earlier versions and upgrades call, so that pg_upgrade brings their databases here.
grep -ohE "'terra_identity_[a-z_]+'" test/data/terra_identity--*.sql sql/upgrade/*.sql |
    tr -d "'" | sort -u >"$work/called_earlier"
check "so is each of an earlier version" \
    "$(comm -13 "$work/exported" "$work/called_earlier" | sed 's/$/: no C++ source exports it any more/')"
check "and nothing else" \
    "$(comm -23 "$work/exported" <(sort -u "$work/called" "$work/called_earlier") |
        sed 's/$/: a C++ source exports it, and sql\/install does not name it/')"

query -c "DROP OWNED BY tables_reader; DROP ROLE tables_reader"
finish
