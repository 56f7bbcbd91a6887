#!/usr/bin/env bash
# Runs the README's two commands, and others of its commands in every order, on machines where little or half of what
# they need is installed, with the files of the working tree, as an ordinary user who has sudo. Each machine is a Debian
# made only for this:
#   minimal   git, make and sudo
#   client    a common one: PostgreSQL without its server's headers, g++, CMake, Node.js, half of Python
#   foreign   client programs of another PostgreSQL come first in PATH, and include PGXS
# Needs root. $DISTRIBUTIONS (bookworm trixie) and $MACHINES select machines; $SUITES is passed to make check. Prints a
# table and, as the last line, `N passed, N failed` counting machines. The output of each is in
# build/fresh/DISTRIBUTION-MACHINE.log.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

export FRESH_LOGS=$project/build/fresh
distributions=${DISTRIBUTIONS:-bookworm trixie}
machines=${MACHINES:-minimal client foreign}
passed=0
failed=0

[[ $(id -u) == 0 ]] || fail "chroots need root"
"$harness/dependencies.sh" --matrix
"$harness/build_folder.sh"
mkdir -p "$FRESH_LOGS"
rm -f "$FRESH_LOGS"/*

all=()
for distribution in $distributions; do
    for machine in $machines; do
        all+=("$distribution $machine")
    done
done
guarded xargs -a <(printf '%s\n' "${all[@]}") -L 1 -P 2 "$harness/fresh_one.sh" || true

printf '%-12s %-10s %s\n' distribution machine result
for one in "${all[@]}"; do
    log=$FRESH_LOGS/${one/ /-}.log
    result=$(tail -n 1 "$log" 2>/dev/null) || result="did not run"
    printf '%-12s %-10s %s\n' ${one} "$result"
    if [[ $result == "every command worked"* ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        tail -n 60 "$log" || true
    fi
done
echo "$passed passed, $failed failed"
((failed == 0))
