#!/usr/bin/env bash
# pg_dump and restore give back the same ledger, state and ids, and the restored database goes on where the other was.
set -euo pipefail
PSQL=(psql -X -q -A -t -v ON_ERROR_STOP=1)
copy=${PGDATABASE}_copy

check() { # NAME EXPECTED ACTUAL
    if [[ $2 == "$3" ]]; then echo "ok - $1"; else echo "not ok - $1"; diff <(echo "$2") <(echo "$3") | head -n 20; fi
}

everything() {
    "${PSQL[@]}" -d "$1" <<'SQL'
SELECT 'connections', to_jsonb(c) FROM terra_identity.connections c ORDER BY c.dev_id, c.user_id;
SELECT 'reauths', r FROM terra_identity.reauths r ORDER BY r;
SELECT 'deliveries', d FROM terra_identity.deliveries d ORDER BY d;
SELECT 'changes', to_jsonb(c) FROM terra_identity.changes c ORDER BY c.change_id;
SELECT 'events', to_jsonb(e) - 'contributes' FROM terra_identity.events e ORDER BY e.event_id;
SELECT 'environments', e FROM terra_identity.environments e ORDER BY e;
SELECT 'providers', p FROM terra_identity.providers p ORDER BY p;
SELECT 'rejected', r FROM terra_identity.rejected r ORDER BY r;
SELECT 'refusals', r FROM terra_identity.refusals r ORDER BY r;
SELECT 'signatures', s FROM terra_identity.signatures s ORDER BY s;
SQL
}

auth() { # DEV_ID USER_ID TRACE
    "${PSQL[@]}" -d "$copy" -c "INSERT INTO terra_identity.events (dev_id, payload, headers) VALUES ('$1',
        '{\"type\": \"auth\", \"status\": \"success\", \"user\": {\"user_id\": \"$2\", \"provider\": \"GARMIN\"}}',
        '{\"x-terra-trace-id\": \"$3\"}')"
}

"${PSQL[@]}" <<'SQL'
CREATE EXTENSION terra_identity;
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('other', 'replace');
UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'default';
INSERT INTO terra_identity.providers VALUES ('GARMIN', true);
UPDATE terra_identity.providers SET sdk = false WHERE provider = 'APPLE';
INSERT INTO terra_identity.events (dev_id, payload, headers)
SELECT CASE WHEN i % 2 = 0 THEN 'default' ELSE 'other' END,
       jsonb_build_object('type', t.type, 'status', 'success',
                          'user', jsonb_build_object('user_id', 'u' || i % 20, 'provider', CASE i % 3 WHEN 0 THEN 'GARMIN' WHEN 1 THEN 'APPLE' ELSE 'OURA' END, 'reference_id', 'r' || i % 3),
                          'old_user', jsonb_build_object('user_id', 'u' || i % 7),
                          'new_user', jsonb_build_object('user_id', 'u' || i % 20, 'reference_id', 'r' || i % 3),
                          'athlete', jsonb_build_object('provider_user_id', 'p' || i % 5)),
       jsonb_build_object('x-terra-trace-id', 'trace-' || i)
FROM generate_series(1, 200) i
JOIN unnest('{auth,athlete,user_reauth,deauth,daily,nonsense}'::text[]) WITH ORDINALITY t (type, n) ON t.n = 1 + i % 6;
INSERT INTO terra_identity.events (payload) VALUES ('[]');
SELECT terra_identity.ingest('{'::bytea, '{"x-terra-trace-id": "rejected"}');
SELECT terra_identity.set_signing_secret('key', dev_id => 'signed');
UPDATE terra_identity.environments SET signature_tolerance = NULL WHERE dev_id = 'signed';
SELECT terra_identity.ingest('{}'::bytea, '{}', 'signed');
SELECT terra_identity.ingest('123'::bytea, '{"terra-signature": "t=12345678,v1=dca55eca8f595bd4d80250ab9609c7cbecec8e581c5c3822294f7c2ee1c99377"}', 'signed');
CREATE ROLE dump_writer;
SELECT terra_identity.grant_writer('dump_writer');
SQL

before=$(everything "$PGDATABASE")
for format in plain custom; do
    file=$(mktemp)
    createdb "$copy"
    if [[ $format == plain ]]; then
        pg_dump -f "$file" 2>"$file.err" && "${PSQL[@]}" -d "$copy" -f "$file" >/dev/null
    else
        pg_dump -Fc -f "$file" 2>"$file.err" && pg_restore -j 2 -d "$copy" "$file"
    fi
    check "pg_dump warns of nothing: $format" "" "$(<"$file.err")"
    check "a $format dump gives back every row" "$before" "$(everything "$copy")"
    for dev_id in default other; do
        check "$format: the state of $dev_id is what the ledger says" "" \
            "$("${PSQL[@]}" -d "$copy" -c "SELECT * FROM terra_identity.verify('$dev_id')")"
    done
    "${PSQL[@]}" -d "$copy" -c "INSERT INTO terra_identity.events (dev_id, payload, headers)
        SELECT dev_id, payload, headers FROM terra_identity.events WHERE trace_id IS NOT NULL"
    check "$format: a retry of what was delivered before the dump is skipped" "$before" "$(everything "$copy")"
    auth default new new
    check "$format: a new connection gets a new id" "1" "$("${PSQL[@]}" -d "$copy" -c "
        SELECT count(*) FROM terra_identity.connections WHERE user_id = 'new'
          AND connection_id > (SELECT max(connection_id) FROM terra_identity.connections WHERE user_id <> 'new')")"
    # A restore brings no secret, and does not open the door for want of one.
    check "$format: what was to be signed still is" "TI003" "$("${PSQL[@]}" -d "$copy" -v VERBOSITY=sqlstate \
        -c "SELECT terra_identity.ingest('{}'::bytea, '{}', 'signed')" 2>&1 | sed 's/.*: *//')"
    check "$format: once the secret is set again, the door is as it was" "duplicate rejected" "$("${PSQL[@]}" -d "$copy" -c "
        DO \$\$ BEGIN PERFORM terra_identity.set_signing_secret('key', dev_id => 'signed'); END \$\$;
        SELECT string_agg(outcome, ' ' ORDER BY http_status) FROM (VALUES ('123'::bytea), ('124')) v (body), terra_identity.ingest(body,
            jsonb_build_object('terra-signature', 't=12345678,v1=dca55eca8f595bd4d80250ab9609c7cbecec8e581c5c3822294f7c2ee1c99377'), 'signed')")"
    check "$format: the writer is one still" "t f" "$("${PSQL[@]}" -d "$copy" -c "
        SELECT concat_ws(' ', has_function_privilege('dump_writer', 'terra_identity.webhook(json)', 'EXECUTE'),
                              has_table_privilege('dump_writer', 'terra_identity.events', 'INSERT'))")"
    dropdb "$copy"
    rm "$file" "$file.err"
done
"${PSQL[@]}" -c "DROP OWNED BY dump_writer; DROP ROLE dump_writer"
