#!/usr/bin/env bash
# Runs test/demo/demo.sql against a private server, which is removed afterwards. With KEEP=1 the server stays, and the
# script prints how to connect to it and how to stop it. With PAGE=1 examples/support shows the story, on a port of
# 127.0.0.1 that is free, or on $PORT, until Ctrl-C.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$harness/dependencies.sh"
build_module
private_server
createdb demo
export PGDATABASE=demo
cd "$server_dir/project"
guarded as_server_user psql -X -q -v ON_ERROR_STOP=1 -P pager=off -f test/demo/demo.sql

if [[ -z ${PAGE:-} ]]; then
    echo "make demo PAGE=1 shows this story on a web page, where support looks up any id."
    exit
fi
as_server_user psql -X -q -v ON_ERROR_STOP=1 \
    -c "CREATE ROLE support LOGIN" -c "DO \$\$BEGIN PERFORM terra_identity.grant_support('support'); END\$\$"
echo
echo "A page for support shows this story, at the address below, until Ctrl-C. Type a-monday, alice or G-42 there."
PGUSER=support PORT=${PORT:-0} NODE_PATH=$PWD/examples/node/node_modules:/usr/share/nodejs \
    guarded as_server_user node examples/support/server.js
