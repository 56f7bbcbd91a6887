# shellcheck shell=bash
# Sourced by the tests of this folder: TAP on standard output, for prove. Each check is a line, and `finish`, the last
# command of every script, the plan: a script that dies before it has failed. Makes $work, a folder. At the end of the
# script, however it ends, calls finish_background, which the script may define again, and removes the folder.
# Checks belong in the script's own shell: what a subshell counts is lost, and the plan wrong.

work=$(mktemp -d /tmp/terra_test.XXXXXX)
checks=0
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
    checks=$((checks + 1))
    if [[ -z $2 ]]; then
        echo "ok $checks - $1"
    else
        echo "not ok $checks - $1"
        head -n 60 <<<"$2" | cut -c 1-240 | sed 's/^/# /'
        failures=$((failures + 1))
    fi
}

# same NAME WANTED GOT
same() {
    if [[ $2 == "$3" ]]; then
        check "$1" ""
    else
        check "$1" "$(diff <(echo "$2") <(echo "$3") | grep '^[<>]' || true)"
    fi
}

# skip NAME WHY
skip() {
    checks=$((checks + 1))
    echo "ok $checks - $1 # SKIP $2"
}

finish() {
    echo "1..$checks"
    ((failures == 0))
}

# must_become_true NAME COMMAND...: waits until the command prints t; for a minute at most, after which nothing that
# follows makes sense.
must_become_true() {
    local deadline=$((SECONDS + 60))
    until [[ $("${@:2}") == t ]]; do
        if ((SECONDS > deadline)); then
            check "$1" "not within a minute"
            finish
            exit 1
        fi
        sleep 0.05
    done
}

# until_true NAME COMMAND...: the same, as a check.
until_true() {
    must_become_true "$@"
    check "$1" ""
}

# Errors are part of the answer.
query() {
    psql -qAt -v ON_ERROR_STOP=1 "$@" 2>&1 || true
}

# Events that have the same trace id and payload as another, or of which `deliveries` knows otherwise.
wrong_deliveries() {
    query <<'SQL'
SELECT dev_id, trace_id, count(*) FROM terra_identity.events WHERE trace_id IS NOT NULL GROUP BY 1, 2, payload
    HAVING count(*) > 1
UNION ALL
SELECT coalesce(d.dev_id, e.dev_id), coalesce(d.trace_id, e.trace_id), NULL FROM terra_identity.deliveries d
FULL JOIN (SELECT * FROM terra_identity.events WHERE trace_id IS NOT NULL) e
    ON (e.dev_id, e.event_id, e.trace_id) = (d.dev_id, d.event_id, d.trace_id)
WHERE d.event_id IS NULL OR e.event_id IS NULL;
SQL
}

log_size() {
    stat -c %s "$SERVER_LOG"
}
