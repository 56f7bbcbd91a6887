#!/usr/bin/env bash
# What explain_graph returns is drawn, by Mermaid in a browser: see graph.py.
exec python3 test/t/graph.py
