"""
Roles that read one environment, `mine`, try everything to learn of another, `theirs`, whose rows can be recognised:
every column of every table and view, also by functions of their own in WHERE and by errors that tell a value; and every
function that they may execute, once with ids that `theirs` has and once with ids that nobody has: whoever gets another
answer, or another error, knows that such an id exists. A role that reads everything shows that there is something to
see.
"""

import hashlib
import hmac
import json
import subprocess
import sys
import time

from tap import check, finish

THEIRS, MINE, NOBODY = "zztheirs", "zzmine", "zznobody"
RESTRICTED = ["readers_one", "readers_member", "readers_support", "readers_consumer"]
EVERYTHING, NOT_ENTERED = "readers_all", "readers_not_entered"

SETUP = f"""
CREATE EXTENSION terra_identity;
ALTER TABLE terra_identity.connections ALTER connection_id RESTART 7711771177001; -- is no part of any other number
CREATE ROLE {EVERYTHING}; CREATE ROLE readers_one; CREATE ROLE readers_member IN ROLE readers_one;
CREATE ROLE readers_support; CREATE ROLE readers_consumer; CREATE ROLE {NOT_ENTERED};
SELECT terra_identity.grant_reader('{EVERYTHING}'), terra_identity.grant_reader('readers_one', '{MINE}'),
       terra_identity.grant_support('readers_support', '{MINE}'),
       terra_identity.grant_consumer('readers_consumer', '{MINE}');
GRANT USAGE ON SCHEMA terra_identity TO {NOT_ENTERED};
GRANT SELECT ON ALL TABLES IN SCHEMA terra_identity TO {NOT_ENTERED};
INSERT INTO terra_identity.environments (dev_id, on_duplicate)
VALUES ('{MINE}', 'disconnect_older'), ('{THEIRS}', 'disconnect_older');
"""

# One row for each column in which a role saw a word, in rows or in errors. Its own function in WHERE costs nothing, so
# that the planner runs it first wherever it may.
LOOK = """
CREATE TEMP TABLE seen (relation text, attribute text, how text, told text);
CREATE FUNCTION pg_temp.note(value text, word text, relation text, attribute text) RETURNS boolean
LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
    IF value ~ word THEN
        INSERT INTO seen VALUES (relation, attribute, 'a function in WHERE', left(value, 100));
    END IF;
    RETURN true;
END $$;
CREATE FUNCTION pg_temp.look(word text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
    statement text;
    told text;
    detail text;
    hint text;
BEGIN
    FOR r IN SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind IN ('r', 'v', 'm') AND a.attnum > 0
                 AND NOT a.attisdropped LOOP
        FOREACH statement IN ARRAY ARRAY[
            'SELECT string_agg(t.%2$I::text, '' '') FROM terra_identity.%1$I t',
            'SELECT count(*)::text FROM terra_identity.%1$I t WHERE pg_temp.note(t.%2$I::text, %3$L, %1$L, %2$L)',
            'SELECT count(*)::text FROM terra_identity.%1$I t WHERE t.%2$I::text::int = 0'] LOOP
            BEGIN
                EXECUTE format(statement, r.relname, r.attname, word) INTO told;
                detail := ''; hint := '';
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
            END;
            IF concat(told, detail, hint) ~ word THEN
                INSERT INTO seen VALUES (r.relname, r.attname, statement, left(concat(told, detail, hint), 100));
            END IF;
        END LOOP;
    END LOOP;
END $$;
"""

# What a call answers, or the error that it ends with.
ASK = """
CREATE FUNCTION pg_temp.ask(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
    detail text;
    hint text;
BEGIN
    EXECUTE 'SELECT coalesce(jsonb_agg(to_jsonb(f))::text, ''nothing'') FROM ' || call || ' f' INTO told;
    RETURN told;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' / ', sqlstate, told, detail, hint);
END $$;
"""

FUNCTIONS = """
SELECT json_agg(json_build_object(
    'name', p.proname, 'arguments', (
        SELECT coalesce(json_agg(json_build_array(p.proargnames[n], format_type(t, NULL)) ORDER BY n), '[]')
        FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u (t, n))) ORDER BY p.oid)
FROM pg_proc p WHERE p.pronamespace = 'terra_identity'::regnamespace AND p.prokind = 'f'
    AND p.prorettype NOT IN ('trigger'::regtype, 'internal'::regtype) AND has_function_privilege(ROLE, p.oid, 'EXECUTE')
"""


def psql(script):
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"], capture_output=True,
                          input="SET client_min_messages = warning;\n" + script, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def literal(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("'", "''") + "'"


def lives(dev_id):
    """Statements that leave something in every table; every id and text begins with the environment's name."""
    def user(name, person):
        return {"user_id": f"{dev_id}-{name}", "reference_id": f"{dev_id}-{person}", "provider": "GARMIN",
                "scopes": dev_id}

    def insert(payload, **headers):
        return (f"INSERT INTO terra_identity.events (dev_id, payload, headers) VALUES ('{dev_id}', {literal(payload)}, "
                f"{literal(headers)});")

    for name, person in ("u1", "anna"), ("u2", "bob"), ("u3", "carl"), ("u5", "eve"):
        yield insert({"type": "auth", "status": "success", "user": user(name, person)},
                     **{"X-Terra-Trace-Id": f"{dev_id}-{name}", "Cookie": dev_id})
        yield insert({"type": "athlete", "user": user(name, person),
                      "athlete": {"provider_user_id": f"{dev_id}-account", "email": f"{dev_id}@example.org"}})
    yield insert({"type": "user_reauth", "old_user": user("u1", "anna"), "new_user": user("u4", "anna")})
    yield insert({"type": "auth", "status": "success", "user": user("u6", "fay")})
    yield insert({"type": "connection_error", "user": user("u2", "bob")})
    yield insert({"type": "deauth", "user": user("u4", "anna")})
    yield insert({"type": "daily", "data": [dev_id], "user": user("u4", "dora")})
    yield insert({"type": "auth", "user": {"user_id": 5, "name": dev_id}})
    yield f"""SELECT terra_identity.ingest('"{dev_id}', '{{"X-Terra-Trace-Id": "{dev_id}"}}', '{dev_id}');"""
    yield f"""INSERT INTO terra_identity.accepted_duplicates (dev_id, provider, provider_user_id, note)
              VALUES ('{dev_id}', 'OURA', '{dev_id}-shared', '{dev_id}');"""
    yield f"SELECT count(*) FROM terra_identity.take_disconnects(1, '1 hour', '{dev_id}');"
    yield f"SELECT count(*) FROM terra_identity.read_changes('{dev_id}-mailer', 5, '{dev_id}');"
    yield f"SELECT terra_identity.commit_changes('{dev_id}-mailer', 1, '{dev_id}');"
    yield f"SELECT count(*) FROM terra_identity.forget('{dev_id}-carl', '{dev_id}');"
    yield f"CALL terra_identity.prune('0', dev_id => '{dev_id}');"
    yield f"CREATE TABLE hooks_of_{dev_id} (body jsonb);"
    yield f"SELECT terra_identity.attach('hooks_of_{dev_id}', 'body', dev_id => '{dev_id}');"
    # After that, what is not signed is refused.
    yield f"SELECT terra_identity.set_signing_secret('{dev_id}', dev_id => '{dev_id}');"
    yield f"SELECT terra_identity.ingest('{{}}'::text, NULL, '{dev_id}');"
    signed = f"{int(time.time())}.{{}}"
    signature = hmac.new(dev_id.encode(), signed.encode(), hashlib.sha256).hexdigest()
    yield f"""SELECT terra_identity.ingest('{{}}'::text, '{{"X-Terra-Signature": "t={signed[:-3]},v1={signature}"}}',
                                           '{dev_id}');"""


def as_role(role, script):
    return f"SET ROLE {role};\n{script}\nRESET ROLE;\n"


def seen_by(role):
    """Where a role saw something of `theirs`, as text or as bytes, and how: rows of the table `seen`."""
    look = as_role(role, f"SELECT pg_temp.look('{THEIRS}|{THEIRS.encode().hex()}') \\g /dev/null")
    answer = psql(LOOK + f"GRANT ALL ON seen TO PUBLIC;\n{look}SELECT to_json(s) FROM seen s;")
    return [json.loads(line) for line in answer.splitlines()]


def argument(name, type_name, ids, dev_id):
    if name in ("dev_id", "environment"):
        return literal(dev_id)
    if type_name == "text":
        return literal({"provider": "GARMIN"}.get(name, ids.get(name, ids["user_id"])))
    return {"bigint": ids["lineage_id"], "integer": "9", "timestamp with time zone": "'2026-03-01Z'",
            "jsonb": literal([{key: ids[key] for key in ("user_id", "reference_id")} | {"provider": "GARMIN"}]),
            "bytea": r"'\x00'"}.get(type_name, "NULL") + "::" + type_name


def ids_of(word, lineage_id):
    return {"user_id": f"{word}-u1", "other_user_id": f"{word}-u2", "reference_id": f"{word}-anna",
            "provider_user_id": f"{word}-account", "consumer": f"{word}-mailer", "lineage_id": lineage_id}


def told(role, lineage_id):
    """What functions tell a role that they should not, one line each; and how many calls were made."""
    real, invented = ids_of(THEIRS, lineage_id), ids_of(NOBODY, "900000000000000001")
    calls = [f"terra_identity.{function['name']}"
             f"({', '.join(argument(*one, ids, dev_id) for one in function['arguments'])})"
             for function in json.loads(psql(FUNCTIONS.replace("ROLE", literal(role))))
             for dev_id in (THEIRS, MINE, "no such") for ids in (real, invented)]
    asked = "".join(f"SELECT to_json(pg_temp.ask({literal(call)}));\n" for call in calls)
    answers = [json.loads(line) for line in psql(ASK + as_role(role, asked)).split("\n")]
    lines = []
    for place in range(0, len(calls), 2):
        by_real, by_invented = answers[place:place + 2]
        if by_real.replace(THEIRS, NOBODY).replace(lineage_id, invented["lineage_id"]) != by_invented.replace(
                THEIRS, NOBODY):
            lines += [calls[place], "  " + by_real, "  " + by_invented]
        if f"{THEIRS}-" in by_invented or MINE + "-" in by_invented and THEIRS in calls[place + 1]:
            lines += [calls[place + 1], "  " + by_invented]
    return lines, len(calls)


def main():
    psql(SETUP + "\n".join(line for dev_id in (MINE, THEIRS) for line in lives(dev_id)))
    lineage_id = psql(f"SELECT max(lineage_id) FROM terra_identity.connections WHERE user_id = '{THEIRS}-u1'")

    shown = {relation["relation"] for relation in seen_by(EVERYTHING)}
    tables = json.loads(psql(f"""
        SELECT json_agg(c.relname) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'dev_id'
        WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind IN ('r', 'v')
            AND has_table_privilege('{EVERYTHING}', c.oid, 'SELECT')"""))
    check("who reads everything sees it in every table and view that has environments", set(tables) <= shown,
          sorted(set(tables) - shown))
    answers, calls = told(EVERYTHING, lineage_id)
    check("and functions tell her", calls > 50 and answers, calls)

    for role in RESTRICTED:
        # What attached_tables hides stands in pg_trigger, for everybody.
        seen = [one for one in seen_by(role)
                if (one["relation"], one["how"]) != ("attached_tables", "a function in WHERE")]
        check(f"{role} sees none of it in any column", not seen, *seen)
        answers, calls = told(role, lineage_id)
        check(f"{role} is told the same of ids that are there and of ids that are not", calls and not answers, *answers)
    seen = seen_by(NOT_ENTERED)
    check("who has privileges, and was never entered, sees nothing", not seen, *seen)
    psql("".join(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role};\n"
                 for role in ["readers_member", "readers_one", *RESTRICTED[2:], EVERYTHING, NOT_ENTERED]))
    return finish()


sys.exit(main())
