#!/usr/bin/env bash
# The recipes of docs/joins.md, as they stand there, on 1,000,000 rows of 100,000 people: see recipes.py.
exec python3 test/t/recipes.py
