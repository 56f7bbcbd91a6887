#!/usr/bin/env bash
# examples/node/listen.js: wakes, polls, goes on after what kills it: see listen.py.
set -euo pipefail
# Where Debian's node-pg is; one in examples/node/node_modules comes first.
export NODE_PATH=/usr/share/nodejs
exec python3 test/t/listen.py
