#!/usr/bin/env bash
# Runs the suites named in $SUITES, by default all: unit (CTest), fuzz (every file of test/fuzz/corpus, with
# sanitizers), regress (pg_regress), isolation (pg_isolation_regress), model (its own unit tests, then
# test/model/run.py), t (prove, test/t/*.sh). Prints one line `SUITE: N passed, N failed` for each suite and, as the
# very last line, `N passed, N failed` for all. The status is 0 only if tests ran and none failed. A suite that cannot
# run counts as a failure. All suites except unit and fuzz use a private server (server.sh). They run as its user, in a
# copy of the project's files.
#
# BROWSER=no: without the browser that test/t/graph.sh and test/t/support.sh need; they are skipped if there is none.
#
# The model and each test/t/*.sh get an empty database of their own, as PGDATABASE (in_database.sh).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

suites=${SUITES:-unit fuzz regress isolation model t}
total_passed=0
total_failed=0

# report SUITE PASSED FAILED
report() {
    echo "$1: $2 passed, $3 failed"
    total_passed=$((total_passed + $2))
    total_failed=$((total_failed + $3))
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
    local tree=build/unit log=build/unit-results.log passed failed
    [[ ${SANITIZE:-OFF} == OFF ]] || tree+=-sanitized
    if ! quietly unit bash -euc "configure_and_build_unit $tree"; then
        report unit 0 1
        return
    fi
    if ! guarded ctest --test-dir "$tree" -j"$(nproc)" --output-on-failure >"$log" 2>&1; then
        grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ +Start +[0-9]+:' "$log" | head -n 200
    fi
    local result='^[0-9]+% tests passed, ([0-9]+) tests failed out of ([0-9]+)$'
    read -r failed passed < <(sed -nE "s/$result/\\1 \\2/p" "$log") || read -r failed passed <<<"1 1"
    report unit $((passed - failed)) "$failed"
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
    pg_regress_suite regress "$pgxs/../test/regress/pg_regress" . $(basename -as .sql sql/*.sql)
}

run_isolation() {
    any 'test/isolation/specs/*.spec' || { report isolation 0 0; return; }
    pg_regress_suite isolation "$pgxs/../test/isolation/pg_isolation_regress" test/isolation \
        $(basename -as .spec test/isolation/specs/*.spec)
}

run_model() {
    local log=$server_dir/model.log ran bad skipped passed failed
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
    guarded as_server_user test/harness/in_database.sh \
        python3 test/model/run.py --histories "${HISTORIES:-2000}" >"$log" 2>&1 || true
    if ! read -r passed failed < <(tail -n 1 "$log" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p'); then
        passed=0 failed=1
    fi
    if ((failed > 0)); then
        tail -n 100 "$log"
    fi
    report model "$passed" "$failed"
}

run_t() {
    local log=$server_dir/t.log scripts script ran bad skipped passed failed=0
    scripts=$(find test/t -maxdepth 1 -name '*.sh' -executable | sort)
    [[ -n $scripts ]] || { report t 0 0; return; }
    as_server_user mkdir "$server_dir/t"
    # shellcheck disable=SC2086  # these are several words
    T_LOGS=$server_dir/t guarded as_server_user \
        prove --verbose --exec test/harness/in_database.sh $scripts >"$log" 2>&1 || true
    rm -rf "$project/build/results/t"
    mkdir -p "$project/build/results"
    cp -r "$server_dir/t" "$project/build/results/t"
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
    bad=$(count '^not ok\b' "$log")
    skipped=$(count '^ok\b.*# *[Ss][Kk][Ii][Pp]' "$log")
    passed=$((ran - bad - skipped))
    report t "$passed" "$failed"
}

# A crash in the server's log is a failure, even if no test noticed it.
check_server_log() {
    if grep -nE 'terminated by signal|PANIC|TRAP' "$SERVER_LOG"; then
        tail -n 50 "$SERVER_LOG"
        report server-log 0 1
    fi
}

run_server_suites() {
    local suite pgxs
    if ! build_module; then
        report build 0 1
        return
    fi
    pgxs=$(dirname "$("$("$harness/pg_config.sh")" --pgxs)")
    if ! private_server; then
        report server 0 1
        return
    fi
    cd "$server_dir/project"
    for suite in $server_suites; do
        "run_$suite"
    done
    check_server_log
    cd "$project"
}

finish() {
    ((total_passed + total_failed > 0)) || { echo "no test ran"; total_failed=1; }
    echo "$total_passed passed, $total_failed failed"
    ((total_failed == 0))
}

server_suites=
for suite in $suites; do
    case $suite in
    unit | fuzz) ;;
    regress | isolation | model | t) server_suites+=" $suite" ;;
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
if [[ -n $server_suites ]]; then
    run_server_suites
fi
finish
