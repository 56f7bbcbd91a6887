#!/usr/bin/env bash
# Tests of the tests: makes the faults of faults.txt, as many at a time as there are cores, and looks whether a test
# fails. See mutants.py.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

"$harness/dependencies.sh"
build_module
TEST_USER=$(server_user)
export TEST_USER

# Each in a copy of the project, which belongs to it.
for ((i = 0; i < $(nproc); ++i)); do
    new_server
    copy=$server_dir/faulty
    copy_project "$copy"
    log=$server_dir/configure.log
    if ! { cmake -S "$copy" -B "$copy/build/unit" -DSANITIZE=OFF -DCMAKE_COMPILE_WARNING_AS_ERROR=ON &&
        guarded cmake --build "$copy/build/unit" -j"$(nproc)"; } >"$log" 2>&1; then
        tail -n 50 "$log"
        fail "the unit tests do not build"
    fi
    # From here on a variable that a fault leaves unused is no error. The time of the file says that nothing is to be
    # built.
    for flags in "$copy"/build/unit/CMakeFiles/*/flags.make; do
        touch -r "$flags" "$server_dir/time"
        sed -i 's/-Werror//g' "$flags"
        touch -r "$server_dir/time" "$flags"
    done
done
guarded python3 test/long/mutants.py "${server_dirs[@]}"
