"""
Runs the transcript of README.md and compares every statement's output with what stands there; then each other SQL
block of the pages, after the transcript alone: what a block does is rolled back.
"""

import re
import subprocess
import sys

from tap import check, finish

MARK = "-- next statement --"

# Pages with SQL blocks, and what their reader has beside them. docs/dumps-and-replication.md has a test of its own.
PAGES = {
    "README.md": "CREATE TABLE health_data (user_id text, day date, steps int);"
                 "INSERT INTO health_data VALUES ('id-1', '2026-01-01', 9000), ('id-2', '2026-01-02', 8000);",
    "docs/rules.md": "",
    "docs/handler.md": "CREATE ROLE anon;",
    "docs/roles.md": "CREATE ROLE loader;",
}


def psql(script):
    return subprocess.run(["psql", "-X", "-v", "ON_ERROR_STOP=1"], input=script, capture_output=True, text=True)


def transcript(path):
    """[(statement, output)] of the block after the transcript's comment."""
    block = re.search(r"<!-- transcript: .*?-->\n```\n(.*?)```", open(path).read(), re.DOTALL).group(1)
    steps = []
    for line in block.split("\n"):
        prompt = re.match(r"app([=\-'])> ", line)
        if prompt and (prompt.group(1) == "=" or not steps):
            steps.append(([line[6:]], []))
        elif prompt:
            steps[-1][0].append(line[6:])
        elif steps:
            steps[-1][1].append(line)
    return [("\n".join(statement), "\n".join(output).strip("\n")) for statement, output in steps]


def run_transcript():
    steps = transcript("README.md")
    run = psql("".join(f"{statement}\n\\echo '{MARK}'\n" for statement, _ in steps))
    outputs = [output.strip("\n") for output in run.stdout.split(MARK + "\n")]
    for number, (statement, expected) in enumerate(steps):
        actual = outputs[number] if number < len(outputs) else run.stderr
        check(f"README.md, statement {number + 1}: {statement.splitlines()[0][:60]}", actual == expected,
              "expected:", expected, "actual:", actual, run.stderr)
    check(f"README.md has a transcript ({len(steps)} statements)", len(steps) >= 10)


def runnable(block):
    """A block with parameters is only prepared: psql has no values for them."""
    return f"PREPARE s AS {block} DEALLOCATE s;" if "$1::" in block else block


def run_blocks(page, before):
    blocks = re.findall(r"^```sql\n(.*?)^```$", open(page).read(), re.DOTALL | re.MULTILINE)
    run = psql("".join(f"BEGIN;\n{before}\n{runnable(block)}\nROLLBACK;\n\\echo '{MARK}'\n" for block in blocks))
    ran = run.stdout.count(MARK)
    check(f"{page}: all of {len(blocks)} SQL blocks run", ran == len(blocks) > 0,
          "this one does not:", *blocks[ran:ran + 1], run.stderr)
    if page == "README.md":
        check("README.md: no query of its blocks is without rows", "(0 rows)" not in run.stdout, run.stdout)


run_transcript()
for page, before in PAGES.items():
    run_blocks(page, before)
sys.exit(finish())
