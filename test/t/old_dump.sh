#!/usr/bin/env bash
# A database that version 0.1.0 filled (test/data/dump_0.1.0.sql) is restored, and follows the rules of today after
# rebuild(). In its dump the old rules stand as 0.1.0 applied them: A is replaced and B superseded by A, and nobody is
# connected.
set -euo pipefail
PSQL=(psql -X -q -A -t -v ON_ERROR_STOP=1)
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"

state() {
    "${PSQL[@]}" -c "SELECT user_id, status, coalesce(terra_identity.resolve(user_id, dev_id), '-'), connection_id
        FROM terra_identity.connections ORDER BY dev_id, user_id"
}

"${PSQL[@]}" -f test/data/dump_0.1.0.sql >/dev/null
same "it is restored as it was" "$(printf '%s\n' \
    'A|replaced|-|2' 'B|superseded|-|1' 'g1|replaced|g2|3' 'g2|active|g2|4' \
    'dad|active|dad|6' 'mum|superseded|-|5' 'new|superseded|old|7' 'old|active|old|8')" "$(state)"
"${PSQL[@]}" -c "SELECT terra_identity.rebuild(dev_id) FROM terra_identity.environments" >/dev/null
same "it follows the rules after rebuild(), under the same ids" "$(printf '%s\n' \
    'A|replaced|B|2' 'B|active|B|1' 'g1|replaced|-|3' \
    'g2|active|g2|4' 'dad|active|dad|6' 'mum|active|mum|5' 'new|active|new|7' 'old|superseded|new|8')" "$(state)"
same "and verify() agrees" "" "$("${PSQL[@]}" -c "
    SELECT v FROM terra_identity.environments e, terra_identity.verify(e.dev_id) v")"
same "a retry of before changes nothing but the ledger" "$(state)" "$("${PSQL[@]}" -c "
    INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
    SELECT dev_id, received_at, payload, headers FROM terra_identity.events"; state)"

"${PSQL[@]}" -c "INSERT INTO terra_identity.events (dev_id, received_at, payload, event_type, event_time)
    VALUES ('default', now(), jsonb_build_object('type', repeat('x', 1000000)), repeat('x', 1000000), now())"
same "a type of any length, which 0.1.0 kept, is restored without it" "1000000|" "$("${PSQL[@]}" -c "
    SELECT length(payload ->> 'type'), event_type FROM terra_identity.events ORDER BY event_id DESC LIMIT 1")"
finish
