#!/usr/bin/env bash
# 200 cancels, terminations and timeouts in the middle of ingest: see test/t/interruptions.py.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

build_module
private_server

points=$(scaled 200)
log=$server_dir/interruptions.log
guarded as_server_user env -C "$server_dir/project" POINTS="$points" test/harness/in_database.sh \
    test/t/interruptions.sh >"$log" 2>&1 || true
grep -vE '^ok ' "$log"
read -r done wrong < <(sed -nE 's/^# ([0-9]+) interruptions, ([0-9]+) wrong$/\1 \2/p' "$log") ||
    read -r done wrong <<<"0 1"
result "interruptions of ingest" "$done" "$points" $((wrong + $(grep -c '^not ok ' "$log" || true)))

finish
