#!/usr/bin/env bash
# The exporter's queries and the alerts of examples/prometheus: see prometheus.py.
exec python3 test/t/prometheus.py
