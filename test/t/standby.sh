#!/usr/bin/env bash
# A streaming standby answers every view and every function that only reads, while it replays what is delivered to the
# primary, and shows a state that is what the ledger says. Rules and rights that change on the primary hold in sessions
# that are open on the standby. Promoted it goes on where the primary was.
#
# Views and functions are those of the catalog: what is new there is asked without being named here. Only what to pass
# for an argument of a new name has to be added.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
# shellcheck disable=SC1091
. "$(dirname "$0")/cluster.sh"
make_cluster "
fsync = off
wal_level = replica
hot_standby_feedback = on
max_standby_streaming_delay = -1
wal_receiver_status_interval = 1s"
export PSQLRC=/dev/null
standby() { PGPORT=5433 query "$@"; }
delivering=

start() { # FOLDER
    "$PRIVATE_BINDIR/pg_ctl" start -w -s -D "$work/$1" -l "$work/$1.log" </dev/null >/dev/null
}

# Whatever the primary has committed is replayed.
caught_up() {
    local last
    last=$(query -c "SELECT pg_current_wal_flush_lsn()")
    must_become_true "the standby catches up" standby -c "SELECT pg_last_wal_replay_lsn() >= '$last'"
}

start data
query -q >/dev/null <<'SQL'
CREATE EXTENSION terra_identity;
\i test/t/deliver.sql
SELECT deliver(dev_id, 1, 200) FROM unnest('{default,other}'::text[]) dev_id;
INSERT INTO terra_identity.events (payload) VALUES ('[]');
SELECT terra_identity.ingest('{'::text);
SELECT terra_identity.set_signing_secret('key', dev_id => 'signed');
SELECT terra_identity.ingest('{}'::text, '{}', 'signed');
CREATE ROLE standby_reader LOGIN;
SELECT terra_identity.grant_reader('standby_reader', 'default'), terra_identity.grant_reader('standby_reader', 'other');
CREATE TABLE webhooks (id bigint PRIMARY KEY, body jsonb);
SELECT terra_identity.attach('webhooks', 'body');
SQL
"$PRIVATE_BINDIR/pg_basebackup" -D "$work/standby" -R -c fast 2>"$work/basebackup.log"
echo "port = 5433" >>"$work/standby/postgresql.conf"
# make_cluster's own finish_background ends the primary.
end_primary=$(declare -f finish_background)
eval "end_primary ${end_primary#finish_background }"
finish_background() {
    "$PRIVATE_BINDIR/pg_ctl" stop -s -m immediate -D "$work/standby" 2>/dev/null || true
    end_primary
}
start standby
same "it is a standby" "t" "$(standby -c "SELECT pg_is_in_recovery()")"

# One query for each view and function that reads. An argument of an unknown name is an error.
questions=$(query <<'SQL'
SELECT format('SELECT %1$L, md5(string_agg(t::text, E''\n'' ORDER BY t::text)) FROM terra_identity.%1$I t;', relname)
FROM pg_class WHERE relnamespace = 'terra_identity'::regnamespace AND relkind IN ('r', 'v')
ORDER BY relname;
SELECT format('SELECT %L, md5(string_agg(t::text, E''\n'' ORDER BY t::text)) FROM terra_identity.%I(%s) t;',
              p.oid::regprocedure, proname,
              (SELECT string_agg(coalesce(value, format('what to pass for %s', name)), ', ' ORDER BY n)
               FROM unnest(proargnames[:pronargs - pronargdefaults]) WITH ORDINALITY a (name, n)
               LEFT JOIN (VALUES ('user_id', $$'u1'$$), ('lineage_id', '1'), ('reference_id', $$'r1'$$),
                                 ('provider', $$'GARMIN'$$), ('provider_user_id', $$'a1'$$), ('at', $$'2026-01-01'$$),
                                 ('users', $$'[{"user_id": "u1"}, {"user_id": "new"}]'$$), ('body', $$'123'$$),
                                 ('taken_at', $$'2026-01-01'$$), ('signature', $$'t=1,v1=00'$$), ('secret', $$'key'$$),
                                 ('tolerance', $$'1 day'$$)) v (name, value) USING (name)))
FROM pg_proc p WHERE pronamespace = 'terra_identity'::regnamespace AND prokind = 'f' AND provolatile IN ('s', 'i')
      AND proname NOT LIKE '\_%' AND NOT prorettype IN ('trigger'::regtype, 'internal'::regtype)
ORDER BY 1;
SQL
)
number=$(wc -l <<<"$questions")
check "$number views, tables and functions are asked" "$(((number > 40)) || echo "$questions")"

# While they are asked the primary delivers, one by one and many at once.
query -q >"$work/delivering.log" <<'SQL' &
DO $$ BEGIN
    FOR i IN 0..100000 LOOP
        PERFORM deliver(CASE i % 2 WHEN 0 THEN 'default' ELSE 'other' END, 1000 + i * 20,
                        1000 + i * 20 + CASE i % 20 WHEN 0 THEN 200 ELSE i % 3 END);
        COMMIT;
        PERFORM pg_sleep(0.02 * 1.01 ^ i); -- ever more slowly, so that a slow machine has no more to read
    END LOOP;
END $$;
SQL
delivering=$!
echo "$delivering" >"$work/delivering.pid"
asked() { # As the owner, and as a reader, who does not read everything.
    standby <<<"$questions" | sed 's/|.*//'
    standby <<<"SET SESSION AUTHORIZATION standby_reader;
        $(grep -E "SELECT '[a-z_]+'," <<<"$questions" | grep -vE "'(signing_secrets|tombstone_key|readers)'")" |
        sed 's/|.*//'
}
wanted=$({ standby <<<"$questions"; grep -E "SELECT '[a-z_]+'," <<<"$questions" |
    grep -vE "'(signing_secrets|tombstone_key|readers)'" | standby; } | sed 's/|.*//')
first=$(standby -c "SELECT count(*) FROM terra_identity.events")
for _ in 1 2; do
    same "every one is answered while it replays" "$wanted" "$(asked)"
    same "the state that it shows is what the ledger says" "" "$(standby -c "
        SELECT v FROM unnest('{default,other}'::text[]) d, terra_identity.verify(d) v LIMIT 3")"
done
replayed="SELECT count(*) > $first + 100 FROM terra_identity.events"
check "it has replayed meanwhile" "$([[ $(standby -c "$replayed") == t ]] || cat "$work/delivering.log")"
kill -TERM "$(query -c "SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO %' AND pid <> pg_backend_pid()")"
wait "$delivering" || true
rm "$work/delivering.pid"
caught_up
# But for how long no data has come, which goes on.
timeless=$(grep -v "'freshness'" <<<"$questions")
same "all answers are those of the primary" "$(query <<<"$timeless")" "$(standby <<<"$timeless")"
same "what writes is refused, as everything that writes is" "25006 25006 25006" "$(for call in \
    "ingest('{}'::text)" "set_signing_secret('key')" "correct('u1', 'ended', 'a note')"; do
    standby -v VERBOSITY=sqlstate -c "SELECT terra_identity.$call"; done | sed 's/ERROR:  //' | paste -sd ' ')"

# Sessions that are open on the standby, one as a reader.
coproc session { PGPORT=5433 exec psql -X -q -A -t 2>&1; }
# shellcheck disable=SC2154  # coproc sets it
session_pid=$session_PID
echo "$session_pid" >"$work/session.pid"
exec {to_session}>&"${session[1]}" {from_session}<&"${session[0]}" # those of a coproc are closed in pipelines
ask() {
    local line
    printf '%s;\n\\echo END\n' "$1" >&"$to_session"
    while IFS= read -r line <&"$from_session" && [[ $line != END ]]; do
        echo "$line"
    done
}
foretold="SELECT DISTINCT outcome FROM terra_identity.would_duplicate('GARMIN', 'shared', 'somebody else')"
query -q -c "INSERT INTO terra_identity.events (payload)
    VALUES ('{\"type\": \"athlete\", \"user\": {\"user_id\": \"s\", \"provider\": \"GARMIN\", \"reference_id\": \"s\"},
              \"athlete\": {\"provider_user_id\": \"shared\"}}')"
caught_up
same "a session goes by the rules of the primary" "duplicate" "$(ask "$foretold")"
same "a reader reads two environments" "default other" "$(ask "SET SESSION AUTHORIZATION standby_reader;
    PREPARE seen AS SELECT DISTINCT dev_id FROM terra_identity.connections ORDER BY 1; EXECUTE seen" | paste -sd ' ')"
query -q -c "UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'default'" \
    -c "SELECT terra_identity.revoke_reader('standby_reader', 'other')" >/dev/null
caught_up
same "a reader who lost one of them reads it no more, in the same session" "default" "$(ask "EXECUTE seen")"
same "nor by a function" "" "$(ask "SELECT terra_identity.resolve(user_id, 'other') FROM terra_identity.events LIMIT 1;
    SELECT terra_identity.lineage_of('u1', 'other')" | tr -d '\n')"
same "and the edited rule holds there" "transfer" "$(ask "RESET SESSION AUTHORIZATION; $foretold")"
query -q -c "SELECT terra_identity.revoke_reader('standby_reader')" >/dev/null
caught_up
check "who is no reader any more reads nothing" "$(ask "SET SESSION AUTHORIZATION standby_reader; EXECUTE seen" |
    grep -v '^ERROR' || true)"
ask "RESET SESSION AUTHORIZATION" >/dev/null

# The primary is gone, and the standby takes its place.
before=$(standby -c "SELECT count(*), max(event_id) FROM terra_identity.events")
"$PRIVATE_BINDIR/pg_ctl" stop -s -m immediate -D "$work/data"
"$PRIVATE_BINDIR/pg_ctl" promote -w -s -D "$work/standby"
same "promoted it has every event" "$before" "$(standby -c "SELECT count(*), max(event_id) FROM terra_identity.events")"
same "a retry of what the primary stored is a duplicate" "0" "$(standby -c "SELECT deliver('default', 1, 200)")"
same "also in a session that was open" "0" "$(ask "SELECT deliver('other', 1, 200)")"
same "new deliveries are stored, also there" "50|50" "$(standby -c "SELECT deliver('default', 1000001, 1000050)")|$(
    ask "SELECT deliver('other', 1000001, 1000050)")"
same "ids are above all that there were" "t" "$(standby -c "
    SELECT min(event_id) > ${before#*|} FROM terra_identity.events
    WHERE substr(trace_id, 7)::bigint BETWEEN 1000001 AND 1000050")"
same "signatures are still required" "rejected|401" "$(standby -c "
    SELECT outcome, http_status FROM terra_identity.ingest('{}'::text, '{}', 'signed')")"
same "attached tables still feed it" "1" "$(standby \
    -c "INSERT INTO webhooks VALUES (1, '{\"type\": \"healthcheck\"}')" \
    -c "SELECT count(*) FROM terra_identity.events WHERE event_type = 'healthcheck'")"
same "and the state is what the ledger says" "" "$(standby -c "
    SELECT v FROM unnest('{default,other}'::text[]) d, terra_identity.verify(d) v LIMIT 3")"
echo '\q' >&"$to_session"
wait "$session_pid" || true
rm "$work/session.pid"
finish
