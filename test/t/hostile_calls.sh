#!/usr/bin/env bash
# Every function with NULLs and hostile arguments: see hostile_calls.py. make check-long makes more calls.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"

if told=$(python3 test/t/hostile_calls.py 3 2>&1); then
    check "hostile arguments raise no internal error, and crash nothing" ""
    sed 's/^/# /' <<<"$told"
else
    check "hostile arguments raise no internal error, and crash nothing" "$told"
fi
finish
