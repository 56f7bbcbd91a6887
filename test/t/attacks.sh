#!/usr/bin/env bash
# Secrets in logs and dumps, and bodies that are large or mean to be expensive: see attacks/run.py.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
# shellcheck disable=SC1091
. "$(dirname "$0")/cluster.sh"

# Logs and counts whatever can be logged and counted.
make_cluster "
fsync = off
shared_preload_libraries = 'pg_stat_statements'
log_statement = 'all'
log_duration = on
log_transaction_sample_rate = 1
log_min_messages = debug1
log_min_error_statement = debug1
log_parameter_max_length_on_error = -1"
"$PRIVATE_BINDIR/pg_ctl" start -w -s -D "$work/data" -l "$work/server.log" </dev/null >/dev/null
python3 test/t/attacks/run.py "$work/server.log"
