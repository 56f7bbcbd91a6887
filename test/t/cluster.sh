# shellcheck shell=bash
# Sourced, after checks.sh, by tests that need a PostgreSQL of their own, to kill or to configure. It fsyncs, and
# listens on a Unix socket only. Whatever of it, and of processes whose pid is in $work/*.pid, still runs when the
# script ends is ended by its pid. Of a script that failed the end of all logs is shown.

finish_background() {
    local status=$?
    local pid
    for pid in "$work"/*.pid; do
        if [[ -s $pid ]]; then
            kill -KILL "$(<"$pid")" 2>/dev/null || true
        fi
    done
    if [[ -s $work/data/postmaster.pid ]]; then
        "$PRIVATE_BINDIR/pg_ctl" stop -s -m immediate -D "$work/data" 2>/dev/null || true
    fi
    if ((status != 0)); then
        tail -n 20 "$work"/*.log | cut -c 1-200 | sed 's/^/# /'
    fi
}

# make_cluster [CONFIGURATION]: makes $work/data, whose server is not started yet, and leads clients to it.
make_cluster() {
    "$PRIVATE_BINDIR/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
        >"$work/initdb.log" 2>&1
    cat >>"$work/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$work'
max_connections = 50
log_line_prefix = '%m [%p] %q%u '
${1:-}
CONF
    unset PGHOSTADDR PGSERVICE PGPASSWORD PGPASSFILE PGOPTIONS PGSSLMODE PGTZ PGDATESTYLE
    export PGHOST=$work PGPORT=5432 PGUSER=postgres PGDATABASE=postgres PSQLRC=/dev/null
}
