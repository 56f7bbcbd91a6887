#!/usr/bin/env bash
# docs/reference.md is what the COMMENTs of the installed extension say.
#   test/t/reference.sh            compares; a test, in an empty database of a server that has the extension
#   test/t/reference.sh --write    builds the extension, asks a server of its own, and writes docs/reference.md and
#                                  docs/personal-data.md, which test/t/personal_data.sh compares
set -euo pipefail
cd "$(dirname "$0")/../.."

case ${1:-} in
'') exec python3 test/t/reference_page.py ;;
--write) ;;
*) echo "usage: test/t/reference.sh [--write]" >&2 && exit 2 ;;
esac
# shellcheck disable=SC1091
. test/harness/lib.sh
build_module
private_server
createdb reference
# print_page SCRIPT...: as the server's user, from the catalog of the installed extension
print_page() {
    # shellcheck disable=SC2154  # private_server sets server_dir
    (cd "$server_dir/project" && PGDATABASE=reference as_server_user python3 "$@")
}
print_page test/t/reference_page.py --print >"$server_dir/reference.md"
print_page test/t/personal_data_page.py >"$server_dir/personal-data.md"
cp "$server_dir/reference.md" "$server_dir/personal-data.md" docs
