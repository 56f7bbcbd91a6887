#!/usr/bin/env bash
# Eight writers, whose transactions commit later than they draw their change_ids or not at all, and consumers of
# different habits, all at once; and a dump in the midst of it, which is restored into another database where the
# consumers go on. In both each consumer is given every change, none twice, those of a connection in their order.
#
# SEED=N for other events (which interleavings come about is chance), DURATION=N for other seconds.
set -euo pipefail

seed=${SEED:-20260517}
duration=${DURATION:-6}
echo "# seed $seed, $duration s"

# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
export PSQLRC=/dev/null PGAPPNAME=consumers
restored=${PGDATABASE}_restored

query <<'SQL'
CREATE EXTENSION terra_identity;
-- What each consumer was given and committed, in its order.
CREATE TABLE taken (number bigint GENERATED ALWAYS AS IDENTITY, dev_id text, consumer text, change_id bigint,
                    position bigint, user_id text);

-- Reads and commits, until nothing has been new for a while. A careful one reads in a transaction of its own; a slow
-- one keeps the transaction in which it has read open. Each of them forgets now and then what it has read.
CREATE PROCEDURE consume(consumer text, dev_id text, habit text, patience interval) LANGUAGE plpgsql AS $$
DECLARE
    changes terra_identity.changes[];
    last_new timestamptz := clock_timestamp();
BEGIN
    WHILE clock_timestamp() < last_new + patience LOOP
        SELECT array_agg(c ORDER BY c.position) INTO changes
        FROM terra_identity.read_changes(consume.consumer, 1 + (random() * 50)::int, consume.dev_id) c;
        IF changes IS NULL THEN
            COMMIT;
            PERFORM pg_sleep(0.005);
            CONTINUE;
        END IF;
        last_new := clock_timestamp();
        IF habit = 'careful' THEN
            COMMIT;
        ELSIF habit = 'slow' AND random() < 0.2 THEN
            PERFORM pg_sleep(0.1);
        END IF;
        IF random() < 0.2 THEN
            ROLLBACK;
            CONTINUE;
        END IF;
        INSERT INTO taken (dev_id, consumer, change_id, position, user_id)
        SELECT consume.dev_id, consume.consumer, c.change_id, c.position, c.user_id FROM unnest(changes) c;
        PERFORM terra_identity.commit_changes(consume.consumer, changes[cardinality(changes)].position, consume.dev_id);
        COMMIT;
    END LOOP;
END $$;
SQL

cat >"$work/writer.sql" <<'SQL'
\set user random(1, 20)
\set environment random(1, 3)
\set scopes random(1, 1000000000)
\set delay random(0, 40000)
\set outcome random(1, 10)
BEGIN;
INSERT INTO terra_identity.events (dev_id, payload)
SELECT CASE :environment WHEN 1 THEN 'small' ELSE 'default' END,
       jsonb_build_object('type', 'permission_change', 'user',
                          jsonb_build_object('user_id', 'u' || :user, 'provider', 'OURA', 'scopes', 's' || :scopes));
\sleep :delay us
\if :outcome = 1
ROLLBACK;
\else
COMMIT;
\endif
SQL

# consume CONSUMER ENVIRONMENT HABIT PATIENCE
consume() {
    query -c "CALL consume('$1', '$2', '$3', '$4')" >>"$work/consumers.err"
}
# In both databases, to the end.
consume_all() {
    consume careful default careful "$1" &
    consume slow default slow "$1" &
    consume quick default quick "$1" &
    consume quick small quick "$1" &
    wait
}

pgbench -n -T "$duration" -c 8 -j 8 --random-seed="$seed" -f "$work/writer.sql" >"$work/writers.out" \
    2>"$work/writers.err" &
writers=$!
consume_all '2 seconds' &
consumers=$!
sleep "$((duration / 2))"
pg_dump -f "$work/dump.sql"
wait "$writers" "$consumers"
query -c "CALL consume('late', 'default', 'quick', '0.5 seconds')" >>"$work/consumers.err"
createdb "$restored"
psql -q -v ON_ERROR_STOP=1 -o /dev/null -d "$restored" -f "$work/dump.sql" 2>"$work/restore.err"

sed -nE 's/^number of transactions actually processed: /# transactions: /p' "$work/writers.out"
ran='^number of transactions actually processed: [1-9]'
check "every writer ran to the end" "$(grep -q "$ran" "$work/writers.out" || cat "$work/writers.out"
    grep -E 'error|aborted' "$work/writers.err")"
check "the dump was restored" "$(cat "$work/restore.err")"
PGDATABASE=$restored query -c "SELECT '# restored: ' || count(*) || ' changes, ' || count(position) || ' of them read'
    FROM terra_identity.changes"
check "it has more than a hundred changes that were read" "$(PGDATABASE=$restored query -c "
    SELECT count(*), count(position) FROM terra_identity.changes HAVING count(position) < 100")"
# So that there is something new in any case.
PGDATABASE=$restored query -c "INSERT INTO terra_identity.events (payload) VALUES
    ('{\"type\": \"auth\", \"status\": \"success\", \"user\": {\"user_id\": \"new\"}}')"
PGDATABASE=$restored consume_all '0.5 seconds'
check "no consumer met an error" "$(cat "$work/consumers.err")"

for database in "$PGDATABASE" "$restored"; do
    export PGDATABASE=$database
    query -c "SELECT '# ' || dev_id || ', ' || consumer || ': ' || count(*) FROM taken GROUP BY dev_id, consumer
        ORDER BY 1"
    check "$database: there are more than a hundred changes, some of which committed late" "$(query -c "
        SELECT count(*), count(*) FILTER (WHERE late) FROM (
            SELECT change_id < max(change_id) OVER (PARTITION BY dev_id ORDER BY position) AS late
            FROM terra_identity.changes) c HAVING count(*) < 100 OR count(*) FILTER (WHERE late) < 10")"
    check "$database: nobody missed one" "$(query -c "
        SELECT t.consumer, c.dev_id, c.change_id, c.position
        FROM (SELECT DISTINCT dev_id, consumer FROM taken) t JOIN terra_identity.changes c USING (dev_id)
        WHERE NOT EXISTS (SELECT FROM taken x WHERE (x.dev_id, x.consumer, x.change_id, x.position)
                                                  = (c.dev_id, t.consumer, c.change_id, c.position))")"
    check "$database: nobody was given one twice" "$(query -c "
        SELECT dev_id, consumer, change_id, count(*) FROM taken GROUP BY 1, 2, 3 HAVING count(*) > 1")"
    check "$database: all in the order of positions" "$(query -c "
        SELECT * FROM (SELECT *, lag(position) OVER (PARTITION BY dev_id, consumer ORDER BY number) AS before
                       FROM taken) t
        WHERE position <= before")"
    check "$database: those of a connection in the order in which they happened" "$(query -c "
        SELECT * FROM (SELECT *, lag(change_id) OVER (PARTITION BY dev_id, consumer, user_id ORDER BY number) AS before
                       FROM taken) t
        WHERE change_id <= before")"
done
# A standby shows the feed, and says where consumers read it.
pg_basebackup -D "$work/standby" -R -c fast
cat >>"$work/standby/postgresql.conf" <<CONF
unix_socket_directories = '$work'
CONF
finish_background() {
    "$PRIVATE_BINDIR/pg_ctl" stop -s -m immediate -D "$work/standby" >/dev/null 2>&1 || true
}
"$PRIVATE_BINDIR/pg_ctl" start -w -s -D "$work/standby" -l "$work/standby.log" </dev/null >/dev/null
same "a standby refuses consumers" \
    "ERROR:  25006: changes cannot be read by consumers on a standby
HINT:  Call it on the primary: it stores the position of each change that is read for the first time." \
    "$(PGHOST=$work query -v VERBOSITY=verbose -c "SELECT * FROM terra_identity.read_changes('quick')" |
        grep -E '^(ERROR|HINT)')"
same "and shows how far they are" "$(query -c "TABLE terra_identity.consumers" | sort)" \
    "$(PGHOST=$work query -c "TABLE terra_identity.consumers" | sort)"
check "all consumers took part" "$(query -c "SELECT string_agg(DISTINCT consumer, ' ') FROM taken
    HAVING count(DISTINCT (dev_id, consumer)) < 4")"
finish
