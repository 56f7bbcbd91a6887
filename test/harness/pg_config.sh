#!/usr/bin/env bash
# Prints the pg_config to build against: $PG_CONFIG if set, else the one in PATH, else the newest in
# /usr/lib/postgresql. The last two count only if they have what an extension is built with: PGXS and the server's
# headers, of PostgreSQL 15 or newer. One whose server is also installed is preferred. PGXS alone is not enough, because
# Debian's client programs include it. Prints nothing and exits with 1 if there is none.
set -euo pipefail

builds_extensions() {
    local version headers pgxs
    version=$("$1" --version 2>/dev/null) && headers=$("$1" --includedir-server) && pgxs=$("$1" --pgxs) || return
    [[ $version =~ ([0-9]+) ]] && ((BASH_REMATCH[1] >= 15)) && [[ -f $headers/postgres.h && -f $pgxs ]]
}

if [[ -n ${PG_CONFIG:-} ]]; then
    echo "$PG_CONFIG"
    exit
fi
candidates=$(command -v pg_config || true)
candidates+=" $(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -Vr || true)"
first=
for candidate in $candidates; do
    builds_extensions "$candidate" || continue
    if [[ -x $("$candidate" --bindir)/postgres ]]; then
        echo "$candidate"
        exit
    fi
    first=${first:-$candidate}
done
[[ -n $first ]] && echo "$first"
