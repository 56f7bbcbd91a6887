#!/usr/bin/env bash
# fuzz.sh [SECONDS]: runs each target of test/fuzz with libFuzzer for so many seconds (60), one after another. It starts
# from test/fuzz/corpus and from the inputs that earlier runs found, which are kept in build/fuzz/corpus. Prints a line
# for each target and, as the very last line, `N passed, N failed` counting targets. The status is 0 only if none
# failed. An input that breaks a promise is kept in build/fuzz/findings, and the script prints how to run it again. With
# MERGE=1 it then adds to test/fuzz/corpus the inputs that reach code which no input there reaches.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

duration=${1:-60}
tree=build/fuzz
passed=0
failed=0

configure_and_build() {
    cmake -S . -B "$1" -DFUZZ=ON -DCMAKE_CXX_COMPILER=clang++
    cmake --build "$1" -j"$(nproc)"
}
export -f configure_and_build

# last PATTERN FILE: prints what the pattern captures in the last line that matches, or 0 if there is none
last() {
    local found
    found=$(sed -nE "s/.*$1.*/\1/p" "$2" | tail -n 1)
    echo "${found:-0}"
}

# run TARGET: runs a target and prints one line about it, and more if it failed
run() {
    local target=$1 log=$tree/$1.log grown=$tree/corpus/$1 result=ok options=()
    mkdir -p "$grown" "$tree/findings"
    [[ ! -e test/fuzz/$target.dict ]] || options+=(-dict="test/fuzz/$target.dict")
    [[ $target != rules ]] || options+=(-only_ascii=1) # histories, for people to read
    # With 0 seconds libFuzzer would run without a limit: here it only runs the existing inputs.
    ((duration > 0)) && options+=(-max_total_time="$duration") || options+=(-runs=0)
    guarded "$tree/${target}_fuzz" "${options[@]}" -max_len=4096 -timeout=20 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$tree/findings/$target-" "$grown" "test/fuzz/corpus/$target" >"$log" 2>&1 || result=FAILED
    printf '%-14s %10s %8s  %6s of %-6s %8s  %s\n' "$target" \
        "$(last 'stat::number_of_executed_units: *([0-9]+)' "$log")" \
        "$(last 'stat::average_exec_per_sec: *([0-9]+)' "$log")" \
        "$(last 'cov: ([0-9]+)' "$log")" "$(last '\(([0-9]+) PCs\)' "$log")" \
        "$(last 'stat::new_units_added: *([0-9]+)' "$log")" "$result"
    if [[ $result == ok ]]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    grep -a -E -A 20 'NOT KEPT|runtime error|ERROR: ' "$log" | head -n 60 || tail -n 20 "$log"
    sed -nE "s,.*Test unit written to (.*),run it again: $tree/${target}_fuzz \1,p" "$log"
}

# Without counters: an input that only takes a branch more often is not worth a file.
merge() {
    guarded "$tree/$1_fuzz" -set_cover_merge=1 -use_counters=0 -max_len=4096 \
        "test/fuzz/corpus/$1" "$tree/corpus/$1" >"$tree/$1-merge.log" 2>&1 ||
        { tail -n 20 "$tree/$1-merge.log" && fail "merging failed"; }
    sed -nE 's,^MERGE-OUTER: ([0-9]+ new files).*,'"$1"': \1 in test/fuzz/corpus,p' "$tree/$1-merge.log"
}

[[ $duration =~ ^[0-9]+$ ]] || fail "SECONDS is a number, not $duration"
"$harness/dependencies.sh" --fuzz
quietly fuzz bash -euc "configure_and_build $tree"
targets=$(basename -as _fuzz.cpp test/fuzz/*_fuzz.cpp)
printf '%-14s %10s %8s  %16s %8s  %s\n' target runs runs/s coverage new result
for target in $targets; do
    run "$target"
done
if [[ -n ${MERGE:-} ]] && ((failed == 0)); then
    for target in $targets; do
        merge "$target"
    done
fi
echo "$passed passed, $failed failed"
((failed == 0))
