#!/usr/bin/env bash
# What is written in README.md and docs leads somewhere, and fits.
exec python3 test/t/pages.py
