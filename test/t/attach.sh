#!/usr/bin/env bash
# Attached tables: whatever way a dump is made and restored, the table feeds again, and nothing is fed twice. A backfill
# that is killed while others write leaves whole batches, and the next one feeds the rest: every row once. It tells how
# far it is.
set -euo pipefail
copy=${PGDATABASE}_copy
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"
export PSQLRC=/dev/null PGOPTIONS='-c client_min_messages=warning'
PSQL=(psql -X -q -A -t -v ON_ERROR_STOP=1)

ask() { # DATABASE QUERY: its rows, or the error that it ends with
    "${PSQL[@]}" -d "$1" -c "$2" 2>&1 || true
}

# Everything that a table fed, and what is attached.
everything() { # DATABASE
    "${PSQL[@]}" -d "$1" <<'SQL' 2>&1
SELECT 'event', to_jsonb(e) - 'contributes' FROM terra_identity.events e ORDER BY event_id;
SELECT 'connection', to_jsonb(c) FROM terra_identity.connections c ORDER BY dev_id, user_id;
SELECT 'rejected', to_jsonb(r) FROM terra_identity.rejected r ORDER BY rejected_id;
SELECT 'row', to_jsonb(h) FROM app.hooks h ORDER BY id;
SELECT 'row', to_jsonb(p) FROM app.parted p ORDER BY at, id;
SELECT 'attached', to_jsonb(a) FROM terra_identity.attached_tables a ORDER BY source;
SELECT 'trigger', pg_get_triggerdef(oid), tgenabled FROM pg_trigger
WHERE tgfoid = 'terra_identity._feed'::regproc ORDER BY tgrelid::regclass::text, tgname;
SQL
}

auth() { # USER_ID
    printf '{"type": "auth", "status": "success", "user": {"user_id": "%s"}}' "$1"
}

# One more row in each table, which is the next event of the ledger; and once more what is there, which is none.
go_on() { # DATABASE
    ask "$1" "INSERT INTO app.hooks (id, body) VALUES (1000, '$(auth 'next 1')')"
    ask "$1" "INSERT INTO app.parted VALUES (1000, '2024-06-01', '$(auth 'next 2')')"
    ask "$1" "CALL terra_identity.backfill('app.hooks', 100)"
    ask "$1" "CALL terra_identity.backfill('app.parted', 7)"
    ask "$1" "SELECT count(*), max(event_id), string_agg(user_id, ', ' ORDER BY event_id)
                  FILTER (WHERE user_id LIKE 'next%') FROM terra_identity.events"
    ask "$1" "SELECT count(*) FROM terra_identity.rejected"
    ask "$1" "SELECT v FROM terra_identity.verify('app') v"
}

"${PSQL[@]}" <<'SQL'
CREATE EXTENSION terra_identity;
CREATE SCHEMA app;
CREATE TABLE app.hooks (id bigint PRIMARY KEY, body jsonb, received_at timestamptz DEFAULT '2024-05-01');
CREATE TABLE app.parted (id int, at timestamptz, raw text, headers json, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE app.parted_old PARTITION OF app.parted FOR VALUES FROM ('2024-01-01') TO ('2024-03-01');
CREATE TABLE app.parted_new PARTITION OF app.parted DEFAULT;
SELECT terra_identity.attach('app.hooks', 'body', received_at_column => 'received_at', dev_id => 'app') \g /dev/null
SELECT terra_identity.attach('app.parted', 'raw', 'headers', received_at_column => 'at', dev_id => 'app') \g /dev/null
INSERT INTO app.hooks
SELECT i, jsonb_build_object('type', (ARRAY['auth', 'deauth', 'daily'])[1 + i % 3], 'status', 'success',
                             'user', jsonb_build_object('user_id', 'u' || i % 17, 'provider', 'OURA',
                                                        'reference_id', 'r' || i % 5))
FROM generate_series(1, 200) i;
INSERT INTO app.parted
SELECT i, timestamptz '2024-02-01' + i * interval '12 hours',
       CASE WHEN i % 20 = 0 THEN 'no JSON ' || i
            ELSE jsonb_build_object('type', 'athlete', 'athlete', jsonb_build_object('provider_user_id', 'p' || i % 7),
                                    'user', jsonb_build_object('user_id', 'u' || i % 17, 'provider', 'OURA')) #>> '{}'
       END,
       CASE WHEN i % 2 = 0 THEN json_build_object('x-terra-trace-id', 'trace ' || i) END
FROM generate_series(1, 100) i;
SQL
same "what is there to dump is fed" "295|5" "$(ask "$PGDATABASE" "
    SELECT count(*), (SELECT count(*) FROM terra_identity.rejected) FROM terra_identity.events")"
before=$(everything "$PGDATABASE")
# A copy of the files, which went through no dump, shows how it is to go on.
createdb -T "$PGDATABASE" "$copy"
wanted=$(go_on "$copy")
dropdb "$copy"
same "it goes on with two events" "297|297|next 1, next 2" "$(sed -n 1p <<<"$wanted")"

script() { psql -X -q -o /dev/null -d "$copy" -f "$work/dump" "$@"; }
archive() { pg_restore -d "$copy" "$work/dump" "$@"; }
# First the definitions, triggers and all, then the data.
then_data() { # OPTION...
    pg_dump --schema-only -f "$work/schema"
    psql -X -q -o /dev/null -d "$copy" -f "$work/schema"
    "$@"
}
sections() {
    local section
    for section in pre-data data post-data; do
        archive --section="$section"
    done
}

while IFS='|' read -r -u 3 mode dump restore; do
    mode=${mode%"${mode##*[! ]}"}
    createdb "$copy"
    # shellcheck disable=SC2086  # these are several words
    same "$mode: neither dump nor restore has anything to say" "" \
        "$( (pg_dump -f "$work/dump" $dump && $restore) 2>&1 || echo "status $?")"
    same "$mode: nothing was fed by the restore, and the tables are attached as they were" "$before" \
        "$(everything "$copy")"
    same "$mode: they feed again, and a backfill finds nothing to feed" "$wanted" "$(go_on "$copy")"
    dropdb "$copy"
    rm -rf "$work/dump"
done 3<<'MODES'
plain                        |                               | script
plain, inserts               | --inserts                     | script
data after definitions       | --data-only                   | then_data script
data inserts                 | --data-only --inserts         | then_data script
data, no triggers            | --data-only --disable-triggers | then_data script
custom                       | -Fc                           | archive
custom, in parallel          | -Fc                           | archive -j 2
custom, by sections          | -Fc                           | sections
custom, data                 | -Fc                           | then_data archive --data-only
MODES

# The table alone, restored into a database that has no ledger of it: its rows are not fed, and a backfill feeds them.
createdb "$copy"
pg_dump --schema-only -f "$work/schema"
psql -X -q -o /dev/null -d "$copy" -f "$work/schema"
pg_dump --data-only --table='app.*' | psql -X -q -o /dev/null -d "$copy"
same "the tables' data alone feed nothing" "0" "$(ask "$copy" "SELECT count(*) FROM terra_identity.events")"
events="SELECT user_id, event_type, trace_id, event_time FROM terra_identity.events ORDER BY trace_id"
same "a backfill feeds them" "$(ask "$PGDATABASE" "$events")" \
    "$(ask "$copy" "CALL terra_identity.backfill('app.hooks', 10)"
       ask "$copy" "CALL terra_identity.backfill('app.parted', 10)"
       ask "$copy" "$events")"
same "they are rejected again" "5" "$(ask "$copy" "SELECT count(*) FROM terra_identity.rejected")"
state="SELECT user_id, status, reference_id, provider_user_id FROM terra_identity.connections ORDER BY 1"
same "the state is the same" "$(ask "$PGDATABASE" "$state")" "$(ask "$copy" "$state")"
dropdb "$copy"

# A backfill, killed and cancelled, while a writer inserts, updates and deletes.
rows=6000
"${PSQL[@]}" <<SQL
CREATE TABLE app.many (id bigint PRIMARY KEY, body jsonb, received_at timestamptz DEFAULT '2024-05-01', done boolean);
INSERT INTO app.many (id, body)
SELECT 2 * i, jsonb_build_object('type', 'auth', 'status', 'success', 'n', i,
                                 'user', jsonb_build_object('user_id', 'm' || i % 500, 'provider', 'OURA'))
FROM generate_series(1, $rows) i;
SELECT terra_identity.attach('app.many', 'body', received_at_column => 'received_at', dev_id => 'many') \g /dev/null
SQL
writer() {
    for i in $(seq 1 2 599); do
        cat <<SQL
INSERT INTO app.many (id, body) VALUES ($((i * 17)), '$(auth "w$((i % 50))")')
    ON CONFLICT (id) DO UPDATE SET done = false;
UPDATE app.many SET done = true WHERE id BETWEEN $((i * 19)) AND $((i * 19 + 40));
SQL
    done | "${PSQL[@]}" >"$work/writer" 2>&1
}
writer &
writing=$!
committed() {
    ask "$PGDATABASE" "SELECT count(*) FROM terra_identity.events WHERE dev_id = 'many' AND trace_id ~ '[02468]\\)\$'"
}
parts=
for how in pg_terminate_backend pg_cancel_backend pg_terminate_backend; do
    earlier=$(committed)
    PGAPPNAME=backfill "${PSQL[@]}" -c "CALL terra_identity.backfill('app.many', 50)" >"$work/backfill" 2>&1 &
    backfill=$!
    until (($(committed) > earlier + 300)) || ! kill -0 $backfill 2>/dev/null; do :; done
    ask "$PGDATABASE" "SELECT $how(pid) FROM pg_stat_activity WHERE application_name = 'backfill'" >/dev/null
    if wait $backfill; then
        parts+="not ended by $how; "
    fi
    (($(committed) > earlier)) || parts+="nothing new before $how; "
done
same "it was ended three times, each time after whole batches" "" "$parts"
check "it was ended before the last one" "$( (($(committed) < rows)) || echo "$(committed) of $rows")"
wait $writing || true
same "the writer was not disturbed" "" "$(cat "$work/writer")"
same "the next one feeds the rest" "" "$(ask "$PGDATABASE" "CALL terra_identity.backfill('app.many', 700)")"
same "every row is there once" "" "$(ask "$PGDATABASE" "
    SELECT m.id, count(e.event_id) FROM app.many m
    LEFT JOIN terra_identity.events e
        ON e.dev_id = 'many' AND e.trace_id = format('attached app.many (%s)', m.id) AND e.payload = m.body
    GROUP BY m.id HAVING count(e.event_id) <> 1 LIMIT 5")"
same "and nothing else" "t" "$(ask "$PGDATABASE" "
    SELECT (SELECT count(*) FROM terra_identity.events WHERE dev_id = 'many') = (SELECT count(*) FROM app.many)")"
same "the state is what the ledger says" "" \
    "$(ask "$PGDATABASE" "SELECT v FROM terra_identity.verify('many') v LIMIT 5")"

# Single statements of many rows, about the same people in any order, and of rows that are no JSON: none ends in a
# deadlock.
statements() { # SEED
    "${PSQL[@]}" -v seed="0.$1" <<'SQL'
SELECT setseed(:seed) \g /dev/null
SELECT format('INSERT INTO app.%s
        SELECT nextval(''app.ids''), CASE WHEN random() < 0.1 THEN ''no JSON '' || i %% 3
            ELSE jsonb_build_object(''type'', ''auth'', ''status'', ''success'', ''user'', jsonb_build_object(
                     ''user_id'', ''c'' || i, ''provider'', ''APPLE'', ''reference_id'', ''p'' || i %% 5))::text END
        FROM generate_series(1, 30) i ORDER BY random() LIMIT 20;',
    CASE WHEN random() < 0.5 THEN 'crossing' ELSE 'crossing_parted' END)
FROM generate_series(1, 40);
SQL
}
"${PSQL[@]}" <<'SQL'
CREATE SEQUENCE app.ids;
CREATE TABLE app.crossing (id bigint, body text);
CREATE TABLE app.crossing_parted (id bigint, body text) PARTITION BY HASH (id);
CREATE TABLE app.crossing_0 PARTITION OF app.crossing_parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.crossing_1 PARTITION OF app.crossing_parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT terra_identity.attach(t, 'body', dev_id => 'crossing')
FROM unnest('{app.crossing,app.crossing_parted}'::regclass[]) t \g /dev/null
SQL
crossing=()
for i in 1 2 3 4; do
    statements $i >"$work/crossing.$i.sql"
    "${PSQL[@]}" -f "$work/crossing.$i.sql" >"$work/crossing.$i" 2>&1 &
    crossing+=($!)
done
wait "${crossing[@]}" || true
same "none ended in an error" "" "$(cat "$work"/crossing.[1-4])"
same "every row is an event, or is rejected" "3200|3|0" "$(ask "$PGDATABASE" "
    SELECT (SELECT count(*) FROM app.crossing) + (SELECT count(*) FROM app.crossing_parted),
           (SELECT count(*) FROM terra_identity.rejected WHERE dev_id = 'crossing'),
           (SELECT count(*) FROM terra_identity.events WHERE dev_id = 'crossing')
               - (SELECT count(*) FROM (TABLE app.crossing UNION ALL TABLE app.crossing_parted) r
                  WHERE body LIKE '{%')")"
same "their state is what the ledger says" "" \
    "$(ask "$PGDATABASE" "SELECT v FROM terra_identity.verify('crossing') v LIMIT 5")"

# Long enough to tell of it: a trigger of the application takes 20 ms for each event.
"${PSQL[@]}" <<'SQL'
CREATE TABLE app.slow AS SELECT id, body, received_at FROM app.many ORDER BY id LIMIT 150;
ALTER TABLE app.slow ADD PRIMARY KEY (id);
ANALYZE app.slow;
SELECT terra_identity.attach('app.slow', 'body', received_at_column => 'received_at', dev_id => 'slow') \g /dev/null
CREATE FUNCTION app.be_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN new; END $$;
CREATE TRIGGER be_slow BEFORE INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION app.be_slow();
SQL
told=$(ask "$PGDATABASE" "CALL terra_identity.backfill('app.slow', 10)")
sentence='INFO:  terra_identity: backfill of app\.slow: [0-9]+ of 150 rows, [0-9]+/s, about [0-9]+ s left'
check "it tells how far it is" "$(grep -qxE "$sentence" <<<"$told" || echo "$told")"
ask "$PGDATABASE" "
    SELECT terra_identity.detach('app.slow'); ALTER TABLE app.slow RENAME TO slower;
    SELECT terra_identity.attach('app.slower', 'body', received_at_column => 'received_at', dev_id => 'slow')
" >/dev/null
same "a setting silences it" "" "$(PGOPTIONS="$PGOPTIONS -c terra_identity.progress=off" \
    ask "$PGDATABASE" "CALL terra_identity.backfill('app.slower', 10)")"
same "attached under another name, rows without trace ids are fed again" "300" \
    "$(ask "$PGDATABASE" "SELECT count(*) FROM terra_identity.events WHERE dev_id = 'slow'")"
finish
