#!/usr/bin/env bash
# The transcript in README.md is what psql prints.
exec python3 test/t/readme.py
