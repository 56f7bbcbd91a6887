#!/usr/bin/env bash
# Builds the Debian package postgresql-NN-terra-identity, of what is committed, for every PostgreSQL that this Debian
# has, with Debian's own tools, and needs only its Build-Depends. Prints the packages, in build/deb. `make check-deb`
# tests them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$harness/deb_source.sh"
cd "$project"

dpkg-checkbuilddeps || fail 'run as root: apt-get update && apt-get install dpkg-dev && apt-get build-dep ./'
"$harness/build_folder.sh"
rm -rf build/deb
mkdir -p build/deb
tree=$(deb_source build/deb)
quietly deb bash -euc 'deb_build "$1"' _ "$tree"
ls build/deb/*.deb
