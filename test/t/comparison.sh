#!/usr/bin/env bash
# Plays the twelve stories of test/comparison to what Terra's example app does, to what its SQL destination keeps, to a
# plpgsql trigger and to the extension, and holds the table of docs/comparison.md to what they answered. The extension
# answers all of them right, in the opposite order of the deliveries, too.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"

for part in extension stories example_app sql_destination own_trigger; do
    check "test/comparison/$part.sql" "$(query -f "test/comparison/$part.sql" 2>&1)"
done

# shellcheck disable=SC2154  # checks.sh sets work
query -f test/comparison/table.sql >"$work/table"
same "all twelve stories were played" "1 2 3 4 5 6 7 8 9 10 11 12" \
    "$(sed -n 's/^| \([0-9]*\) |.*/\1/p' "$work/table" | xargs)"
same "docs/comparison.md has what each of them answered" "$(<"$work/table")" \
    "$(sed -n '/^| 1 |/,/^$/p' docs/comparison.md | sed '/^$/d')"
check "the extension is right in all of them" "$(sed -n '/^| [0-9]/{/ right |$/!p}' "$work/table")"

# A story leaves nothing behind, so the next one begins with nothing.
same "nothing is left of the stories" "0 0 0 0" "$(query -c "
    SELECT (SELECT count(*) FROM example_app.webhook_events) || ' ' ||
           (SELECT count(*) FROM sql_destination.terra_other_payloads) || ' ' ||
           (SELECT count(*) FROM own_trigger.webhooks) || ' ' || (SELECT count(*) FROM terra_identity.events)")"

# The same deliveries in the opposite order: the state follows from the set of them.
query >"$work/opposite" <<'SQL'
CREATE TABLE comparison.arrived AS TABLE comparison.deliveries;
TRUNCATE comparison.deliveries;
INSERT INTO comparison.deliveries (story, sent_at, trace, request, payload)
SELECT story, sent_at, trace, request, payload FROM comparison.arrived ORDER BY arrives DESC;
SELECT s.story || ': ' || coalesce(comparison.answer('extension', s), 'cannot say') || ', right is ' || s.answer
FROM comparison.stories s WHERE comparison.answer('extension', s) IS DISTINCT FROM s.answer ORDER BY s.story;
SQL
check "the extension is right in the opposite order, too" "$(<"$work/opposite")"

finish
