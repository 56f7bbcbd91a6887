#!/usr/bin/env bash
# Logical replication as docs/dumps-and-replication.md has it, run from its own blocks: the harness's server publishes,
# a server of this test's own subscribes. The state there is right at any time after the initial copy, and after a
# switch-over that server takes deliveries as the publisher did.
set -euo pipefail
publisher="host=$PGHOST port=$PGPORT user=$PGUSER dbname=$PGDATABASE"
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
# shellcheck disable=SC1091
. "$(dirname "$0")/cluster.sh"
make_cluster "
fsync = off
statement_timeout = '60s'"
# shellcheck disable=SC2154  # cluster.sh sets work
subscriber="host=$work port=5432 user=postgres dbname=app"
PSQL=(psql -X -q -A -t -v ON_ERROR_STOP=1)

publisher() { "${PSQL[@]}" -d "$publisher" "$@"; }
subscriber() { "${PSQL[@]}" -d "$subscriber" "$@"; }

block() { # NAME: the SQL block of that page that has this mark above it.
    awk -v mark="<!-- replication: $1 -->" \
        '$0 == mark { found = 1; next } found && /^```$/ { exit } found && !/^```/ { print } END { exit !found }' \
        docs/dumps-and-replication.md
}

everything() { # Every row of what is published, and the rules as they are shown.
    publisher -c "SELECT format('SELECT %L, t FROM terra_identity.%I t ORDER BY t::text', name, name)
        FROM (SELECT tablename FROM pg_publication_tables WHERE pubname = 'terra_identity'
              UNION ALL VALUES ('environments'), ('providers')) p (name) ORDER BY name" | sed 's/$/;/' | "$1"
}

check_rows() { # NAME
    local there here
    there=$(everything publisher)
    here=$(everything subscriber)
    same "$1" "$there" "$here"
}

# Bodies of all kinds, of 83 connections: 11 people, 7 accounts at each of 5 providers.
bodies="CREATE FUNCTION body(i int) RETURNS jsonb LANGUAGE sql AS \$\$
    SELECT jsonb_build_object(
        'type', ('{auth,athlete,daily,athlete,auth,athlete,user_reauth,athlete,auth,deauth,access_revoked,nonsense}'
                 ::text[])[1 + i % 12],
        'status', 'success',
        'user', jsonb_build_object('user_id', 'u' || n, 'provider', provider, 'reference_id', 'r' || i % 11),
        'old_user', jsonb_build_object('user_id', 'u' || (n + 5) % 83, 'provider', provider),
        'new_user', jsonb_build_object('user_id', 'u' || n, 'provider', provider, 'reference_id', 'r' || i % 11),
        'athlete', jsonb_build_object('provider_user_id', 'a' || i % 7))
    FROM (SELECT n, ('{GARMIN,APPLE,STRAP,BROKEN,OURA}'::text[])[1 + n % 5]
          FROM (SELECT i * 7 % 83) m (n)) c (n, provider) \$\$"

auth() { # USER_ID
    echo "{\"type\": \"auth\", \"status\": \"success\"," \
        "\"user\": {\"user_id\": \"$1\", \"provider\": \"GARMIN\", \"reference_id\": \"$1\"}}"
}

headers() { # TRACE_ID BODY: what Terra sends along with the body, signed now.
    local t v1
    t=$(date +%s)
    v1=$(printf '%s.%s' "$t" "$2" | openssl dgst -sha256 -hmac key | sed 's/.* //')
    echo "{\"x-terra-trace-id\": \"$1\", \"terra-signature\": \"t=$t,v1=$v1\"}"
}

ingest() { # WHERE DEV_ID BODY HEADERS
    echo "SELECT outcome, http_status FROM terra_identity.ingest(:'body'::text, :'headers', :'dev_id')" |
        "$1" -v VERBOSITY=sqlstate -v dev_id="$2" -v body="$3" -v headers="$4"
}

# One session on the subscriber that stays open, and remembers rules.
ask() {
    local line
    printf '%s;\n\\echo END\n' "$1" >&"${session[1]}"
    while IFS= read -r line <&"${session[0]}" && [[ $line != END ]]; do
        echo "$line"
    done
}

# The account of one person appears under another: who has it then says which policy the session goes by. Then the
# environment that a header leads to.
delivered="SELECT count(*) FROM (VALUES ('one'), ('two')) v (id), LATERAL (
        SELECT terra_identity.ingest(jsonb_build_object('type', 'athlete', 'athlete',
                                                        jsonb_build_object('provider_user_id', 'watch'),
            'user', jsonb_build_object('user_id', id, 'reference_id', id, 'provider', 'GARMIN'))::text,
                dev_id => 'late')) i;
    SELECT user_id, status FROM terra_identity.connections WHERE dev_id = 'late' AND user_id IN ('one', 'two')
        ORDER BY user_id;
    INSERT INTO terra_identity.events (payload, headers)
        VALUES ('{\"type\": \"ping\"}', '{\"dev-id\": \"acme-other\"}') RETURNING dev_id"

# The publisher has some of everything.
publisher -c "CREATE EXTENSION terra_identity" -c "$bodies" -f - >/dev/null <<'SQL'
INSERT INTO terra_identity.environments (dev_id, account_policy, terra_dev_id)
    VALUES ('other', 'replace', 'acme-other');
UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'default';
UPDATE terra_identity.providers SET sdk = false WHERE provider = 'APPLE';
INSERT INTO terra_identity.providers (provider, sdk) VALUES ('STRAP', true);
INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('BROKEN', 'unusable');
INSERT INTO terra_identity.events (dev_id, payload, headers)
SELECT dev_id, body(i), jsonb_build_object('x-terra-trace-id', 'trace-' || i)
FROM generate_series(1, 300) i, unnest('{default,other,plain,late}'::text[]) dev_id;
SELECT terra_identity.ingest('{'::bytea, jsonb_build_object('x-terra-trace-id', id))
    FROM unnest('{useless,mended}'::text[]) id;
SELECT terra_identity.set_signing_secret('key', dev_id => 'signed');
SELECT terra_identity.ingest('{}'::bytea, '{}', 'signed');
SQL
first=$(auth first)
first_headers=$(headers first "$first")
same "a signed delivery is taken by the publisher" "stored|200" "$(ingest publisher signed "$first" "$first_headers")"
same "the publisher has some of everything" "t|t|t|t|t|t" "$(publisher -c "
    SELECT (SELECT count(*) > 5 FROM terra_identity.duplicate_connections),
        (SELECT count(*) > 5 FROM terra_identity.reauths),
           (SELECT count(DISTINCT status) > 3 FROM terra_identity.connections),
               (SELECT count(*) = 2 FROM terra_identity.rejected),
           (SELECT count(*) = 1 FROM terra_identity.signatures), (SELECT count(*) = 1 FROM terra_identity.refusals)")"

# As the page has it.
block publisher | publisher
same "the page publishes all tables but those with secrets" "$(publisher -c "
    SELECT relname FROM pg_class WHERE relnamespace = 'terra_identity'::regnamespace AND relkind IN ('r', 'p')
      AND relname NOT IN ('signing_secrets', 'tombstone_key') ORDER BY relname")" "$(publisher -c "
    SELECT tablename FROM pg_publication_tables WHERE pubname = 'terra_identity'
        ORDER BY tablename::text COLLATE \"C\"")"
"$PRIVATE_BINDIR/pg_ctl" start -w -s -D "$work/data" -l "$work/server.log" </dev/null >/dev/null
createdb app
block subscriber | sed "s|host=publisher dbname=app|$publisher|" | subscriber 2>"$work/subscribe.log"
until_true "the initial copy ends" subscriber -c "$(block copied)"
check_rows "every row is copied"

# Two sessions on the subscriber: one remembers the rules of now, the other verifies over and over.
subscriber -c "$bodies" -c "CREATE TABLE seen (dev_id text, events bigint, difference text)" -c "CREATE TABLE stop ()"
coproc session { exec "${PSQL[@]}" -d "$subscriber" 2>&1; }
# shellcheck disable=SC2154  # coproc sets it
session_pid=$session_PID
echo "$session_pid" >"$work/session.pid"
same "a session goes by the rules of the publisher" "2
one|active
two|active
other" "$(ask "BEGIN; $delivered; ROLLBACK")"
subscriber 2>"$work/reader.log" <<'SQL' &
DO $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM stop) LOOP
        INSERT INTO seen
        SELECT e.dev_id, (SELECT count(*) FROM terra_identity.events), v::text
        FROM (SELECT DISTINCT dev_id FROM terra_identity.connections) e
        LEFT JOIN terra_identity.verify(e.dev_id) v ON true;
        COMMIT;
    END LOOP;
END $$
SQL
reader=$!
echo "$reader" >"$work/reader.pid"

# The publisher goes on. What is broken and mended comes in one transaction.
publisher >/dev/null <<'SQL'
DO $$ BEGIN
    FOR i IN 1001..1200 LOOP
        PERFORM terra_identity.ingest(body(i)::text, dev_id => ('{default,other,plain,late}'::text[])[1 + i % 4]);
        COMMIT;
    END LOOP;
    FOR i IN 1..20 LOOP
        UPDATE terra_identity.environments SET account_policy = ('{replace,keep}'::text[])[1 + i % 2]
            WHERE dev_id = 'default';
        COMMIT;
        UPDATE terra_identity.providers SET sdk = i % 2 = 0 WHERE provider = 'STRAP';
        COMMIT;
    END LOOP;
END $$;
INSERT INTO terra_identity.events (dev_id, payload) SELECT 'default', body(i) FROM generate_series(2001, 2300) i;
UPDATE terra_identity.environments SET account_policy = 'keep', terra_dev_id = NULL WHERE dev_id = 'other';
INSERT INTO terra_identity.environments (dev_id, account_policy, terra_dev_id) VALUES ('late', 'replace', 'acme-other');
INSERT INTO terra_identity.events (dev_id, payload) SELECT 'late', body(i) FROM generate_series(3001, 3300) i;
INSERT INTO terra_identity.providers (provider, sdk) VALUES ('OURA', true);
UPDATE terra_identity.providers SET account_ids = 'unusable' WHERE provider = 'STRAP';
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE terra_identity.connections SET scopes = 'none', status = 'failed' WHERE dev_id = 'plain';
SET LOCAL session_replication_role = origin;
SELECT terra_identity.rebuild('plain');
COMMIT;
DELETE FROM terra_identity.rejected WHERE trace_id = 'useless';
INSERT INTO terra_identity.events (dev_id, payload) SELECT 'new', body(i) FROM generate_series(4001, 4300) i;
SQL
publisher -c "SELECT terra_identity.commit_changes('mailer', max(position))
    FROM terra_identity.read_changes('mailer', 100)" >/dev/null
last=$(publisher -c "SELECT pg_current_wal_lsn()")
until_true "the subscriber catches up" publisher -c "
    SELECT confirmed_flush_lsn >= '$last' FROM pg_replication_slots WHERE slot_name = 'terra_identity'"
subscriber -c "INSERT INTO stop DEFAULT VALUES"
wait "$reader" || true
rm "$work/reader.pid"
check_rows "every row has arrived"
same "verify() is empty whenever it is asked" "" "$(cat "$work/reader.log")$(subscriber -c "SELECT * FROM seen
    WHERE difference IS NOT NULL LIMIT 9")"
same "it was asked while rows came" "t" "$(subscriber -c "SELECT count(DISTINCT events) > 5 FROM seen")"

# The switch-over. Old ids are kept, for comparison.
of_identity_columns() { # FORMAT: of the table, as %1$s, and its column, %2$I
    subscriber -v format="$1" <<<"SELECT format(:'format', attrelid::regclass, attname) FROM pg_attribute
        WHERE attidentity <> '' AND attrelid IN (SELECT srrelid FROM pg_subscription_rel UNION SELECT tbl
                                                 FROM identities) ORDER BY 1"
}
subscriber -c "CREATE TABLE identities (tbl regclass, id bigint)"
of_identity_columns "INSERT INTO identities SELECT '%1\$s', %2\$I FROM %1\$s;" | subscriber
block switch-over | subscriber 2>"$work/drop.log"
same "the slot is gone" "0" "$(publisher -c "SELECT count(*) FROM pg_replication_slots
                               WHERE slot_name = 'terra_identity'")"
same "a session that is open since before goes by what was changed on the publisher" "2
one|superseded
two|active
late" "$(ask "$delivered")"
same "secrets are not replicated: they have to be set" "TI003" \
    "$(ingest subscriber signed "$first" "$first_headers" 2>&1 | sed 's/.*: *//' || true)"
subscriber -c "SELECT terra_identity.set_signing_secret('key', dev_id => 'signed')" >/dev/null
same "a delivery that the publisher took is a duplicate" "duplicate|200" \
    "$(ingest subscriber signed "$first" "$first_headers")"
same "so is an unsigned one" "0" "$(subscriber -c "WITH again AS (
        INSERT INTO terra_identity.events (dev_id, payload, headers)
        SELECT dev_id, payload, headers FROM terra_identity.events WHERE trace_id LIKE 'trace-%' RETURNING 1)
    SELECT count(*) FROM again")"
for id in second third; do
    same "signed deliveries go on: $id" "stored|200" \
        "$(ingest subscriber signed "$(auth $id)" "$(headers $id "$(auth $id)")")"
done
same "refusals go on" "rejected|401" "$(ingest subscriber signed "$(auth fourth)" '{"terra-signature": "t=1,v1=00"}')"
same "unsigned deliveries go on" "stored|200" "$(ingest subscriber default "$(auth fifth)" '{}')"
same "what cannot be read is kept" "rejected|400" "$(ingest subscriber default '[' '{}')"
same "what was rejected by the publisher can be mended" "stored" "$(subscriber -v body="$(auth mended)" <<<"
    UPDATE terra_identity.rejected SET body = convert_to(:'body', 'UTF8') WHERE trace_id = 'mended';
    SELECT outcome FROM terra_identity.replay_rejected('default') WHERE outcome <> 'rejected'")"
same "new connections of every environment, and new rules, go on" "" "$(subscriber 2>&1 <<'SQL'
INSERT INTO terra_identity.events (dev_id, payload)
    SELECT dev_id, jsonb_set(body(i), '{user,user_id}', to_jsonb('n' || i))
FROM generate_series(5001, 5300) i, unnest('{default,other,plain,late,new}'::text[]) dev_id;
UPDATE terra_identity.environments SET account_policy = 'keep' WHERE dev_id IN ('default', 'late');
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('plain', 'replace');
UPDATE terra_identity.providers SET sdk = false WHERE provider = 'OURA';
SQL
)"
same "every new id is above all old ones" "" "$(of_identity_columns "SELECT '%1\$s' WHERE NOT (
        SELECT coalesce(min(%2\$I) > (SELECT max(id) FROM identities WHERE tbl = '%1\$s'::regclass), false)
        FROM %1\$s WHERE %2\$I NOT IN (SELECT id FROM identities WHERE tbl = '%1\$s'::regclass));" | subscriber)"
same "the state is what the ledger says" "" "$(subscriber -c "
    SELECT e.dev_id, v FROM (SELECT DISTINCT dev_id FROM terra_identity.connections) e,
        terra_identity.verify(e.dev_id) v LIMIT 9")"
# The sequence of positions is not replicated.
same "a consumer goes on where it was on the publisher" "t|t|t" "$(subscriber -c "
    SELECT count(*) > 100, count(*) = (SELECT count(*) - 100 FROM terra_identity.changes WHERE dev_id = 'default'),
           min(position) > (SELECT position FROM terra_identity.consumers)
    FROM terra_identity.read_changes('mailer', 1000000)")"
echo '\q' >&"${session[1]}"
wait "$session_pid" || true
rm "$work/session.pid"
finish
