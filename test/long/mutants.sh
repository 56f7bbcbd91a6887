#!/usr/bin/env bash
# Tests of the tests: makes the faults of faults.txt one at a time, and looks whether a test fails. See mutants.py.
# FAULTS="newness views" to choose by words of their paths and lines.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

"$harness/dependencies.sh"
build_module
private_server
# In a copy, which belongs to it.
copy=$server_dir/faulty
copy_project "$copy"
TEST_USER=$(server_user)
export TEST_USER
log=$server_dir/configure.log
if ! { cmake -S "$copy" -B "$copy/build/unit" -DSANITIZE=OFF -DCMAKE_COMPILE_WARNING_AS_ERROR=ON &&
    guarded cmake --build "$copy/build/unit" -j"$(nproc)"; } >"$log" 2>&1; then
    tail -n 50 "$log"
    fail "the unit tests do not build"
fi
# From here on a variable that a fault leaves unused is no error. The time of the file says that nothing is to be built.
for flags in "$copy"/build/unit/CMakeFiles/*/flags.make; do
    touch -r "$flags" "$server_dir/time"
    sed -i 's/-Werror//g' "$flags"
    touch -r "$server_dir/time" "$flags"
done
# shellcheck disable=SC2086  # these are several words
guarded python3 test/long/mutants.py "$copy" ${FAULTS:-}
