#!/usr/bin/env bash
# What no Docker engine is needed for: with the files that Dockerfile copies, the make that it runs would compile and
# install what `make install` does here; and the packages that it names are those that dependencies.sh asks for.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL

mkdir "$work/copied"
while read -r -a words; do
    to=$work/copied/${words[-1]}
    mkdir -p "$(dirname "$to")"
    cp -r "${words[@]:1:${#words[@]}-2}" "$to"
done < <(grep -E '^COPY [^-]' Dockerfile)
run=$(sed -nE 's/^RUN make //p' Dockerfile)
run=${run/PG_CONFIG=*/PG_CONFIG=$(test/harness/pg_config.sh)}
commands() { # FOLDER
    (cd "$1" && bash -euc "make --dry-run --always-make $run" 2>&1 | sort)
}
wanted=$(commands .)
check "the module is compiled and installed" "$(for what in ' -c src/module.cpp ' \
    "terra_identity.so '/installed/usr/" "terra_identity.control '/installed/usr/"; do
    grep -qF -e "$what" <<<"$wanted" || echo "no $what in: $wanted"
done)"
same "so it is from the files that are copied" "$wanted" "$(commands "$work/copied")"
same "all that is installed is copied to the image" "COPY --from=build /installed/ /" \
    "$(grep -E '^COPY --from' Dockerfile)"

packages=$(sed -nE 's/.*apt-get install -y --no-install-recommends (.*)/\1/p' Dockerfile | tr ' ' '\n')
check "packages are named" "$(grep -qx g++ <<<"$packages" || echo none)"
check "and are those that the build needs" "$(for package in $packages; do
    grep -qF "need ${package/\$PG_MAJOR/NN} " test/harness/dependencies.sh || echo "$package"
done)"
finish
