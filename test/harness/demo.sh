#!/usr/bin/env bash
# Runs test/demo/demo.sql against a private server that is gone afterwards. With KEEP=1 the server stays, and
# how to reach it and how to stop it are printed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$harness/dependencies.sh"
build_module
private_server
createdb demo
export PGDATABASE=demo
cd "$server_dir/project"
guarded as_server_user psql -X -q -v ON_ERROR_STOP=1 -P pager=off -f test/demo/demo.sql
