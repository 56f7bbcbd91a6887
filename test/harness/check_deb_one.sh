#!/usr/bin/env bash
# check_deb_one.sh DISTRIBUTION: one Debian of check_deb.sh. Its output goes to $DEB_LOGS/DISTRIBUTION.log, the packages
# to the folder $DEB_LOGS/DISTRIBUTION. If everything worked, the last line starts with "everything worked".
set -euo pipefail

project=$(cd "$(dirname "$0")/../.." && pwd)
. "$project/test/harness/chroot.sh"
. "$project/test/harness/deb_source.sh"
distribution=$1

# Runs as root where the package is built. The source is in /home/builder.
read -r -d '' build <<'EOS' || true
    set -euxo pipefail
    export DEBIAN_FRONTEND=noninteractive
    cd /home/builder
    tree=$(echo "$PWD"/terra-identity-*/)
    chown -R builder: .
    apt-get -qq update
    apt-get -qq -y build-dep "$tree"
    as_builder() {
        setpriv --reuid=builder --regid=builder --clear-groups env HOME=/home/builder USER=builder "$@"
    }
    as_builder bash -euc 'deb_build "$1"' _ "$tree"
    as_builder lintian --info --fail-on error,warning ./*.changes
    apt-get -qq -y install ./*terra-identity_*.deb
    cd "$tree"
    as_builder debian/tests/installcheck
EOS

# Runs as root where the package is used. It is in /packages.
read -r -d '' use <<'EOS' || true
    set -euxo pipefail
    export DEBIAN_FRONTEND=noninteractive
    if command -v gcc g++ cc c++ make; then
        exit 1
    fi
    version=$(ls /usr/lib/postgresql)
    package=postgresql-$version-terra-identity
    # Every path but those where apt and dpkg take notes, and the temporary ones.
    files() {
        find / -xdev \( -path /proc -o -path /tmp -o -path /run -o -path /packages -o -path /var/cache \
            -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/log \) -prune -o -print | sort
    }
    files >/tmp/before
    apt-get -qq -y install /packages/"$package"_*.deb
    dpkg --verify "$package" | tee /tmp/wrong
    [[ ! -s /tmp/wrong ]]
    dpkg -L "$package" | grep -x "/usr/lib/postgresql/$version/lib/terra_identity.so"
    pg_createcluster "$version" main --start -- --auth=trust
    query() {
        setpriv --reuid=postgres --regid=postgres --clear-groups psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$1"
    }
    query "CREATE EXTENSION terra_identity"
    query "INSERT INTO terra_identity.events (payload) VALUES
        ('{\"type\": \"user_reauth\", \"old_user\": {\"user_id\": \"a\"}, \"new_user\": {\"user_id\": \"b\"}}')"
    [[ $(query "SELECT terra_identity.resolve('a')") == b ]]
    query "DROP EXTENSION terra_identity"
    pg_dropcluster --stop "$version" main
    apt-get -qq -y purge "$package"
    files | diff /tmp/before - # nothing is left
    if ls /var/lib/dpkg/info/"$package".*; then
        exit 1
    fi
EOS
export build use

# run_in CHROOT COMMANDS: in mount and process namespaces of its own, as root.
run_in() {
    mount_in "$1"
    cat /etc/resolv.conf >"$1/etc/resolv.conf"
    chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 bash -euc \
        "$(declare -f deb_build); export -f deb_build; $2" </dev/null
}
export -f run_in

no_cluster=(
    --essential-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d"'
    --essential-hook='echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.d/none.conf"'
)
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/terra_identity.$distribution.XXXXXX")
chmod 755 "$folder"
trap 'rm -rf --one-file-system "$folder"' EXIT
trap 'exit 1' HUP INT TERM
{
    make_debian "$distribution" "$folder/build" --include=build-essential,lintian,adduser "${no_cluster[@]}" \
        --customize-hook='chroot "$1" useradd --create-home builder'
    deb_source "$folder/build/home/builder"
    unshare --mount --pid --fork --kill-child bash -euc 'run_in "$1" "$build"' _ "$folder/build"
    mkdir "$DEB_LOGS/$distribution"
    cp "$folder"/build/home/builder/*.deb "$DEB_LOGS/$distribution"
    rm -rf --one-file-system "$folder/build"

    # With the manuals and pages that dpkg leaves out of the other one.
    make_debian "$distribution" "$folder/use" --include=postgresql "${no_cluster[@]}" \
        --customize-hook='rm "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"' --customize-hook='mkdir "$1/packages"'
    cp "$DEB_LOGS/$distribution"/*.deb "$folder/use/packages"
    unshare --mount --pid --fork --kill-child bash -euc 'run_in "$1" "$use"' _ "$folder/use"
    echo "everything worked: it was built, tested, installed, used, and removed without a trace"
} >"$DEB_LOGS/$distribution.log" 2>&1 </dev/null
