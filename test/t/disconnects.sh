#!/usr/bin/env bash
# examples/node/disconnect.js against a fake of Terra; then what take_disconnects reads among 1,000,000 rows: see
# disconnects.py.
set -euo pipefail
# Where Debian's node-pg is; one in examples/node/node_modules comes first.
export NODE_PATH=/usr/share/nodejs
exec python3 test/t/disconnects.py
