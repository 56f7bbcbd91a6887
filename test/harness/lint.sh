#!/usr/bin/env bash
# Runs clang-tidy over the core; its findings are errors. Quiet otherwise.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

"$harness/dependencies.sh" --tools
quietly lint cmake -S . -B build/unit
find src/core -name '*.cpp' -print0 | xargs -0 -r -n 1 -P "$(nproc)" clang-tidy --quiet -p build/unit 2> >(grep -v " warnings generated" >&2)
