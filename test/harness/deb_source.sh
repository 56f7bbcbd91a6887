# shellcheck shell=bash
# Sourced by the scripts that build the Debian package. Needs $project.

# deb_source FOLDER: writes the source package's parts into the folder, of what is committed: the upstream archive, and
# the tree with debian/, whose path it prints.
deb_source() {
    local version name
    version=$(git_show debian/changelog | sed -nE '1s/.*\((.*)-[^-]*\).*/\1/p')
    [[ $version == "$(git_show terra_identity.control | sed -n "s/^default_version *= *'\(.*\)'/\1/p")" ]] ||
        { echo "debian/changelog has version $version, terra_identity.control another" >&2; return 1; }
    name=terra-identity-$version
    git -C "$project" -c safe.directory="$project" archive --prefix="$name/" HEAD . ':!debian' |
        gzip -n >"$1/${name/-$version/_$version}.orig.tar.gz"
    git -C "$project" -c safe.directory="$project" archive --prefix="$name/" HEAD | tar -C "$1" -xf -
    echo "$1/$name"
}

git_show() {
    git -C "$project" -c safe.directory="$project" show "HEAD:$1"
}

# deb_build TREE: builds the packages for every PostgreSQL that this Debian has, in the folder of the tree.
deb_build() {
    cd "$1" || return
    pg_buildext updatecontrol
    dpkg-buildpackage -us -uc -J"$(nproc)"
}
export -f deb_build
