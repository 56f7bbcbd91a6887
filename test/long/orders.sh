#!/usr/bin/env bash
# One end state for any order, batching and repetition of the same events: scenarios and random histories in the core,
# and what it makes of them against the model.
#
# SEED=N for other orders and histories.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

seed=${SEED:-$(date +%s)}
processes=$(nproc)
unit_tests=$project/build/unit/unit_tests
echo "seed $seed"

quietly unit bash -euc 'cmake -S . -B build/unit -DSANITIZE=OFF -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
    cmake --build build/unit -j"$(nproc)"'
logs=$(mktemp -d)
at_exit+=('rm -rf "$logs"')

# at_once NAME COMMAND...: as many processes as there are cores, each with its number as PROCESS. Their output goes to
# $logs/NAME.PROCESS; what those say that fail is shown.
at_once() {
    local name=$1 process pids=()
    shift
    for ((process = 0; process < processes; ++process)); do
        PROCESS=$process "$@" >"$logs/$name.$process" 2>&1 &
        pids+=($!)
    done
    for process in "${!pids[@]}"; do
        wait "${pids[process]}" || tail -n 100 "$logs/$name.$process"
    done
}

# counted NAME WHAT: what the tests of these logs have counted.
counted() {
    sed -nE "s/^counted: $2 ([0-9]+)$/\1/p" "$logs/$1".* | awk '{ sum += $1 } END { print sum + 0 }'
}

# failed NAME: how many tests failed, and processes died.
failed() {
    awk -v died="$processes" '
        /^\[==========\] [0-9]+ tests? from .* ran\./ { --died }
        /^\[  FAILED  \] [0-9]+ tests?, listed below:$/ { failed += $4 }
        END { print failed + died }' "$logs/$1".*
}

scenarios() {
    GTEST_TOTAL_SHARDS=$processes GTEST_SHARD_INDEX=$PROCESS TEST_COUNTS=1 TEST_BATCHINGS=1 TEST_ORDERS=$orders \
        TEST_SEED=$seed "$unit_tests" --gtest_brief=1 --gtest_filter='All/ScenariosTest.*'
}
orders=$(scaled 5000)
# Of every scenario, under two policies.
read -r number all_orders some_orders < <(python3 - "$orders" <<'PYTHON'
import json, math, sys
lengths = [len(json.loads(line)["events"]) for line in open("test/data/scenarios.jsonl", encoding="utf-8")]
print(len(lengths), sum(2 * math.factorial(n) for n in lengths if n <= 6),
      sum(2 * int(sys.argv[1]) for n in lengths if n > 6))
PYTHON
)
result "scenarios" "$number" 100 0
guarded at_once scenarios scenarios
result "all orders of the scenarios of up to 6 events" "$(counted scenarios 'orders of up to 6 events')" "$all_orders" \
    "$(failed scenarios)"
result "sampled orders of the scenarios of 7 and 8 events" "$(counted scenarios 'orders of 7 and 8 events')" \
    "$some_orders" "$(failed scenarios)"

histories() {
    TEST_COUNTS=1 TEST_SEED=$((seed * 1000000 + PROCESS * histories)) TEST_HISTORIES=$histories \
        TEST_EXPORT=$logs/exported.$PROCESS "$unit_tests" --gtest_brief=1 \
        --gtest_filter='RandomTest.AnyOrderAndBatchingUnderChangingRulesLeadsToOneState'
}
goal=$(scaled 1000000)
histories=$(((goal + processes - 1) / processes))
guarded at_once histories histories
result "random histories in the core" "$(counted histories 'random histories')" "$goal" "$(failed histories)"

# The tests write one in a hundred.
guarded python3 test/model/core_states.py "$logs"/exported.* >"$logs/states" 2>&1 || tail -n 200 "$logs/states"
read -r passed failed < <(counts_of "$logs/states")
result "random histories in the core, against the model" $((passed + failed)) $((goal < 100 ? 1 : goal / 100)) "$failed"

finish
