#!/usr/bin/env bash
# Terra's webhooks over HTTP, through examples/node/handler.js into ingest(), while handler and server are killed: see
# webhooks/run.py. The server is one of this test's own, for it is killed; it fsyncs, and listens on a Unix socket only.
# SEED=N for other webhooks.
set -euo pipefail

work=$(mktemp -d /tmp/terra_webhooks.XXXXXX)
failed=1

stop() {
    if [[ -s $work/handler.pid ]]; then
        kill -KILL "$(<"$work/handler.pid")" 2>/dev/null || true
    fi
    if [[ -s $work/data/postmaster.pid ]]; then
        "$PRIVATE_BINDIR/pg_ctl" stop -s -m immediate -D "$work/data" 2>/dev/null || true
    fi
    if ((failed)); then
        for log in handler.log server.log; do
            echo "# the end of $log:"
            tail -n 20 "$work/$log" 2>/dev/null | sed 's/^/# /'
        done
    fi
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

"$PRIVATE_BINDIR/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$work/initdb.log" 2>&1 ||
    { cat "$work/initdb.log"; exit 1; }
cat >>"$work/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$work'
max_connections = 50
log_line_prefix = '%m [%p] %q%u '
CONF

unset PGHOSTADDR PGSERVICE PGPASSWORD PGPASSFILE PGOPTIONS PGSSLMODE PGTZ PGDATESTYLE
export PGHOST=$work PGPORT=5432 PGUSER=postgres PGDATABASE=postgres PSQLRC=/dev/null
# Where Debian's node-pg is; one in examples/node/node_modules comes first.
export NODE_PATH=/usr/share/nodejs
python3 test/t/webhooks/run.py "$work" && failed=0
exit "$failed"
