#!/usr/bin/env bash
# on_free_server.sh COMMAND...: waits until one of the servers in the folders $SERVERS is free, and runs the command
# with the environment to connect to it, in its copy of the project. So no two commands share a server, whose roles,
# transaction ids and log are of all its databases.
set -euo pipefail

while :; do
    for dir in $SERVERS; do
        exec 9<"$dir/busy"
        if flock -n 9; then
            # shellcheck disable=SC1091
            . "$dir/env"
            cd "$dir/project"
            # What the command leaves running does not keep the server busy.
            status=0
            "$@" 9<&- || status=$?
            exit "$status"
        fi
    done
    sleep 0.1
done
