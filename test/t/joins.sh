#!/usr/bin/env bash
# Joins of an app's own table with the extension's use both sides' indexes, and the state is the same, whatever the
# collation of the database is: see joins.py. The server is one of this test's own because it needs a locale that few
# machines have: localedef makes it, in a folder that only this server looks into.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
# shellcheck disable=SC1091
. "$(dirname "$0")/cluster.sh"
make_cluster "
fsync = off
autovacuum = off
max_wal_size = '4GB'"
# shellcheck disable=SC2154  # checks.sh sets work
mkdir "$work/locale"
localedef --no-archive -i en_US -f UTF-8 "$work/locale/en_US.utf8" >"$work/localedef.log" 2>&1 || true
LOCPATH=$work/locale "$PRIVATE_BINDIR/pg_ctl" start -s -w -D "$work/data" -l "$work/server.log"
python3 test/t/joins.py
