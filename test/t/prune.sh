#!/usr/bin/env bash
# prune on a ledger of some size: it tells how far it is, ends soon after a cancel, keeps whole batches, goes on, also
# in a database that a dump was restored into; the space comes back; and the commands of the page about it run.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
export PSQLRC=/dev/null PGOPTIONS='-c client_min_messages=warning -c terra_identity.progress=off'
page=docs/questions/how-long-do-we-keep-what.md
events=12000

query <<SQL
CREATE EXTENSION terra_identity;
INSERT INTO terra_identity.environments (dev_id) VALUES ('default');
CREATE FUNCTION much(n int) RETURNS jsonb LANGUAGE sql
    RETURN (SELECT jsonb_agg(md5(n || ' ' || i)) FROM generate_series(1, 100) i); -- about 3,500 bytes, in TOAST
CREATE FUNCTION body(type text, n int) RETURNS jsonb LANGUAGE sql
    RETURN jsonb_build_object('type', type, 'status', 'success', 'data', much(n),
        'user', jsonb_build_object('user_id', 'u' || n % 50, 'provider', 'OURA', 'reference_id', 'r' || n % 50));
INSERT INTO terra_identity.events (payload) SELECT body('auth', n) FROM generate_series(1, 50) n;
INSERT INTO terra_identity.events (payload, headers)
SELECT body(CASE n % 3 WHEN 0 THEN 'sleep' ELSE 'daily' END, n), jsonb_build_object('x-terra-trace-id', 't' || n)
FROM generate_series(1, $events) n;
CREATE VIEW whole AS SELECT * FROM terra_identity.events WHERE payload ? 'data' AND event_type <> 'auth';
CREATE VIEW state AS
SELECT (SELECT md5(string_agg(c::text, '' ORDER BY connection_id)) FROM terra_identity.connections c)
    || (SELECT md5(string_agg((to_jsonb(f) - 'silence')::text, '' ORDER BY user_id)) FROM terra_identity.freshness f)
    || (SELECT md5(string_agg(e::text, '' ORDER BY user_id, e.at, e.sentence))
        FROM terra_identity.connections c, terra_identity.explain(c.user_id) e)
    || (SELECT count(*) FROM terra_identity.deliveries) AS state;
CREATE VIEW size AS
SELECT pg_total_relation_size('terra_identity.events') AS size;
SQL
state=$(query -c 'SELECT state FROM state')
size=$(query -c 'SELECT size FROM size')
same "data is there" "$events" "$(query -c 'SELECT count(*) FROM whole')"

# prune_for SECONDS: cancels it after so long; tells how long after the cancel it ended, in ms.
prune_for() {
    local started ended
    psql -qAt -v ON_ERROR_STOP=1 -c "CALL terra_identity.prune('0')" >"$work/cancelled" 2>&1 &
    local client=$!
    sleep "$1"
    started=$(date +%s%N)
    query -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
              WHERE query LIKE 'CALL terra_identity.prune%' AND datname = current_database()" >"$work/cancels"
    wait "$client" || true
    ended=$(date +%s%N)
    echo $(((ended - started) / 1000000))
}

shortest=1000000
before=$events
for seconds in 0.05 0.1 0.12 0.15 0.2; do
    ms=$(prune_for "$seconds")
    ((ms >= shortest)) || shortest=$ms
    left=$(query -c 'SELECT count(*) FROM whole')
    # The first batch begins with the 50 identity events, which stay.
    check "cancelled after $seconds s: whole batches of 500 are done ($((events - left)) events)" \
        "$( (((events - left + 50) % 500 == 0 || left == events || left == 0)) || echo "$left are left")"
    check "cancelled after $seconds s: nothing is undone" "$( ((left <= before)) || echo "$left of $before are left")"
    before=$left
    same "cancelled after $seconds s: the state is the same" "$state" "$(query -c 'SELECT state FROM state')"
done
check "a cancel ends it soon ($shortest ms, with the client's own)" "$( ((shortest < 500)) || echo "$shortest ms")"

# A database that a dump is restored into goes on, too.
createdb "${PGDATABASE}_restored"
pg_dump -Fc "$PGDATABASE" >"$work/dump"
pg_restore -d "${PGDATABASE}_restored" "$work/dump" >"$work/restored" 2>&1 || true
check "the dump is restored" "$(cat "$work/restored")"
for database in "$PGDATABASE" "${PGDATABASE}_restored"; do
    export PGDATABASE=$database
    check "prune goes on ($database)" "$(query -c "CALL terra_identity.prune('0')")"
    same "no data is left ($database)" 0 "$(query -c 'SELECT count(*) FROM whole')"
    same "the state is the same ($database)" "$state" "$(query -c 'SELECT state FROM state')"
    same "rebuild changes nothing ($database)" 0 "$(query -c 'SELECT terra_identity.rebuild()')"
    check "every delivery is known ($database)" "$(wrong_deliveries)"
done
check "a retry is a repeated delivery" "$(query -c "
    INSERT INTO terra_identity.events (payload, headers)
    SELECT body('daily', 1), '{\"x-terra-trace-id\": \"t1\"}' RETURNING event_id")"
export PGDATABASE=${PGDATABASE%_restored}
dropdb "${PGDATABASE}_restored"

# The space is used again after VACUUM, and given back by VACUUM FULL.
query -c 'VACUUM terra_identity.events'
query -c "INSERT INTO terra_identity.events (payload) SELECT body('daily', n) FROM generate_series(1, $events / 2) n"
after=$(query -c 'SELECT size FROM size')
check "half as much data again finds room ($size, then $after bytes)" \
    "$( ((after < size * 115 / 100)) || echo "$after bytes")"
query -c "CALL terra_identity.prune('0')" -c 'VACUUM FULL terra_identity.events'
after=$(query -c 'SELECT size FROM size')
check "without data it is small ($after bytes)" "$( ((after < size / 5)) || echo "$after of $size bytes")"

check "it tells how far it is" "$(query -c "SET terra_identity.progress = on" -c "
    INSERT INTO terra_identity.events (payload) SELECT body('daily', n) FROM generate_series(1, 100) n" -c "
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN new; END'" -c "
    CREATE TRIGGER slow BEFORE UPDATE ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION slow()" -c "
    CALL terra_identity.prune('0')" | grep -q 'INFO:  terra_identity: prune: [0-9,]* events looked at, [0-9,]*/s' ||
    echo 'no INFO')"
query -c 'DROP TRIGGER slow ON terra_identity.events' -c 'DROP FUNCTION slow'

# What the page says runs: its commands, and the statement of its job.
commands=$(awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$page")
job=$(awk '/cron.schedule_in_database/ { inside = 1; sub(/.*\$\$/, ""); }
           inside && /\$\$/ { sub(/\$\$.*/, ""); print; exit }
           inside' <<<"$commands")
check "the page has a job" "$([[ $job == *"CALL terra_identity.prune("* ]] || echo "$job")"
check "its statement runs as one" "$(query -c "$job")"
calls=$(grep -o 'CALL terra_identity\.prune([^"]*)' <<<"$(grep '^psql app' <<<"$commands")")
same "the page has commands" 3 "$(wc -l <<<"$calls")"
while read -r call; do
    check "$call" "$(query -c "$call" </dev/null)"
done <<<"$calls"
check "the state holds" "$(query -c 'SELECT * FROM terra_identity.verify()')"

finish
