#!/usr/bin/env bash
# Which column holds personal data, as its COMMENT says and as a search of the tables finds: see personal_data.py.
set -euo pipefail
exec python3 test/t/personal_data.py
