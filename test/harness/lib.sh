# shellcheck shell=bash
# Sourced by the scripts of this folder. Whatever a script starts through `guarded` or `private_server` is gone when the
# script ends, however it ends.

harness=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$harness/../.." && pwd)
# The flags of an outer make must not reach the makes that the scripts run.
unset MAKEFLAGS MFLAGS MAKELEVEL

guarded_group=
guarded_inside=
server_dir=
server_dirs=()
watchdogs=()
at_exit=() # what else a script wants done when it ends: commands, which do not change its status

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# The user that runs PostgreSQL and everything that connects to it. PostgreSQL refuses to run as root.
server_user() {
    if [[ $(id -u) != 0 ]]; then
        id -un
    elif id -u postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

as_server_user() {
    if [[ $(id -u) != 0 ]]; then
        "$@"
        return
    fi
    local user
    user=$(server_user)
    setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --clear-groups \
        env HOME="${server_dir:-/}" USER="$user" LOGNAME="$user" "$@"
}

# Runs a command in a process group of its own, so that a signal to this script ends the whole group at once. What the
# command runs `guarded` is of the same group.
guarded() {
    if [[ -n $guarded_inside ]]; then
        "$@" </dev/null
        return
    fi
    set -m
    guarded_inside=1
    "$@" </dev/null &
    guarded_group=$!
    guarded_inside=
    set +m
    local status=0
    wait "$guarded_group" || status=$?
    guarded_group=
    return "$status"
}

# Runs a build with its output in a log, which is shown only if the build fails. Only one build runs at a time.
quietly() {
    local name=$1
    shift
    "$harness/build_folder.sh" || return
    if ! guarded flock "$project/build/.lock" "$@" >"$project/build/$name.log" 2>&1; then
        # Prints from the first error on, which the later ones follow from.
        awk '/error: |undefined reference|\*\*\*|CMake Error/ { found = 1 } found' \
            "$project/build/$name.log" | head -n 60 >&2 || true
        echo "all of it: build/$name.log" >&2
        return 1
    fi
}

build_module() {
    quietly module make -C "$project" -j"$(nproc)" WERROR=-Werror PG_CONFIG="$("$harness/pg_config.sh")"
}

# copy_project DIR: makes the folder, with the project's files and nothing that was built.
copy_project() {
    mkdir "$1"
    # Status 1 means that a file changed while it was read. A running editor is no reason to fail.
    { tar -C "$project" --exclude=./.git --exclude=./build -cf - . 2>/dev/null || [[ $? == 1 ]]; } |
        tar -C "$1" --no-same-owner -xf -
}

# Starts a private server (options as of server.sh start) in a folder under $servers, by default /tmp, and sets the
# environment to connect to it: see new_server.
private_server() {
    new_server "$@" || return
    # shellcheck disable=SC1091
    . "$server_dir/env"
}

# Starts a private server in the folder $server_dir, copies the project's files to $server_dir/project for the server's
# user to read and write, and removes everything in the end. Several must be started before an environment is set.
new_server() {
    server_dir=$(mktemp -d "${servers:-/tmp}/terra_identity.XXXXXX")
    server_dirs+=("$server_dir")
    "$harness/server.sh" start "$server_dir" "$@" || return
    # kill -9 runs no trap. This process outlives the script and cleans up after it.
    if [[ -z ${KEEP:-} ]]; then
        setsid bash -c 'while kill -0 "$1"; do sleep 1; done; exec "$2" stop "$3"' \
            _ $$ "$harness/server.sh" "$server_dir" </dev/null >/dev/null 2>&1 &
        watchdogs+=($!)
    fi
    copy_project "$server_dir/project"
    if [[ $(id -u) == 0 ]]; then
        chown -R "$(server_user)": "$server_dir/project"
    fi
}

# counts_of LOG: the two numbers of its last line, `N passed, N failed`; 0 and 1 if it has none.
counts_of() {
    tail -n 1 "$1" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p' | grep . || echo 0 1
}

cleanup() {
    local status=$? dir pid command
    trap '' INT TERM HUP
    for command in "${at_exit[@]}"; do
        eval "$command" || true
    done
    if [[ -n $guarded_group ]]; then
        kill -TERM -- "-$guarded_group" 2>/dev/null || true
    fi
    for dir in "${server_dirs[@]}"; do
        if [[ -n ${KEEP:-} ]]; then
            echo "The server is still running:          psql -h $dir -U postgres ${PGDATABASE:-}" >&2
            echo "This stops and removes it: test/harness/server.sh stop $dir" >&2
        else
            "$harness/server.sh" stop "$dir" || true
        fi
    done
    for pid in "${watchdogs[@]}"; do
        kill -- "-$pid" "$pid" 2>/dev/null || true
    done
    cd /
    "$harness/build_folder.sh" hand-over || true
    exit "$status"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
