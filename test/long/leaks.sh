#!/usr/bin/env bash
# 1,000,000 events and 100,000 errors in one session, which must not grow by it: see leaks.py.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

build_module
private_server
guarded as_server_user env -C "$server_dir/project" test/harness/in_database.sh python3 test/long/leaks.py
