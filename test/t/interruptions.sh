#!/usr/bin/env bash
# Cancels, terminations and timeouts in the middle of ingest leave everything or nothing: see interruptions.py.
exec python3 test/t/interruptions.py
