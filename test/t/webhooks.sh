#!/usr/bin/env bash
# Terra's webhooks over HTTP, through examples/node/handler.js into ingest(), while handler and server are killed: see
# webhooks/run.py. SEED=N for other webhooks.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
# shellcheck disable=SC1091
. "$(dirname "$0")/cluster.sh"
make_cluster
# Where Debian's node-pg is; one in examples/node/node_modules comes first.
export NODE_PATH=/usr/share/nodejs
python3 test/t/webhooks/run.py "$work"
