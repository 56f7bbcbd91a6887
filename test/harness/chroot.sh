# shellcheck shell=bash
# Sourced by the scripts that run the project in a separate Debian. Needs $project, root and mmdebstrap.

# Prints the mirror that this machine itself uses. Prints nothing if that is unknown: then mmdebstrap chooses one.
debian_mirror() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Identifier: Packages' 2>/dev/null |
        awk '$1 == "Debian" && !found++ { print $2 }'
}

# make_debian DISTRIBUTION FOLDER OPTION...: makes a minimal Debian, without manuals and translations. Everything in it
# is installed by mmdebstrap or by apt inside the chroot. A hook must not call the host's apt with mmdebstrap's
# configuration, because dpkg would then install into the host.
make_debian() {
    local distribution=$1 folder=$2
    shift 2
    # shellcheck disable=SC2046  # no mirror is no argument
    mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$@" "$distribution" "$folder" $(debian_mirror)
}

# mount_in CHROOT: mounts what a running system has. Must run in a mount namespace of its own, which removes the mounts
# when it ends.
mount_in() {
    mount -t tmpfs tmpfs "$1/tmp"
    mount --bind /dev "$1/dev"
    mount -t tmpfs tmpfs "$1/dev/shm"
    mount -t proc proc "$1/proc"
    chmod 1777 "$1/tmp" "$1/dev/shm"
}
export -f mount_in

# Writes an archive of the project's files, committed or not, except those that git ignores.
project_files() {
    local file
    cd "$project"
    git -c safe.directory="$project" ls-files -coz --exclude-standard |
        while IFS= read -r -d '' file; do
            [[ ! -e $file ]] || printf '%s\0' "$file"
        done |
        tar --null --no-recursion -T - -cf -
}
