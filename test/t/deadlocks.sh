#!/usr/bin/env bash
# Single statements, each a transaction of its own at READ COMMITTED, never deadlock and never fail, whatever single
# statements run beside them. Eight sessions run statements of every kind over few, overlapping identities and trace
# ids, in several environments, each in an order by chance: INSERTs of one row, of some, of hundreds and of more than
# 10,000; COPY; ingest() of one body and of many, signed and unsigned, of bodies that are no JSON, and replay_rejected()
# of those that were mended; edits of the rules, of secrets and of accepted duplicates; workers that disconnect
# duplicates; rebuild() and verify(). Then some of these kinds run by
# themselves, for in the mix it is rare that two of them meet.
# There must be no error of any kind in the server's log. Afterwards the state must be what the ledger says, and the
# ledger what the statements said that they had stored.
#
# SEED=N for other statements (which interleavings come about is chance), DURATION=N for other seconds of the mix; the
# pairs take a sixth of it each.
set -euo pipefail

seed=${SEED:-20260301}
duration=${DURATION:-12}
echo "# seed $seed, $duration s"

# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
pids=()
export PSQLRC=/dev/null PGAPPNAME=deadlocks
# Verbose messages have their SQLSTATE in the server's log. The DETAIL of a deadlock shows the statements.
options='-c log_error_verbosity=verbose -c log_min_error_statement=panic'
options+=' -c client_min_messages=warning -c deadlock_timeout=10ms'
export PGOPTIONS="$options -c statement_timeout=30s"

finish_background() {
    if ((${#pids[@]})); then
        kill -TERM "${pids[@]}" 2>/dev/null || true
        wait "${pids[@]}" 2>/dev/null || true
    fi
    pids=()
}
# The questions at the end may take longer than a statement of the storm.
query() {
    PGOPTIONS=$options psql -qAt -v ON_ERROR_STOP=1 "$@" 2>&1 || true
}

# Part of errors_since: every error with the lines that belong to it in one line, split by \v.
# shellcheck disable=SC2016
whole_errors='
    function flush() { if (error != "") print error; error = "" }
    /terminated by signal/ { flush(); print "crash: " $0 }
    /^[^\t]/ {
        if (index($0, session) && match($0, /(ERROR|FATAL|PANIC):  /)) {
            flush()
            error = substr($0, RSTART + RLENGTH)
            next
        }
        if (!index($0, session) || !match($0, /(DETAIL|CONTEXT):  /)) { flush(); next }
        $0 = substr($0, RSTART)
    }
    error != "" { error = error "\v" $0 }
    END { flush() }'

# errors_since POSITION: the errors of this test in the server's log: how many of each SQLSTATE, which kinds of
# statements block each other and how often, and one deadlock of each such set in full.
errors_since() {
    tail -c +$(($1 + 1)) "$SERVER_LOG" | awk -v session="] $PGDATABASE $PGAPPNAME " "$whole_errors" >"$work/errors"
    sed -E 's/\v.*//; s/([ _"])[0-9]+/\1N/g' "$work/errors" | sort | uniq -c | sort -rn
    # Every statement begins with a comment that names its kind.
    awk -F '\v' '/^40P01/ {
            for (i = 2; i <= NF; ++i)
                if (match($i, /Process [0-9]+: /)) {
                    kind = substr($i, RSTART + RLENGTH)
                    print NR "\t" (match(kind, /^\/\* [^*]* \*\//) ? substr(kind, 4, RLENGTH - 6) : substr(kind, 1, 60))
                }
        }' "$work/errors" | sort -t $'\t' -k 1,1n -k 2 | awk -F '\t' '
        { kinds[$1] = kinds[$1] " | " $2 }
        END { for (number in kinds) print "   deadlock of: " substr(kinds[number], 4) }' |
        sort | uniq -c | sort -rn | head -n 40
    grep '^40P01' "$work/errors" | head -n 2 | tr '\v' '\n' || true
}

psql -q -v ON_ERROR_STOP=1 <<'SQL'
CREATE EXTENSION terra_identity;
CREATE EXTENSION pgcrypto;
INSERT INTO terra_identity.environments (dev_id, account_policy, on_duplicate)
VALUES ('a', 'keep', 'disconnect_older'), ('b', 'replace', 'report'), ('c', 'keep', 'disconnect_newer');
SELECT terra_identity.set_signing_secret('secret', NULL, 'signed') \g /dev/null
CREATE SEQUENCE ticket INCREMENT BY 4;
CREATE SEQUENCE large;

-- What was said: the arguments of deliveries() that went into an INSERT or COPY, what ingest() answered, and what
-- replay_rejected() did.
CREATE TABLE inserted (place bigint, seed bigint, n int, scope int);
CREATE TABLE inserted_large (place bigint, seed bigint, number int);
CREATE TABLE answers (answers jsonb);
CREATE TABLE replayed (rows jsonb);

-- A number from 0 to n - 1: the same for the same seed and purpose.
CREATE FUNCTION pick(seed bigint, purpose text, n int) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN (hashtextextended(purpose, seed) & 2147483647) % n;

CREATE FUNCTION person(place bigint, number int) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN jsonb_build_object('user_id', 'u' || place || '.' || number, 'provider',
                              (ARRAY['GARMIN', 'OURA', 'APPLE'])[1 + number % 3],
                              'reference_id', 'person ' || place / 2 || '.' || number % 2);

-- One of the 72 deliveries about the twelve connections of a place; two places share their accounts.
CREATE FUNCTION delivery(place bigint, k int) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN CASE k / 12
        WHEN 0 THEN jsonb_build_object('type', 'auth', 'status', 'success', 'user', person(place, k % 12))
        WHEN 1 THEN jsonb_build_object('type', 'athlete', 'user', person(place, k % 12),
                                       'athlete', jsonb_build_object('provider_user_id',
                                           'account ' || place / 2 || '.' || k % 12 / 6))
        WHEN 2 THEN jsonb_build_object('type', 'user_reauth', 'old_user', person(place, k % 12), 'new_user',
                                       person(place, (k + 6) % 12))
        WHEN 3 THEN jsonb_build_object('type', 'deauth', 'user', person(place, k % 12))
        WHEN 4 THEN jsonb_build_object('type', 'permission_change', 'user', person(place, k % 12))
        ELSE jsonb_build_object('type', 'daily', 'user', person(place, k % 12)) END;

-- Most have a trace id, which follows from the payload.
CREATE FUNCTION trace_of(place bigint, k int) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN k % 6 < 5 THEN place || ':' || k END;

-- Deliveries about a place and, if they are many, about the next ones, in an order by chance. They are of the
-- environment that the scope is, of those that its digits are if it is more than 9, of any if it is -1. 4 is the
-- default one, from which a header may lead elsewhere. Seldom one has another payload under the same trace id.
CREATE FUNCTION deliveries(place bigint, seed bigint, n int, scope int)
    RETURNS TABLE (dev_id text, payload jsonb, headers jsonb) LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT (ARRAY['a', 'b', 'c', 'signed'])[1 + d.environment],
           delivery(d.at, d.k) || CASE WHEN pick(seed, i || 'variant', 20) = 0 THEN '{"more": 1}'::jsonb ELSE '{}' END,
           jsonb_strip_nulls(jsonb_build_object(
               'X-Terra-Trace-Id', trace_of(d.at, d.k),
               'dev-id', CASE WHEN d.environment = 4
                              THEN (ARRAY[NULL, 'ours', 'a', 'made-' || place / 50])[1 + pick(seed, i || 'header', 4)]
                         END))
    FROM generate_series(1, n) i,
         LATERAL (SELECT CASE WHEN scope > 9
                              THEN substr(scope::text, 1 + pick(seed, i || 'environment', length(scope::text)), 1)::int
                              WHEN scope >= 0 THEN scope
                              ELSE pick(seed, i || 'environment', 5) END AS environment,
                         place + pick(seed, i || 'place', 1 + n / 60) AS at, pick(seed, i || 'k', 72) AS k OFFSET 0) d
    ORDER BY pick(seed, i || 'order', 1000000);
END;

-- 11,520 deliveries of four environments, which other statements of the same number have too, among some that all
-- others have.
CREATE FUNCTION large_deliveries(place bigint, seed bigint, number int)
    RETURNS TABLE (dev_id text, payload jsonb, headers jsonb) LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT d.dev_id, d.payload, d.headers FROM (
        SELECT (ARRAY['a', 'b', 'c', 'signed'])[1 + i / 72 % 4] AS dev_id, delivery(at, i % 72) AS payload,
               jsonb_strip_nulls(jsonb_build_object('X-Terra-Trace-Id', trace_of(at, i % 72))) AS headers,
               pick(seed, i::text, 1000000) AS chance
        FROM generate_series(0, 11519) i, LATERAL (SELECT 1000000 + number * 40 + i / 288 AS at OFFSET 0) p
        UNION ALL
        SELECT s.dev_id, s.payload, s.headers, pick(seed, s.payload::text, 1000000)
            FROM deliveries(place, seed, 500, -1) s) d
    ORDER BY d.chance;
END;

CREATE FUNCTION signature(body text, secret text) RETURNS jsonb LANGUAGE sql
    RETURN (SELECT jsonb_build_object('X-Terra-Signature',
                                      format('t=%s,v1=%s', t, encode(hmac(t || '.' || body, secret, 'sha256'), 'hex')))
            FROM (SELECT extract(epoch FROM now())::bigint AS t) n);

-- The headers that a body is sent with; where signatures are asked for, one in fifteen has a bad one.
CREATE FUNCTION headers_for(body text, headers jsonb, dev_id text) RETURNS jsonb LANGUAGE sql
    RETURN CASE WHEN dev_id = 'signed'
                THEN headers || signature(body, CASE WHEN pick(1, body, 15) > 0 THEN 'secret' ELSE 'another' END)
                    ELSE headers END;

-- One of the deliveries of batches that have the same trace ids. Those of even rounds are of three environments and
-- bring news.
CREATE FUNCTION batch(round int, direction int) RETURNS TABLE (dev_id text, payload jsonb, headers jsonb)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN round % 2 = 1 THEN 'a' ELSE (ARRAY['a', 'b', 'c'])[1 + i % 3] END,
           jsonb_build_object('type', CASE WHEN round % 2 = 1 THEN 'daily' ELSE 'auth' END, 'status', 'success',
                              'number', i, 'user',
                              jsonb_build_object('user_id', 'batch ' || round * (1 + i % 8000 * (1 - round % 2)),
                                                 'provider', 'GARMIN')),
           jsonb_build_object('X-Terra-Trace-Id', 'batch ' || round || ':' || i)
    FROM generate_series(1, 20000) i ORDER BY i * direction;
END;
SQL

# kind NAME: standard input is a script of pgbench, whose every statement is a transaction of its own.
# The place that it is the turn of moves on, so that there is always something new to say.
prelude='\set r random(1, 1000000000)
\set scope random(-1, 4)
SELECT nextval('\''ticket'\'') / 160 AS place \gset'
# After what others wait for long: so that they get on.
pause='\set pause random(50, 300)
\sleep :pause ms'
kind() {
    { echo "$prelude" && cat; } >"$work/$1.sql"
}

insert='INSERT INTO terra_identity.events (dev_id, payload, headers) SELECT * FROM deliveries'
# Some, none and all of them in one environment.
inserts() {
    kind "$1" <<<"\\set n random($2, $3)
\\set scope $4
/* $1 */ $insert(:place, :r, :n, :scope);
INSERT INTO inserted VALUES (:place, :r, :n, :scope);"
}
inserts insert_one 1 1 'random(-1, 3)'
inserts insert_by_header 1 1 4
inserts insert_some 2 20 'random(-1, 4)'
inserts insert_some_of_several 2 20 -1
inserts insert_bulk 150 400 'random(0, 4)'
inserts insert_bulk_of_several 150 400 -1
kind insert_large <<<"SELECT nextval('large') / 2 AS number \\gset
/* insert_large */ INSERT INTO terra_identity.events (dev_id, payload, headers)
    SELECT * FROM large_deliveries(:place, :r, :number);
INSERT INTO inserted_large VALUES (:place, :r, :number);
$pause"

# In a session that is not -M prepared, for COPY takes no parameters.
kind copy <<<"\\set n random(1, 300)
COPY (SELECT * FROM deliveries(:place, :r, :n, -1)) TO '$work/copied.:session';
/* copy */ COPY terra_identity.events (dev_id, payload, headers) FROM '$work/copied.:session';
INSERT INTO inserted VALUES (:place, :r, :n, -1);"

# ingests NAME MIN MAX SCOPE BODY: what is asked for is remembered with the answer.
ingests() {
    kind "$1" <<<"\\set n random($2, $3)
\\set scope $4
/* $1 */ SELECT coalesce(jsonb_agg(to_jsonb(i) || jsonb_build_object('payload', d.payload, 'trace_id',
    d.headers ->> 'X-Terra-Trace-Id')), '[]') AS answers
FROM (SELECT *, $5 AS body FROM deliveries(:place, :r, :n, :scope)) d,
     LATERAL terra_identity.ingest(d.body, headers_for(d.body, d.headers, d.dev_id), d.dev_id) i \\gset
INSERT INTO answers VALUES (:answers);"
}
ingests ingest_one 1 1 'random(-1, 4)' payload::text
ingests ingest_one_signed 1 1 3 payload::text
ingests ingest_many 2 50 'random(-1, 4)' payload::text
ingests ingest_many_signed 2 50 3 payload::text
ingests ingest_no_json 1 1 'random(-1, 4)' "'no json ' || payload::text"
ingests ingest_many_no_json 2 40 -1 "'no json ' || payload::text"
ingests ingest_some_no_json 2 10 -1 "CASE WHEN payload::text LIKE '%a%1%' THEN 'no json ' ELSE '' END || payload::text"
kind ingest_unsigned_where_signed <<<"/* ingest_unsigned_where_signed */
    SELECT terra_identity.ingest('{}'::text, NULL, 'signed');"

# The first :sessions sessions mend different rows, for nobody gives two UPDATEs of the same rows an order. The white
# space at the end is the number of the row, so that no two rows of one trace id come to be the same.
mend="/* mend */ UPDATE terra_identity.rejected r
SET body = substr(r.body, 9) || convert_to(translate(r.rejected_id::bit(24)::text, '01', E' \\t'), 'UTF8')
WHERE r.dev_id = :environment AND r.rejected_id % :sessions = :session AND substr(r.body, 1, 8) = 'no json '::bytea;"
kind replay <<<"SELECT CASE WHEN :scope::int < 0 THEN 'made-' || :place::bigint / 50
            ELSE (ARRAY['a', 'b', 'c', 'signed', 'default'])[:scope::int + 1] END AS environment \\gset
$mend
/* replay */ SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]') AS rows
    FROM terra_identity.replay_rejected(:environment) p \\gset
INSERT INTO replayed VALUES (:rows);"

policy="account_policy = (ARRAY['keep', 'keep', 'replace'])[1 + :r::bigint % 3],
    on_duplicate = (ARRAY['disconnect_older', 'disconnect_newer', 'report'])[1 + :r::bigint / 3 % 3]"
# Others insert the same ones, and deliveries make those called made-N.
kind environments <<<"/* new_environment */ INSERT INTO terra_identity.environments (dev_id, account_policy)
SELECT name || '-' || :place::bigint / 50, 'keep' FROM unnest('{extra,made}'::text[]) name WHERE pick(:r, name, 3) > 0
    ORDER BY pick(:r, name, 9);
/* policy_of_one */ UPDATE terra_identity.environments SET $policy
    WHERE dev_id = (ARRAY['a', 'b', 'c', 'signed', 'default'])[1 + abs(:scope::int)];
/* policy_of_all */ UPDATE terra_identity.environments SET $policy;
/* drop_environment */ DELETE FROM terra_identity.environments
WHERE dev_id IN ('extra-' || :place::bigint / 50, 'made-' || (:place::bigint / 50 - :r::bigint % 2),
                 CASE WHEN :r::bigint % 3 = 0 THEN 'default' END);
$pause"
kind providers <<<"/* new_provider */ INSERT INTO terra_identity.providers (provider, sdk, account_ids)
SELECT p, pick(:r, p, 2) = 0, 'unique' FROM
    (SELECT 'P' || (:place::bigint / 50 + i) AS p FROM generate_series(0, 1) i) n ORDER BY pick(:r, p, 9);
/* provider_of_one */ UPDATE terra_identity.providers SET sdk = :r::bigint % 2 = 0 WHERE provider = 'APPLE';
/* provider_by_insert */ INSERT INTO terra_identity.providers (provider, sdk, account_ids)
VALUES ('OURA', false, (ARRAY['unique', 'unusable'])[1 + :r::bigint % 2]);
/* provider_of_all */ UPDATE terra_identity.providers
    SET account_ids = (ARRAY['unique', 'unusable'])[1 + :r::bigint % 2];
/* drop_provider */ DELETE FROM terra_identity.providers
    WHERE provider IN ('P' || :place::bigint / 50, CASE WHEN :r::bigint % 3 = 0 THEN 'OURA' END);
$pause"
# Of what there is a worker confirms some, fails some and forgets some; one confirms several at once.
kind disconnects <<<"SELECT (ARRAY['a', 'c', 'b'])[1 + :r::bigint % 3] AS environment \\gset
/* take */ SELECT coalesce(max(d.disconnect_id), 0) AS id
    FROM terra_identity.take_disconnects(3, '1 second', :environment) d \\gset
/* confirm_or_fail */ SELECT CASE :r::bigint % 4
    WHEN 0 THEN terra_identity.confirm_disconnect(d.disconnect_id, d.dev_id)::text
    WHEN 1 THEN terra_identity.fail_disconnect(d.disconnect_id, 'failed', d.dev_id)::text END
    FROM terra_identity.disconnects d WHERE d.dev_id = :environment AND d.disconnect_id = :id;
/* confirm_several */ SELECT terra_identity.confirm_disconnect(d.disconnect_id, d.dev_id)
    FROM (SELECT r.disconnect_id, r.dev_id FROM terra_identity.disconnects r
          WHERE r.state = 'taken' ORDER BY pick(:r, r.disconnect_id::text, 1000) LIMIT 3) d;
\\sleep 10 ms"
# Rows in one order, for nobody gives two INSERTs of the same keys another.
kind accept <<<"/* accept */ INSERT INTO terra_identity.accepted_duplicates (dev_id, provider, provider_user_id)
    SELECT (ARRAY['a', 'c'])[1 + :r::bigint % 2], p, 'account ' || (:place::bigint / 2 + i) || '.' || :r::bigint % 2
    FROM generate_series(0, 2) i, unnest('{GARMIN,OURA}'::text[]) p ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING;
/* withdraw */ DELETE FROM terra_identity.accepted_duplicates WHERE (dev_id, provider, provider_user_id)
    = ((ARRAY['a', 'c'])[1 + :r::bigint % 2], 'OURA', 'account ' || :place::bigint / 2 || '.' || :r::bigint % 2);
\\sleep 20 ms"
kind secrets <<<"/* set_secret */ SELECT terra_identity.set_signing_secret('secret ' || :r::bigint % 3, NULL,
    'throwaway');
/* drop_secret */ SELECT terra_identity.drop_signing_secret(
    (SELECT min(s.secret_id) FROM terra_identity.signing_secrets s WHERE s.dev_id = 'throwaway'), 'throwaway');"
kind rebuild <<<"/* rebuild_one */ SELECT terra_identity.rebuild(
    (ARRAY['a', 'b', 'c', 'signed', 'default'])[1 + abs(:scope::int)]);
/* rebuild_several */ SELECT terra_identity.rebuild(e) FROM
(SELECT e FROM unnest(ARRAY['a', 'default', 'made-' || :place::bigint / 50, 'signed']) e ORDER BY pick(:r, e, 1000)) e;
/* verify */ SELECT count(*) FROM terra_identity.verify(
    (ARRAY['a', 'b', 'c', 'signed', 'default'])[1 + abs(:scope::int)]);
$pause"

# Of nobody: it takes every lock all the same, and then every delivery is asked whether it is of her.
kind forget <<<"/* forget */ SELECT count(*) FROM terra_identity.forget('nobody ' || :r::bigint % 3,
    (ARRAY['a', 'b', 'c', 'signed', 'default'])[1 + abs(:scope::int)]);
/* remember */ SELECT terra_identity.remember('nobody ' || :r::bigint % 3,
    (ARRAY['a', 'b', 'c', 'signed', 'default'])[1 + abs(:scope::int)]);
$pause"

# session PART NUMBER SECONDS PGBENCH_OPTION...: one session runs statements for that long. pgbench goes on after a
# deadlock, but ends with any other error: then the next one goes on.
session() {
    local part=$1 number=$2 end=$((SECONDS + $3)) attempt=0 pid=
    shift 3
    trap 'kill -TERM $pid 2>/dev/null || true; exit 0' TERM
    while ((SECONDS < end)); do
        attempt=$((attempt + 1))
        pgbench -n -T $((end - SECONDS)) --random-seed=$((seed + 100 * attempt + number)) \
            -D session="$number" -D sessions="$sessions" "$@" \
            >>"$work/$part.$number.out" 2>>"$work/$part.$number.err" &
        pid=$!
        wait "$pid" || sleep 0.02
    done
}

# start PART NUMBER SECONDS KIND[@WEIGHT]...: a session in the background.
start() {
    local part=$1 number=$2 seconds=$3 kind files=()
    shift 3
    for kind; do
        files+=(-f "$work/${kind/@/.sql@}")
    done
    [[ ${files[*]} == *copy* ]] || files=(-M prepared "${files[@]}")
    session "$part" "$number" "$seconds" "${files[@]}" &
    pids+=($!)
}

await_sessions() {
    local pid
    for pid in "${pids[@]}"; do
        wait "$pid" || true
    done
    pids=()
}

# ran PART: how many transactions of each kind ran and failed, as `KIND RAN FAILED`.
ran() {
    sed -E 's/[,:(]/ /g' "$work/$1".*.out | awk '
        function name(path) { sub(/.*\//, "", path); sub(/\.sql$/, "", path); return path }
        /^transaction type/ { alone = $0 ~ /multiple/ ? "" : name($NF) }
        /^number of transactions actually processed/ && alone { ran[alone] += $6 }
        /^number of failed transactions/ && alone { failed[alone] += $5 }
        /^SQL script/ { kind = name($NF); alone = "" }
        /^ - [0-9]+ transactions/ { ran[kind] += $2 }
        /^ - number of failed transactions/ { failed[kind] += $6 }
        END { for (kind in ran) print kind, ran[kind] + 0, failed[kind] + 0 }' | sort
}

# finish_part PART NAME POSITION: waits for the sessions of a part, and checks what they did.
finish_part() {
    await_sessions
    ran "$1" >"$work/$1.ran"
    awk -v part="$1" '{
            print "# " part ": " $1 ": " $2 + $3 " transactions" ($3 ? ", " $3 " failed" : "")
            all += $2 + $3
            failed += $3
        }
        END { print "# " part ": " all " transactions in all, " failed + 0 " failed" }' "$work/$1.ran"
    check "$2: no statement fails" "$(errors_since "$3")"
    check "$2: every session ran to the end" "$(
        grep -LE '^number of transactions actually processed: [1-9]' "$work/$1".*.out
        grep -hE 'aborted|could not|FATAL' "$work/$1".*.err | sort | uniq -c)"
}

common=(insert_one@30 insert_by_header@12 insert_some@14 insert_some_of_several@14 insert_bulk@2
    insert_bulk_of_several@2 ingest_one@24 ingest_one_signed@12 ingest_many@8 ingest_many_signed@4 ingest_no_json@4
    ingest_many_no_json@2 ingest_some_no_json@2 ingest_unsigned_where_signed@2 replay@5 disconnects@6 accept@3)
rare=(insert_one@10 ingest_many@10 insert_bulk@4 insert_bulk_of_several@4 insert_large@2 replay@16 environments@3
    providers@3 secrets@6 rebuild@3 forget@3)

position=$(log_size)
sessions=7
for number in 0 1 2 3; do
    start mix "$number" "$duration" "${common[@]}"
done
for number in 4 5 6; do
    start mix "$number" "$duration" "${rare[@]}"
done
start mix 7 "$duration" copy@3 insert_one@2 insert_some@1
finish_part mix "all kinds beside each other" "$position"
check "every kind of statement ran" "$(for file in "$work"/*.sql; do
    name=$(basename "$file" .sql)
    grep -qE "^$name ([1-9]|0 [1-9])" "$work/mix.ran" || echo "$name did not"
done)"

# The place moves on more slowly, so that what is replayed is about the connections that the others are at.
pair_duration=$(((duration + 5) / 6))
query -c "ALTER SEQUENCE ticket INCREMENT BY 1"
sessions=4
position=$(log_size)
for number in 0 1 2 3; do
    start replay "$number" "$pair_duration" ingest_many_no_json@1 replay@1
    start replay "$((number + 4))" "$pair_duration" insert_one@1 ingest_one@1
done
finish_part replay "replay_rejected() beside single deliveries" "$position"
query -c "ALTER SEQUENCE ticket INCREMENT BY 4"

position=$(log_size)
for number in 0 1 2 3; do
    start many "$number" "$pair_duration" ingest_many@1 ingest_many_signed@1
    start many "$((number + 4))" "$pair_duration" insert_one@2 ingest_one@1 ingest_one_signed@1
done
finish_part many "ingest() of many beside single deliveries" "$position"

query -c "ALTER SEQUENCE ticket INCREMENT BY 1; DELETE FROM terra_identity.providers;
    UPDATE terra_identity.environments SET account_policy = 'keep', on_duplicate = 'disconnect_older'"
position=$(log_size)
for number in 0 1 2 3; do
    start workers "$number" "$pair_duration" disconnects@4 accept@1
    start workers "$((number + 4))" "$pair_duration" insert_one@4 insert_some@1 insert_some_of_several@1
done
finish_part workers "workers beside deliveries" "$position"

position=$(log_size)
for number in 0 1 2 3; do
    start forgets "$number" "$pair_duration" ingest_many@2 ingest_some_no_json@2 ingest_unsigned_where_signed@1
    start forgets "$((number + 4))" "$pair_duration" disconnects@2 accept@2 insert_one@4 ingest_one@2
done
start forgets 8 "$pair_duration" forget@1
start forgets 9 "$pair_duration" forget@1
finish_part forgets "forget() beside what it waits for" "$position"

position=$(log_size)
for round in 1 2 3 4 5; do
    for direction in 1 -1; do
        psql -q -c "/* batch */ INSERT INTO terra_identity.events (dev_id, payload, headers)
            SELECT * FROM batch($round, $direction)" \
            >>"$work/batches.out" 2>&1 &
        pids+=($!)
    done
    await_sessions
done
check "batches with the same trace ids in opposite order: no statement fails" "$(errors_since "$position")"
check "batches with the same trace ids in opposite order: every delivery is there once" "$(query <<'SQL'
SELECT round, count(e.*), count(DISTINCT e.trace_id) FROM generate_series(1, 5) round
LEFT JOIN terra_identity.events e ON e.trace_id LIKE 'batch ' || round || ':%'
GROUP BY 1 HAVING count(e.*) <> 20000 OR count(DISTINCT e.trace_id) <> 20000;
SQL
)"

query -c "ANALYZE"
query <<'SQL'
SELECT '# ' || dev_id || ': ' || count(*) || ' events' FROM terra_identity.events GROUP BY dev_id ORDER BY 1;
SELECT '# ' || (x ->> 'http_status') || ' ' || (x ->> 'outcome') || ': ' || count(*) || ' answers of ingest()'
FROM answers, jsonb_array_elements(answers) x GROUP BY x ->> 'http_status', x ->> 'outcome' ORDER BY 1;
SELECT '# ' || (x ->> 'outcome') || ': ' || count(*) || ' rows of replay_rejected()'
FROM replayed, jsonb_array_elements(rows) x GROUP BY x ->> 'outcome' ORDER BY 1;
SQL

check "the state is what the ledger says" "$(query <<'SQL'
SELECT e.dev_id, v.* FROM (SELECT dev_id FROM terra_identity.events UNION SELECT dev_id FROM terra_identity.connections
                           UNION SELECT dev_id FROM terra_identity.environments) e, terra_identity.verify(e.dev_id) v;
SQL
)"
query -c "CREATE TABLE open_before AS SELECT * FROM terra_identity.disconnects WHERE state IN ('queued', 'taken')"
query -c "SELECT '# ' || state || ': ' || count(*) || ' disconnects' FROM terra_identity.disconnects GROUP BY state"
check "rebuild changes nothing" "$(query -c "
    SELECT e.dev_id, r FROM (SELECT DISTINCT dev_id FROM terra_identity.events) e, terra_identity.rebuild(e.dev_id) r
        WHERE r <> 0")"

check "nor does it open or close a disconnect" "$(query -c "
    SELECT b, d FROM open_before b
    FULL JOIN (SELECT * FROM terra_identity.disconnects WHERE state IN ('queued', 'taken')) d USING (disconnect_id)
    WHERE b IS NULL OR d IS NULL")"

check "no two events have the same trace id and payload, and deliveries has them all" "$(wrong_deliveries)"
check "every signature names an event of its environment" "$(query <<'SQL'
SELECT s.* FROM terra_identity.signatures s LEFT JOIN terra_identity.events e USING (dev_id, event_id)
    WHERE e.event_id IS NULL;
SQL
)"

check "everything that was inserted or answered with 200 is there" "$(query <<'SQL'
CREATE TABLE said AS SELECT d.* FROM inserted i, deliveries(i.place, i.seed, i.n, i.scope) d
UNION ALL SELECT d.* FROM inserted_large i, large_deliveries(i.place, i.seed, i.number) d;
CREATE TABLE answered AS
SELECT (x ->> 'event_id')::bigint AS event_id, x ->> 'outcome' AS outcome, (x ->> 'http_status')::int AS http_status,
    x -> 'payload' AS payload,
       x ->> 'trace_id' AS trace_id
FROM answers, jsonb_array_elements(answers) x;
CREATE TABLE played AS SELECT (x ->> 'event_id')::bigint AS event_id, x ->> 'outcome' AS outcome
    FROM replayed, jsonb_array_elements(rows) x;
ANALYZE said, answered, played;

SELECT 'inserted', s.dev_id, s.payload, s.headers FROM said s
WHERE s.headers ? 'X-Terra-Trace-Id' AND NOT EXISTS (
    SELECT FROM terra_identity.events e WHERE e.trace_id = s.headers ->> 'X-Terra-Trace-Id' AND e.payload = s.payload
    AND (s.dev_id IS NULL OR e.dev_id = s.dev_id));
SELECT 'answered', a.* FROM answered a LEFT JOIN terra_identity.events e USING (event_id)
WHERE a.http_status = 200 AND (e.payload, coalesce(e.trace_id, ''))
    IS DISTINCT FROM (a.payload, coalesce(a.trace_id, ''));
SELECT 'replayed', p.* FROM played p LEFT JOIN terra_identity.events e USING (event_id)
WHERE p.outcome <> 'rejected' AND e.event_id IS NULL;
SELECT 'stored twice', event_id FROM (SELECT event_id, outcome FROM answered UNION ALL TABLE played) a
WHERE outcome = 'stored' GROUP BY event_id HAVING count(*) > 1;
SQL
)"
check "what has no trace id is there as often as it was inserted" "$(query <<'SQL'
SELECT * FROM (SELECT count(*) AS said FROM said WHERE NOT headers ? 'X-Terra-Trace-Id') s,
              (SELECT count(*) AS there FROM terra_identity.events e
               WHERE e.trace_id IS NULL AND e.entered_by IS NULL AND NOT EXISTS (
                   SELECT FROM (SELECT event_id FROM answered UNION SELECT event_id FROM played) a
                       WHERE a.event_id = e.event_id)) e
WHERE said <> there;
SQL
)"

finish
