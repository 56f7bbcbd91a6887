"""
README.md, all pages of docs and examples/*/README.md: every relative link leads to a file, and every #anchor to a
heading of that page; every path of the project that they name exists. README.md has at most 180 lines. No line of prose
is longer than 120 columns.
"""

import re
import sys
from pathlib import Path

from tap import check, finish

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def check_none(name, wrong):
    """ok if nothing is wrong."""
    check(name, not wrong, "\n".join(wrong))


def prose(page):
    """[(line number, line)] of what is not code."""
    fenced = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(page):
    """As GitHub makes them of headings: a second heading of a name gets -1."""
    found = {}
    for _, line in prose(page):
        heading = re.match(r"#+ +(.*?) *$", line)
        if heading:
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1))
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found[anchor] = found.get(anchor, -1) + 1
    return {anchor + (f"-{n}" if n else "") for anchor, last in found.items() for n in range(last + 1)}


def broken_links(page):
    for number, line in prose(page):
        for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            if not file.exists():
                yield f"line {number}: {target}: no such file"
            elif anchor and anchor not in anchors(file):
                yield f"line {number}: {target}: no such heading"


def missing_files(page):
    """Paths of the project, in text and code alike; * matches what it matches in a shell."""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        for path in re.findall(r"(?<![\w./-])(?:src|sql|test|docs|examples)/[\w./*-]*[\w*]", line):
            if not list(Path().glob(path)):
                yield f"line {number}: {path}: no such file"


def long_lines(page):
    for number, line in prose(page):
        # Tables cannot be broken, nor can a word.
        if len(line) > 120 and not line.startswith("|") and " " in line.strip():
            yield f"line {number}: {len(line)} columns"


pages = [Path("README.md"), *sorted(Path("docs").rglob("*.md")), *sorted(Path("examples").glob("*/README.md"))]
for page in pages:
    check_none(f"{page}: links lead to files and headings", list(broken_links(page)))
    check_none(f"{page}: the files that it names are there", list(missing_files(page)))
    check_none(f"{page}: lines of prose have at most 120 columns", list(long_lines(page)))
length = len(Path("README.md").read_text().splitlines())
check_none("README.md has at most 180 lines", [f"it has {length}"] if length > 180 else [])
unread = [str(page) for page in pages[1:] if f"({page})" not in Path("README.md").read_text()]
check_none("README.md leads to every other page", unread)
sys.exit(finish())
