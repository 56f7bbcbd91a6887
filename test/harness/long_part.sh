# shellcheck shell=bash
# Sourced by the parts of `make check-long`, test/long/*.sh, which run as the caller, often root: a part starts the
# servers that it needs by `private_server` (lib.sh), and what it runs there as_server_user. lib.sh ends them.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$project"

long_failures=0

# scaled N: the goal N at this SCALE, at least 1.
scaled() {
    awk -v n="$1" -v scale="${SCALE:-1}" 'BEGIN { goal = int(n * scale); print (goal > 0 ? goal : 1) }'
}

# result WHAT DONE GOAL FAILURES: prints the line that counts.
result() {
    echo "$1: $2/$3, $4 failures"
    if (($2 < $3 || $4 > 0)); then
        long_failures=$((long_failures + 1))
    fi
}

# checked WHAT DIR SUITE...: runs the suites of `make check` in a copy of the project, and prints a line for each. The
# environment says how they are built and run.
checked() {
    local what=$1 copy=$2 log=$2/check.log suite goal passed failed
    shift 2
    SUITES="$*" guarded "$copy/test/harness/check.sh" >"$log" 2>&1 || tail -n 100 "$log"
    for suite; do
        case $suite in
        regress) goal=$(wc -w <<<"${TESTS:-$(echo sql/*.sql)}") ;;
        isolation) goal=$(find test/isolation/specs -name "*.spec" | wc -l) ;;
        model) goal=$HISTORIES ;;
        esac
        read -r passed failed < <(
            sed -nE "s/^$suite: ([0-9]+) passed, ([0-9]+) failed$/\1 \2/p" "$log" | grep . || echo 0 1)
        result "$suite $what" $((passed + failed)) "$goal" "$failed"
    done
    # A crash, and a suite that could not run.
    sed -nE 's/^(server-log|build|server|dependencies): .*/\1 failed/p' "$log"
}

# The last command of every part.
finish() {
    ((long_failures == 0))
}
