#!/usr/bin/env bash
# pg_upgrade from PostgreSQL 15 to 17, to 18, to 19, with and without --link: every row, id, secret, grant, rule, and
# what an owner has added to the extension's tables, is there afterwards, and it goes on. A database of an earlier
# version of the extension, which was not updated before, is updated afterwards.
#
# The versions come from the chroots of `make check-matrix`, which must have been made. Each is copied with the
# extension built for it, and with the libraries that only its Debian has; all run in the newest chroot. (This machine's
# own server may be of a later minor version than theirs, and know options of columns that they do not.)
# A version that the archive does not have (19, in some months) is left out. Needs root. VERSIONS="15 17" to choose.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"
. "$harness/chroot.sh"

[[ $(id -u) == 0 ]] || fail "chroots need root"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/terra_identity/matrix
declare -A root=([15]=$cache/bookworm [17]=$cache/trixie [18]=$cache/sid [19]=$cache/experimental)
versions=()
for version in ${VERSIONS:-15 17 18 19}; do
    [[ -d ${root[$version]} ]] && versions+=("$version")
done
newest=${versions[-1]}
((${#versions[@]} >= 2)) || fail "no chroots: run \"make check-matrix\" first"

stage=$(mktemp -d /tmp/terra_identity.XXXXXX)
remove_stage() {
    rm -rf --one-file-system "$stage"
}
at_exit+=(remove_stage)
chmod 755 "$stage"

# pack VERSION: in its Debian, the project's archive on standard input: writes an archive of this PostgreSQL with the
# extension, and of the libraries that its programs and modules load.
pack() {
    local version=$1 place
    place=$(mktemp -d /tmp/terra_pack.XXXXXX)
    {
        tar -C "$place" --no-same-owner --one-top-level=project -xf -
        # Without waiting for the optimizer.
        make -C "$place/project" -s -j"$(nproc)" install DESTDIR="$place/out" \
            PG_CONFIG="/usr/lib/postgresql/$version/bin/pg_config" \
            PG_CXXFLAGS="-std=c++20 -fvisibility=hidden -O0 -g0"
        mkdir -p "$place/out/usr/lib/postgresql" "$place/out/usr/share/postgresql" "$place/out/libraries"
        cp -aL "/usr/lib/postgresql/$version/." "$place/out/usr/lib/postgresql/$version/"
        cp -aL "/usr/share/postgresql/$version/." "$place/out/usr/share/postgresql/$version/"
        find "/usr/lib/postgresql/$version" -type f \( -perm -100 -o -name '*.so' \) -exec ldd {} + 2>/dev/null |
            awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u | xargs cp -Lt "$place/out/libraries"
    } >&2
    tar -C "$place/out" -cf - .
    rm -rf "$place"
}
export -f pack

for version in "${versions[@]}"; do
    mkdir "$stage/$version"
    project_files | unshare --mount --pid --fork --kill-child bash -euc '
        mount_in "$1"
        exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            bash -euc "$(declare -f pack); pack $2"' _ "${root[$version]}" "$version" 2>"$stage/$version.log" |
        tar -C "$stage/$version" --no-same-owner -xf - ||
        { tail -n 20 "$stage/$version.log"; fail "PostgreSQL $version could not be packed"; }
    echo "PostgreSQL $version is packed"
done

mkdir "$stage/test"
cp -r test/data test/t "$stage/test"
cp test/data/terra_identity--*.sql "$stage/${versions[0]}/usr/share/postgresql/${versions[0]}/extension/"
log=$stage/upgrades.log
goal=$(scaled $((2 * (${#versions[@]} - 1))))
guarded unshare --mount --pid --fork --kill-child --net bash -euc '
    mount_in "$1"
    chroot "$1" /bin/ip link set lo up
    mkdir "$1/tmp/stage"
    mount --bind "$2" "$1/tmp/stage"
    cp "$3" "$1/tmp/upgrades.sh"
    exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 GOAL="$4" \
        bash -eu /tmp/upgrades.sh "${@:5}"' _ "${root[$newest]}" "$stage" "$project/test/long/pg_upgrade/upgrades.sh" \
    "$goal" "${versions[@]}" >"$log" 2>&1 || true
cat "$log"
# count WHAT GOAL: of the log's line `# N WHAT, N failed`
count() {
    local reached failed
    read -r reached failed < <(sed -nE "s/^# ([0-9]+) $1, ([0-9]+) failed\$/\1 \2/p" "$log") ||
        read -r reached failed <<<"0 1"
    result "$1" "$reached" "$2" "$failed"
}
count "pg_upgrade to the next version" "$goal"
count "update of the extension after pg_upgrade" $(((goal + ${#versions[@]} - 2) / (${#versions[@]} - 1))) # one a mode

finish
