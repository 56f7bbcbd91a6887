#!/usr/bin/env bash
# Whatever way a dump is made and restored, the same ledger, state, ids, rules and sequences come back, no door opens,
# and the restored database goes on where the other was.
set -euo pipefail
PSQL=(psql -X -q -A -t -v ON_ERROR_STOP=1)
copy=${PGDATABASE}_copy
# shellcheck disable=SC1091
. "$(dirname "$0")/checks.sh"

ask() { # DATABASE QUERY: its rows, or the error that it ends with
    "${PSQL[@]}" -d "$1" -v VERBOSITY=sqlstate -c "$2" 2>&1 || true
}

# Of the events all but "contributes", which a restore does not keep. Secrets are in no dump, nor is their sequence.
everything() { # DATABASE
    "${PSQL[@]}" -d "$1" <<'SQL'
SELECT 'connections', to_jsonb(c) FROM terra_identity.connections c ORDER BY c.dev_id, c.user_id;
SELECT 'reauths', r FROM terra_identity.reauths r ORDER BY r;
SELECT 'deliveries', d FROM terra_identity.deliveries d ORDER BY d;
SELECT 'changes', to_jsonb(c) FROM terra_identity.changes c ORDER BY c.change_id;
SELECT 'events', to_jsonb(e) - 'contributes' FROM terra_identity.events e ORDER BY e.event_id;
SELECT 'environments', to_jsonb(e) FROM terra_identity.environments e ORDER BY e.dev_id;
SELECT 'providers', to_jsonb(p) FROM terra_identity.providers p ORDER BY p.provider;
SELECT 'rejected', r FROM terra_identity.rejected r ORDER BY r;
SELECT 'refusal_counters', r FROM terra_identity.refusal_counters r ORDER BY r;
SELECT 'signatures', s FROM terra_identity.signatures s ORDER BY s;
SELECT 'accepted_duplicates', a FROM terra_identity.accepted_duplicates a ORDER BY a;
SELECT 'tombstones', t FROM terra_identity.tombstones t ORDER BY t;
SELECT 'disconnects', to_jsonb(d) FROM terra_identity.disconnects d ORDER BY d.disconnect_id;
SELECT 'readers', r FROM terra_identity.readers r ORDER BY r;
SELECT 'sequences', sequencename, last_value FROM pg_sequences
WHERE schemaname = 'terra_identity' AND sequencename <> 'signing_secrets_secret_id_seq' ORDER BY 2;
SELECT 'disabled', tgrelid::regclass, tgname FROM pg_trigger WHERE tgenabled = 'D' ORDER BY 2, 3;
SQL
}

# What the extension's objects are granted, to others than their owner.
grants() { # DATABASE
    "${PSQL[@]}" -d "$1" <<'SQL'
SELECT object, grantee::regrole, privilege_type
FROM (SELECT oid::regclass::text, relacl, relowner FROM pg_class WHERE relnamespace = 'terra_identity'::regnamespace
      UNION ALL
      SELECT oid::regprocedure::text, proacl, proowner FROM pg_proc WHERE pronamespace = 'terra_identity'::regnamespace
      UNION ALL
      SELECT nspname, nspacl, nspowner FROM pg_namespace WHERE nspname = 'terra_identity') o (object, acl, owner),
     aclexplode(acl)
WHERE grantee <> owner ORDER BY 1, 2, 3;
SQL
}

# An auth and an athlete of each row (dev_id, user_id, provider, reference_id, provider_user_id).
connect() { # DATABASE RECEIVED_AT ROWS
    "${PSQL[@]}" -d "$1" -c "INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
        SELECT dev_id, '$2', jsonb_build_object('type', type, 'status', 'success',
                   'user', jsonb_build_object('user_id', user_id, 'provider', provider, 'reference_id', reference_id),
                   'athlete', jsonb_build_object('provider_user_id', account)),
               jsonb_build_object('x-terra-trace-id', user_id || type)
        FROM (VALUES $3) v (dev_id, user_id, provider, reference_id, account), unnest('{auth,athlete}'::text[]) type"
}

# What comes after the dump was made: all that was delivered before, once more; then somebody else on the account of
# each of the connections a1 to a4, of which another rule holds for each; and a header that leads to another
# environment. Shows what the feed tells of it.
go_on() { # DATABASE
    local last
    last=$(ask "$1" "SELECT max(change_id) FROM terra_identity.changes")
    ask "$1" "INSERT INTO terra_identity.events (dev_id, payload, headers)
        SELECT dev_id, payload, headers FROM terra_identity.events WHERE trace_id IS NOT NULL ORDER BY event_id"
    connect "$1" 2024-02-02 "('other', 'b1', 'APPLE', 'bob', 'of-a1'), ('kept', 'b2', 'OURA', 'bob', 'of-a2'),
        ('kept', 'b3', 'GARMIN', 'alice', 'of-b3'), ('other', 'b4', 'WAHOO', 'bob', 'of-a4')" 2>&1 || true
    ask "$1" "INSERT INTO terra_identity.events (received_at, payload, headers)
        VALUES ('2024-02-03', '{\"type\": \"auth\", \"status\": \"success\", \"user\": {\"user_id\": \"b5\"}}',
                '{\"dev-id\": \"acme-kept\"}')"
    ask "$1" "SELECT dev_id, user_id, kind FROM terra_identity.changes WHERE change_id > $last ORDER BY user_id, kind"
}

# The same without the times at which it was written down.
everything_but_times() { # DATABASE
    everything "$1" | sed -E 's/"(changed_at|received_at|requested_at|next_attempt_at)": "[^"]*"//g'
}

# What a reader of environment "kept" sees, by tables and views and by functions. Where no grants were restored, a
# hand-made one must show no more.
isolated() { # DATABASE
    "${PSQL[@]}" -d "$1" -v VERBOSITY=terse 2>&1 <<'SQL' || true
GRANT USAGE ON SCHEMA terra_identity TO dump_isolated;
GRANT SELECT ON ALL TABLES IN SCHEMA terra_identity TO dump_isolated;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA terra_identity TO dump_isolated;
SET ROLE dump_isolated;
SELECT 'ledger', dev_id, count(*) FROM terra_identity.events GROUP BY 2;
SELECT 'state', dev_id, count(*) FROM terra_identity.connections GROUP BY 2;
SELECT 'feed', dev_id, count(*) FROM terra_identity.changes GROUP BY 2;
SELECT 'rejected', dev_id, count(*) FROM terra_identity.rejected GROUP BY 2;
SELECT 'rules', dev_id FROM terra_identity.environments;
SELECT 'figures', dev_id, sum(active) FROM terra_identity.overview GROUP BY 2;
SELECT 'secrets', count(*) FROM terra_identity.signing_secrets;
SELECT 'readers', count(*) FROM terra_identity.readers;
SELECT 'resolve', dev_id, terra_identity.resolve('a1', dev_id), terra_identity.resolve('a2', dev_id)
FROM unnest('{default,kept,other}'::text[]) dev_id;
SQL
}

# How to restore $work/dump into $copy. Most do not stop at an error, which is a failure by itself: so the checks that
# follow show what it led to.
script() { psql -X -q -o /dev/null -d "$copy" -f "$work/dump" "$@"; }
archive() { pg_restore -d "$copy" "$work/dump" "$@"; }
prepared() { # COMMAND...: what brings data alone needs the extension.
    ask "$copy" "CREATE EXTENSION terra_identity"
    "$@"
}
# Rules that were set there before are merged with what comes.
with_rules() { # COMMAND...
    ask "$copy" "CREATE EXTENSION terra_identity;
        INSERT INTO terra_identity.environments (dev_id, terra_dev_id, signature_tolerance)
        VALUES ('default', 'acme-kept', DEFAULT), ('signed', NULL, DEFAULT), ('other', NULL, NULL);
        INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('APPLE', 'unique'), ('WAHOO', 'unique')"
    "$@"
}
sections() {
    local section
    for section in pre-data data post-data; do
        archive --section="$section"
    done
}
# A dump of what was restored, restored, is dumped as it was. Only the key of \restrict is another in every dump.
twice() {
    script "$@"
    pg_dump -d "$copy" -f "$work/dump"
    dropdb "$copy"
    createdb "$copy"
    script "$@"
    diff <(grep -v '^.\(un\)\?restrict ' "$work/dump" | sort) \
        <(pg_dump -d "$copy" | grep -v '^.\(un\)\?restrict ' | sort)
}

# Of the body 123, under the secret key.
signature=t=12345678,v1=dca55eca8f595bd4d80250ab9609c7cbecec8e581c5c3822294f7c2ee1c99377

"${PSQL[@]}" -o /dev/null -v signature="$signature" <<'SQL'
CREATE EXTENSION terra_identity;
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('other', 'replace');
INSERT INTO terra_identity.environments (dev_id, terra_dev_id) VALUES ('kept', 'acme-kept');
INSERT INTO terra_identity.environments (dev_id, on_duplicate) VALUES ('kept', 'disconnect_older');
UPDATE terra_identity.environments SET account_policy = 'replace', terra_dev_id = 'acme-prod' WHERE dev_id = 'default';
INSERT INTO terra_identity.providers (provider, sdk) VALUES ('GARMIN', true);
INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('WAHOO', 'unusable');
UPDATE terra_identity.providers SET sdk = false WHERE provider = 'APPLE';
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
SELECT ('{default,other,kept}'::text[])[1 + i % 3], timestamptz '2024-01-01' + i * interval '1 min',
       jsonb_build_object('type', t.type, 'status', 'success',
                          'user', jsonb_build_object('user_id', 'u' || i % 20, 'provider',
                                                     ('{GARMIN,APPLE,OURA,WAHOO}'::text[])[1 + i % 4], 'reference_id',
                                                     'r' || i % 7),
                          'old_user', jsonb_build_object('user_id', 'u' || i % 7),
                          'new_user', jsonb_build_object('user_id', 'u' || i % 20, 'reference_id', 'r' || i % 7),
                          'athlete', jsonb_build_object('provider_user_id', 'p' || i % 5)),
       jsonb_build_object('x-terra-trace-id', 'trace-' || i)
FROM generate_series(1, 240) i
JOIN unnest('{auth,athlete,auth,athlete,user_reauth,deauth,daily,nonsense}'::text[]) WITH ORDINALITY t (type, n)
    ON t.n = 1 + i / 3 % 8;
INSERT INTO terra_identity.events (payload) VALUES ('[]');
SELECT terra_identity.ingest('{'::bytea, '{"x-terra-trace-id": "rejected"}');
SELECT terra_identity.set_signing_secret('key', dev_id => 'signed');
UPDATE terra_identity.environments SET signature_tolerance = NULL WHERE dev_id = 'signed';
SELECT terra_identity.ingest('{}'::bytea, '{}', 'signed');
SELECT terra_identity.ingest('123'::bytea, jsonb_build_object('terra-signature', :'signature'), 'signed');
CREATE ROLE dump_writer;
SELECT terra_identity.grant_writer('dump_writer');
CREATE ROLE dump_reader;
SELECT terra_identity.grant_reader('dump_reader');
CREATE ROLE dump_isolated;
SELECT terra_identity.grant_reader('dump_isolated', 'kept');
SQL
connect "$PGDATABASE" 2024-02-01 "('other', 'a1', 'APPLE', 'alice', 'of-a1'), ('kept', 'a2', 'OURA', 'alice', 'of-a2'),
    ('kept', 'a3', 'GARMIN', 'alice', 'of-a3'), ('other', 'a4', 'WAHOO', 'alice', 'of-a4')"
# Disconnects: one that a worker has, one that waits; and one that an accepted account has closed.
connect "$PGDATABASE" 2024-02-01 "('kept', 'c1', 'OURA', 'carl', 'of-c1'), ('kept', 'd1', 'OURA', 'dora', 'of-c1'),
    ('kept', 'c2', 'OURA', 'carl', 'of-c2'), ('kept', 'd2', 'OURA', 'dora', 'of-c2'),
    ('kept', 'c3', 'OURA', 'carl', 'of-c3'), ('kept', 'd3', 'OURA', 'dora', 'of-c3')"
"${PSQL[@]}" -o /dev/null <<'SQL'
SELECT terra_identity.take_disconnects(1, '1 hour', 'kept');
INSERT INTO terra_identity.accepted_duplicates (dev_id, provider, provider_user_id) VALUES ('kept', 'OURA', 'of-c3');
SQL

same "there is something of everything to dump" "" "$(ask "$PGDATABASE" "
    SELECT what FROM (VALUES
        ('chains', (SELECT count(*) FROM terra_identity.reauths a JOIN terra_identity.reauths b
                    ON b.dev_id = a.dev_id AND b.old_user_id = a.new_user_id AND b.new_user_id <> a.old_user_id)),
        ('duplicates', (SELECT count(*) FROM terra_identity.duplicate_connections)),
        ('superseded', (SELECT count(*) FROM terra_identity.connections WHERE status = 'superseded')),
        ('rejected', (SELECT count(*) FROM terra_identity.rejected)),
        ('refusals', (SELECT count(*) FROM terra_identity.refusals)),
        ('signatures', (SELECT count(*) FROM terra_identity.signatures)),
        ('queued', (SELECT count(*) FROM terra_identity.disconnects WHERE state = 'queued')),
        ('taken', (SELECT count(*) FROM terra_identity.disconnects WHERE state = 'taken')),
        ('closed', (SELECT count(*) FROM terra_identity.disconnects WHERE state = 'closed')),
        ('problems', (SELECT count(*) FROM terra_identity.problems)),
        ('writers', has_function_privilege('dump_writer', 'terra_identity.webhook(json)', 'EXECUTE')::int),
        ('readers', has_table_privilege('dump_reader', 'terra_identity.environments', 'SELECT')::int)) v (what, n)
    WHERE n = 0")"
before=$(everything "$PGDATABASE")
granted=$(grants "$PGDATABASE")

# A copy of the database's files, which went through no dump, shows how it is to go on.
createdb -T "$PGDATABASE" "$copy"
seen=$(isolated "$copy")
same "a reader of one environment sees that one" "ledger|kept feed|kept rules|kept resolve|kept" \
    "$(grep -oE '^(ledger|feed|rules)\|[a-z]+|^resolve\|[a-z]+\|.*a2$' <<<"$seen" | sed 's/||a2$//' | xargs)"
feed=$(go_on "$copy")
after=$(everything_but_times "$copy")
dropdb "$copy"
same "each rule holds for what comes" "other|a1|superseded
other|a1|transferred
kept|a2|duplicate_opened
kept|a3|superseded
other|b1|account_identified
other|b1|connected
kept|b2|account_identified
kept|b2|connected
kept|b2|duplicate_opened
kept|b3|account_identified
kept|b3|reconnected
other|b4|account_identified
other|b4|connected
kept|b5|connected" "$feed"

while IFS='|' read -r -u 3 mode dump restore; do
    mode=${mode%"${mode##*[! ]}"}
    createdb "$copy"
    # shellcheck disable=SC2086  # these are several words
    same "$mode: neither dump nor restore has anything to say" "" \
        "$( (pg_dump -f "$work/dump" $dump && $restore) 2>&1 || echo "status $?")"
    same "$mode: every row, rule and sequence is the same" "$before" "$(everything "$copy" 2>&1)"
    same "$mode: the state is what the ledger says" "" "$(ask "$copy" "
        SELECT e.dev_id, v FROM (SELECT dev_id FROM terra_identity.environments
                                 UNION SELECT dev_id FROM terra_identity.events) e,
                                terra_identity.verify(e.dev_id) v")"
    wanted=$granted
    if [[ "$dump $restore" == *--data-only* || $dump == *--section=data* ]]; then
        wanted=
    fi
    same "$mode: the grants are the same, or none where no definitions are restored" "$wanted" "$(grants "$copy" 2>&1)"
    same "$mode: a reader of one environment sees what she saw" "$seen" "$(isolated "$copy")"
    same "$mode: a retry is skipped, and each rule holds for what comes" "$feed" "$(go_on "$copy")"
    same "$mode: it goes on as if it had never been dumped, to the id" "$after" "$(everything_but_times "$copy" 2>&1)"
    # A restore brings no secret, and does not open the door for want of one.
    same "$mode: what was to be signed still is" "ERROR:  TI003" \
        "$(ask "$copy" "SELECT terra_identity.ingest('{}'::bytea, '{}', 'signed')")"
    same "$mode: once the secret is set again, the door is as it was" "duplicate rejected" "$(ask "$copy" "
        DO \$\$ BEGIN PERFORM terra_identity.set_signing_secret('key', dev_id => 'signed'); END \$\$;
        SELECT string_agg(outcome, ' ' ORDER BY http_status)
            FROM (VALUES ('123'::bytea), ('124')) v (body), terra_identity.ingest(body,
            jsonb_build_object('terra-signature', '$signature'), 'signed')")"
    dropdb "$copy"
    rm -rf "$work/dump"
done 3<<'MODES'
plain                          |                                  | script
plain, in one transaction      |                                  | script --single-transaction
plain, over what is there      | --clean --if-exists              | prepared script
plain, of what was restored    |                                  | twice
plain, of the extension        | --extension=terra_identity       | script
inserts                        | --inserts                        | script
inserts, with columns          | --column-inserts                 | script
inserts, seven rows each       | --rows-per-insert=7              | script
data                           | --data-only                      | prepared script
data, of the tables            | --data-only --table=terra_identity.* | prepared script
data, as a section             | --section=data                   | prepared script
data, where rules were set     | --data-only                      | with_rules script
data, inserts                  | --data-only --inserts            | prepared script
data, no triggers              | --data-only --disable-triggers   | prepared script
data, no triggers, inserts     | --data-only --disable-triggers --inserts | prepared script
data, no triggers or conflicts | --data-only --disable-triggers --inserts --on-conflict-do-nothing | prepared script
custom                         | -Fc                              | archive
custom, in parallel            | -Fc                              | archive -j 2
custom, in one transaction     | -Fc                              | archive --single-transaction --exit-on-error
custom, over what is there     | -Fc                              | prepared archive --clean --if-exists
custom, by sections            | -Fc                              | sections
custom, inserts                | -Fc --inserts                    | archive
custom, data                   | -Fc                              | prepared archive --data-only
custom, data, no triggers      | -Fc                              | prepared archive --data-only --disable-triggers
directory, in parallel         | -Fd -j 2                         | archive -j 2
directory, data, no triggers   | -Fd -j 2                         | prepared archive -j 2 --data-only --disable-triggers
tar                            | -Ft                              | archive
MODES

# Another cluster, which a dump tells by the number that the rows of readers carry: there a row is of the role with that
# name, whatever number the role has.
elsewhere() { # CLUSTER: the dump of the database, as another cluster would have made it
    pg_dump -f "$work/dump" --no-acl
    sed -i -E "/^COPY terra_identity.readers /,/^\\\\\.$/ s/\t[0-9]+\t-?[0-9]+\t/\t10\t$1\t/" "$work/dump"
}
createdb "$copy"
elsewhere 1
same "from another cluster: it is another cluster's" "1" \
    "$(script && ask "$copy" "SELECT DISTINCT system_identifier FROM terra_identity.readers")"
same "from another cluster: a reader of one environment sees what she saw" "$seen" "$(isolated "$copy")"
"${PSQL[@]}" -c "ALTER ROLE dump_isolated RENAME TO dump_renamed"
pg_dump -f "$work/renamed"
same "a dump leaves out a reader that has been renamed, and keeps the others" "dump_reader" \
    "$(sed -n '/^COPY terra_identity.readers /,/^\\\.$/p' "$work/renamed" | grep -oE 'dump_[a-z]+' || true)"
same "from another cluster: under another name she is told that she is no reader" \
    'ERROR:  role "dump_renamed" may read no environment of terra_identity' "$(psql -qAt -d "$copy" 2>&1 <<'SQL' |
GRANT USAGE ON SCHEMA terra_identity TO dump_renamed;
GRANT SELECT ON terra_identity.events TO dump_renamed;
SET ROLE dump_renamed;
SELECT DISTINCT dev_id FROM terra_identity.events;
SQL
        grep ERROR)"
dropdb "$copy"
"${PSQL[@]}" -c "ALTER ROLE dump_renamed RENAME TO dump_isolated"
"${PSQL[@]}" -c "DROP OWNED BY dump_writer, dump_reader, dump_isolated" \
    -c "DROP ROLE dump_writer, dump_reader, dump_isolated"
finish
