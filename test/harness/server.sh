#!/usr/bin/env bash
# server.sh start DIR [--durable]: starts a private PostgreSQL under DIR with this extension installed, and changes
#     nothing outside DIR. It listens on a Unix socket only. `. DIR/env` sets the environment to connect to it.
#     Its superuser is postgres, without a password. Without --durable it does not fsync.
#     If $SERVER_WRAPPER is set, a command with its options, the server runs under it; initdb does not.
# server.sh stop DIR: stops the server and removes DIR. It is no error if there is nothing to do.
#
# PostgreSQL finds its libraries and share files relative to its own executable. So a copy of the executables in a tree
# of links to everything else is a separate installation.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
KEEP=

usage() {
    fail "usage: server.sh start DIR [--durable] | server.sh stop DIR"
}

# Installs a copy of PostgreSQL under $dir/root, and the extension into it.
install_private_copy() {
    local pg_config=$1 sharedir pkglibdir
    sharedir=$("$pg_config" --sharedir)
    pkglibdir=$("$pg_config" --pkglibdir)
    mkdir -p "$root$bindir" "$root$sharedir" "$root$pkglibdir"
    cp -L "$bindir"/* "$root$bindir/"
    cp -as "$(realpath "$sharedir")/." "$root$sharedir/"
    cp -as "$(realpath "$pkglibdir")/." "$root$pkglibdir/"
    quietly install make -C "$project" -j"$(nproc)" install \
        PG_CONFIG="$pg_config" DESTDIR="$root" WERROR="${WERROR--Werror}"
    # So that tests can create what is then upgraded.
    cp "$project"/test/data/terra_identity--*.sql "$root$sharedir/extension/"
}

write_configuration() {
    cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
fsync = $fsync
max_connections = 200
max_prepared_transactions = 10
wal_level = logical
log_line_prefix = '%m [%p] %q%d %a '
log_checkpoints = off
CONF
    cat >"$dir/env" <<ENV
unset PGHOSTADDR PGSERVICE PGPASSWORD PGPASSFILE PGOPTIONS PGSSLMODE PGSYSCONFDIR PGTZ PGDATESTYLE
export PGHOST='$dir' PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
export PGDATA='$dir/data' SERVER_LOG='$dir/log' SERVER_DIR='$dir' PRIVATE_BINDIR='$root$bindir'
export PATH='$root$bindir':"\$PATH"
ENV
}

# A script in the place of the server's program. pg_ctl itself runs without the wrapper: a library that is preloaded
# into it, for instance, would make it hang.
wrap_server() {
    mv "$root$bindir/postgres" "$root$bindir/postgres.wrapped"
    cat >"$root$bindir/postgres" <<SCRIPT
#!/usr/bin/env bash
if [[ \$* == -V || \$* == *-C* ]]; then
    exec '$root$bindir/postgres.wrapped' "\$@"
fi
exec $SERVER_WRAPPER '$root$bindir/postgres.wrapped' "\$@"
SCRIPT
    chmod 755 "$root$bindir/postgres"
}

start() {
    local pg_config bindir root fsync=off
    case ${1:-} in
    '') ;;
    --durable) fsync=on ;;
    *) usage ;;
    esac
    pg_config=$("$harness/pg_config.sh") ||
        fail "no PostgreSQL with its server headers: run test/harness/dependencies.sh"
    mkdir -p "$dir"
    dir=$(realpath "$dir")
    ((${#dir} < 90)) || fail "$dir is too long for a Unix socket: choose a shorter one"
    root=$dir/root
    bindir=$("$pg_config" --bindir)
    echo "$root$bindir" >"$dir/private-server"
    server_dir=$dir
    server_dirs=("$dir")
    install_private_copy "$pg_config"

    mkdir "$dir/data"
    touch "$dir/log"
    if [[ $(id -u) == 0 ]]; then
        chown "$(server_user)": "$dir" "$dir/data" "$dir/log"
    fi
    chmod 700 "$dir/data"
    cd "$dir"
    as_server_user "$root$bindir/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
        --no-sync >"$dir/initdb.log" 2>&1 || fail "initdb failed: $(cat "$dir/initdb.log")"
    write_configuration
    if [[ -n ${SERVER_WRAPPER:-} ]]; then
        wrap_server
    fi
    as_server_user "$root$bindir/pg_ctl" start -w -t 120 -s -D "$dir/data" -l "$dir/log" </dev/null >/dev/null ||
        fail "the server did not start: $(tail -n 20 "$dir/log")"
    # The server runs: from here on only `stop` ends it.
    server_dirs=()
}

stop() {
    [[ -e $dir ]] || return 0
    dir=$(realpath "$dir")
    [[ -e $dir/private-server ]] || fail "$dir is not the folder of a private server"
    local pg_ctl
    pg_ctl=$(<"$dir/private-server")/pg_ctl
    if [[ -s $dir/data/postmaster.pid ]]; then
        cd "$dir"
        as_server_user "$pg_ctl" stop -s -D "$dir/data" -m fast -t 20 >/dev/null 2>&1 ||
            as_server_user "$pg_ctl" stop -s -D "$dir/data" -m immediate -t 20 >/dev/null 2>&1 || true
    fi
    cd /
    rm -rf "$dir"
}

[[ $# -ge 2 ]] || usage
dir=$2
case $1 in
start) start "${3:-}" ;;
stop) stop ;;
*) usage ;;
esac
