#!/usr/bin/env bash
# regress, isolation and the model on a server built from Debian's source with assertions; then a part of regress under
# valgrind, with what PostgreSQL tells valgrind of its memory contexts. A failed assertion ends the server, which is a
# failure; what valgrind reports is printed. TESTS="00_install rules": these of regress under valgrind.
#
# BUILT=/folder: keeps the server there, and does not build it again.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

"$harness/dependencies.sh" --assertions || fail "a package is missing"
work=$(mktemp -d "${servers:-/tmp}/terra_identity.assertions.XXXXXX")
at_exit+=('rm -rf "$work"')
chmod 755 "$work"
copy_project "$work/project"
mkdir -m 777 "$work/reports"
major=$("$("$harness/pg_config.sh")" --version | sed -E 's/[^0-9]*([0-9]+).*/\1/')
built=${BUILT:-$work/built}

# From where the packages come: the newest version that is there. The system's own lists stay as they are.
get_source() {
    local version apt=(-qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=-
        -o Dir::State::lists="$work/lists" -o APT::Sandbox::User=root)
    apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
        sed 's|^|deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] |' >"$work/sources.list"
    mkdir -p "$work/lists/partial" "$work/source"
    apt-get "${apt[@]}" update
    cd "$work/source"
    for version in $(apt-cache "${apt[@]}" showsrc "postgresql-$major" | sed -n 's/^Version: //p' | sort -uVr); do
        apt-get "${apt[@]}" source "postgresql-$major=$version" && return
    done
    return 1
}

build_server() {
    cd "$work/source/postgresql-$major"-*/
    ./configure --quiet --prefix="$built" --enable-cassert --enable-debug --with-icu --with-openssl --without-readline \
        CFLAGS="-O1 -DUSE_VALGRIND"
    make -s -j"$(nproc)" install
    make -s -j"$(nproc)" -C contrib install
    make -s -j"$(nproc)" -C src/test/isolation install
    cp src/tools/valgrind.supp "$built"
}

export -f get_source build_server
export work built major
if [[ ! -x $built/bin/postgres ]]; then
    quietly assertions bash -euc "get_source; build_server"
    chmod -R a+rX "$built"
fi
export PG_CONFIG=$built/bin/pg_config

HISTORIES=$(scaled 300)
export HISTORIES
part=${TESTS:-00_install inserting ingest rules history forget import json hostile}
unset TESTS
checked "on a server with assertions" "$work/project" regress isolation model

export TESTS=$part
export SERVER_WRAPPER="valgrind --quiet --trace-children=yes --leak-check=no --time-stamp=no --read-var-info=no \
--suppressions=$built/valgrind.supp --log-file=$work/reports/%p"
checked "under valgrind" "$work/project" regress
reports=$(cat "$work"/reports/* | grep -cE '^==[0-9]+== [A-Z]' || true)
cat "$work"/reports/* | head -n 100
result "reports of valgrind" "$reports" 0 "$reports"
finish
