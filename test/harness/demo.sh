#!/usr/bin/env bash
# Runs test/demo/demo.sql against a private server, which is removed afterwards. With KEEP=1 the server stays, and the
# script prints how to connect to it and how to stop it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$harness/dependencies.sh"
build_module
private_server
createdb demo
export PGDATABASE=demo
cd "$server_dir/project"
guarded as_server_user psql -X -q -v ON_ERROR_STOP=1 -P pager=off -f test/demo/demo.sql
