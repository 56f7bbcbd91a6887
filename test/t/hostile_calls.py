"""
Calls every function of the extension, the private ones too, with NULLs and with hostile values of each argument's type.
What is called comes from the catalog: a new function is called without a change here. Each call is undone. It may
answer, or raise an error, but no internal one (XX000), and the server must not crash.

    hostile_calls.py CALLS    that many calls of each function by each of the roles

Needs PGDATABASE and so on, a database without the extension, and a superuser.
"""

import random
import re
import subprocess
import sys
import time

ROLES = ["postgres", "hostile_writer", "hostile_reader", "hostile_nobody"]

SETUP = """
CREATE ROLE hostile_writer; CREATE ROLE hostile_reader; CREATE ROLE hostile_nobody;
GRANT CREATE ON DATABASE :"DBNAME" TO hostile_writer;
CREATE EXTENSION terra_identity;
SELECT terra_identity.grant_writer('hostile_writer');
SELECT terra_identity.grant_attacher('hostile_writer');
SELECT terra_identity.grant_reader('hostile_reader', NULL);
GRANT USAGE ON SCHEMA terra_identity TO hostile_nobody;
CREATE TABLE hooks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text, received timestamptz);
CREATE TABLE parted (id bigint, body jsonb) PARTITION BY RANGE (id);
CREATE MATERIALIZED VIEW stored AS SELECT 1 AS id;
CREATE TABLE fed (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text, received timestamptz);
SELECT terra_identity.attach('fed', 'body', received_at_column => 'received');
INSERT INTO fed (body, received) VALUES ('{"type": "daily", "user": {"user_id": "u1"}}', '2024-03-01 00:00Z'),
    ('{', NULL);
GRANT ALL ON hooks, fed, parted, stored TO PUBLIC;
SELECT terra_identity.set_signing_secret('key');
SELECT terra_identity.set_signing_secret('key', dev_id => 'signed');
UPDATE terra_identity.environments SET signature_required = true, on_duplicate = 'disconnect_older'
    WHERE dev_id = 'signed';
UPDATE terra_identity.environments SET on_duplicate = 'disconnect_older' WHERE dev_id = 'default';
INSERT INTO terra_identity.events (payload) VALUES
    ('{"type": "auth", "status": "success", "user": {"user_id": "u1", "provider": "GARMIN", "reference_id": "r1"}}'),
    ('{"type": "athlete", "user": {"user_id": "u1"}, "athlete": {"provider_user_id": "a1"}}'),
    ('{"type": "user_reauth", "old_user": {"user_id": "u1", "provider": "GARMIN", "reference_id": "r1"},
       "new_user": {"user_id": "u2", "provider": "GARMIN", "reference_id": "r1"}}'),
    ('{"type": "auth", "status": "success", "user": {"user_id": "u3", "provider": "GARMIN", "reference_id": "r2"}}'),
    ('{"type": "athlete", "user": {"user_id": "u3"}, "athlete": {"provider_user_id": "a1"}}'),
    ('{"type": "daily", "user": {"user_id": "u1"}, "data": []}'), ('7');
SELECT count(*) FROM terra_identity.ingest('{'::text);
SELECT terra_identity.forget('r2');

-- Calls, and undoes it. Null, or the error.
CREATE FUNCTION tried(statement text, OUT state text, OUT told text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RAISE EXCEPTION USING ERRCODE = 'P0099';
EXCEPTION WHEN OTHERS OR QUERY_CANCELED OR ASSERT_FAILURE THEN
    IF sqlstate <> 'P0099' THEN
        state := sqlstate;
        told := sqlerrm;
    END IF;
END $$;
"""

TEXTS = ["''", "' '", "'u1'", "'r1'", "'a1'", "'GARMIN'", "'default'", "'signed'", "'active'", "'same_person_as'",
         "E'\\x01\\x7f'", "repeat('x', 512)", "repeat('x', 513)", "repeat(E'\\U0001F600', 300)", "repeat('x', 3000000)",
         "'''; DROP TABLE hooks; --'", "'%s%n%1$*2$d\\'", "E'a\\nb\\tc'", "'u1' || chr(1114111)", "'infinity'", "'-1'",
         "'{'", "'null'", "'t=1,v1=' || repeat('0', 64)", "'hostile_reader'", "'hooks'", "'body'", "'id'", "'public'",
         "repeat('[', 100000)", "'[' || repeat('1e99999,', 1000) || '1]'"]
JSON = ["'null'", "'7'", "'\"x\"'", "'[]'", "'{}'", "'[null, 7, {}]'", "'{\"users\": [{\"user_id\": \"u1\"}]}'",
        "'[{\"user_id\": \"u9\", \"provider\": \"GARMIN\", \"created_at\": \"0001-01-01T00:00:00Z\"}]'",
        "(repeat('[', 5000) || repeat(']', 5000))::json", "('[' || repeat('1e9999,', 1000) || '1]')::json",
        "('{\"user\": \"' || repeat('x', 1000000) || '\"}')::json", "'{\"dev-id\": [], \"X-Terra-Trace-Id\": 7}'",
        "'{\"x-terra-ordering-timestamp\": \"99999999999999999999\"}'", "'{\"dev-id\": \"\\u0001\"}'", "'-0.0e-30'",
        "'{\"terra-signature\": \"t=1,v1=\", \"X-Terra-Trace-Id\": \"\"}'"]
NUMBERS = ["0", "1", "2", "-1", "32767", "-32768"]
VALUES = {
    "text": TEXTS, "varchar": TEXTS, "name": [f"({text})" for text in TEXTS],
    "json": JSON, "jsonb": JSON,
    "bytea": ["''", "'\\x00'", "'\\xff00fe'", "'{}'", "repeat('[', 100000)::bytea",
              "convert_to(repeat('x', 3000000), 'UTF8')",
              "'{\"type\": \"daily\", \"user\": {\"user_id\": \"u1\"}}'", "'{\"a\": \"\\\\u0000\"}'"],
    "bool": ["true", "false"],
    "int2": NUMBERS, "int4": [*NUMBERS, "2147483647", "-2147483648"],
    "int8": [*NUMBERS, "9223372036854775807", "-9223372036854775808"],
    "oid": ["0", "1259", "4294967295"], "xid8": ["'0'", "'18446744073709551615'"], "xid": ["'0'", "'4294967295'"],
    "float8": ["0", "'NaN'", "'-Infinity'", "1e308"], "numeric": ["0", "'NaN'", "1e1000", "-0.5"],
    "timestamptz": ["'infinity'", "'-infinity'", "'epoch'", "'294276-12-31 23:59:59Z'",
                    "'4713-01-01 00:00Z BC'", "now()"],
    "interval": ["'0'", "'-1 us'", "'178000000 years'", "'-178000000 years'", "'1 mon -30 days'", "'1 hour'",
                 "'2147483647 days'"],
    "regclass": ["0::oid", "4294967295::oid", "'hooks'", "'fed'", "'parted'", "'stored'",
                 "'pg_class'", "'terra_identity.events'",
                 "'terra_identity.problems'", "'terra_identity.connections_pkey'", "'pg_toast.pg_toast_1255'"],
    "regrole": ["0::oid", "'postgres'", "'hostile_nobody'", "4294967295::oid"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'"],
    "tid": ["'(0,0)'", "'(4294967295,65535)'"],
    "_text": ["'{}'", "'{NULL}'", "'{u1,u1,\"\"}'", "'[5:6]={a,b}'", "'{{a},{b}}'",
              "array_fill('x'::text, ARRAY[10000])"],
    "_int8": ["'{}'", "'{NULL}'", "'{1,1,-1}'", "'[5:6]={1,2}'", "'{{1},{2}}'"],
    "_name": ["'{}'", "'{NULL}'", "'{body,id}'"],
    "_regtype": ["'{}'", "'{NULL}'", "'{text,json}'", "'{0,4294967295}'"],
}

FUNCTIONS = """
SELECT p.oid::regprocedure::text, p.proname, p.prokind, p.prorettype::regtype,
       coalesce(string_agg(t.oid::regtype::text || ':' || t.typname || ':' || t.typtype::text, ',' ORDER BY place), '')
FROM pg_proc p LEFT JOIN LATERAL unnest(p.proargtypes) WITH ORDINALITY a (type, place) ON true
LEFT JOIN pg_type t ON t.oid = a.type
WHERE p.pronamespace = 'terra_identity'::regnamespace AND 'internal'::regtype <> ALL (p.proargtypes::oid[])
GROUP BY p.oid ORDER BY 1;
"""


def psql(script, *options):
    return subprocess.run(["psql", "-XqAt", *options], input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)


class Function:
    """`types` are triples: the name in SQL, the name in VALUES, the kind."""

    def __init__(self, line):
        self.signature, self.name, self.kind, self.result, types = line.split("|")
        self.types = [argument.rsplit(":", 2) for argument in types.split(",") if argument]

    def values(self, type_):
        name, short, kind = type_
        return ["NULL", *([f"jsonb_populate_record(NULL::{name}, '{{}}')"] if kind == "c" else VALUES[short])]

    def statements(self, calls, seed):
        """All nulls, each value beside ordinary ones, then any values."""
        values = [self.values(type_) for type_ in self.types]
        ordinary = [v[min(3, len(v) - 1)] for v in values]
        rows = [[*ordinary[:i], v, *ordinary[i + 1:]] for i in range(len(values)) for v in values[i]]
        chance = random.Random(seed)
        if not values:
            rows = []
        elif len(rows) > calls - 1:
            rows = chance.sample(rows, calls - 1)
        else:
            rows += [[chance.choice(v) for v in values] for _ in range(calls - 1 - len(rows))]
        for row in [["NULL"] * len(values), *rows]:
            told = ", ".join(f"({value})::{type_[0]}" for value, type_ in zip(row, self.types))
            call = f"terra_identity.{self.name}({told})"
            if self.kind == "p":
                yield f"CALL {call}"
            elif self.result == "trigger":
                yield f"SELECT {call}"
            else:
                yield f"SELECT * FROM {call}"


def ask(function, role, statements):
    """The script that calls. A procedure that ends transactions works as a statement of its own only."""
    script = f"RESET ROLE;\nSET ROLE {role};\n\\echo {role}\n"
    if function.kind == "p":
        return script + "".join(f"{statement};\n\\echo answer :SQLSTATE\nROLLBACK;\n" for statement in statements)
    quoted = ",\n".join("$q$" + statement + "$q$" for statement in statements)
    return script + "SELECT 'answer ' || coalesce(t.state, '00000'), left(t.told, 200), left(s, 400) " \
                    f"FROM unnest(ARRAY[{quoted}]) s, tried(s) t;\n"


def main():
    calls = int(sys.argv[1])
    done = psql(SETUP, "-v", "ON_ERROR_STOP=1")
    if done.returncode:
        raise SystemExit(done.stdout)
    functions = [Function(line) for line in psql(FUNCTIONS).stdout.splitlines()]
    made, called, states, failed = 0, 0, {}, []
    for function in functions:
        script = "\\set VERBOSITY sqlstate\n\\set SHOW_CONTEXT never\nSET client_min_messages = error;\n" \
                 "SET statement_timeout = '60s';\n"
        for role in ROLES:
            statements = list(function.statements(calls, f"{function.signature} {role}"))
            made += len(statements)
            script += ask(function, role, statements)
        done = psql(script + "\\echo finished\n")
        role = ""
        for line in done.stdout.splitlines():
            role = line if line in ROLES else role
            answer = re.match("answer ([0-9A-Z]{5})", line)
            if answer:
                state = answer[1]
                states[state] = states.get(state, 0) + 1
                if state.startswith("XX") or state.startswith("57"):
                    failed.append(f"as {role}: {line}, {function.signature}")
        finished = done.stdout.endswith("finished\n")
        called += finished
        if not finished:
            failed.append(f"{function.signature} did not return: {done.stdout[-300:]}")
            wait_for_server()
    for one in failed[:30]:
        print("#", one)
    print("# answers:", ", ".join(f"{state} {n}" for state, n in sorted(states.items())))
    print(f"functions called with hostile arguments: {called}/{len(functions)}, {len(failed)} failures")
    print(f"calls with hostile arguments: {sum(states.values())}/{made}, {len(failed)} failures")
    return int(bool(failed) or not functions or sum(states.values()) < made)


def wait_for_server():
    for _ in range(60):
        if psql("SELECT 1;").stdout == "1\n":
            return
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
