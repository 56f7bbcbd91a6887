#!/usr/bin/env bash
# Every function with NULLs and hostile arguments, many times: see ../t/hostile_calls.py.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

build_module
private_server
guarded as_server_user env -C "$server_dir/project" test/harness/in_database.sh \
    python3 test/t/hostile_calls.py "$(scaled 300)"
