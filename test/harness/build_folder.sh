#!/usr/bin/env bash
# build_folder.sh: makes sure that build/ exists and that all of it can be written, or prints one line with what to do.
# build_folder.sh hand-over: gives what root has built in the folder of another user to that user, who can then continue
# without root.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} == hand-over ]]; then
    owner=$(stat -c %u .)
    if [[ $(id -u) == 0 && $owner != 0 ]]; then
        for path in build examples/node/node_modules *.so *--*.sql; do
            [[ ! -e $path ]] || chown -hR --reference=. "$path" ||
                echo "$PWD/$path stays root's: chown failed" >&2
        done
    fi
    exit
fi

if ! mkdir -p build 2>/dev/null; then
    echo "$PWD cannot be written by $(id -un): work in a clone of your own, or as root" >&2
    exit 1
fi
# Errors are ignored, because another build may be running in the folder.
foreign=$(find build -ignore_readdir_race ! -type l ! -writable -exec test -e {} \; -print -quit 2>/dev/null) || true
if [[ -n $foreign ]]; then
    echo "$PWD/$foreign cannot be written by $(id -un): run \"sudo rm -rf $PWD/build\" and try again" >&2
    exit 1
fi
