#!/usr/bin/env bash
# Runs the parts of `make check-long` one after another: each test/long/NAME.sh, or those that $PARTS names. They do at
# full length what `make check` does a little of. Every line of theirs that counts is `WHAT: DONE/GOAL, N failures`;
# everything that a part prints is in build/results/long/NAME.log too. The last line is `N counts, N failed`. The status
# is 0 only if there are counts, and of each as much was done as its goal says, without a failure.
#
# SCALE=0.1: goals times that. WRITE=1: writes what was reached into docs/reliability.md, beside the whole goals.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

export SCALE=${SCALE:-1}
[[ $SCALE =~ ^[0-9]*\.?[0-9]+$ ]] || fail "SCALE=$SCALE is no number"
parts=${PARTS:-$(basename -as .sh test/long/*.sh)}
for part in $parts; do
    [[ -x test/long/$part.sh ]] || fail "no part is called $part: $(basename -as .sh test/long/*.sh | paste -sd ' ')"
done

"$harness/dependencies.sh" || fail "a package is missing"
"$harness/build_folder.sh" || exit
results=build/results/long
mkdir -p "$results"

failed=0
counts=0
for part in $parts; do
    echo "== $part"
    log=$results/$part.log
    started=$SECONDS
    status=0
    # The part is a process group of its own; tee outlives it, and prints its last words.
    guarded "test/long/$part.sh" > >(tee "$log") 2>&1 || status=$?
    wait || true
    verdict=$("$harness/long_counts.py" "$log")
    read -r here bad <<<"$verdict"
    if ((here == 0 || (status != 0 && bad == 0))); then
        echo "$part ended with status $status and $here counts"
        bad=$((bad + 1))
    fi
    counts=$((counts + here))
    failed=$((failed + bad))
    echo "== $part: $here counts, $bad failed, $((SECONDS - started)) s"
done
if [[ -n ${WRITE:-} ]]; then
    "$harness/long_counts.py" --write $(printf "$results/%s.log " $parts)
fi
echo "$counts counts, $failed failed"
((counts > 0 && failed == 0))
