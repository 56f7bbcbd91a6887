#!/usr/bin/env bash
# sqlsmith (Debian's package) makes up queries over the extension's tables, views and functions for half an hour: as a
# role that may use the schema and nothing in it, as a reader and as a writer, at the same time. None may crash the
# server or raise an internal error (class XX), but those that PostgreSQL raises over a query's own words, without the
# extension.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

# Where PostgreSQL raises them: SELECT intervaltypmodout(51); pg_catalog.interval(x, 81), with x a literal or a column;
# coerce_type: a literal without a type in a sub-query; the others: called as no aggregate calls them.
own_errors="intervaltypmodout|intervaltypmodleastfield|AdjustIntervalForTypmod|coerce_type|[a-z_]*_agg_[a-z_]*transfn"

roles="smith_nobody smith_reader smith_writer"
seconds=$(scaled 1800)
"$harness/dependencies.sh" --sqlsmith
build_module
private_server
cd "$server_dir"
psql -Xq -v ON_ERROR_STOP=1 >setup.log <<'SQL'
ALTER SYSTEM SET log_error_verbosity = verbose;
SELECT pg_reload_conf();
CREATE DATABASE smith;
\c smith
CREATE EXTENSION terra_identity;
CREATE ROLE smith_nobody LOGIN;
CREATE ROLE smith_reader LOGIN;
CREATE ROLE smith_writer LOGIN;
GRANT USAGE ON SCHEMA terra_identity TO smith_nobody;
SELECT terra_identity.grant_reader('smith_reader', 'default');
SELECT terra_identity.grant_writer('smith_writer'), terra_identity.grant_attacher('smith_writer');
GRANT INSERT, SELECT ON terra_identity.events TO smith_writer;
CREATE TABLE hooks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body jsonb);
SELECT terra_identity.attach('hooks', 'body');
GRANT ALL ON hooks TO PUBLIC;
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('other', 'replace');
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
SELECT (ARRAY['default', 'other'])[1 + n % 2], now() - n * interval '10 minutes',
       jsonb_build_object('type', (ARRAY['auth', 'athlete', 'daily', 'deauth', 'sleep', 'user_reauth'])[1 + n % 6],
                          'status', 'success', 'athlete', jsonb_build_object('provider_user_id', 'a' || n % 13),
                          'data', '[]'::jsonb, 'old_user', jsonb_build_object('user_id', 'u' || n % 30),
                          'user', jsonb_build_object('user_id', 'u' || n % 50, 'provider', 'GARMIN',
                                                     'reference_id', 'r' || n % 20),
                          'new_user', jsonb_build_object('user_id', 'u' || n % 50, 'provider', 'APPLE',
                                                         'reference_id', 'r' || n % 7)),
       jsonb_build_object('X-Terra-Trace-Id', 't' || n)
FROM generate_series(1, 2000) n;
ANALYZE;
SQL

# Their messages, one letter for each error, are of no use: what counts is in the server's log.
smiths=()
for role in $roles; do
    as_server_user timeout --signal=INT "$seconds" sqlsmith --verbose --exclude-catalog \
        --target="host=$server_dir port=5432 dbname=smith user=$role" >"$role.out" 2>&1 </dev/null &
    smiths+=($!)
done
at_exit+=('kill "${smiths[@]}" 2>/dev/null')
started=$SECONDS
wait "${smiths[@]}" || true

crashes=$(grep -cE 'terminated by signal|PANIC|TRAP' "$SERVER_LOG" || true)
grep -E 'terminated by signal|PANIC|TRAP|Failed process' "$SERVER_LOG" | cut -c 1-300 || true
# The errors of class XX that are not PostgreSQL's own, each with the beginning of its statement. The lines of one
# server process stand in their order; others may come between.
awk -v own="LOCATION:  ($own_errors)," '
    $4 ~ /^\[[0-9]+\]$/ { pid = $4 }
    / ERROR:  / { message[pid] = / ERROR:  XX/ ? $0 : ""; shown[pid] = 0; next }
    message[pid] != "" && / (DETAIL|HINT|CONTEXT|QUERY):  / { message[pid] = message[pid] "\n" $0 }
    message[pid] != "" && / LOCATION:  / {
        if ($0 !~ own) { shown[pid] = 20; print message[pid] }
        message[pid] = ""
    }
    shown[pid] > 0 { print; --shown[pid] }' "$SERVER_LOG" >internal.log
internal=$(grep -c ' ERROR:  XX' internal.log || true)
cut -c 1-2000 internal.log | head -n 200
echo "# errors by SQLSTATE: $(grep -oE 'ERROR:  [0-9A-Z]{5}' "$SERVER_LOG" | sort | uniq -c | sort -rn |
    awk '{ printf "%s %s, ", $3, $1 }')"
for role in $roles; do
    echo "# $role: $(grep -oE 'queries: [0-9]+' "$role.out" | tail -n 1)"
done
result "seconds of sqlsmith" $((SECONDS - started)) "$seconds" $((crashes + internal))
finish
