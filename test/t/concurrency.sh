#!/usr/bin/env bash
# Eight sessions insert random events about few connections at once, for a while: single events, some, bulks of more
# than 100, repeated deliveries, transactions that roll back; under both account policies and under one that changes,
# while SDK providers are edited and the state is rebuilt. One session runs at REPEATABLE READ, one at SERIALIZABLE.
# Then the state must be what the ledger says, and what comes of the same events one by one, in the order of their
# times.
#
# SEED=N for other events (which interleavings come about is chance), DURATION=N for other seconds.
set -euo pipefail

seed=${SEED:-20260214}
duration=${DURATION:-10}
echo "# seed $seed, $duration s"

# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
export PSQLRC=/dev/null PGAPPNAME=concurrency

psql -q -v ON_ERROR_STOP=1 <<'SQL'
CREATE EXTENSION terra_identity;
INSERT INTO terra_identity.environments (dev_id, account_policy)
    VALUES ('keep', 'keep'), ('replace', 'replace'), ('changing', 'keep');
CREATE SEQUENCE ticket;

-- A number from 0 to n - 1: the same for the same seed and purpose.
CREATE FUNCTION pick(seed text, purpose text, n int) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN (hashtextextended(purpose || seed, 0) & 2147483647) % n;

-- One of a dozen ids that are in play now, seldom of the next dozen. There is always another dozen soon, so that there
-- is always something new to say.
CREATE FUNCTION random_user(seed text, place bigint, purpose text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN 'u' || (place + (pick(seed, purpose || ' of the next', 50) = 0)::int) * 12 + pick(seed, purpose, 12);

CREATE FUNCTION random_person(seed text, place bigint, user_id text, minute int) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'user_id', user_id,
        'provider', CASE WHEN pick(seed, 'any provider', 20) = 0 THEN 'WHOOP'
                         ELSE (ARRAY['OURA', 'OURA', 'APPLE'])[1 + pick(user_id, 'provider', 3)] END,
        'reference_id', (ARRAY['person ' || place, 'person ' || place / 2, 'person ' || place || ' too', ''])
                        [1 + pick(seed, 'reference', 4)],
        'scopes', CASE WHEN pick(seed, 'scopes', 3) = 0 THEN 'daily' END,
        'created_at', CASE WHEN pick(seed, 'created', 3) > 0
                           THEN timestamptz '2026-01-01 00:00Z' + minute * interval '1 minute' END));

CREATE FUNCTION random_payload(seed text, place bigint, minute int) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN (SELECT CASE
        WHEN kind < 20 THEN jsonb_build_object('type', 'auth', 'status', 'success', 'user', person)
        WHEN kind < 24 THEN jsonb_build_object('type', 'auth', 'status', 'error', 'user', person)
        WHEN kind < 44 THEN jsonb_build_object('type', 'user_reauth', 'new_user', person,
            'old_user', random_person(seed || 'old', place, random_user(seed, place, 'old'), minute))
        WHEN kind < 66 THEN jsonb_build_object('type', 'athlete', 'user', person,
            'athlete', jsonb_build_object('provider_user_id', place / 2 * 10 + pick(seed, 'account', 4)))
        WHEN kind < 72 THEN jsonb_build_object('type', 'deauth', 'user', person)
        WHEN kind < 75 THEN jsonb_build_object('type', 'access_revoked', 'user', person)
        WHEN kind < 80 THEN jsonb_build_object('type', 'permission_change', 'user', person)
        WHEN kind < 84 THEN jsonb_build_object('type', 'connection_error', 'user', person)
        WHEN kind < 88 THEN jsonb_build_object('type', 'daily')
        ELSE jsonb_build_object('type', 'daily', 'user', person) END
    FROM (SELECT pick(seed, 'kind', 100) AS kind,
                 random_person(seed, place, random_user(seed, place, 'user'), minute) AS person) r);

CREATE FUNCTION random_events(seed text, n int)
    RETURNS TABLE (dev_id text, received_at timestamptz, payload jsonb, headers jsonb) LANGUAGE sql
BEGIN ATOMIC
    SELECT (ARRAY['keep', 'replace', 'changing'])[1 + pick(e.seed, 'environment', 3)],
           timestamptz '2026-01-01 00:00Z' + e.minute * interval '1 minute',
           random_payload(e.seed, t.place, e.minute),
           jsonb_strip_nulls(jsonb_build_object(
               'X-Terra-Trace-Id', CASE WHEN pick(e.seed, 'traced', 4) = 0 THEN e.trace END,
               'X-Terra-Ordering-Timestamp',
               CASE WHEN pick(e.seed, 'ordered', 4) = 0
                   THEN (1767225600::bigint + 60 * pick(e.seed, 'order', 500)) * 1000 END))
    FROM (SELECT nextval('ticket') / 40 AS place) t,
         LATERAL (SELECT random_events.seed || ' ' || i AS seed,
                         pick(random_events.seed || ' ' || i, 'minute', 500) AS minute,
                         t.place || '.' || pick(random_events.seed || ' ' || i, 'trace', 20) AS trace
                  FROM generate_series(1, n) i) e
    ORDER BY e.trace, 1; -- trace ids in one order: see docs/limits.md on what can deadlock
END;
SQL

insert='INSERT INTO terra_identity.events (dev_id, received_at, payload, headers) SELECT * FROM random_events'
random='\set r random(1, 1000000000)'
printf '%s\n' "$random" "$insert(:r || '', 1);" >"$work/one.sql"
printf '%s\n' "$random" '\set n random(2, 8)' "$insert(:r || '', :n);" >"$work/some.sql"
printf '%s\n' "$random" '\set n random(300, 500)' "$insert(:r || '', :n);" >"$work/bulk.sql"
printf '%s\n' "$random" '\set n random(1, 4)' 'BEGIN;' "$insert(:r || '', :n);" 'ROLLBACK;' >"$work/rollback.sql"
cat >"$work/policy.sql" <<'SQL'
\set r random(0, 1)
UPDATE terra_identity.environments SET account_policy = CASE :r::int WHEN 0 THEN 'keep' ELSE 'replace' END
    WHERE dev_id = 'changing';
SQL
cat >"$work/provider.sql" <<'SQL'
\set r random(0, 1)
UPDATE terra_identity.providers SET sdk = (:r::int = 1) WHERE provider = 'APPLE';
SQL
cat >"$work/rebuild.sql" <<'SQL'
\set r random(1, 3)
SELECT terra_identity.rebuild((ARRAY['keep', 'replace', 'changing'])[:r::int]);
SQL

# storm NAME CLIENTS ISOLATION PGBENCH_OPTION...
storm() {
    local name=$1 clients=$2 isolation=$3
    shift 3
    local options="-c deadlock_timeout=100ms -c statement_timeout=30s"
    PGOPTIONS="$options -c default_transaction_isolation=${isolation// /\\ }" \
        pgbench -n -T "$duration" -c "$clients" -j "$clients" --random-seed="$seed" "$@" \
        -f "$work/one.sql@500" -f "$work/some.sql@200" -f "$work/rollback.sql@40" -f "$work/bulk.sql@3" \
        -f "$work/policy.sql@2" -f "$work/provider.sql@1" -f "$work/rebuild.sql@1" \
        >"$work/$name.out" 2>"$work/$name.err" || true
}
storm committed 6 'read committed' -M prepared &
storm repeatable 1 'repeatable read' --max-tries=20 &
seed=$((seed + 1)) storm serializable 1 serializable --max-tries=20 &
wait

sed -nE 's/^number of transactions actually processed: /# transactions: /p' "$work"/*.out
query -c "SELECT '# ' || dev_id || ': ' || count(*) || ' events' FROM terra_identity.events GROUP BY dev_id ORDER BY 1"
query -c "SELECT '# ' || dev_id || ', ' || status || ': ' || count(*) FROM terra_identity.connections
    GROUP BY dev_id, status ORDER BY 1"

check "every client ran to the end" "$(for name in committed repeatable serializable; do
    grep -q '^number of transactions actually processed: [1-9]' "$work/$name.out" || echo "$name did not"
done; grep -hE 'error|aborted' "$work"/*.err)"
check "no transaction at READ COMMITTED failed" \
    "$(grep -E '^number of failed transactions:' "$work/committed.out" | grep -v ': 0 ')"
check "no error but 40001 in the server's log" \
    "$(awk -v session="] $PGDATABASE concurrency " '
        /^[^\t]/ { shown = index($0, session) && (/(FATAL|PANIC|WARNING):/ ||
                          /ERROR:/ && !/could not serialize access/ || shown && /(DETAIL|CONTEXT|STATEMENT):/) }
        shown' "$SERVER_LOG")"
check "more than a hundred connections were told about, in every environment" \
    "$(query -c "SELECT dev_id FROM terra_identity.environments e WHERE dev_id <> 'default'
                 AND (SELECT count(*) FROM terra_identity.connections c WHERE c.dev_id = e.dev_id) < 100")"

for dev_id in keep replace changing; do
    check "the state is what the ledger says: $dev_id" "$(query -c "SELECT * FROM terra_identity.verify('$dev_id')")"
    check "rebuild changes nothing: $dev_id" "$(query -c "SELECT terra_identity.rebuild('$dev_id')" | grep -vx 0)"
done

check "one active connection in every slot" "$(query <<'SQL'
WITH active AS (
    SELECT c.*, e.account_policy, coalesce(p.sdk, false) AS is_sdk FROM terra_identity.connections c
    JOIN terra_identity.environments e USING (dev_id) LEFT JOIN terra_identity.providers p USING (provider)
    WHERE c.status = 'active')
SELECT dev_id, provider, provider_user_id,
       CASE WHEN account_policy = 'keep' OR is_sdk THEN reference_id END, array_agg(user_id)
FROM active WHERE provider IS NOT NULL AND provider_user_id IS NOT NULL
GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
UNION ALL
SELECT dev_id, provider, 'reference slot', reference_id, array_agg(user_id)
FROM active WHERE is_sdk AND reference_id IS NOT NULL
GROUP BY 1, 2, 3, 4 HAVING count(*) > 1;
SQL
)"

check "no two events have the same trace id and payload" "$(wrong_deliveries)"

check "the same events one by one" "$(query <<'SQL'
INSERT INTO terra_identity.environments (dev_id, account_policy)
    SELECT dev_id || ' again', account_policy FROM terra_identity.environments;
DO $$
DECLARE
    event record;
BEGIN
    FOR event IN SELECT * FROM terra_identity.events ORDER BY event_time, event_id LOOP
        INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
        VALUES (event.dev_id || ' again', event.received_at, event.payload, event.headers);
    END LOOP;
END
$$;
SQL
)"
check "come to the same connections and lineages" "$(query <<'SQL'
CREATE VIEW state AS
SELECT c.dev_id, c.user_id, c.reference_id, c.provider, c.provider_user_id, c.status, c.successor_user_id, c.confirmed,
    c.scopes,
       c.created_at, c.first_seen_at, c.connected_at, c.ended_at, c.degraded_at, c.duplicate, c.cyclic,
       terra_identity.resolve(c.user_id, c.dev_id) AS resolves_to,
       min(c.user_id) OVER (PARTITION BY c.dev_id, c.lineage_id) AS lineage
FROM terra_identity.connections c;
(SELECT dev_id || ' again', user_id, to_jsonb(s) - 'dev_id' FROM state s WHERE dev_id !~ ' again$'
 EXCEPT SELECT dev_id, user_id, to_jsonb(s) - 'dev_id' FROM state s WHERE dev_id ~ ' again$')
UNION ALL
(SELECT dev_id, user_id, to_jsonb(s) - 'dev_id' FROM state s WHERE dev_id ~ ' again$'
 EXCEPT SELECT dev_id || ' again', user_id, to_jsonb(s) - 'dev_id' FROM state s WHERE dev_id !~ ' again$');
SQL
)"

finish
