#!/usr/bin/env bash
# 200 crashes under load, through the handler and through PgBouncer: see test/t/webhooks/crashes.py.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

"$harness/dependencies.sh" --long || fail "a package is missing"
build_module
private_server

cycles=$(scaled 200)
log=$server_dir/crashes.log
guarded as_server_user env -C "$server_dir/project" CYCLES="$cycles" test/harness/in_database.sh \
    test/t/crashes.sh >"$log" 2>&1 || true
grep -vE '^ok ' "$log"
read -r done failed < <(sed -nE 's/^# ([0-9]+) cycles, ([0-9]+) failed$/\1 \2/p' "$log") || read -r done failed <<<"0 1"
result "crashes under load" "$done" "$cycles" $((failed + $(grep -c '^not ok ' "$log" || true)))

finish
