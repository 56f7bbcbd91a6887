#!/usr/bin/env bash
# fresh_one.sh DISTRIBUTION MACHINE: runs one machine of fresh.sh. Its output goes to
# $FRESH_LOGS/DISTRIBUTION-MACHINE.log. If all commands worked, its last line starts with "every command worked".
set -euo pipefail

project=$(cd "$(dirname "$0")/../.." && pwd)
. "$project/test/harness/chroot.sh"
distribution=$1
machine=$2
name=$distribution-$machine

case $machine in
minimal) packages= ;;
client | foreign) packages=,postgresql,libpq-dev,g++,cmake,nodejs,python3-minimal ;;
*) echo "fresh_one.sh: no such machine: $machine" >&2 && exit 1 ;;
esac

# Runs on the machine as root: creates its user, and installs what no package of Debian contains.
read -r -d '' prepare <<'EOS' || true
    useradd --create-home --shell /bin/bash dev
    echo 'dev ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/dev
    if [ "$1" = foreign ]; then
        # Files as in another vendor's packages: pg_config derives its paths from its own place.
        mkdir -p /opt/other/lib
        cp -a /usr/lib/postgresql /opt/other/lib/
        rm -f /opt/other/lib/postgresql/*/bin/postgres /opt/other/lib/postgresql/*/bin/pg_ctl
        echo "PATH=$(echo /opt/other/lib/postgresql/*/bin):\$PATH" >>/home/dev/.profile
    fi
EOS

# Runs on the machine as its user, in the project's folder. All of these commands are in README.md.
read -r -d '' commands <<'EOS' || true
    set -euxo pipefail
    make demo
    make check
    sudo make -s install
    make demo
    sudo make demo
    make demo
    rm -rf build *.so *--*.sql
    sudo make -s install
    make demo
    sudo make clean
    set +x
    echo "every command worked ($(pg_config --bindir) is first in PATH)"
EOS

# run_in CHROOT: runs the machine, in mount and process namespaces of its own. Standard input: the project's archive.
run_in() {
    mount_in "$1"
    cat /etc/resolv.conf >"$1/etc/resolv.conf"
    chroot "$1" sh -euc "$prepare" _ "$machine"
    mkdir "$1/home/dev/terra_identity"
    tar -C "$1/home/dev/terra_identity" --no-same-owner -xf -
    chroot "$1" chown -R dev: /home/dev/terra_identity
    chroot "$1" env -i TERM=dumb LANG=C.UTF-8 SUITES="${SUITES:-}" su --login --whitelist-environment=SUITES,LANG dev \
        -c "cd terra_identity && git init -q . && git add . && { $commands; }" </dev/null
}
export -f run_in
export prepare commands machine

folder=$(mktemp -d "${TMPDIR:-/var/tmp}/terra_identity.$name.XXXXXX")
trap 'rm -rf --one-file-system "$folder"' EXIT
trap 'exit 1' HUP INT TERM
{
    make_debian "$distribution" "$folder" --include="git,make,sudo,ca-certificates$packages" \
        --essential-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d"' \
        --essential-hook='echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.d/none.conf"'
    rm -rf "$folder/etc/postgresql-common/createcluster.d"
    project_files | unshare --mount --pid --fork --kill-child bash -euc 'run_in "$1"' _ "$folder"
} >"$FRESH_LOGS/$name.log" 2>&1 </dev/null
