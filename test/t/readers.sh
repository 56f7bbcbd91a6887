#!/usr/bin/env bash
# What roles that read one environment can learn of another, by every table, view and function: see readers.py.
set -euo pipefail
exec python3 test/t/readers.py
