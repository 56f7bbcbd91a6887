#!/usr/bin/env bash
# Memory that runs out in the middle of ingest is an error of that statement: see out_of_memory.py.
exec python3 test/t/out_of_memory.py
