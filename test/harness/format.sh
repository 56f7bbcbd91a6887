#!/usr/bin/env bash
# Formats the C++ sources in place.
set -euo pipefail
cd "$(dirname "$0")/../.."

test/harness/dependencies.sh --tools
find src test/unit test/fuzz test/bench \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' \) -print0 |
    xargs -0 -r clang-format -i
