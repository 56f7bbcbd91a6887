#!/usr/bin/env bash
# The first hour of a team whose app has had users for two years: a table of them, whose ids are numbers, a table of
# webhooks, and one of health data by Terra's ids as uuids. It has a role of its own, which is no superuser, and does
# what the pages say: docs/roles.md, docs/joins.md, docs/operations.md, and in docs/questions existing-webhook-table.md
# and i-already-have-users.md. What it then knows is compared with what the tables were made from.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
people=${PEOPLE:-2000}
export PGOPTIONS='-c terra_identity.progress=off' # what a slow machine is told would be part of answers
role=first_hour_owner
support=first_hour_support

# The SQL block that follows a line of a page.
block() {
    awk -v line="$2" '$0 == line { found = 1 }
        found && /^```$/ { exit }
        inside { print }
        found && /^```sql$/ { inside = 1 }' "$1"
}
app() {
    query -U "$role" "$@"
}

query -c "CREATE ROLE $role LOGIN; CREATE ROLE $support LOGIN; GRANT CREATE ON DATABASE \"$PGDATABASE\" TO $role"
# shellcheck disable=SC2154  # checks.sh sets work
# Every ninth person has reconnected; the first third has kept no webhooks but those of the last days.
app -v people="$people" >"$work/made" <<'SQL'
CREATE SCHEMA app;
CREATE FUNCTION app.about(user_id text, person int) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('user_id', md5(user_id)::uuid,
                          'provider', ('{GARMIN,FITBIT,OURA,APPLE}'::text[])[1 + person % 4],
                          'reference_id', person::text, 'created_at', '2026-01-01T00:00:00Z');
CREATE TABLE app.users (id bigint PRIMARY KEY, email text NOT NULL);
CREATE TABLE app.webhooks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body jsonb, headers jsonb,
                           received_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE app.health (user_id uuid, day date, steps int, PRIMARY KEY (user_id, day));
INSERT INTO app.users SELECT n, n || '@example.com' FROM generate_series(1, :people) n;
INSERT INTO app.webhooks (body, headers, received_at)
SELECT jsonb_build_object('type', 'auth', 'status', 'success', 'user', app.about('now ' || n, n)),
       jsonb_build_object('X-Terra-Trace-Id', 'auth ' || n), '2026-01-01Z'::timestamptz + n * interval '1 minute'
FROM generate_series(:people / 3, :people) n
UNION ALL
SELECT jsonb_build_object('type', 'user_reauth', 'status', 'warning', 'old_user', app.about('old ' || n, n),
                          'new_user', app.about('now ' || n, n)),
       jsonb_build_object('X-Terra-Trace-Id', 'reauth ' || n), '2026-01-01Z'::timestamptz + n * interval '1 minute'
FROM generate_series(9, :people, 9) n
UNION ALL
SELECT jsonb_build_object('type', 'daily', 'user', app.about('now ' || n, n) - 'created_at', 'data', '[]'::jsonb),
       jsonb_build_object('X-Terra-Trace-Id', 'daily ' || n), now() - n * interval '1 second'
FROM generate_series(1, :people) n;
INSERT INTO app.health SELECT md5('now ' || n)::uuid, date '2026-09-01', n FROM generate_series(1, :people) n
UNION ALL SELECT md5('old ' || n)::uuid, '2025-09-01', n FROM generate_series(9, :people, 9) n;
SQL
check "the app has its tables" "$(<"$work/made")"

# 1. Install, and the rights of the app's own role.
query -c 'CREATE EXTENSION terra_identity'
same "before it is granted anything, the app's role is told so" \
    'ERROR:  permission denied for schema terra_identity' \
    "$(app -c 'TABLE terra_identity.current_connections' | head -n 1)"
rights=$(block docs/roles.md '## The role of your app')
check "docs/roles.md has what it needs" "$([[ $rights == *grant_attacher* ]] || echo "not there: $rights")"
check "it is granted" "$(query -c "${rights//app_owner/$role}" | sed '/^|*$/d')"

# 2. Its webhook table feeds the ledger: from now on, and what is there already.
attach=$(block docs/questions/existing-webhook-table.md '# I already have a webhook table')
same "the webhook table is attached" 0 "$(app -c 'SET search_path = app' -c "$attach")"
backfill=$(sed -n 's/^psql -d app -c "\(CALL .*\)"$/\1/p' docs/questions/existing-webhook-table.md)
check "what is in it is fed" "$(PGOPTIONS+=' -c search_path=app' app -c "$backfill")"
same "every webhook is an event" "$(app -c 'SELECT count(*) FROM app.webhooks')" \
    "$(app -c 'SELECT count(*) FROM terra_identity.events')"

# 3. Terra's list of its users, from a file.
# shellcheck disable=SC2154  # checks.sh sets work
app -v people="$people" >"$work/users.json" <<'SQL'
SELECT jsonb_build_object('users', jsonb_agg(app.about('now ' || n, n))) FROM generate_series(1, :people) n;
SQL
same "the list is imported; nobody is new whose data came" "$people|$people|0|0|0" \
    "$(cd "$work" && app <<'SQL'
\set users `cat users.json`
SELECT * FROM terra_identity.import_users(:'users', now());
SQL
)"
same "Terra and the database agree" 0 "$(cd "$work" && app <<'SQL'
\set users `cat users.json`
SELECT count(*) FROM terra_identity.reconcile(:'users', now());
SQL
)"

# 4. Join: each user has one connection, and her data under both ids.
app -c 'ANALYZE app.users, app.health'
query -c 'ANALYZE terra_identity.connections, terra_identity.events'
same "every user has her connection of now" "$people|$people|0" "$(app -c "
    SELECT count(*), count(DISTINCT u.id), count(*) FILTER (WHERE c.user_uuid <> md5('now ' || u.id)::uuid)
    FROM app.users u LEFT JOIN terra_identity.current_connections c ON c.reference_id = u.id::text")"
same "her data of both ids is found, and nobody else's" "18|2 18|2" "$(app -c "
    SELECT string_agg(DISTINCT h.steps::text, ' ') || '|' || count(*) FROM terra_identity.user_ids('18') i
    JOIN app.health h ON h.user_id = i.user_uuid
    UNION ALL SELECT string_agg(DISTINCT h.steps::text, ' ') || '|' || count(*) FROM app.health h
    WHERE h.user_id IN (md5('old 18')::uuid, md5('now 18')::uuid)" | xargs)"
same "an old id stands for the one of now" t "$(app -c "
    SELECT terra_identity.resolve(md5('old 18')::uuid::text)::uuid = md5('now 18')::uuid")"
of_user=$(block docs/joins.md '<!-- first hour: connections of a user -->')
same "docs/joins.md: connections of a user" "77|FITBIT|$(app -c "SELECT md5('now 77')::uuid")" "$(app -c "$of_user")"
plan=$(app -c "EXPLAIN (COSTS OFF) ${of_user}")
check "by the indexes of both" "$(grep 'Seq Scan' <<<"$plan" || true)"
of_connections=$(block docs/joins.md '<!-- first hour: users of connections -->')
same "docs/joins.md: users of connections" "$people" \
    "$(app -c "SELECT count(DISTINCT id) FROM ($(sed "s,'1 day';,'3 years'," <<<"$of_connections")) q" | head -n 1)"

# 5. From now on: a webhook of a stranger on somebody's account, told by the metrics; and support can say why.
query -c "SELECT terra_identity.grant_support('$support')" >/dev/null
app <<'SQL'
INSERT INTO app.webhooks (body, headers)
SELECT jsonb_build_object('type', 'athlete', 'user', app.about(id, person),
                          'athlete', '{"provider_user_id": "G-4"}'::jsonb),
       jsonb_build_object('X-Terra-Trace-Id', 'athlete ' || id)
FROM (VALUES ('now 4', 4), ('stranger', 8)) a (id, person);
SQL
same "a shared account is in the metrics" "GARMIN 2" "$(app -c "
    SELECT provider || ' ' || duplicates FROM terra_identity.overview WHERE duplicates > 0")"
same "and the two are named" "4 8" "$(app -c "
    SELECT reference_id FROM terra_identity.duplicate_connections ORDER BY 1" | xargs)"
same "support is told why, and reads no payload" "t permission denied for table events" "$(
    query -U "$support" -c "SELECT count(*) > 2 FROM terra_identity.explain(md5('stranger')::uuid::text)" |
    xargs) $(query -U "$support" -c 'SELECT payload FROM terra_identity.events' | sed 's/^ERROR: *//')"
same "what it has is what follows from the ledger" "" "$(query -c 'SELECT * FROM terra_identity.verify()')"
finish
