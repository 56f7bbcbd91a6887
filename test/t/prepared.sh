#!/usr/bin/env bash
# Two-phase commit. A transaction that has delivered events of every kind is prepared; its session goes on, others
# deliver the same and wait; then another session commits it, or rolls it back. Whatever it comes to, in the end every
# delivery is in the ledger once and the state is what the ledger says, no lock is left, and nothing that a session
# remembers of a transaction, of rules or of connections is that of one which was only prepared.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
export PSQLRC=/dev/null
waiting=

finish_background() {
    local name
    if [[ -n $waiting ]]; then
        kill -TERM "$waiting" 2>/dev/null || true
    fi
    for name in $(query -c "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"); do
        query -c "ROLLBACK PREPARED '$name'"
    done
}

# The session whose transactions are prepared. It stays, and remembers what a session remembers. Its errors are
# SQLSTATEs.
coproc session { exec psql -X -q -A -t -v VERBOSITY=sqlstate 2>&1; }
exec {to_session}>&"${session[1]}" {from_session}<&"${session[0]}" # those of a coproc are closed in pipelines
ask() { # STATEMENTS
    local line
    printf '%s;\n\\echo END\n' "$1" >&"$to_session"
    while IFS= read -r line <&"$from_session" && [[ $line != END ]]; do
        echo "$line"
    done
}

# begin_waiting STATEMENT: in another session, which then waits for a lock.
begin_waiting() {
    local deadline=$((SECONDS + 30))
    PGAPPNAME=waiting psql -X -q -A -t -v VERBOSITY=sqlstate -c "$1" >"$work/waited" 2>&1 &
    waiting=$!
    until [[ $(query -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
               AND application_name = 'waiting' AND wait_event_type = 'Lock'") == 1 ]]; do
        if ((SECONDS > deadline)); then
            echo "it did not wait" >>"$work/waited"
            return
        fi
        sleep 0.05
    done
}
end_waiting() { # What it said is in $work/waited.
    wait "$waiting" || true
    waiting=
}

# Every lock that the extension has: its advisory locks, and those of its tables, but for readers'.
locks() {
    query -c "SELECT locktype, relation::regclass, mode FROM pg_locks
        WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (locktype = 'advisory' OR relation IN (
                  SELECT oid FROM pg_class WHERE relnamespace = 'terra_identity'::regnamespace)
                  AND mode <> 'AccessShareLock')"
}
verified() { # DEV_ID
    query -c "SELECT v FROM terra_identity.verify('$1') v"
}

query -q <<'SQL'
CREATE EXTENSION terra_identity;
CREATE FUNCTION body(kind text, user_id text, reference_id text = 'ann', account text = NULL) RETURNS jsonb LANGUAGE sql
    RETURN jsonb_build_object('type', kind, 'status', 'success', 'athlete',
                              jsonb_build_object('provider_user_id', account),
                              'user', jsonb_build_object('user_id', user_id, 'reference_id', reference_id, 'provider',
                                                         'OURA'));
CREATE FUNCTION trace(trace_id text) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('X-Terra-Trace-Id', trace_id);
CREATE VIEW feed AS SELECT dev_id, payload, headers FROM terra_identity.events;

-- Single deliveries of every kind, some of them twice; several at once; more than 100 with news; by ingest.
CREATE PROCEDURE everything(dev_id text) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO feed VALUES (dev_id, body('auth', 'a'), trace('1'));
    INSERT INTO feed VALUES (dev_id, body('athlete', 'a', account => 'watch'), trace('2'));
    INSERT INTO feed VALUES (dev_id, body('daily', 'a'), trace('3'));
    INSERT INTO feed VALUES (dev_id, body('daily', 'a'), trace('3'));
    INSERT INTO feed VALUES (dev_id, jsonb_build_object('type', 'user_reauth', 'old_user', body('', 'a') -> 'user',
                                                        'new_user', body('', 'b') -> 'user'), trace('4'));
    INSERT INTO feed VALUES (dev_id, body('auth', 'c', 'bob'), trace('5')),
                            (dev_id, body('athlete', 'c', 'bob', 'watch'), trace('6')),
                            (dev_id, body('auth', 'c', 'bob'), trace('5'));
    INSERT INTO feed VALUES (dev_id, body('auth', 'd', 'dan'), trace('7')),
        (dev_id, body('deauth', 'd', 'dan'), trace('8'));
    INSERT INTO feed VALUES (dev_id, '"no event"', trace('9'));
    INSERT INTO feed SELECT dev_id, body('auth', 'many ' || i, 'many ' || i), trace('many ' || i)
        FROM generate_series(1, 150) i;
    PERFORM terra_identity.ingest(body('auth', 'e', 'eve')::text, trace('10'), dev_id),
            terra_identity.ingest(body('auth', 'e', 'eve')::text, trace('10'), dev_id),
            terra_identity.ingest('no json', trace('11'), dev_id);
END $$;

SQL

# What the environment has come to, without times and ids.
state() { # DEV_ID
    query -v dev_id="$1" <<'SQL'
SELECT c.user_id, c.reference_id, c.status, terra_identity.resolve(c.user_id, c.dev_id),
       (SELECT string_agg(l.user_id, '+' ORDER BY l.user_id) FROM terra_identity.connections l
        WHERE (l.dev_id, l.lineage_id) = (c.dev_id, c.lineage_id)), c.duplicate
FROM terra_identity.connections c WHERE c.dev_id = :'dev_id' ORDER BY c.user_id;
SELECT c.kind, c.user_id FROM terra_identity.changes c WHERE c.dev_id = :'dev_id' ORDER BY 1, 2;
SELECT e.trace_id, e.event_type, e.problem FROM terra_identity.events e WHERE e.dev_id = :'dev_id' ORDER BY 1, 2;
SELECT r.trace_id, r.reason FROM terra_identity.rejected r WHERE r.dev_id = :'dev_id' ORDER BY 1, 2;
SQL
}

query -q -c "CALL everything('plain')"
plain=$(state plain)
same "there is something of everything" "a|ann|replaced|b|a+b|f" "$(head -n 1 <<<"$plain")"

for end in COMMIT ROLLBACK; do
    dev_id=${end,,}
    same "$end: a transaction is prepared" "" "$(ask "
        BEGIN; CALL everything('$dev_id'); PREPARE TRANSACTION '$dev_id'")"
    same "$end: nobody sees it" "" "$(state "$dev_id")"
    check "$end: it keeps its locks" "$([[ $(locks) == *advisory* ]] || echo "it has: $(locks)")"
    same "$end: its session delivers to another environment, and does not wait" "" "$(ask "SET lock_timeout = '5s';
        INSERT INTO feed VALUES ('other', body('auth', '$end', 'other'), trace('$end'));
        INSERT INTO feed VALUES ('other', body('daily', '$end', 'other'))")"
    same "$end: it waits for what was prepared as others do" "ERROR:  55P03" "$(ask "SET lock_timeout = '100ms';
        INSERT INTO feed VALUES ('$dev_id', body('auth', 'a'), trace('1')); RESET lock_timeout")"
    begin_waiting "CALL everything('$dev_id')"
    same "$end: another session ends it" "" "$(query -c "$end PREPARED '$dev_id'")"
    end_waiting
    same "$end: who waited has delivered" "" "$(cat "$work/waited")"
    same "$end: no lock is left" "" "$(locks)"
    same "$end: its session delivers the same" "" "$(ask "CALL everything('$dev_id')")"
    same "$end: each delivery is there once, and what follows from it" "$plain" "$(state "$dev_id")"
    same "$end: the state is what the ledger says" "" "$(verified "$dev_id")"
    same "$end: rebuild changes nothing" "0" "$(query -c "SELECT terra_identity.rebuild('$dev_id')")"
done

# What a session remembers of connections: data of one that was never committed is news again.
passing="INSERT INTO feed VALUES ('forgotten', body('daily', 'x', 'xen'))"
same "a connection is rolled back" "" "$(ask "BEGIN; INSERT INTO feed VALUES ('forgotten', body('auth', 'x', 'xen'));
    $passing; $passing;
    PREPARE TRANSACTION 'forgotten'")$(query -c "ROLLBACK PREPARED 'forgotten'")"
same "its data makes it anew" "x|f" "$(ask "$passing;
    SELECT user_id, confirmed FROM terra_identity.connections WHERE dev_id = 'forgotten'")"
same "as the ledger says" "" "$(verified forgotten)"

# What it remembers of locks: a transaction of so many that it takes its environment whole, and the one after it.
modes="SELECT mode, count(*) > 1 FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database
           WHERE datname = current_database()) AND objsubid = x'5449'::int GROUP BY mode ORDER BY mode"
same "a large transaction is prepared" "" "$(ask "BEGIN; DO \$\$ BEGIN FOR i IN 1..1200 LOOP
    INSERT INTO feed VALUES ('large', body('athlete', 'l' || i, 'l' || i, 'l' || i)); END LOOP; END \$\$;
        PREPARE TRANSACTION 'large'")"
same "it has its environment to itself" "ExclusiveLock|f ShareLock|f" "$(query -c "$modes" | paste -sd ' ')"
query -c "COMMIT PREPARED 'large'"
same "the next transaction of its session has not" "ShareLock|f" "$(ask "BEGIN;
    INSERT INTO feed VALUES ('large', body('auth', 'l0', 'l0')); $modes; COMMIT")"
# Who holds what comes late in the order of locks goes on without those that come first.
query -c "BEGIN; UPDATE terra_identity.environments SET signature_tolerance = '1 hour' WHERE dev_id = 'default';
    PREPARE TRANSACTION 'edit'"
same "right after another it waits for the first of all locks" "ERROR:  55P03" "$(ask "SET lock_timeout = '100ms';
    BEGIN; INSERT INTO feed VALUES ('large', body('auth', 'l1', 'l1')); PREPARE TRANSACTION 'small';
    SELECT i.* FROM generate_series(1, 2) n, terra_identity.ingest(body('auth', 'n' || n)::text, NULL, 'small') i;
    RESET lock_timeout")"
query -c "COMMIT PREPARED 'small'"
query -c "ROLLBACK PREPARED 'edit'"

# What it remembers of rules: those of a prepared transaction hold once it is committed, and never if it is rolled back.
query -c "INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('door', 'keep')" \
    -c "INSERT INTO terra_identity.environments (dev_id, terra_dev_id) VALUES ('default', 'header')"
close="UPDATE terra_identity.environments SET terra_dev_id = NULL WHERE dev_id = 'default';
    UPDATE terra_identity.environments SET account_policy = 'replace', signature_required = true,
        terra_dev_id = 'header' WHERE dev_id = 'door'"
open="UPDATE terra_identity.environments SET account_policy = 'keep', signature_required = false, terra_dev_id = NULL
    WHERE dev_id = 'door';
    UPDATE terra_identity.environments SET terra_dev_id = 'header' WHERE dev_id = 'default'"
number=0
# What the session takes without a signature, where a header leads, and what comes of two people on one account.
asks_signature="SELECT CASE http_status WHEN 200 THEN 'unsigned' ELSE 'signed' END
    FROM terra_identity.ingest('{}'::text, NULL, 'door')"
leads_to="INSERT INTO terra_identity.events (payload, headers)
    VALUES ('{}', '{\"dev-id\": \"header\"}') RETURNING dev_id"
in_words() {
    sed 's/^ERROR:  //' | paste -sd ' '
}
rules() {
    number=$((number + 1))
    ask "$asks_signature; $leads_to; INSERT INTO feed
        VALUES ('door', body('athlete', 'p$number', 'p$number', 'shared $number'));
        INSERT INTO feed VALUES ('door', body('athlete', 'q$number', 'q$number', 'shared $number'));
        SELECT status FROM terra_identity.connections WHERE dev_id = 'door' AND user_id = 'p$number'" | in_words
}
opened="unsigned default active"
closed="TI003 door superseded"

# edited NAME EDIT END BEFORE AFTER WITHIN: the rules that the session goes by.
edited() {
    rules >"$work/rules"
    same "$1: the rules of before" "$4" "$(cat "$work/rules")"
    same "$1: an edit is prepared" "${6#* }" "$(ask "BEGIN; $2; SAVEPOINT s; $asks_signature; ROLLBACK TO s; $leads_to;
                                                INSERT INTO feed
        VALUES ('door', body('athlete', 'r1', 'r1', '$1')), ('door', body('athlete', 'r2', 'r2', '$1'));
        SELECT status FROM terra_identity.connections WHERE dev_id = 'door' AND user_id = 'r1';
            PREPARE TRANSACTION 'edit'" |
        sed 1d | in_words)"
    same "$1: until its end nothing has changed" "${4% *}" "$(ask "$asks_signature; $leads_to" | in_words)"
    query -c "$3 PREPARED 'edit'"
    rules >"$work/rules"
    same "$1: the rules of after" "$5" "$(cat "$work/rules")"
    same "$1: the state is what the ledger says" "" "$(verified door)"
}
edited "closing, rolled back" "$close" ROLLBACK "$opened" "$opened" "$closed"
edited "closing" "$close" COMMIT "$opened" "$closed" "$closed"
edited "opening, rolled back" "$open" ROLLBACK "$closed" "$closed" "$opened"
edited "opening" "$open" COMMIT "$closed" "$opened" "$opened"

finish
