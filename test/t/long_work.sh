#!/usr/bin/env bash
# Long work tells how far it has come, ends soon after a cancel, and leaves then nothing: see long_work.py.
set -euo pipefail
exec python3 test/t/long_work.py
