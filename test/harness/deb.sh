#!/usr/bin/env bash
# Builds the Debian package postgresql-NN-terra-identity, of what is committed, for every PostgreSQL that this Debian
# has, with Debian's own tools. Prints the packages, in build/deb. `make check-deb` tests them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$harness/deb_source.sh"
cd "$project"

"$harness/dependencies.sh" --deb
"$harness/build_folder.sh"
rm -rf build/deb
mkdir -p build/deb
tree=$(deb_source build/deb)
# Output in the log only, like that of other builds; here it is PostgreSQL's and Debian's.
quietly deb bash -euc 'deb_build "$1"' _ "$tree"
ls build/deb/*.deb
