#!/usr/bin/env bash
# Runs test/bench/run.py against a private server, which is removed afterwards, and prints its table, which is also kept
# in build/results/bench.md. Settings from the environment: ROWS="1 2 4" selects rows, SCALE=0.01 reduces the sizes,
# RUNS=5 sets the rounds. The server's data may need 65 GB. It lies in /var/tmp, because /tmp may not be on a disk.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Builds with the same optimization as the module.
build_core_bench() {
    cmake -S . -B build/bench -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG"
    cmake --build build/bench -j"$(nproc)" --target core_bench
}
export -f build_core_bench

cd "$project"
"$harness/dependencies.sh"
build_module
servers=/var/tmp
private_server --durable
if [[ -e test/bench/core_bench.cpp && " ${ROWS:-14} " == *" 14 "* ]]; then
    quietly bench bash -euc build_core_bench
    cp build/bench/core_bench "$server_dir/"
    export CORE_BENCH=$server_dir/core_bench
fi
cd "$server_dir/project"
guarded as_server_user python3 test/bench/run.py
mkdir -p "$project/build/results"
cp "$server_dir/bench.md" "$project/build/results/bench.md"
