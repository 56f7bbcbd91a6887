#!/usr/bin/env python3
"""
Prints what gcov counted in build folders as one tracefile of gcovr.

    coverage_trace.py PROJECT BUILD...

gcovr reads gcov's text by itself, in which a branch that never ran does not say that it is one of those that the
compiler adds for exceptions; gcov's JSON does. These are left out, as are the branches of comparisons that the compiler
writes ("= default"), lines that have nothing but a brace, where it destroys what a function leaves, and lines that end
in "// never". The instantiations of a template count as one function.
"""

import collections
import json
import re
import subprocess
import sys
from pathlib import Path

NO_CODE = re.compile(r"// never$|^[\s{};)]*$")
DEFAULTED = re.compile(r"= default;$")


def documents(build):
    """What gcov says of each object file."""
    for notes in sorted(Path(build).rglob("*.gcno")):
        said = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", "--demangled-names",
                               notes.resolve()],
                              cwd=notes.parent, check=True, capture_output=True, text=True).stdout
        yield from map(json.loads, filter(None, said.split("\n")))


def of_no_instantiation(name):
    """The name of a function without the arguments of templates and its own, which are as different."""
    name = re.sub(r"operator *(\(\)|<=>|<<|>>|<=|>=|<|>|->)", "operator", name.replace("(anonymous namespace)::", ""))
    before = None
    while name != before:
        before, name = name, re.sub(r"<[^<>]*>|\([^()]*\)", "", name)
    return name.split(" ")[-1]


def add(counts, branches):
    """Branches are the same if they are the same in their order."""
    counts.extend([0] * (len(branches) - len(counts)))
    for i, branch in enumerate(branches):
        counts[i] += branch


def main():
    project = Path(sys.argv[1]).resolve()
    lines = collections.defaultdict(lambda: collections.defaultdict(int))
    branches = collections.defaultdict(lambda: collections.defaultdict(lambda: collections.defaultdict(list)))
    for build in sys.argv[2:]:
        for document in documents(build):
            for file in document["files"]:
                path = (Path(document["current_working_directory"]) / file["file"]).resolve()
                if not path.is_relative_to(project / "src"):
                    continue
                path = str(path.relative_to(project))
                names = {f["name"]: of_no_instantiation(f["demangled_name"]) for f in file["functions"]}
                for line in file["lines"]:
                    number, function = line["line_number"], names.get(line.get("function_name"), "")
                    lines[path][number] += line["count"]
                    add(branches[path][number][function], [b["count"] for b in line["branches"] if not b["throw"]])
    files = []
    for path in sorted(lines):
        text = ["", *(project / path).read_text(encoding="utf-8").split("\n")]
        files.append({"file": path, "functions": [], "lines": [
            {"line_number": number, "count": count, "gcovr/noncode": False, "gcovr/excluded": False,
             "branches": [] if DEFAULTED.search(text[number]) else [
                 {"count": branch, "fallthrough": False, "throw": False}
                 for function in branches[path][number].values() for branch in function]}
            for number, count in sorted(lines[path].items()) if not NO_CODE.search(text[number])]})
    json.dump({"gcovr/format_version": "0.3", "files": files}, sys.stdout)


main()
