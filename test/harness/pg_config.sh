#!/usr/bin/env bash
# Prints the pg_config to build against: $PG_CONFIG if set, else the one in PATH, else the newest of
# /usr/lib/postgresql; the last two only if they have PGXS. Prints nothing and exits 1 if there is none.
set -euo pipefail

if [[ -n ${PG_CONFIG:-} ]]; then
    echo "$PG_CONFIG"
    exit
fi
candidates=$(command -v pg_config || true)
candidates+=" $(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -Vr || true)"
for candidate in $candidates; do
    if pgxs=$("$candidate" --pgxs 2>/dev/null) && [[ -f $pgxs ]]; then
        echo "$candidate"
        exit
    fi
done
exit 1
