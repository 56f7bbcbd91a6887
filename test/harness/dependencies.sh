#!/usr/bin/env bash
# Makes sure that what the build and the tests need is there, and installs from Debian what is missing, saying
# what and why. Nothing missing: prints nothing, needs neither root nor network. No way to install: prints the
# command to run and exits 1. Never creates or touches a database cluster of the system.
# Debian's node-pg wants Debian's nodejs. With another vendor's, npm brings the module, into examples/node.
#   --tools   also what make format and make lint need
#   --fuzz    also what make fuzz needs
#   --matrix  also what make check-matrix needs
set -euo pipefail
harness=$(cd "$(dirname "$0")" && pwd)

packages=()

# need PACKAGE WHY CHECK...: the package is missing if the check fails
need() {
    if ! "${@:3}" >/dev/null 2>&1; then
        packages+=("$1")
        echo "missing: $1 ($2)" >&2
    fi
}

has_header() {
    g++ -fsyntax-only -x c++ - <<<"#if !__has_include(<$1>)
#error missing
#endif"
}

has_server() {
    local pg_config
    pg_config=$("$harness/pg_config.sh") && [[ -x $("$pg_config" --bindir)/postgres ]]
}

has_client() {
    local pg_config
    pg_config=$("$harness/pg_config.sh") && [[ -x $("$pg_config" --bindir)/psql ]]
}

# Debian ships it with the server.
has_pgbench() {
    local pg_config
    pg_config=$("$harness/pg_config.sh") && [[ -x $("$pg_config" --bindir)/pgbench ]]
}

has_pgxs() {
    local pg_config pgxs
    pg_config=$("$harness/pg_config.sh") && pgxs=$("$pg_config" --pgxs) && [[ -f $pgxs ]] &&
        [[ -x ${pgxs%/makefiles/pgxs.mk}/test/isolation/pg_isolation_regress ]]
}

has_node_pg() {
    (cd "$harness/../../examples/node" && NODE_PATH=/usr/share/nodejs node -e 'require("pg")')
}

npm_install_pg() {
    local output
    if has_node_pg 2>/dev/null || ! command -v npm >/dev/null ||
        apt-get -qq -s install --no-install-recommends node-pg >/dev/null 2>&1; then
        return 0
    fi
    echo "missing: pg (the example handler's driver; no node-pg fits this nodejs)" >&2
    echo "installing: pg, by npm into examples/node" >&2
    output=$(npm ci --prefix "$harness/../../examples/node" --no-audit --no-fund 2>&1 </dev/null) || {
        tail -n 30 <<<"$output" >&2
        echo "dependencies.sh: npm ci failed" >&2
        exit 1
    }
}

has_fuzzer() {
    local program status=0
    program=$(mktemp)
    clang++ -fsanitize=fuzzer,address,undefined -x c++ -o "$program" - \
        <<<'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' || status=1
    rm -f "$program"
    return "$status"
}

# The major version to install, nothing if unknown: that of a server that is here without its headers, else the distribution's.
postgresql_major() {
    local here
    here=$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | sort -V | tail -n 1 | cut -d/ -f5) || true
    if [[ -n $here ]] && apt-cache show "postgresql-server-dev-$here" >/dev/null 2>&1; then
        echo "$here"
    else
        apt-cache depends postgresql 2>/dev/null | sed -nE 's/.*Depends: postgresql-([0-9]+)$/\1/p' | head -n 1 || true
    fi
}

check_all() {
    packages=()
    need g++ "compiles the extension" command -v g++
    need make "runs the build" command -v make
    need cmake "builds the unit tests" command -v cmake
    need nlohmann-json3-dev "JSON in the core" has_header nlohmann/json.hpp
    need libgtest-dev "GoogleTest, for the unit tests" has_header gtest/gtest.h
    need python3 "runs the model" command -v python3
    need postgresql-NN "the server that the tests start privately" has_server
    need postgresql-NN "pgbench, for the tests of concurrency and the benchmark" has_pgbench
    need postgresql-client-NN "psql" has_client
    need postgresql-server-dev-NN "the server's headers, PGXS and pg_regress" has_pgxs
    need nodejs "runs the example handler" command -v node
    need node-pg "the example handler's driver" has_node_pg
    need openssl "signs, in the README's example" command -v openssl
    need curl "posts, in the README's example" command -v curl
    if [[ $options == *--tools* ]]; then
        need clang-format "formats" command -v clang-format
        need clang-tidy "lints" command -v clang-tidy
    fi
    if [[ $options == *--fuzz* ]]; then
        need clang "compiles the fuzz targets" command -v clang++
        need libclang-rt-dev "libFuzzer and the sanitizers of clang" has_fuzzer
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

# postgresql-NN would make and start a cluster of its own unless told not to.
no_cluster=/etc/postgresql-common/createcluster.d/terra-identity-no-cluster.conf

finish() {
    [[ -z ${log:-} ]] || rm -f "$log"
    if [[ -e $no_cluster ]]; then
        as_root rm -f "$no_cluster"
        as_root rmdir --ignore-fail-on-non-empty "${no_cluster%/*}"
    fi
}

options=" $* "
npm_install_pg
check_all
((${#packages[@]})) || exit 0

if ! command -v apt-get >/dev/null; then
    echo "dependencies.sh: this is no Debian; install the equivalents of: ${packages[*]}" >&2
    exit 1
fi
if can_be_root; then
    trap finish EXIT
    trap 'exit 1' HUP INT TERM
    log=$(mktemp)
    apt update
    major=$(postgresql_major)
    packages=("${packages[@]//NN/$major}")
    echo "installing: ${packages[*]}" >&2
    if [[ ${packages[*]} == *postgresql-"$major"* ]]; then
        as_root mkdir -p "${no_cluster%/*}"
        as_root tee "$no_cluster" >/dev/null <<<"create_main_cluster = false"
    fi
    apt install -y --no-install-recommends "${packages[@]}"
    check_all
    ((${#packages[@]} == 0)) || exit 1
else
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
