#!/usr/bin/env bash
# Runs `make check` with the files of the working tree on every supported PostgreSQL, each in a chroot of the Debian
# that has it: on all of them, or on those named in $DISTRIBUTIONS. Needs root. Prints a table at the end and, as the
# last line, `N passed, N failed` counting distributions. The output of each is in build/matrix/DISTRIBUTION.log.
# experimental has the next PostgreSQL for some months of the year; it is skipped while the archive has none.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

export MATRIX_LOGS=$project/build/matrix
distributions=${DISTRIBUTIONS:-bookworm trixie sid experimental}
passed=0
failed=0

[[ $(id -u) == 0 ]] || fail "chroots need root"
"$harness/dependencies.sh" --matrix
mkdir -p "$MATRIX_LOGS"

# Two run at once: one builds while the other waits for a lock or a timer.
rm -f "$MATRIX_LOGS"/*.result
guarded xargs -a <(printf '%s\n' $distributions) -n 1 -P 2 "$harness/matrix_one.sh" || true

printf '%-12s %-12s %-26s %s\n' distribution PostgreSQL result minutes
for distribution in $distributions; do
    read -r status version minutes 2>/dev/null <"$MATRIX_LOGS/$distribution.result" || status=1 version=? minutes=?
    if [[ $status == gone ]]; then
        printf '%-12s %-12s skipped: the archive has no postgresql-%s\n' "$distribution" "$version" "$version"
        continue
    elif [[ $status == 0 ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    result=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$MATRIX_LOGS/$distribution.log" | tail -n 1) ||
        result="did not run"
    printf '%-12s %-12s %-26s %s\n' "$distribution" "$version" "$result" "$minutes"
done
for distribution in $distributions; do
    if ! grep -qE '^(0|gone) ' "$MATRIX_LOGS/$distribution.result"; then
        echo "--- the end of build/matrix/$distribution.log:"
        tail -n 60 "$MATRIX_LOGS/$distribution.log"
    fi
done
echo "$passed passed, $failed failed"
((failed == 0))
