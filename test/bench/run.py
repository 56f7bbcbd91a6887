"""
Measures the extension side by side with a bare table, and prints a table of ratios: see make bench.

    python3 test/bench/run.py        settings from the environment: ROWS="1 2 4", SCALE=0.01, RUNS=5

Needs the environment of test/harness/server.sh, and changes that server's settings. The table goes to stdout and to
$SERVER_DIR/bench.md, progress to stderr.
"""

import os
import re
import time
from dataclasses import dataclass

import rows_copy
import rows_growth
import rows_insert
import rows_memory
import rows_read
import rows_whole
import server
from measure import HEADING, Line, progress

ROWS = {
    1: rows_insert.row_1,
    2: rows_insert.row_2,
    3: rows_insert.row_3,
    4: rows_copy.row_4,
    5: rows_copy.row_5,
    6: rows_copy.row_6,
    7: rows_read.row_7,
    8: rows_read.row_8,
    9: rows_read.row_9,
    10: rows_growth.row_10,
    11: rows_growth.row_11,
    12: rows_whole.row_12,
    13: rows_memory.row_13,
    14: rows_whole.row_14,
    15: rows_insert.row_15,
    16: rows_insert.row_16,
    17: rows_copy.row_17,
    18: rows_growth.row_18,
}


@dataclass(frozen=True)
class Scale:
    factor: float
    runs: int

    def size(self, full, least=100):
        return max(min(full, least), round(full * self.factor))

    @property
    def seconds(self):
        """Of one pgbench step."""
        return 4 if self.factor >= 0.1 else 1


def machine():
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(re.search(r"MemTotal: +([0-9]+)", file.read())[1]) / 2**20
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        processor = re.search(r"^model name\s*: (.*)", file.read(), re.MULTILINE)
    names = [*server.SETTINGS, "fsync", "jit"]
    settings = ", ".join(f"{name} {server.psql('postgres', f'SHOW {name}')}" for name in names)
    return [f"- {os.cpu_count()} cores{f' ({processor[1]})' if processor else ''}, {memory:.0f} GB of memory",
            f"- PostgreSQL {server.psql('postgres', 'SHOW server_version')}: {settings}, collation {server.locale()}"]


def measure(number, scale):
    progress(f"row {number}")
    started = time.monotonic()
    try:
        lines = ROWS[number](scale)
    except server.Failed as failure:
        progress(str(failure))
        lines = [Line(number, "failed: " + str(failure).split("\n", maxsplit=1)[0], "", None, "")]
    seconds = time.monotonic() - started
    for line in lines:
        progress(line.markdown())
    progress(f"  took {seconds:.0f} s")
    return lines, seconds


def report(scale, lines, durations, agreement):
    took = ", ".join(f"{number}: {seconds:.0f}" for number, seconds in durations.items())
    return "\n".join([
        *machine(), f"- medians of {scale.runs} rounds, ratios within a round; sizes times {scale.factor:g}; "
        "synchronous_commit off unless the row says otherwise", "",
        HEADING, *(line.markdown() for line in lines), "",
        *([agreement, ""] if agreement else []),
        f"Seconds by row: {took}; {sum(durations.values()):.0f} in all.", ""])


def main():
    scale = Scale(float(os.environ.get("SCALE") or 1), int(os.environ.get("RUNS") or 5))
    chosen = [int(number) for number in (os.environ.get("ROWS") or "").split()] or list(ROWS)
    server.FILES.mkdir(exist_ok=True)
    server.restart()
    lines, durations = [], {}
    for number in chosen:
        of_row, durations[number] = measure(number, scale)
        lines += of_row
    agreement = rows_copy.agreement(scale) if {2, 4} & set(chosen) else None
    text = report(scale, lines, durations, agreement)
    (server.DIRECTORY / "bench.md").write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
