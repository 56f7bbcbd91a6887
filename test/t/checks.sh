# shellcheck shell=bash
# Sourced by tests that let sessions run beside each other. Makes $work, a folder. At the end of the script, however it
# ends, calls finish_background, which the script may define again, and removes the folder. $failures counts what was
# not ok.

work=$(mktemp -d)
failures=0

finish_background() {
    :
}
trap 'finish_background; rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# check NAME GOT: ok if nothing was got.
check() {
    if [[ -z $2 ]]; then
        echo "ok - $1"
    else
        echo "not ok - $1"
        head -n 60 <<<"$2" | cut -c 1-240 | sed 's/^/# /'
        failures=$((failures + 1))
    fi
}

# Errors are part of the answer.
query() {
    psql -qAt -v ON_ERROR_STOP=1 "$@" 2>&1 || true
}

log_size() {
    stat -c %s "$SERVER_LOG"
}
