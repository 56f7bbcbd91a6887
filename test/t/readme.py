"""Runs the transcript of README.md and compares every statement's output with what stands there."""

import re
import subprocess
import sys

from tap import check, finish

MARK = "-- next statement --"


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


def main():
    steps = transcript("README.md")
    script = "".join(f"{statement}\n\\echo '{MARK}'\n" for statement, _ in steps)
    run = subprocess.run(["psql", "-X", "-v", "ON_ERROR_STOP=1"], input=script, capture_output=True, text=True)
    outputs = [output.strip("\n") for output in run.stdout.split(MARK + "\n")]
    for number, (statement, expected) in enumerate(steps):
        actual = outputs[number] if number < len(outputs) else run.stderr
        name = f"README.md, statement {number + 1}: {statement.splitlines()[0][:60]}"
        check(name, actual == expected, "expected:", expected, "actual:", actual, run.stderr)
    check("README.md has a transcript", len(steps) >= 10, f"{len(steps)} statements found")
    return finish()


sys.exit(main())
