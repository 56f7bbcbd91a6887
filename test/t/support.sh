#!/usr/bin/env bash
# examples/support, the page for support, in headless Chromium: see support/run.py. The screenshots are kept in
# build/results/t/support.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
if ! command -v chromium >/dev/null; then
    skip "the page for support is opened" "no browser: test/harness/dependencies.sh --browser"
    finish
    exit
fi
export NODE_PATH=$PWD/examples/node/node_modules:/usr/share/nodejs
# shellcheck disable=SC2154  # checks.sh sets work
python3 test/t/support/run.py "$work" "${T_LOGS:-$work}/support"
