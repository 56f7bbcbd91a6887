#!/usr/bin/env bash
# Runs test/bench/run.py against a private server that is gone afterwards, and prints its table, which is also left in
# build/results/bench.md. Settings from the environment: ROWS="1 2 4" chooses, SCALE=0.01 divides the sizes, RUNS=5 rounds.
# The server's data may need 40 GB: it lies in /var/tmp, which is on a disk where /tmp may not be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$harness/dependencies.sh"
build_module
servers=/var/tmp
private_server --durable
cd "$server_dir/project"
guarded as_server_user python3 test/bench/run.py
mkdir -p "$project/build/results"
cp "$server_dir/bench.md" "$project/build/results/bench.md"
