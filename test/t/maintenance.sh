#!/usr/bin/env bash
# What an administrator does to tables must not be felt by those who write to them: REINDEX CONCURRENTLY, VACUUM FULL,
# CLUSTER, CREATE and DROP INDEX CONCURRENTLY, pg_repack (where it is installed), columns of the owner's that come and
# go. Each kind goes over all indexes or tables of the extension in turn while three writers insert and ask: single
# rows, several, ingest(), transactions of several statements. No statement may fail. Afterwards the state is what the
# ledger says, and every index has an entry for every row.
# Then the extension is dropped and created beside sessions that stay: they get ordinary errors, and work again.
#
# CYCLES=N for N commands of each kind. KINDS="reindex repack" for some kinds: reindex vacuum cluster create_index
# repack columns owner_columns owner_values drop_extension.
set -euo pipefail

kinds=${KINDS:-reindex vacuum cluster create_index repack columns owner_columns owner_values drop_extension}
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
pids=()
export PSQLRC=/dev/null PGAPPNAME=maintenance
# Verbose messages have their SQLSTATE in the server's log.
PGOPTIONS='-c log_error_verbosity=verbose -c log_min_error_statement=panic'
export PGOPTIONS+=' -c deadlock_timeout=100ms -c client_min_messages=warning'

# Ends what runs in the background, and waits for it.
finish_background() {
    if ((${#pids[@]})); then
        touch "$work/stop"
        kill -TERM "${pids[@]}" 2>/dev/null || true
        wait "${pids[@]}" 2>/dev/null || true
    fi
    pids=()
    rm -f "$work/stop"
}
# errors_since POSITION: the errors of this database in the server's log, as `COUNT SQLSTATE: MESSAGE`, and crashes.
# pg_repack tries for its locks with a short statement_timeout until it has them: that is not counted.
errors_since() {
    tail -c +$(($1 + 1)) "$SERVER_LOG" | grep -aE "] $PGDATABASE |terminated by signal" |
        grep -av '] [^ ]* pg_repack ERROR:  57014' |
        sed -nE 's/.* (ERROR|FATAL|PANIC):  //p; /terminated by signal/p' | sed -E 's/([ _"])[0-9]+/\1N/g' |
        sort | uniq -c | sort -rn || true
}

psql -q -v ON_ERROR_STOP=1 <<'SQL'
CREATE EXTENSION amcheck;
CREATE EXTENSION pgcrypto;
CREATE SEQUENCE ticket;

CREATE FUNCTION person(place text, number int) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN jsonb_build_object('user_id', format('u%s.%s', place, number), 'provider',
                              (ARRAY['GARMIN', 'OURA', 'APPLE'])[1 + number % 3],
                              'reference_id', format('person %s.%s', place, number % 2));

-- One of the sixty deliveries about the twelve connections of a place.
CREATE FUNCTION delivery(place text, k int) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN CASE k / 12
        WHEN 0 THEN jsonb_build_object('type', 'auth', 'status', 'success', 'user', person(place, k % 12))
        WHEN 1 THEN jsonb_build_object('type', 'athlete', 'user', person(place, k % 12),
                                       'athlete', jsonb_build_object('provider_user_id',
                                           format('account %s.%s', place, k % 12 / 6)))
        WHEN 2 THEN jsonb_build_object('type', 'user_reauth', 'old_user', person(place, k % 12), 'new_user',
                                       person(place, (k + 6) % 12))
        WHEN 3 THEN jsonb_build_object('type', 'deauth', 'user', person(place, k % 12))
        ELSE jsonb_build_object('type', 'daily', 'user', person(place, k % 12)) END;

-- Some of the deliveries of the place that it is the turn of, many of them for a second time, in the order of their
-- trace ids.
CREATE FUNCTION deliveries(whose text, k int, n int) RETURNS TABLE (dev_id text, payload jsonb, headers jsonb)
    LANGUAGE sql
BEGIN ATOMIC
    SELECT (ARRAY['keep', 'replace'])[1 + turn.number % 2], delivery(turn.place, which),
           CASE WHEN which % 5 > 0 THEN jsonb_build_object('X-Terra-Trace-Id', turn.place || ':' || which) END
    FROM (SELECT t.number, whose || t.number AS place FROM (SELECT nextval('ticket') / 40 AS number) t) turn,
         LATERAL (SELECT (k + i) % 60 AS which FROM generate_series(1, n) i) e
    ORDER BY turn.place || ':' || which;
END;

CREATE FUNCTION lone(type text, user_id text) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN jsonb_build_object('type', type, 'status', 'success', 'user',
                              jsonb_build_object('user_id', user_id, 'provider', 'GARMIN'));

CREATE FUNCTION signed(body text) RETURNS jsonb LANGUAGE sql
    RETURN (SELECT jsonb_build_object('X-Terra-Signature',
                                      format('t=%s,v1=%s', t,
                                             encode(hmac(t || '.' || body, 'secret', 'sha256'), 'hex')))
            FROM (SELECT extract(epoch FROM now())::bigint AS t) n);
SQL

# Single statements are about connections that other writers write to as well; transactions of several are about ones of
# their own, for two over the same connections could deadlock, with or without maintenance.
insert='INSERT INTO terra_identity.events (dev_id, payload, headers) SELECT * FROM deliveries'
ingest='SELECT i.* FROM deliveries(%s, :k, 1) d, terra_identity.ingest(d.payload::text, d.headers, d.dev_id) i;'
random=$'\\set k random(0, 59)\n\\set n random(2, 8)\n'
cat >"$work/one.sql" <<<"$random$insert('shared', :k, 1);"
cat >"$work/some.sql" <<<"$random$insert('shared', :k, :n);"
cat >"$work/ingest.sql" <<<"$random${ingest/\%s/\'shared\'}"
cat >"$work/door.sql" <<<"$random
SELECT terra_identity.ingest('no json ' || :k::int, NULL, 'keep');
SELECT i.* FROM deliveries('signed', :k, 1) d, terra_identity.ingest(d.payload::text, signed(d.payload::text),
    'signed') i;
SELECT terra_identity.ingest('{}'::text, NULL, 'signed');"
cat >"$work/ask.sql" <<<"$random
SELECT terra_identity.resolve(d.payload #>> '{user,user_id}', d.dev_id) FROM deliveries('shared', :k, :n) d;
SELECT count(*) FROM terra_identity.current_connections WHERE reference_id LIKE 'person shared1%';"
cat >"$work/transaction.sql" <<<"$random
BEGIN;
$insert('of ' || :writer || ' ', :k, 1);
\\sleep :n ms
${ingest/\%s/\'of \' || :writer || \' \'}
\\sleep :n ms
$insert('of ' || :writer || ' ', :k, :n);
COMMIT;"

# What one transaction does to a connection that others write to too: they wait for it while an index may be exchanged.
about="INSERT INTO terra_identity.events (dev_id, payload) SELECT 'keep', lone("
cat >"$work/wait.sql" <<<"\\set connection random(1, 2)
BEGIN;
$about 'auth', 'hot ' || :connection);
\\sleep 5 ms
$about 'deauth', 'hot ' || :connection);
\\sleep 5 ms
$about 'auth', 'hot ' || :connection);
COMMIT;"

# writer NUMBER: writes until SIGTERM. An error ends pgbench: the next one goes on. SIGALRM is to it the end of its
# time.
writer() {
    local pid='' stopped=''
    trap 'stopped=1; kill -ALRM $pid 2>/dev/null || true' TERM
    while [[ -z $stopped ]]; do
        pgbench -n -M prepared -T 100000 -D writer="$1" -f "$work/one.sql@10" -f "$work/some.sql@4" \
            -f "$work/ingest.sql@4" -f "$work/door.sql@1" -f "$work/ask.sql@2" -f "$work/transaction.sql@4" \
            -f "$work/wait.sql@4" >>"$work/writer$1.out" 2>&1 &
        pid=$!
        [[ -z $stopped ]] || kill -ALRM "$pid" 2>/dev/null || true
        wait "$pid" || wait "$pid" || sleep 0.02
    done 2>/dev/null
}

start_writers() {
    local number
    rm -f "$work"/writer*.out
    for number in 1 2 3; do
        writer "$number" &
        pids+=($!)
    done
}

# beside_writers KIND COMMAND...: runs the command, whose output has to be empty, on a new extension beside the writers.
beside_writers() {
    local kind=$1 position status=0 output
    query -c "DROP EXTENSION IF EXISTS terra_identity" -c "CREATE EXTENSION terra_identity" \
        -c "INSERT INTO terra_identity.environments (dev_id, account_policy)
            VALUES ('keep', 'keep'), ('replace', 'replace')" \
        -c "SELECT terra_identity.set_signing_secret('secret', NULL, 'signed')" >"$work/create.out"
    position=$(log_size)
    start_writers
    sleep 0.3
    output=$("${@:2}" 2>&1) || status=$?
    finish_background
    awk -v kind="$kind" '/^number of transactions actually processed/ { done += $6 } /aborted in command/ { ++failed }
        END { print "# " kind ": " done + failed " transactions of the writers, " failed + 0 " failed" }' \
        "$work"/writer*.out
    check "$kind: no statement fails" "$(errors_since "$position")"
    check "$kind: it runs to its end, and every writer writes" "$( ((status == 0)) || echo "status $status"
        grep -vE '^$|ERROR|LOCATION' <<<"$output"
        grep -L '^number of transactions actually processed: [1-9]' "$work"/writer*.out)"
    check_state "$kind"
}

# check_state KIND
check_state() {
    check "$1: the state is what the ledger says" "$(query -c "
        SELECT e.dev_id, v.* FROM (VALUES ('keep'), ('replace'), ('signed')) e (dev_id),
            terra_identity.verify(e.dev_id) v")"
    check "$1: every index is whole" "$(query -c "SET client_min_messages = error" -c "
        SELECT 'is not valid', indexrelid::regclass FROM pg_index WHERE NOT indisvalid
        UNION ALL SELECT bt_index_check(i.indexrelid, true)::text, NULL FROM pg_index i
            JOIN pg_class c ON c.oid = i.indrelid
        WHERE c.relnamespace = 'terra_identity'::regnamespace AND i.indisvalid" | grep -vx '|')"
    check "$1: one active connection in every slot, and every delivery once" "$(query <<'SQL'
SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;
SELECT dev_id, provider, provider_user_id,
       CASE WHEN dev_id <> 'replace' OR provider = 'APPLE' THEN reference_id END, array_agg(user_id)
FROM terra_identity.connections WHERE status = 'active' AND provider_user_id IS NOT NULL
GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
UNION ALL
SELECT dev_id, provider, 'reference slot', reference_id, array_agg(user_id)
FROM terra_identity.connections WHERE status = 'active' AND provider = 'APPLE' GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
UNION ALL
SELECT dev_id, 'connection', user_id, NULL, NULL FROM terra_identity.connections GROUP BY 1, 3 HAVING count(*) > 1
UNION ALL
SELECT dev_id, 'event', trace_id, NULL, NULL FROM terra_identity.events WHERE trace_id IS NOT NULL
    GROUP BY 1, 3, payload HAVING count(*) > 1;
SQL
)"
}

# in_turn COLUMNS FROM...: runs the commands that the columns of one row after another make, as many rows as there are
# cycles. t is a table of the extension, i an index.
in_turn() {
    psql -qAt <<SQL
SELECT $1 FROM (SELECT *, row_number() OVER () - 1 AS place, count(*) OVER () AS all FROM ($2) s) s
JOIN generate_series(0, ${CYCLES:-$3} - 1) cycle ON cycle % s.all = place ORDER BY cycle \gexec
SQL
}

tables="SELECT c.oid::regclass::text AS t, i.indexrelid::regclass::text AS key,
               (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = i.indkey[0]) AS first
        FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
        WHERE c.relnamespace = 'terra_identity'::regnamespace ORDER BY 1"
indexes="SELECT i.indexrelid::regclass::text AS i FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         WHERE c.relnamespace = 'terra_identity'::regnamespace ORDER BY c.relname = 'connections' DESC, 1"

# The index that every event is looked up by is exchanged as often as all others together.
reindex() {
    in_turn "'REINDEX INDEX CONCURRENTLY ' || i,
             'REINDEX INDEX CONCURRENTLY terra_identity.connections_key'" "$indexes" 60
}

vacuum() {
    in_turn "'VACUUM (FULL) ' || t, 'SELECT pg_sleep(0.01)'" "$tables" 66
}

cluster() {
    in_turn "format('CLUSTER %s USING %s', t, split_part(key, '.', 2)), 'SELECT pg_sleep(0.01)'" "$tables" 66
}

create_index() {
    in_turn "format('CREATE INDEX CONCURRENTLY of_owner ON %s (%I)', t, first),
             format('CREATE INDEX CONCURRENTLY of_owner_too ON %s (upper(%I::text))', t, first),
             'DROP INDEX CONCURRENTLY terra_identity.of_owner',
             'DROP INDEX CONCURRENTLY terra_identity.of_owner_too'" "$tables" 22
}

# Tables in one round, their indexes alone in the next.
repack() {
    local table i
    local -a all how
    mapfile -t all < <(query -c "SELECT t FROM ($tables) t")
    for ((i = 0; i < ${CYCLES:-11}; ++i)); do
        table=${all[i % ${#all[@]}]}
        how=()
        ((i / ${#all[@]} % 2 == 0)) || how=(--only-indexes)
        PGAPPNAME=pg_repack "$PRIVATE_BINDIR/pg_repack" -d "$PGDATABASE" --no-kill-backend --elevel=WARNING \
            "${how[@]}" --table="$table" || return
    done
}

# Columns of every kind that an owner may add.
add_columns="format('ALTER TABLE %s ADD of_owner text, ADD constant int DEFAULT 7,
                     ADD required text NOT NULL DEFAULT ''yes'', ADD uuid uuid DEFAULT gen_random_uuid(),
                     ADD at timestamptz DEFAULT clock_timestamp(),
                     ADD generated text GENERATED ALWAYS AS (''of '' || %I) STORED', t, first)"
wrong_columns="format('SELECT %1\$L, min(t::text) FROM %1\$s t WHERE of_owner IS NOT NULL OR constant IS DISTINCT FROM 7
                           OR required <> ''yes'' OR at IS NULL OR generated IS DISTINCT FROM ''of '' || %2\$I
                       HAVING count(*) > 0
                       UNION ALL SELECT %1\$L, ''uuid'' FROM %1\$s HAVING count(*) > count(DISTINCT uuid)', t, first)"
drop_columns="format('ALTER TABLE %s DROP of_owner, DROP constant, DROP required, DROP uuid, DROP at,
                      DROP generated', t)"

columns() {
    in_turn "$add_columns, 'SELECT pg_sleep(0.1)', $wrong_columns, $drop_columns, 'SELECT pg_sleep(0.05)'" "$tables" 22
}

# The owner writes into a column of its own, one row at a time, and what it has written stays.
owner_values() {
    psql -q -c "ALTER TABLE terra_identity.connections ADD of_owner text" -c "CREATE TABLE written (user_id text)"
    in_turn "'WITH newest AS (SELECT dev_id, user_id FROM terra_identity.connections
                              ORDER BY connection_id DESC LIMIT 1 OFFSET trunc(random() * 20)),
                   changed AS (UPDATE terra_identity.connections c SET of_owner = ''of '' || c.user_id FROM newest n
                               WHERE c.dev_id = n.dev_id AND c.user_id = n.user_id RETURNING c.user_id)
              INSERT INTO written SELECT user_id FROM changed', 'SELECT pg_sleep(0.005)'" "SELECT 1" 400
    psql -qAt -c "SELECT DISTINCT user_id, c.of_owner FROM written JOIN terra_identity.connections c USING (user_id)
                  WHERE c.of_owner IS DISTINCT FROM 'of ' || user_id"
}

# Deliveries and settings that write into every table of the extension.
cat >"$work/round.sql" <<'SQL'
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES (:'round', 'keep');
INSERT INTO terra_identity.providers (provider, sdk, account_ids) VALUES (upper(:'round'), false, 'unique');
SELECT terra_identity.set_signing_secret(:'round' || ' secret', NULL, :'round') \g /dev/null
INSERT INTO terra_identity.events (dev_id, payload, headers)
SELECT 'keep', delivery(:'round', k), jsonb_build_object('X-Terra-Trace-Id', k || :'round')
    FROM generate_series(0, 59) k;
SELECT http_status FROM delivery(:'round', 0) d, terra_identity.ingest(d::text, signed(d::text), 'signed')
    WHERE http_status <> 200;
SELECT http_status FROM terra_identity.ingest('no json ' || :'round', NULL, 'keep') WHERE http_status <> 400;
SELECT http_status FROM terra_identity.ingest('{}'::text, NULL, :'round') WHERE http_status <> 401;
SQL

# One session all along. What it prints is wrong.
owner_columns() {
    local position
    position=$(log_size)
    check "columns of the owner's have their defaults, and keep what the owner wrote" "$(psql -qAt 2>&1 <<SQL
DROP EXTENSION IF EXISTS terra_identity;
CREATE EXTENSION terra_identity;
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('keep', 'keep');
SELECT terra_identity.set_signing_secret('secret', NULL, 'signed') \g /dev/null
\set round one
\i $work/round.sql
SELECT $add_columns FROM ($tables) t \gexec
\set round two
\i $work/round.sql
SELECT $wrong_columns FROM ($tables) t \gexec
UPDATE terra_identity.connections SET of_owner = 'of ' || user_id, constant = connection_id;
CREATE TEMP TABLE before AS SELECT dev_id, user_id, of_owner, constant, uuid, at FROM terra_identity.connections;
INSERT INTO terra_identity.events (dev_id, payload)
SELECT 'keep', delivery(place, k) FROM generate_series(0, 59) k, unnest('{one,two}'::text[]) place;
UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'keep';
UPDATE terra_identity.connections SET status = 'failed' WHERE dev_id = 'keep';
SELECT 'rebuilt', r FROM terra_identity.rebuild('keep') r WHERE r = 0;
SELECT 'changed', b.*, c.of_owner, c.constant, c.uuid, c.at FROM before
    b LEFT JOIN terra_identity.connections c USING (dev_id, user_id)
WHERE (c.of_owner, c.constant, c.uuid, c.at) IS DISTINCT FROM (b.of_owner, b.constant, b.uuid, b.at);
SELECT 'verify', v.* FROM terra_identity.verify('keep') v;
SELECT $drop_columns FROM ($tables) t \gexec
\set round three
\i $work/round.sql
SELECT 'verify', v.* FROM terra_identity.verify('keep') v;
SELECT 'no lineage' WHERE NOT EXISTS (SELECT FROM terra_identity.lineage('uone.1', 'keep'));
SQL
)"
    check "lineage() works while connections has a column of the owner's" "$(query \
        -c "ALTER TABLE terra_identity.connections ADD of_owner text" \
        -c "SELECT 'none' WHERE NOT EXISTS (SELECT FROM terra_identity.lineage('uone.1', 'keep'))")"
    check "columns of the owner's bring no error" "$(errors_since "$position")"
}

cat >"$work/prepare.sql" <<'SQL'
PREPARE deliver AS INSERT INTO terra_identity.events (payload, headers) SELECT payload, headers
    FROM deliveries('session', $1, $2);
PREPARE connect (text) AS INSERT INTO terra_identity.events (payload) VALUES (lone('auth', $1));
PREPARE ingest AS SELECT i.http_status FROM deliveries('session', $1, 1) d,
    terra_identity.ingest(d.payload::text, d.headers) i;
PREPARE resolve AS SELECT terra_identity.resolve($1);
PREPARE view AS SELECT user_id, degraded FROM terra_identity.current_connections WHERE user_id = $1;
PREPARE stale AS SELECT count(*) >= 0 FROM terra_identity.stale_events;
PREPARE verify AS SELECT count(*) FROM terra_identity.verify();
PREPARE rebuild AS SELECT terra_identity.rebuild();
SQL
cat >"$work/use.sql" <<'SQL'
EXECUTE deliver((random() * 59)::int, 1);
EXECUTE deliver((random() * 59)::int, 5);
EXECUTE ingest((random() * 59)::int);
EXECUTE connect('somebody');
EXECUTE resolve('somebody');
EXECUTE view('somebody');
EXECUTE deliver((random() * 59)::int, 1);
EXECUTE stale;
EXECUTE verify;
EXECUTE rebuild;
SQL
cat >"$work/last.sql" <<'SQL'
\warn last
EXECUTE deliver(0, 5);
EXECUTE connect(:'name');
EXECUTE ingest(7);
EXECUTE resolve(:'name');
EXECUTE view(:'name');
EXECUTE stale;
EXECUTE verify;
EXECUTE rebuild;
SQL

# session NUMBER: uses the extension, whether it is there or not, until there is a file stop, which alone ends it.
session() {
    trap '' TERM
    {
        cat "$work/prepare.sql"
        echo "\\! touch $work/prepared$1"
        until [[ -e $work/stop ]]; do
            cat "$work/use.sql"
        done
        cat "$work/last.sql"
    } | psql -qAt -v name="session $1" >"$work/session$1.out" 2>&1
}

drop_extension() {
    local allowed=' (42P01|3F000|42883|0A000|40P01|55P03): ' position number pid started=$SECONDS
    query -c "DROP EXTENSION IF EXISTS terra_identity" -c "CREATE EXTENSION terra_identity"
    position=$(log_size)
    for number in 1 2 3; do
        session "$number" &
        pids+=($!)
    done
    until [[ -e $work/prepared1 && -e $work/prepared2 && -e $work/prepared3 ]] || ((SECONDS - started > 30)); do
        sleep 0.05
    done
    in_turn "'DROP EXTENSION IF EXISTS terra_identity', 'SELECT pg_sleep(random() * 0.05)',
             'CREATE EXTENSION IF NOT EXISTS terra_identity',
             'SELECT pg_sleep(random() * 0.2)'" "SELECT 1" 12 >"$work/drop.out" 2>&1
    query -c "CREATE EXTENSION IF NOT EXISTS terra_identity"
    touch "$work/stop"
    for pid in "${pids[@]}"; do
        wait "$pid" || echo "# a session ended with status $?"
    done
    pids=()
    rm "$work/stop"
    echo "# drop_extension: $(cat "$work"/session*.out | grep -c '') lines of the sessions; allowed errors among them:"
    errors_since "$position" | grep -E "$allowed" | sed 's/^/# /' || true
    check "drop_extension: ordinary errors only" "$(errors_since "$position" | grep -vE "$allowed")"
    for number in 1 2 3; do
        check "drop_extension: session $number works again" "$(
            diff - <(sed '1,/^last$/d' "$work/session$number.out") <<END
200
session $number
session $number|f
t
0
0
END
)"
    done
}
for kind in $kinds; do
    started=$SECONDS
    case $kind in
    owner_columns | drop_extension) "$kind" ;;
    repack)
        if [[ -x $PRIVATE_BINDIR/pg_repack && -z $(query -c "CREATE EXTENSION pg_repack") ]]; then
            beside_writers repack repack
        else
            skip repack "it is not installed for this version of the server"
        fi
        ;;
    *) beside_writers "$kind" "$kind" ;;
    esac
    echo "# $kind: $((SECONDS - started)) s"
done
finish
