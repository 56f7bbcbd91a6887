#!/usr/bin/env bash
# Builds the Debian package of what is committed in a Debian made only for this, with nothing but its Build-Depends;
# lintian may have nothing against it; regress and isolation run against it, as debian/tests does. Another Debian, that
# has the server and no compiler, gets the package, uses it, and must then be as it was before. Needs root.
# $DISTRIBUTIONS (bookworm trixie sid) selects Debians. Prints a table and, as the last line, `N passed, N failed`
# counting Debians. The output of each is in build/check-deb/DISTRIBUTION.log, the packages beside it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

export DEB_LOGS=$project/build/check-deb
distributions=${DISTRIBUTIONS:-bookworm trixie sid}
passed=0
failed=0

[[ $(id -u) == 0 ]] || fail "chroots need root"
"$harness/dependencies.sh" --matrix
"$harness/build_folder.sh"
mkdir -p "$DEB_LOGS"
rm -rf "${DEB_LOGS:?}"/*

guarded xargs -a <(printf '%s\n' $distributions) -n 1 -P 2 "$harness/check_deb_one.sh" || true

printf '%-12s %-34s %s\n' distribution package result
for distribution in $distributions; do
    log=$DEB_LOGS/$distribution.log
    package=$(cd "$DEB_LOGS/$distribution" && ls -- *-terra-identity_*.deb 2>/dev/null) || package="?"
    result=$(tail -n 1 "$log" 2>/dev/null) || result="did not run"
    if [[ $result == "everything worked"* ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        tail -n 60 "$log" || true
        result=failed
    fi
    printf '%-12s %-34s %s\n' "$distribution" "${package%%_*}" "$result"
done
echo "$passed passed, $failed failed"
((failed == 0))
