#!/usr/bin/env bash
# The transcript in README.md is what psql prints, and the SQL of the pages runs.
exec python3 test/t/readme.py
