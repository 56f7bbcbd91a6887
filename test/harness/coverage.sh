#!/usr/bin/env bash
# What of the code the tests run: the unit tests, and the suites of $SUITES, by default regress, isolation, model and t,
# in servers that have the module compiled for it. Prints how many lines and branches ran of the core (src/core) and of
# the bridge (the rest of src), beside their goals, and the files that are below; the report of every line is
# build/results/coverage/index.html. The status is 0 only if the goals are reached. Whether the tests pass is for make
# check to say: compiled so, those that compare times may fail.
#
# Branches are those that the source has, and lines those that can run: see coverage_trace.py.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

"$harness/dependencies.sh" --coverage || fail "a package is missing"
results=build/results/coverage
failed=0
rm -rf "$results"
mkdir -p "$results"

# In a copy: the objects of other builds stay.
work=$(mktemp -d "${servers:-/tmp}/terra_identity.coverage.XXXXXX")
at_exit+=('rm -rf "$work"')
chmod 755 "$work"
copy=$work/project
copy_project "$copy"

build_core() {
    cmake -S "$copy" -B "$copy/build/unit" -DCOVERAGE=ON
    cmake --build "$copy/build/unit" -j"$(nproc)"
}
export -f build_core
export copy
quietly coverage bash -euc build_core
# All random histories take an hour so; the lines that these reach are reached by the first.
TEST_HISTORIES=300 guarded "$copy/build/unit/unit_tests" --gtest_brief=1 >"$results/unit.log" 2>&1 ||
    { tail -n 50 "$results/unit.log"; failed=1; }

export INSTRUMENT="--coverage -O0 -g1"
quietly coverage make -C "$copy" -j"$(nproc)" PG_CONFIG="$("$harness/pg_config.sh")"
# The servers' user writes what ran beside the objects.
chmod -R a+rwX "$copy/build/module"
# With few histories: they repeat the same lines, and take longer so.
SUITES=${SUITES:-regress isolation model t} HISTORIES=${HISTORIES:-200} guarded "$copy/test/harness/check.sh" \
    >"$results/check.log" 2>&1 || true
grep -E '^[a-z-]+: [0-9]+ passed' "$results/check.log"

# The core is in both.
"$harness/coverage_trace.py" "$copy" "$copy/build/unit" "$copy/build/module" >"$results/trace.json" ||
    fail "nothing was counted"
counted=(--root "$copy" -a "$results/trace.json")
gcovr "${counted[@]}" --html-details "$results/index.html"

# percentages PART LINES BRANCHES FILTER...: of the files that the filters choose, and their goals
percentages() {
    gcovr "${counted[@]}" "${@:4}" --json-summary - | python3 -c '
import json
import sys

part, summary, reached = sys.argv[1], json.load(sys.stdin), True
for kind, plural, goal in ("line", "lines", float(sys.argv[2])), ("branch", "branches", float(sys.argv[3])):
    ran, there = summary[f"{kind}_covered"], summary[f"{kind}_total"]
    reached = reached and 100 * ran >= goal * there
    print(f"{plural} of the {part}: {ran} of {there}, {100 * ran / there:.2f} %; goal {goal:g} %")
    for file in summary["files"]:
        its_ran, its = file[f"{kind}_covered"], file[f"{kind}_total"]
        if 100 * its_ran < goal * its:
            print(f"    {its_ran} of {its} in {file['"'filename'"']}")
sys.exit(not reached)' "${@:1:3}"
}
percentages core 100 95 --filter "$copy/src/core/" || failed=1
percentages bridge 90 70 --filter "$copy/src/" --exclude "$copy/src/core/" || failed=1
echo "every line: $results/index.html"
((failed == 0))
