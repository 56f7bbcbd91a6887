#!/usr/bin/env bash
# What a server can run out of, and what can go wrong in the middle of a statement: the lock table, the disk, a trigger
# of the application's. The statement fails with the error that it is, the server stays, the state is that of before,
# and the session goes on.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
# shellcheck disable=SC1091
. "$(dirname "$0")/cluster.sh"

# The disk is a small tmpfs, which takes a mount namespace: as root of this machine, or of a namespace of users.
if [[ ${1:-} != mounted ]]; then
    for how in "--user --map-current-user --keep-caps" ""; do
        # shellcheck disable=SC2086  # these are several words
        if unshare --mount $how mount -t tmpfs tmpfs "$work" 2>/dev/null; then
            rmdir "$work"
            exec unshare --mount $how "$0" mounted
        fi
    done
fi
disk=
if [[ ${1:-} == mounted ]]; then
    disk=$work/disk
    mkdir "$disk"
    mount -t tmpfs -o size=40M tmpfs "$disk"
    mkdir "$disk/tablespace"
    end_cluster=$(declare -f finish_background)
    eval "end_cluster ${end_cluster#finish_background }"
    finish_background() {
        end_cluster
        umount -l "$disk"
    }
fi
make_cluster "
fsync = off
max_connections = 20
max_locks_per_transaction = 10
max_prepared_transactions = 2
log_error_verbosity = verbose"
"$PRIVATE_BINDIR/pg_ctl" start -w -s -D "$work/data" -l "$work/server.log" </dev/null >/dev/null
export PSQLRC=/dev/null

query -q <<'SQL'
CREATE EXTENSION terra_identity;
CREATE FUNCTION delivery(i int) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('type', (ARRAY['auth', 'athlete', 'daily', 'user_reauth', 'auth', 'deauth'])[1 + i % 6],
               'status', 'success', 'user', u, 'new_user', u,
               'old_user', jsonb_build_object('user_id', 'u' || i * 13 % 400, 'provider', 'OURA'),
               'athlete', jsonb_build_object('provider_user_id', 'a' || i % 200))
    FROM (SELECT jsonb_build_object('user_id', 'u' || i * 7 % 500, 'provider', 'OURA',
                                    'reference_id', 'r' || i * 7 % 500 / 2)) x (u) $$;
CREATE FUNCTION trace(i int) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('X-Terra-Trace-Id', 'trace ' || i) $$;
CREATE PROCEDURE deliver(environment text, first int, last int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN first..last LOOP
        INSERT INTO terra_identity.events (dev_id, payload, headers) VALUES (environment, delivery(i), trace(i));
    END LOOP;
END $$;
CREATE VIEW differences AS SELECT d, v::text FROM (SELECT DISTINCT dev_id FROM terra_identity.events) e (d),
    terra_identity.verify(d) v;
SQL

# The lock table: sessions that deliver more and more in one transaction, until there is no room for one more lock.
from=() to=()
for number in {1..8}; do
    mkfifo "$work/to$number" "$work/from$number"
    psql -X -q -A -t -v VERBOSITY=sqlstate <"$work/to$number" >"$work/from$number" 2>&1 &
    echo $! >"$work/locker$number.pid"
    exec {fd}>"$work/to$number"
    to[number]=$fd
    exec {fd}<"$work/from$number"
    from[number]=$fd
done
ask() { # NUMBER STATEMENTS
    local line
    printf '%s;\n\\echo END\n' "$2" >&"${to[$1]}"
    while IFS= read -r -u "${from[$1]}" line && [[ $line != END ]]; do
        echo "$line"
    done
}
answers=
for number in {1..8}; do
    answers+="$(ask "$number" "BEGIN; CALL deliver('env $number', 1, 90)") "
done
check "some of them find the lock table full, and say so" "$([[ $answers == *53200* ]] || echo "they said: $answers")"
check "and nothing else" "$(tr ' ' '\n' <<<"$answers" | grep -vE '^(ERROR:|53200)?$' || true)"
same "meanwhile another session delivers, or is told the same" "" "$(query -v VERBOSITY=sqlstate \
    -c "CALL deliver('default', 1, 3)" | grep -v 'ERROR:  53200' || true)"
for number in {1..8}; do
    ask "$number" "ROLLBACK" >/dev/null
done
same "a transaction that takes all the locks that it can get goes on after it" "200" "$(ask 1 "
    CALL deliver('env 1', 1, 200); SELECT count(*) FROM terra_identity.events WHERE dev_id = 'env 1'")"
same "a large statement takes one lock for its environment, and needs no more" "3000" "$(ask 2 "
    INSERT INTO terra_identity.events (dev_id, payload, headers)
    SELECT 'env 2', delivery(i), trace(i) FROM generate_series(1, 3000) i;
    SELECT count(*) FROM terra_identity.events WHERE dev_id = 'env 2'")"
same "the state is what the ledger says" "" "$(query -c "SELECT * FROM differences LIMIT 3")"
for number in {2..8}; do
    echo '\q' >&"${to[$number]}"
    rm "$work/locker$number.pid"
done

# A trigger of the application's fails at some row, before or after the extension's own, inside a plpgsql block that
# catches it. The same session goes on.
query -q <<'SQL'
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.trace_id = 'trace ' || current_setting('app.fail_at', true) THEN
        RAISE 'no more' USING ERRCODE = 'P9999';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_fails BEFORE INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION fail();
CREATE TRIGGER z_fails AFTER INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION fail();
CREATE FUNCTION attempt(environment text, first int, last int, fail_at int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.fail_at', fail_at::text, true);
    INSERT INTO terra_identity.events (dev_id, payload, headers)
        SELECT environment, delivery(i), trace(i) FROM generate_series(first, last) i;
    RETURN 'stored';
EXCEPTION WHEN SQLSTATE 'P9999' THEN
    RETURN 'caught';
END $$;
SQL
same "rows before a failing one leave nothing, in whatever block it is caught" "caught|16" "$(ask 1 "
    SELECT string_agg(DISTINCT attempt('caught', 1, 200, fail_at), ' '), count(*)
    FROM generate_series(1, 200, 13) fail_at")"
same "nothing is there" "0|0|0|0" "$(query -c "
    SELECT (SELECT count(*) FROM terra_identity.events WHERE dev_id = 'caught'),
           (SELECT count(*) FROM terra_identity.deliveries WHERE dev_id = 'caught'),
           (SELECT count(*) FROM terra_identity.connections WHERE dev_id = 'caught'),
           (SELECT count(*) FROM terra_identity.changes WHERE dev_id = 'caught')")"
same "half of it is caught, half of it stored, in one transaction" "caught stored caught stored" "$(ask 1 "
    BEGIN; SELECT attempt('caught', 1, 100, 50); SAVEPOINT a; SELECT attempt('caught', 1, 100, 0);
    SAVEPOINT b; SELECT attempt('caught', 101, 200, 200); ROLLBACK TO b; SELECT attempt('caught', 101, 150, 0);
    COMMIT" | paste -sd ' ')"
same "a savepoint that is rolled back takes along what its session remembers" "150" "$(ask 1 "
    BEGIN; SAVEPOINT a; CALL deliver('caught', 151, 200); ROLLBACK TO a;
    INSERT INTO terra_identity.events (dev_id, payload)
        SELECT 'caught', jsonb_set(delivery(2), '{user,user_id}', delivery(i) -> 'user' -> 'user_id')
        FROM generate_series(151, 200) i;
    COMMIT; SELECT count(*) FROM terra_identity.events WHERE dev_id = 'caught' AND trace_id IS NOT NULL")"
same "in the end the state is what the ledger says" "" "$(query -c "SELECT * FROM differences LIMIT 3")"
same "and all of it is stored after all" "400" "$(ask 1 "SELECT set_config('app.fail_at', '0', false) \\g /dev/null
    CALL deliver('caught', 1, 400);
    SELECT count(*) FROM terra_identity.events WHERE dev_id = 'caught' AND trace_id IS NOT NULL")"
same "with the state of it" "" "$(query -c "SELECT * FROM differences LIMIT 3")"

# A prepared transaction outlives the server.
query -q -c "BEGIN" -c "CALL deliver('prepared', 1, 60)" -c "PREPARE TRANSACTION 'kept'" \
    -c "BEGIN" -c "CALL deliver('dropped', 1, 60)" -c "PREPARE TRANSACTION 'dropped'"
"$PRIVATE_BINDIR/pg_ctl" restart -w -s -m fast -D "$work/data" -l "$work/server.log" </dev/null >/dev/null
rm -f "$work/locker1.pid"
same "it keeps its locks over a restart" "ERROR:  55P03" "$(query -v VERBOSITY=sqlstate \
    -c "SET lock_timeout = '100ms'" -c "CALL deliver('prepared', 1, 1)")"
query -q -c "COMMIT PREPARED 'kept'" -c "ROLLBACK PREPARED 'dropped'"
same "and is committed, or rolled back, after it" "60|0" "$(query -c "
    SELECT (SELECT count(*) FROM terra_identity.events WHERE dev_id = 'prepared'),
           (SELECT count(*) FROM terra_identity.events WHERE dev_id = 'dropped')")"
same "retries find what it stored" "60" "$(query -c "CALL deliver('prepared', 1, 60)" \
    -c "SELECT count(*) FROM terra_identity.events WHERE dev_id = 'prepared'")"
same "with the state of it: what the ledger says" "" "$(query -c "SELECT * FROM differences LIMIT 3")"

# The disk is full: what the tables are on, not the log.
if [[ -n $disk ]]; then
    query -q -c "CREATE TABLESPACE small LOCATION '$disk/tablespace'" -c "CREATE DATABASE small TABLESPACE small"
    small() { PGDATABASE=small query "$@"; }
    small -q -c "CREATE EXTENSION terra_identity"
    definitions=$(query -c "SELECT string_agg(pg_get_functiondef(oid), ';') FROM pg_proc
        WHERE proname IN ('delivery', 'trace', 'deliver')")
    small -q -c "$definitions"
    state="SELECT (SELECT count(*) FROM terra_identity.events), (SELECT count(*) FROM terra_identity.deliveries),
        (SELECT md5(string_agg(c::text, '' ORDER BY connection_id)) FROM terra_identity.connections c),
        (SELECT count(*) FROM terra_identity.changes), (SELECT count(*) FROM terra_identity.reauths)"
    small -q -c "CALL deliver('default', 1, 100)"
    before=$(small -c "$state")
    # A few megabytes are left.
    dd if=/dev/zero of="$disk/filler" bs=64k 2>/dev/null || true
    truncate -s -4M "$disk/filler"
    large="INSERT INTO terra_identity.events (payload, headers)
        SELECT delivery(i) || jsonb_build_object('data', repeat(md5(i::text), 30)), trace(i)
        FROM generate_series(101, 60000) i"
    same "a bulk statement that fills the disk says so" "ERROR:  53100" "$(small -v VERBOSITY=sqlstate -c "$large")"
    same "and leaves nothing" "$before" "$(small -c "$state")"
    same "the state is what the ledger says" "" "$(small -c "SELECT v FROM terra_identity.verify() v LIMIT 3")"
    # One by one until nothing fits any more: each is stored, or told that the disk is full.
    dd if=/dev/zero of="$disk/more" bs=8k 2>/dev/null || true
    answers=$(for i in {1001..1020}; do
        small -v VERBOSITY=sqlstate -c "SELECT outcome, http_status FROM terra_identity.ingest(
            (delivery($i) || jsonb_build_object('data', (SELECT string_agg(md5(n::text), '')
                FROM generate_series(1, 3000) n)))::text, trace($i))"
    done | sort | uniq -c | sed -E 's/^ +[0-9]+ //')
    check "single deliveries on a full disk are stored, or told so" "$(grep -vE '^(stored\|200|ERROR:  53100)$' \
        <<<"$answers" || true)"
    check "some are told so" "$(grep -q 53100 <<<"$answers" || echo "$answers")"
    rm "$disk/filler" "$disk/more"
    same "once there is room they are stored, or duplicates" "stored|200" "$(for i in {1001..1020}; do
        small -c "SELECT 'stored', http_status FROM terra_identity.ingest(
            (delivery($i) || jsonb_build_object('data', (SELECT string_agg(md5(n::text), '')
                FROM generate_series(1, 3000) n)))::text, trace($i))"
    done | sort -u)"
    same "each once" "20" "$(small -c "SELECT count(*) FROM terra_identity.events
        WHERE trace_id IN (SELECT 'trace ' || i FROM generate_series(1001, 1020) i)")"
    same "with the state of it: what the ledger says" "" "$(small -c "SELECT v FROM terra_identity.verify() v LIMIT 3")"
else
    skip "a full disk is told, and leaves nothing" "no tmpfs can be mounted here, neither by root nor in a namespace"
fi

check "the server's log tells of no crash and no internal error" \
    "$(grep -aE 'PANIC|TRAP|terminated by signal|(ERROR|FATAL):  XX' "$work/server.log" || true)"
"$PRIVATE_BINDIR/pg_ctl" stop -w -s -m fast -D "$work/data"
finish
