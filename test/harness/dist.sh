#!/usr/bin/env bash
# Writes build/dist/terra_identity-VERSION.zip, of what is committed, as PGXN takes it: META.json has the version.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$project"

"$harness/build_folder.sh"
version=$(python3 -c 'import json; meta = json.load(open("META.json")); print(meta["version"])
assert meta["provides"]["terra_identity"]["version"] == meta["version"]')
control=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" terra_identity.control)
[[ $version == "$control" ]] || fail "META.json has version $version, terra_identity.control $control"
mkdir -p build/dist
archive=build/dist/terra_identity-$version.zip
git -c safe.directory="$project" archive --format=zip --prefix="terra_identity-$version/" -o "$archive" HEAD
echo "$archive"
