#!/usr/bin/env bash
# Runs `make check` with the working tree's files on every supported PostgreSQL, each in a chroot of the Debian
# that ships it: all of them, or those named in $DISTRIBUTIONS. Root only. Promises a table at the end and, as the
# last line, `N passed, N failed` counting distributions; each one's output is in build/matrix/DISTRIBUTION.log.
# experimental has the next PostgreSQL for some months of the year: it is skipped while the archive has none.
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

# Two at once: one builds while another waits for a lock or a clock.
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
