#!/usr/bin/env bash
# What forget() leaves on disk, in a dump, and for whoever guesses: see forget.py.
set -euo pipefail
exec python3 test/t/forget.py
