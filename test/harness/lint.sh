#!/usr/bin/env bash
# Checks which rooms (docs/architecture.md) include which, that only one file tests the PostgreSQL version, that no
# script replaces the trap of lib.sh, and that no line is too long; then runs clang-tidy over the core. Every finding is
# an error. Prints nothing else.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

# stays_within ROOM OTHER...: checks that the sources of a room include only headers of that room and of these others.
stays_within() {
    local place header status=0
    while IFS=: read -r place header; do
        if [[ -e src/$header && " $* " != *" ${header%/*} "* ]]; then
            echo "lint.sh: $place includes $header, but src/$1 knows only: $*" >&2
            status=1
        fi
    done < <(grep -rE '^#include "' "src/$1" | sed -E 's/#include "(.*)".*/\1/')
    return "$status"
}
stays_within core
stays_within pg core
stays_within tables core pg

# core/fence.h only tests whether PostgreSQL's headers are included at all.
if grep -rn PG_VERSION_NUM src --exclude=versions.h --exclude=fence.h >&2; then
    echo "lint.sh: what differs between PostgreSQL versions goes into src/pg/versions.h" >&2
    exit 1
fi

# A trap of its own would replace lib.sh's, which removes the servers and keeps the status.
if grep -lE '^\. .*/(lib|long_part)\.sh' test/harness/*.sh test/long/*.sh | xargs grep -nE '^ *trap .*EXIT' >&2; then
    echo "lint.sh: what a script wants done when it ends goes into at_exit" >&2
    exit 1
fi

# Not asked: what came from elsewhere or out of a program, the payloads of sql/*.sql, and Markdown, whose prose
# test/t/pages.sh looks at.
too_long=$(git ls-files -co --exclude-standard src sql/install test examples .ci Makefile CMakeLists.txt |
    grep -vE '/expected/|^test/data/|^test/fuzz/corpus/|\.md$|/package-lock\.json$' |
    while IFS= read -r file; do [[ ! -e $file ]] || LC_ALL=C.UTF-8 grep -nHE '^.{121,}$' "$file" || true; done)
if [[ -n $too_long ]]; then
    echo "$too_long" >&2
    echo "lint.sh: a line has at most 120 columns" >&2
    exit 1
fi

"$harness/dependencies.sh" --tools
quietly lint cmake -S . -B build/unit
find src/core -name '*.cpp' -print0 |
    xargs -0 -r -n 1 -P "$(nproc)" clang-tidy --quiet -p build/unit 2> >(grep -v " warnings generated" >&2)
