#!/usr/bin/env bash
# upgrades.sh VERSION...: in a chroot, as root, with /tmp/stage/VERSION/usr/lib/postgresql/VERSION for each: fills a
# database of the first version, and upgrades it from each to the next, first by copying, then with --link. After each,
# what was there is there, and it goes on. Beside it is a database of the extension's version 0.1.0, which is updated
# after the first upgrade. Prints what is wrong, and lines `# N WHAT, N failed` at the end.
set -euo pipefail
versions=("$@")
work=/tmp/upgrades
mkdir -p "$work"
chown postgres: "$work"
cd "$work"
export PGHOST=$work PGUSER=postgres PGDATABASE=postgres PSQLRC=/dev/null

as_postgres() {
    setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
}

# Programs of an older Debian find the libraries that this one does not have; all others are this one's.
mkdir "$work/libraries"
for version in "${versions[@]}"; do
    for library in /tmp/stage/"$version"/libraries/*; do
        name=${library##*/}
        if ! ldconfig -p | grep -qF "$name ("; then
            ln -sf "$library" "$work/libraries/$name"
        fi
    done
done
export LD_LIBRARY_PATH=$work/libraries

bin() { # VERSION
    echo "/tmp/stage/$1/usr/lib/postgresql/$1/bin"
}
make_data() { # VERSION FOLDER. Checksums are on by default from 18 on, and have to be alike.
    local options=()
    if (($1 >= 18)); then
        options=(--no-data-checksums)
    fi
    as_postgres "$(bin "$1")/initdb" -D "$work/$2" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
        "${options[@]}" >"$work/initdb.log"
    printf "listen_addresses = ''\nunix_socket_directories = '%s'\nfsync = off\n" "$work" \
        >>"$work/$2/postgresql.conf"
}
start() { # VERSION FOLDER
    as_postgres "$(bin "$1")/pg_ctl" start -w -s -D "$work/$2" -l "$work/server.log" </dev/null >/dev/null
}
stop() {
    as_postgres "$(bin "$1")/pg_ctl" stop -w -s -m fast -D "$work/$2"
}
query() {
    "$(bin "$version")/psql" -X -q -A -t "$@" 2>&1 || true
}

fill() {
    query -v ON_ERROR_STOP=1 <<'SQL'
CREATE EXTENSION terra_identity;
INSERT INTO terra_identity.environments (dev_id, account_policy, terra_dev_id)
    VALUES ('other', 'replace', 'acme-other');
INSERT INTO terra_identity.environments (dev_id, on_duplicate) VALUES ('kept', 'disconnect_older');
INSERT INTO terra_identity.providers (provider, sdk) VALUES ('STRAP', true);
CREATE FUNCTION deliver(dev_id text, first int, last int) RETURNS bigint LANGUAGE sql AS $$
    WITH stored AS (
        INSERT INTO terra_identity.events (dev_id, payload, headers)
        SELECT dev_id, jsonb_build_object('type', type, 'status', 'success', 'user', u, 'new_user', u,
                   'old_user', jsonb_build_object('user_id', 'u' || (k + 1) % 40),
                   'athlete', jsonb_build_object('provider_user_id', 'a' || k % 7)),
               jsonb_build_object('X-Terra-Trace-Id', 'trace ' || i)
        FROM generate_series(first, last) i, LATERAL (SELECT i * 7 % 40) x (k),
             LATERAL (SELECT (ARRAY['GARMIN', 'OURA', 'APPLE', 'STRAP'])[1 + k % 4],
                 (ARRAY['auth', 'athlete', 'daily', 'user_reauth', 'deauth', 'athlete', 'auth', 'sleep'])[1 + i % 8])
                 y (provider, type),
             LATERAL (SELECT jsonb_build_object('user_id', 'u' || k, 'provider', provider,
                                                'reference_id', 'r' || k % 11)) z (u)
        RETURNING 1)
    SELECT count(*) FROM stored $$;
SELECT deliver(dev_id, 1, 500) FROM unnest('{default,other,kept}'::text[]) dev_id \g /dev/null
SELECT terra_identity.ingest('{'::text, '{"x-terra-trace-id": "rejected"}') \g /dev/null
SELECT terra_identity.set_signing_secret('key', dev_id => 'signed') \g /dev/null
SELECT terra_identity.ingest('{}'::text, '{}', 'signed') \g /dev/null
SELECT terra_identity.correct('u1', 'ended', 'she said so') \g /dev/null
SELECT count(*) FROM terra_identity.forget('r3', dev_id => 'other') \g /dev/null
CREATE ROLE reader LOGIN;
CREATE ROLE writer LOGIN;
SELECT terra_identity.grant_reader('reader', 'kept'), terra_identity.grant_writer('writer') \g /dev/null
-- What an owner adds.
CREATE TABLE webhooks (id bigint PRIMARY KEY, body jsonb);
SELECT terra_identity.attach('webhooks', 'body') \g /dev/null
ALTER TABLE terra_identity.events ADD COLUMN note text DEFAULT 'of the owner';
CREATE INDEX events_note_idx ON terra_identity.events (note);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'touched'; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION touch();
SQL
}

# Every row of every table, secrets included, every sequence, rule, grant, and what the owner has added.
everything() {
    query <<'SQL'
SELECT format('SELECT %1$L, count(*), md5(string_agg(t::text, '''' ORDER BY t::text COLLATE "C"))
    FROM terra_identity.%1$I t', relname)
FROM pg_class WHERE relnamespace = 'terra_identity'::regnamespace AND relkind = 'r' ORDER BY relname COLLATE "C" \gexec
SELECT 'environments', md5(string_agg(e::text, '' ORDER BY dev_id)) FROM terra_identity.environments e;
SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'terra_identity' ORDER BY 1;
SELECT 'grants', count(*), md5(string_agg(object || grantee::regrole || privilege_type, '' ORDER BY object COLLATE "C",
    grantee::regrole::text COLLATE "C", privilege_type COLLATE "C"))
FROM (SELECT oid::regclass::text, relacl, relowner FROM pg_class WHERE relnamespace = 'terra_identity'::regnamespace
      UNION ALL
      SELECT oid::regprocedure::text, proacl, proowner FROM pg_proc WHERE pronamespace = 'terra_identity'::regnamespace)
     o (object, acl, owner), aclexplode(acl) WHERE grantee <> owner;
SELECT 'indexes', count(*) FROM pg_index i JOIN pg_class c ON c.oid = indrelid
WHERE relnamespace = 'terra_identity'::regnamespace AND indisvalid;
SELECT 'triggers', tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 3, 2;
SELECT 'policies', count(*) FROM pg_policy;
SELECT 'version', extversion FROM pg_extension WHERE extname = 'terra_identity';
SQL
}

# What is delivered afterwards; `round` makes it new each time.
go_on() { # ROUND
    query <<SQL
SELECT 'retries', deliver(dev_id, 1, 500) FROM unnest('{default,kept}'::text[]) dev_id;
SELECT 'new', deliver(dev_id, $1 * 1000, $1 * 1000 + 99) FROM unnest('{default,kept}'::text[]) dev_id;
SELECT 'signed', outcome, http_status FROM terra_identity.ingest('{}'::text, '{}', 'signed');
SELECT 'forgotten', outcome FROM terra_identity.ingest(
    '{"type": "auth", "status": "success", "user": {"user_id": "new", "reference_id": "r3"}}'::text, NULL, 'other');
INSERT INTO webhooks VALUES ($1, '{"type": "healthcheck"}');
SELECT 'attached', count(*) FROM terra_identity.events WHERE event_type = 'healthcheck';
SELECT 'touched', bool_and(note = 'touched') FROM terra_identity.events WHERE trace_id = 'trace ' || $1 * 1000;
SELECT 'different', d, v::text FROM (SELECT DISTINCT dev_id FROM terra_identity.events) e (d),
    terra_identity.verify(d) v;
SET SESSION AUTHORIZATION reader;
SELECT DISTINCT 'reader', dev_id FROM terra_identity.connections;
SQL
}

# Two databases of 0.1.0. One of them is updated at once: the other must become like it.
fill_earlier() {
    local name
    for name in earlier updated; do
        query -c "CREATE DATABASE $name"
        query -d "$name" -v ON_ERROR_STOP=1 -c "CREATE EXTENSION terra_identity VERSION '0.1.0'" \
            -f /tmp/stage/test/t/fill_0.1.0.sql | grep -E 'ERROR|WARNING' || true
    done
    query -d updated -c "ALTER EXTENSION terra_identity UPDATE" | grep -E 'ERROR|WARNING' || true
}
state_of() { # DATABASE
    query -d "$1" <<'SQL'
SELECT extversion FROM pg_extension WHERE extname = 'terra_identity';
SELECT to_jsonb(c) FROM terra_identity.connections c
ORDER BY dev_id COLLATE "C", user_id COLLATE "C";
SELECT count(*), md5(string_agg(to_jsonb(e)::text, '' ORDER BY event_id)) FROM terra_identity.events e;
SELECT 'different', dev_id, v::text FROM terra_identity.environments, terra_identity.verify(dev_id) v;
SQL
}
update_earlier() {
    local wanted found
    updates=$((updates + 1))
    found=$(query -d earlier -c "ALTER EXTENSION terra_identity UPDATE" | grep -E 'ERROR|WARNING' || true)
    wanted=$(state_of updated)
    found+=$(diff <(echo "$wanted") <(state_of earlier) || true)
    if [[ -n $found || $(grep -c '"status": "active"' <<<"$wanted") -lt 4 ]]; then
        updates_failed=$((updates_failed + 1))
        echo "$what: the update of the extension: $found, where it is to be: $wanted"
    else
        echo "$what: version 0.1.0 of the extension is updated"
    fi
}

upgrades=0
failed=0
updates=0
updates_failed=0
for mode in "" --link; do
    version=${versions[0]}
    make_data "$version" "data$version"
    start "$version" "data$version"
    fill
    fill_earlier
    for next in "${versions[@]:1}"; do
        if ((upgrades == GOAL)); then
            break
        fi
        before=$(everything)
        stop "$version" "data$version"
        make_data "$next" "data$next"
        wrong=
        # shellcheck disable=SC2086  # no mode is no argument
        if ! as_postgres "$(bin "$next")/pg_upgrade" -b "$(bin "$version")" -B "$(bin "$next")" \
            -d "$work/data$version" -D "$work/data$next" -U postgres -s "$work" $mode >"$work/pg_upgrade.log" 2>&1; then
            tail -n 30 "$work/pg_upgrade.log"
            cat "$work/data$next"/pg_upgrade_output.d/*/log/*.log 2>/dev/null | grep -iE 'error|fatal' | head -n 20
            failed=$((failed + 1))
            upgrades=$((upgrades + 1))
            break
        fi
        what="$version to $next ${mode:-by copying}"
        rm -rf "$work/data$version"
        version=$next
        start "$version" "data$version"
        after=$(everything)
        if [[ $before != "$after" ]]; then
            wrong+="what was there is not what is there: $(diff <(echo "$before") <(echo "$after"))"$'\n'
        fi
        found=$(go_on "$version")
        wanted="retries|0 retries|0 new|100 new|100 signed|rejected|401 forgotten|forgotten attached|$((upgrades % \
            (${#versions[@]} - 1) + 1)) touched|t reader|kept"
        if [[ $(paste -sd ' ' <<<"$found") != "$wanted" ]]; then
            wrong+="it goes on so: $found"$'\n'
        fi
        upgrades=$((upgrades + 1))
        if [[ -n $wrong ]]; then
            failed=$((failed + 1))
            echo "$what: $wrong"
        else
            echo "$what: everything is there, and it goes on"
        fi
        if [[ $next == "${versions[1]}" ]]; then
            update_earlier
        fi
    done
    stop "$version" "data$version" || true
    rm -rf "$work"/data*
done
echo "# $upgrades pg_upgrade to the next version, $failed failed"
echo "# $updates update of the extension after pg_upgrade, $updates_failed failed"
