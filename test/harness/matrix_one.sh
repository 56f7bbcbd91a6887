#!/usr/bin/env bash
# matrix_one.sh DISTRIBUTION: runs `make check` in a chroot of that Debian. Called by matrix.sh. Writes to $MATRIX_LOGS
# the output, DISTRIBUTION.log, and DISTRIBUTION.result: status, PostgreSQL version, minutes. The status is "gone" if
# the archive has no such PostgreSQL, which is possible only for experimental.
#
# The chroots are made once, with everything that is needed in them, and kept in
# ${XDG_CACHE_HOME:-~/.cache}/terra_identity/matrix; again if this script, which lists what is needed, has changed, or
# if you remove one. A run leaves nothing behind in a chroot (it has its own mounts, and a tmpfs as /tmp), and has no
# network but loopback, which proves that the tests need none.
set -euo pipefail

project=$(cd "$(dirname "$0")/../.." && pwd)
. "$project/test/harness/chroot.sh"
distribution=$1
suite=$distribution
cache=${XDG_CACHE_HOME:-$HOME/.cache}/terra_identity/matrix
chroot=$cache/$distribution
made_by=$(cksum <"$0")
case $distribution in
bookworm) version=15 ;;
trixie) version=17 ;;
sid) version=18 ;;
experimental) version=19 suite=sid ;; # sid, with the next PostgreSQL from experimental
*) echo "matrix_one.sh: no such distribution: $distribution" >&2 && exit 1 ;;
esac

# The package of the server's headers depends on clang and LLVM, a gigabyte that only bitcode needs. So the package is
# unpacked, and only its other dependencies are installed.
install_server_headers='
    cd /tmp
    apt-get -qq download "$1"
    dpkg-deb -f "$1"_*.deb Depends | tr , "\n" | sed "s/[|(].*//; s/ //g" | grep -vE "^(clang|llvm)" >needs
    apt-get -qq -y install $(cat needs)
    dpkg-deb -x "$1"_*.deb /
    rm "$1"_*.deb needs
    apt-get clean'

# Hook before apt fetches the lists of packages: allows only this PostgreSQL from experimental.
add_experimental='
    grep -h "^deb .* sid " "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*.list 2>/dev/null |
        sed "s/ sid / experimental /" >"$1/etc/apt/sources.list.d/experimental.list"
    printf "Package: src:postgresql-%s\nPin: release a=experimental\nPin-Priority: 990\n" "$version" \
        >"$1/etc/apt/preferences.d/experimental"'

# Hook afterwards: leaves a note if the lists do not have this PostgreSQL.
look_for_it='
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-cache show "postgresql-$version" >/dev/null || { touch "$1.gone"; exit 1; }'

make_chroot() {
    rm -rf --one-file-system "$chroot".new "$chroot".new.gone
    mkdir "$chroot".new
    local hooks=()
    if [[ $distribution == experimental ]]; then
        hooks=(--setup-hook="$add_experimental" --essential-hook="$look_for_it")
    fi
    # shellcheck disable=SC2016  # $1 and $headers belong to the hooks
    version=$version headers=$install_server_headers make_debian "$suite" "$chroot".new "${hooks[@]}" \
        --include="g++,make,cmake,nlohmann-json3-dev,libgtest-dev,perl,python3,python3-yaml,postgresql-$version" \
        --include="nodejs,node-pg,openssl,curl,iproute2,locales" \
        --essential-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d"' \
        --essential-hook='echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.d/none.conf"' \
        --customize-hook='chroot "$1" sh -euc "$headers" _ postgresql-server-dev-'"$version" \
        --customize-hook='chroot "$1" apt-get -qq -y install postgresql-'"$version"'-repack || true'
    echo "$made_by" >"$chroot".new/made_by
    rm -rf --one-file-system "$chroot"
    mv "$chroot".new "$chroot"
}

# check_in CHROOT: runs the tests, in mount, process and network namespaces of its own. What a browser draws depends on
# no PostgreSQL, so none is installed there. Standard input: the project's archive.
check_in() {
    mount_in "$1"
    chroot "$1" /bin/ip link set lo up
    mkdir "$1/tmp/terra_identity"
    tar -C "$1/tmp/terra_identity" --no-same-owner -xf -
    exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 CI=true SUITES="${SUITES:-}" \
        HISTORIES="${HISTORIES:-}" TESTS="${TESTS:-}" BROWSER=no /tmp/terra_identity/.ci/run </dev/null
}
export -f check_in

main() {
    (
        flock 9
        [[ $(cat "$chroot/made_by" 2>/dev/null) == "$made_by" ]] || make_chroot
    ) 9>"$chroot.lock"
    project_files | unshare --mount --pid --kill-child --net bash -euc 'check_in "$1"' _ "$chroot"
}

mkdir -p "$cache"
started=$SECONDS
set +e
(
    set -e
    main
) >"$MATRIX_LOGS/$distribution.log" 2>&1 </dev/null
status=$?
if [[ -e $chroot.new.gone ]]; then
    status=gone
    rm -rf --one-file-system "$chroot.new" "$chroot.new.gone"
fi
echo "$status $version $(((SECONDS - started + 59) / 60))" >"$MATRIX_LOGS/$distribution.result"
[[ $status == 0 ]]
