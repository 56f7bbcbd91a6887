#!/usr/bin/env bash
# Runs the suites named in $SUITES, by default all: unit (build/unit/unit_tests), fuzz (every file of test/fuzz/corpus,
# with sanitizers), regress (pg_regress), isolation (pg_isolation_regress), model (its own unit tests, then
# test/model/run.py), t (prove, test/t/*.sh). Prints one line `SUITE: N passed, N failed` for each suite and, as the
# very last line, `N passed, N failed` for all. The status is 0 only if tests ran and none failed. A suite that cannot
# run counts as a failure. All suites except unit and fuzz use private servers (server.sh). They run as its user, in a
# copy of the project's files. There are two such servers: while the first serves regress, isolation and model, the
# second serves the scripts of t, and when these suites are done both do. No two of these ever share a server.
#
# build/results/t/t.log says how long each script of t took, with the time that it waited for a server.
#
# BROWSER=no: without the browser that test/t/graph.sh and test/t/support.sh need; they are skipped if there is none.
#
# TESTS: of regress, isolation and t only these. A test of sql also needs 00_install, which comes first.
#
# The model, the scenarios that it plays, and each test/t/*.sh get an empty database of their own, as PGDATABASE.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

suites=${SUITES:-unit fuzz regress isolation model t}

# report SUITE PASSED FAILED
report() {
    echo "$1: $2 passed, $3 failed"
    echo "$2 $3" >>"$counts"
}

count() {
    grep -cE "$1" "$2" || true
}

any() {
    compgen -G "$1" >/dev/null
}

configure_and_build_unit() {
    cmake -S . -B "$1" -DSANITIZE="${SANITIZE:-OFF}" -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
    cmake --build "$1" -j"$(nproc)"
}
configure_and_build_replay() {
    cmake -S . -B "$1" -DFUZZ=REPLAY
    cmake --build "$1" -j"$(nproc)"
}
export -f configure_and_build_unit configure_and_build_replay

run_unit() {
    any 'test/unit/*.cpp' || { report unit 0 0; return; }
    local tree=build/unit log=build/unit-results passed failed shards
    [[ ${SANITIZE:-OFF} == OFF ]] || tree+=-sanitized
    if ! quietly unit bash -euc "configure_and_build_unit $tree"; then
        report unit 0 1
        return
    fi
    shards=$(nproc)
    rm -f "$log".*.log
    if ! guarded run_unit_tests "$tree/unit_tests" "$shards" "$log"; then
        cat "$log".*.log | head -n 200 || true
    fi
    # A process that died has said neither how many passed nor how many failed.
    read -r passed failed < <(awk -v unfinished="$shards" '
        /^\[==========\] [0-9]+ tests? from .* ran\./ { --unfinished }
        /^\[  PASSED  \] [0-9]+ tests?\.$/ { passed += $4 }
        /^\[  FAILED  \] [0-9]+ tests?, listed below:$/ { failed += $4 }
        END { print passed + 0, failed + unfinished }' "$log".*.log)
    report unit "$passed" "$failed"
}

# run_unit_tests PROGRAM SHARDS LOG: in so many processes, each with a part of the tests. One process for each test, as
# CTest would have it, takes three times as long.
run_unit_tests() {
    local index pids=() status=0
    for ((index = 0; index < $2; ++index)); do
        GTEST_TOTAL_SHARDS=$2 GTEST_SHARD_INDEX=$index "$1" --gtest_brief=1 >"$3.$index.log" 2>&1 &
        pids+=($!)
    done
    for index in "${pids[@]}"; do
        wait "$index" || status=1
    done
    return "$status"
}

run_fuzz() {
    any 'test/fuzz/*_fuzz.cpp' || { report fuzz 0 0; return; }
    local tree=build/fuzz-replay target log files good bad passed=0 failed=0
    if ! quietly fuzz-replay bash -euc "configure_and_build_replay $tree"; then
        report fuzz 0 1
        return
    fi
    # A corpus without a target is not read: it fails with the rest.
    for target in $( (basename -as _fuzz.cpp test/fuzz/*_fuzz.cpp && ls test/fuzz/corpus) | sort -u); do
        log=build/fuzz-replay-$target.log
        files=$(find "test/fuzz/corpus/$target" -mindepth 1 -maxdepth 1 | wc -l) || files=0
        good=0 bad=0
        if guarded "$tree/${target}_fuzz" "test/fuzz/corpus/$target" >"$log" 2>&1; then
            good=$(tail -n 1 "$log" | sed -nE 's/^([0-9]+) passed, 0 failed$/\1/p')
            [[ $good == "$files" && $files != 0 ]] || bad=1
        else
            read -r good bad < <(tail -n 1 "$log" |
                sed -nE 's/^([0-9]+) passed, ([1-9][0-9]*) failed$/\1 \2/p') || bad=1
        fi
        if ((bad > 0)); then
            echo "$target: $files files"
            grep -avE '^ +#([1-9][0-9]|[0-9]{3,}) ' "$log" | head -n 100 || true
        fi
        passed=$((passed + good))
        failed=$((failed + bad))
    done
    report fuzz "$passed" "$failed"
}

# chosen NAME...: those of the names that $TESTS has
chosen() {
    comm -12 <(printf '%s\n' "$@" | sort) <(printf '%s\n' ${TESTS:-"$@"} | sort)
}

# pg_regress_suite SUITE DRIVER INPUT_FOLDER TEST...
pg_regress_suite() {
    local suite=$1 driver=$2 input=$3 passed failed
    shift 3
    local output=$server_dir/$suite
    as_server_user mkdir "$output"
    guarded as_server_user "$driver" --bindir="$PRIVATE_BINDIR" --host="$PGHOST" --port="$PGPORT" --user="$PGUSER" \
        --dbname="${suite}_test" --inputdir="$input" --outputdir="$output" "$@" >"$server_dir/$suite.log" 2>&1 || true
    # Keeps the results for the author of a test, to compare them with the expected output or to replace it.
    rm -rf "$project/build/results/$suite"
    mkdir -p "$project/build/results"
    cp -r "$output" "$project/build/results/$suite"
    # PostgreSQL 15 prints "test NAME ... ok 12 ms"; later versions print TAP.
    passed=$(count '^ok |\.\.\. +ok ' "$server_dir/$suite.log")
    failed=$(($# - passed))
    if ((failed > 0)); then
        grep -E '^not ok |\.\.\. +(FAILED|failed)|[Ee]rror|could not|Bail' "$server_dir/$suite.log" ||
            tail -n 20 "$server_dir/$suite.log"
        head -n 100 "$output/regression.diffs" 2>/dev/null || true
    fi
    report "$suite" "$passed" "$failed"
}

run_regress() {
    any 'sql/*.sql' || { report regress 0 0; return; }
    pg_regress_suite regress "$pgxs/../test/regress/pg_regress" . $(chosen $(basename -as .sql sql/*.sql))
}

run_isolation() {
    any 'test/isolation/specs/*.spec' || { report isolation 0 0; return; }
    pg_regress_suite isolation "$pgxs/../test/isolation/pg_isolation_regress" test/isolation \
        $(chosen $(basename -as .spec test/isolation/specs/*.spec))
}

run_model() {
    local log=$server_dir/model-unit.log ran bad skipped
    if any 'test/model/test*.py'; then
        guarded as_server_user python3 -m unittest discover -s test/model >"$log" 2>&1 || true
        ran=$(sed -nE 's/^Ran ([0-9]+) tests? in .*/\1/p' "$log")
        bad=$(sed -nE '/^FAILED/s/[^0-9]+/ /gp' <(sed -E 's/(skipped|expected failures)=[0-9]+//g' "$log"))
        bad=$(($(tr ' ' '\n' <<<"$bad" | grep . | paste -sd+ || true) + 0))
        skipped=$(sed -nE 's/^(OK|FAILED) .*skipped=([0-9]+).*/\2/p' "$log")
        [[ -n $ran ]] || { ran=1; bad=1; }
        if ((bad > 0)); then
            tail -n 100 "$log"
        fi
        report model-unit $((ran - bad - ${skipped:-0})) "$bad"
    fi
    [[ -e test/model/run.py ]] || { report model 0 0; return; }
    run_histories model --histories "${HISTORIES:-1000}" # make check-long has 20,000
    run_histories scenarios --scenarios
}

# run_histories NAME OPTION...: of test/model/run.py, in a database of that name
run_histories() {
    local name=$1 log=$server_dir/$1.log passed failed
    shift
    as_server_user createdb "$name"
    PGDATABASE=$name guarded as_server_user python3 test/model/run.py "$@" >"$log" 2>&1 || true
    read -r passed failed < <(counts_of "$log")
    if ((failed > 0)); then
        tail -n 100 "$log"
    fi
    report "$name" "$passed" "$failed"
}

run_t() {
    local log=$server_dir/t.log scripts script ran bad skipped passed failed=0
    # From the end of the alphabet: webhooks takes long, and would be the last, beside an idle server.
    scripts=$(find test/t -maxdepth 1 -name '*.sh' -executable -exec basename -as .sh {} +)
    # shellcheck disable=SC2086  # these are several words
    scripts=$(chosen $scripts | sort -r | sed -E 's|.+|test/t/&.sh|')
    [[ -n $scripts ]] || { report t 0 0; return; }
    as_server_user mkdir "$server_dir/t"
    # shellcheck disable=SC2086
    T_LOGS=$server_dir/t SERVERS=${server_dirs[*]} guarded as_server_user prove --jobs "${#server_dirs[@]}" --timer \
        --exec 'test/harness/on_free_server.sh test/harness/in_database.sh' $scripts >"$log" 2>&1 || true
    rm -rf "$project/build/results/t"
    mkdir -p "$project/build/results"
    cp -r "$server_dir/t" "$project/build/results/t"
    cp "$log" "$project/build/results/t"
    # For each script with a failure, prove prints in the end: NAME (Wstat: N Tests: N Failed: N). A script that died,
    # or has a wrong plan, has failed, even if all its checks passed.
    while read -r script bad; do
        failed=$((failed + (bad > 0 ? bad : 1)))
        echo "$script:"
        tail -n 100 "$server_dir/t/$(basename "$script" .sh).log"
    done < <(sed -nE '/^Test Summary Report$/,$s/^(test\/t\/[^ ]+) +\(Wstat: .* Failed: ([0-9]+)\)$/\1 \2/p' "$log")
    if ((failed > 0)); then
        sed -n '/^Test Summary Report$/,$p' "$log" | head -n 100
    fi
    ran=$(sed -nE 's/^Files=[0-9]+, Tests=([0-9]+), .*/\1/p' "$log")
    if [[ -z $ran ]]; then
        tail -n 20 "$log"
        report t 0 1
        return
    fi
    bad=$(cat "$server_dir"/t/*.log | grep -cE '^not ok\b' || true)
    skipped=$(cat "$server_dir"/t/*.log | grep -cE '^ok\b.*# *[Ss][Kk][Ii][Pp]' || true)
    passed=$((ran - bad - skipped))
    report t "$passed" "$failed"
}

# A crash in a server's log is a failure, even if no test noticed it.
check_server_logs() {
    local dir
    for dir in "${server_dirs[@]}"; do
        if grep -nE 'terminated by signal|PANIC|TRAP' "$dir/log"; then
            tail -n 50 "$dir/log"
            report server-log 0 1
        fi
    done
}

# The suites but t, one after another, on the server whose environment is set.
run_lane() {
    local suite
    exec 9<"$server_dir/busy"
    flock 9
    for suite in $server_suites; do
        "run_$suite"
    done
}

run_lanes() {
    local lane
    if [[ -z $with_t ]]; then
        run_lane
        return
    fi
    if [[ -z $server_suites ]]; then
        run_t
        return
    fi
    { run_lane >"$server_dir/lane.out" 2>&1 || report lane 0 1; cat "$server_dir/lane.out"; } &
    lane=$!
    while flock -n "$server_dir/busy" true; do # until the lane has taken its server
        sleep 0.1
    done
    run_t
    wait "$lane"
}

run_server_suites() {
    local pgxs dir
    if ! build_module; then
        report build 0 1
        return
    fi
    pgxs=$(dirname "$("$("$harness/pg_config.sh")" --pgxs)")
    if ! { [[ -z $with_t ]] || new_server; } || ! private_server; then
        report server 0 1
        return
    fi
    for dir in "${server_dirs[@]}"; do
        as_server_user touch "$dir/busy"
    done
    cd "$server_dir/project"
    guarded run_lanes || report suites 0 1
    check_server_logs
    cd "$project"
}

finish() {
    local passed failed
    read -r passed failed < <(awk '{ passed += $1; failed += $2 } END { print passed + 0, failed + 0 }' "$counts")
    rm "$counts"
    ((passed + failed > 0)) || { echo "no test ran"; failed=1; }
    echo "$passed passed, $failed failed"
    ((failed == 0))
}

"$harness/build_folder.sh" || exit
counts=$(mktemp build/counts.XXXXXX)
counts=$PWD/$counts

server_suites=
with_t=
for suite in $suites; do
    case $suite in
    unit | fuzz) ;;
    regress | isolation | model) server_suites+=" $suite" ;;
    t) with_t=yes ;;
    *) fail "no suite is called $suite: unit fuzz regress isolation model t" ;;
    esac
done

browser=()
if [[ " $suites " == *" t "* && ${BROWSER:-} != no ]]; then
    browser=(--browser)
fi
if ! "$harness/dependencies.sh" "${browser[@]}"; then
    report dependencies 0 1
    finish
fi
if [[ " $suites " == *" unit "* ]]; then
    run_unit
fi
if [[ " $suites " == *" fuzz "* ]]; then
    run_fuzz
fi
if [[ -n $server_suites$with_t ]]; then
    run_server_suites
fi
finish
