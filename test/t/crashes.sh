#!/usr/bin/env bash
# The server crashes under load: a backend is killed, the postmaster is, it is stopped at once, it is killed while it
# recovers. See webhooks/crashes.py. CYCLES=N for N crashes, SEED=N for other webhooks.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
# shellcheck disable=SC1091
. "$(dirname "$0")/cluster.sh"
# Without fsync: what a process has written, the kernel has, whatever becomes of the process.
make_cluster "
fsync = off
max_prepared_transactions = 5
log_error_verbosity = verbose"
# Where Debian's node-pg is; one in examples/node/node_modules comes first.
export NODE_PATH=/usr/share/nodejs
python3 test/t/webhooks/crashes.py "$work" "${CYCLES:-4}"
