#!/usr/bin/env bash
# What is written in the pages leads somewhere, and fits.
exec python3 test/t/pages.py
