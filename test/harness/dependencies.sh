#!/usr/bin/env bash
# Makes sure that everything that the build and the tests need is installed. Installs missing packages from Debian, and
# prints which and why. If nothing is missing, it prints nothing, and needs neither root nor network. If it cannot
# install, it prints the command to run and exits with 1. It never creates or changes a database cluster of the system.
# Where Debian's node-pg cannot be installed, because nodejs is another vendor's, npm installs the module into
# examples/node.
#   --browser also what test/t/graph.sh and test/t/support.sh need: a browser, and Mermaid, which npm installs into
#             test/mermaid
#   --tools   also what make format and make lint need
#   --fuzz    also what make fuzz needs
#   --long    also what make check-long needs
#   --coverage also what make coverage needs
#   --assertions also what test/long/assertions.sh needs
#   --sqlsmith also what test/long/sqlsmith.sh needs
#   --matrix  also what make check-matrix, make check-fresh and make check-deb need
set -euo pipefail
harness=$(cd "$(dirname "$0")" && pwd)

packages=()

# need PACKAGE WHY CHECK...: notes the package as missing if the check fails
need() {
    if ! "${@:3}" >/dev/null 2>&1; then
        packages+=("$1")
        echo "missing: $1 ($2)" >&2
    fi
}

# The checks test what is used of a package, not whether a file of it exists: Debian's client programs include PGXS
# without the server's headers, python3-minimal has a python3 without most of its library, and a program in PATH may be
# too old.

# compiles LINKER_OPTIONS: whether the C++20 program on standard input compiles and links
compiles() {
    local program status=0
    program=$(mktemp)
    g++ -std=c++20 -x c++ -o "$program" - "$@" || status=1
    rm -f "$program"
    return "$status"
}

has_compiler() {
    compiles <<<$'#include <compare>\n#include <span>\nint main() {}'
}

has_gtest() {
    compiles -lgtest_main -lgtest <<<$'#include <gtest/gtest.h>\nTEST(a, b) {}'
}

has_make() {
    [[ $(make --version) == "GNU Make"* ]]
}

has_cmake() {
    local version
    version=$(cmake --version) && [[ $version =~ ([0-9]+)\.([0-9]+) ]] &&
        ((BASH_REMATCH[1] > 3 || (BASH_REMATCH[1] == 3 && BASH_REMATCH[2] >= 25)))
}

# CMake must find it too, which needs more than its header.
has_nlohmann_json() {
    local folder status=0
    folder=$(mktemp -d)
    cat >"$folder/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(nothing LANGUAGES NONE)
find_package(nlohmann_json 3 REQUIRED)
CMAKE
    cmake -S "$folder" -B "$folder/build" || status=1
    rm -rf "$folder"
    ((status == 0)) && g++ -fsyntax-only -x c++ - <<<"#if !__has_include(<nlohmann/json.hpp>)
#error missing
#endif"
}

# Whether test/t/joins.sh can make the locale that it needs.
has_locales() {
    local folder status=0
    folder=$(mktemp -d)
    localedef --no-archive -i en_US -f UTF-8 "$folder/en_US.utf8" || status=1
    rm -rf "$folder"
    return "$status"
}

# Whether pg_repack is installed, or has no package for this PostgreSQL, as one that is not Debian's: then the test runs
# without it.
has_repack_if_any() {
    local major
    major=$(postgresql_major)
    has_programs pg_repack || [[ $(bindir) != /usr/lib/postgresql/* ]] ||
        [[ -z $(apt-cache madison "postgresql-$major-repack" 2>/dev/null) ]]
}

has_python() {
    python3 -c 'import sys
assert sys.version_info >= (3, 9)
import argparse, concurrent.futures, dataclasses, hashlib, hmac, http.client, json, socket, statistics, unittest'
}

has_node() {
    node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'
}

# Prints the folder of programs of the PostgreSQL to build against: that of pg_config.sh, else the newest server.
bindir() {
    local pg_config server
    if pg_config=$("$harness/pg_config.sh"); then
        "$pg_config" --bindir
    elif server=$(newest_server); then
        dirname "$server"
    else
        return 1
    fi
}

newest_server() {
    local server
    server=$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | sort -V | tail -n 1)
    [[ $server =~ /postgresql/([0-9]+)/ ]] && ((BASH_REMATCH[1] >= 15)) && echo "$server"
}

# has_programs NAME...: whether PostgreSQL's folder has these programs
has_programs() {
    local folder name
    folder=$(bindir) || return
    for name; do
        [[ -x $folder/$name ]] || return
    done
}

has_pgxs() {
    local pg_config headers pgxs
    pg_config=$("$harness/pg_config.sh") && headers=$("$pg_config" --includedir-server) &&
        pgxs=$("$pg_config" --pgxs) &&
        [[ -f $headers/postgres.h && -f $pgxs ]] && [[ -x ${pgxs%/makefiles/pgxs.mk}/test/regress/pg_regress ]] &&
        [[ -x ${pgxs%/makefiles/pgxs.mk}/test/isolation/pg_isolation_regress ]]
}

has_node_pg() {
    (cd "$harness/../../examples/node" && NODE_PATH=/usr/share/nodejs node -e 'require("pg")')
}

# Debian's driver depends on Debian's nodejs. With another vendor's nodejs, npm installs the driver.
npm_install_pg() {
    local output
    if [[ " ${packages[*]} " != *" node-pg "* ]] || ! command -v npm >/dev/null ||
        apt-get -qq -s install --no-install-recommends nodejs node-pg >/dev/null 2>&1; then
        return 0
    fi
    echo "installing: pg, by npm into examples/node (no node-pg fits this nodejs)" >&2
    output=$(npm ci --prefix "$harness/../../examples/node" --no-audit --no-fund 2>&1 </dev/null) || {
        tail -n 30 <<<"$output" >&2
        echo "dependencies.sh: npm ci failed" >&2
        exit 1
    }
    mapfile -t packages < <(printf '%s\n' "${packages[@]}" | grep -vx node-pg)
}

has_mermaid() {
    [[ -f $harness/../mermaid/node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js ]]
}

has_mermaid_or_npm() {
    has_mermaid || command -v npm
}

# No package of Debian contains Mermaid.
npm_install_mermaid() {
    local output
    if [[ $options != *--browser* ]] || has_mermaid; then
        return 0
    fi
    echo "installing: Mermaid, by npm into test/mermaid" >&2
    output=$(npm ci --prefix "$harness/../mermaid" --ignore-scripts --no-audit --no-fund 2>&1 </dev/null) || {
        tail -n 30 <<<"$output" >&2
        echo "dependencies.sh: npm ci failed" >&2
        exit 1
    }
}

has_pgbouncer() {
    PATH=$PATH:/usr/sbin command -v pgbouncer
}

has_valgrind() {
    command -v valgrind && g++ -fsyntax-only -x c++ - <<<'#include <valgrind/memcheck.h>'
}

has_fuzzer() {
    local program status=0
    program=$(mktemp)
    clang++ -fsanitize=fuzzer,address,undefined -x c++ -o "$program" - \
        <<<'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' || status=1
    rm -f "$program"
    return "$status"
}

# Prints the major version of PostgreSQL to install: the one that is built against, or that has a server here without
# its headers, if this distribution has it; else the distribution's. Prints nothing if it is unknown.
postgresql_major() {
    local folder version
    if folder=$(bindir) && version=$("$folder/pg_config" --version 2>/dev/null || "$folder/postgres" --version) &&
        [[ $version =~ ([0-9]+) ]] && apt-cache show "postgresql-server-dev-${BASH_REMATCH[1]}" >/dev/null 2>&1; then
        echo "${BASH_REMATCH[1]}"
    else
        apt-cache depends postgresql 2>/dev/null | sed -nE 's/.*Depends: postgresql-([0-9]+)$/\1/p' | head -n 1 || true
    fi
}

check_all() {
    packages=()
    need g++ "compiles the extension, C++20" has_compiler
    need make "runs the build" has_make
    need cmake "builds the unit tests, 3.25 or newer" has_cmake
    need nlohmann-json3-dev "JSON in the core" has_nlohmann_json
    need libgtest-dev "GoogleTest, for the unit tests" has_gtest
    need python3 "runs the model, 3.9 or newer" has_python
    need python3-yaml "reads the files of examples/prometheus" python3 -c "import yaml"
    need perl "prove, which runs test/t" command -v prove
    need postgresql-NN "the server that the tests start privately, and pgbench" \
        has_programs postgres initdb pg_ctl pgbench
    need postgresql-client-NN "psql" has_programs psql createdb pg_dump
    need postgresql-server-dev-NN "the server's headers, PGXS and pg_regress" has_pgxs
    need postgresql-NN-repack "repacks tables beside writers" has_repack_if_any
    need nodejs "runs the example handler, 18 or newer" has_node
    need node-pg "the example handler's driver" has_node_pg
    need locales "the locale en_US.UTF-8, for a database with its collation" has_locales
    need openssl "signs, in the README's example" command -v openssl
    need curl "posts, in the README's example" command -v curl
    if [[ $options == *--browser* ]]; then
        need chromium "opens examples/support, and draws what explain_graph returns" command -v chromium
        need npm "installs Mermaid, which draws it" has_mermaid_or_npm
    fi
    if [[ $options == *--tools* ]]; then
        need clang-format "formats" command -v clang-format
        need clang-tidy "lints" command -v clang-tidy
    fi
    if [[ $options == *--fuzz* ]]; then
        need clang "compiles the fuzz targets" command -v clang++
        need libclang-rt-dev "libFuzzer and the sanitizers of clang" has_fuzzer
    fi
    if [[ $options == *--long* ]]; then
        need pgbouncer "pools the sessions of a handler" has_pgbouncer
    fi
    if [[ $options == *--coverage* ]]; then
        need gcovr "counts what the tests run" command -v gcovr
    fi
    if [[ $options == *--assertions* ]]; then
        need valgrind "watches the memory of a server" has_valgrind
        need dpkg-dev "unpacks Debian's source" command -v dpkg-source
        need debian-archive-keyring "its signature" test -e /usr/share/keyrings/debian-archive-keyring.gpg
        need bison "parses the server's grammar" command -v bison
        need flex "its lexer" command -v flex
        need pkg-config "finds its libraries" command -v pkg-config
        need libicu-dev "collations" pkg-config icu-uc
        need libssl-dev "pgcrypto" pkg-config openssl
        need zlib1g-dev "compressed dumps" pkg-config zlib
    fi
    if [[ $options == *--sqlsmith* ]]; then
        need sqlsmith "makes up queries" command -v sqlsmith
    fi
    if [[ $options == *--matrix* ]]; then
        need mmdebstrap "makes the chroots" command -v mmdebstrap
        need debian-archive-keyring "their signatures" test -e /usr/share/keyrings/debian-archive-keyring.gpg
    fi
}

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

can_be_root() {
    [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null || { command -v sudo >/dev/null && [[ -t 0 ]]; }
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null || {
        tail -n 30 "$log" >&2
        echo "dependencies.sh: apt-get $1 failed" >&2
        exit 1
    }
}

# This setting keeps postgresql-NN from creating and starting a cluster.
no_cluster=/etc/postgresql-common/createcluster.d/terra-identity-no-cluster.conf

finish() {
    [[ -z ${log:-} ]] || rm -f "$log"
    if [[ -e $no_cluster ]]; then
        as_root rm -f "$no_cluster"
        as_root rmdir --ignore-fail-on-non-empty "${no_cluster%/*}"
    fi
}

options=" $* "
check_all
if ((${#packages[@]} == 0)); then
    npm_install_mermaid
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "dependencies.sh: this is no Debian; install the equivalents of: ${packages[*]}" >&2
    exit 1
fi
if can_be_root; then
    trap finish EXIT
    trap 'exit 1' HUP INT TERM
    log=$(mktemp)
    apt update
    check_all 2>/dev/null # there are more packages now that could be missing
    major=$(postgresql_major)
    if [[ -z $major && ${packages[*]} == *NN* ]]; then
        echo "dependencies.sh: no package of PostgreSQL's server is known here" >&2
        exit 1
    fi
    packages=("${packages[@]//NN/$major}")
    npm_install_pg
    if ((${#packages[@]})); then
        echo "installing: ${packages[*]}" >&2
        if [[ ${packages[*]} == *postgresql-"$major"* ]]; then
            as_root mkdir -p "${no_cluster%/*}"
            as_root tee "$no_cluster" >/dev/null <<<"create_main_cluster = false"
        fi
        apt install -y --no-install-recommends "${packages[@]}"
    fi
    check_all
    if ((${#packages[@]})); then
        echo "dependencies.sh: what is installed is not used: look at PATH and PG_CONFIG (pg_config.sh finds:" \
            "$("$harness/pg_config.sh" || echo none))" >&2
        exit 1
    fi
    npm_install_mermaid
else
    npm_install_pg
    if ((${#packages[@]} == 0)); then
        npm_install_mermaid
        exit 0
    fi
    major=$(postgresql_major)
    if [[ -n $major ]]; then
        packages=("${packages[@]//NN/$major}")
    else
        packages=("${packages[@]//postgresql-server-dev-NN/postgresql-server-dev-all}")
        packages=("${packages[@]//-NN/}")
    fi
    echo "run as root: apt-get update && apt-get install --no-install-recommends ${packages[*]}" >&2
    exit 1
fi
