#!/usr/bin/env bash
# Sixteen sessions deliver random histories at once, by single statements of every kind: see test/model/crowds.py.
# Nothing may fail, and the state must be what the model makes of the ledger. `make check-long` does more of it.
#
# SEED=N for other histories (which interleavings come about is chance), DELIVERIES=N for more of them.
set -euo pipefail

# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"

status=0
python3 test/model/crowds.py --deliveries "${DELIVERIES:-3000}" ${SEED:+--seed "$SEED"} >"$work/out" 2>&1 || status=$?
tail -n 2 "$work/out" | sed 's/^/# /'
check "no statement fails, and the state is the model's" "$([[ $status == 0 ]] || cat "$work/out")"
check "everything was delivered" \
    "$(awk -v goal="${DELIVERIES:-3000}" 'END { if ($2 != "deliveries," || $1 < goal) print }' "$work/out")"

finish
