#!/usr/bin/env python3
"""
Reads the lines that count, `WHAT: DONE/GOAL, N failures`, from the logs of parts of `make check-long`.

    long_counts.py LOG            prints how many there are, and how many of them failed
    long_counts.py --write LOG... writes what was reached into the table of docs/reliability.md
"""

import re
import subprocess
import sys
from pathlib import Path

COUNT = re.compile(r"^(?P<what>[^:|\n]+): (?P<done>\d+)/(?P<goal>\d+), (?P<failures>\d+) failures$", re.MULTILINE)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def counts(path):
    return [(found["what"], int(found["done"]), int(found["goal"]), int(found["failures"]))
            for found in COUNT.finditer(Path(path).read_text(encoding="utf-8", errors="replace"))]


def row(what, done, goal, failures, command, commit, before=""):
    """The row of a count. At a lower SCALE the goal was lower: then that of the row before stays."""
    full = before.split("|")[2].strip() if before else ""
    goal = max(goal, int(full.replace(",", "") or 0)) if full else goal
    reached = f"{done:,}, {failures:,} failures" if failures else f"{done:,}"
    return f"| {what} | {goal:,} | {reached} ({commit}) | {command} |"


def write(paths):
    """
    A count has the row that begins with its WHAT; a row that is missing is added as the table's last. Rows of parts
    that did not run stay.
    """
    commit = subprocess.run(["git", "log", "-1", "--format=%cs, %h"], cwd=PAGE.parent, check=True,
                            capture_output=True, text=True).stdout.strip()
    lines = PAGE.read_text(encoding="utf-8").split("\n")
    end = lines.index("", lines.index("| --- | --- | --- | --- |"))
    for path in paths:
        command = f'`make check-long PARTS={Path(path).stem}`'
        for what, done, goal, failures in counts(path):
            places = [i for i in range(end) if lines[i].startswith(f"| {what} |")]
            if places:
                place = places[0]
                lines[place] = row(what, done, goal, failures, command, commit, lines[place])
            else:
                lines.insert(end, row(what, done, goal, failures, command, commit))
                end += 1
    PAGE.write_text("\n".join(lines), encoding="utf-8")


if sys.argv[1] == "--write":
    write(sys.argv[2:])
else:
    found = counts(sys.argv[1])
    print(len(found), sum(done < goal or failures > 0 for what, done, goal, failures in found))
