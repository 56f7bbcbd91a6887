"""
One session takes events and raises errors, of every way in and every kind, and must not grow by it. Its memory is what
PostgreSQL counts (pg_backend_memory_contexts) and what the kernel does (RssAnon, without the shared buffers). Both are
compared after a first tenth of the work, when every cache is full, and in the end.

Environment: SCALE, a fraction of the counts; PGDATABASE and so on, a database without the extension.
"""

import os
import re
import subprocess
import sys

EVENTS, ERRORS = 1_000_000, 100_000
ROUND = 10_000          # events of a round
ROUND_ERRORS = 1_000
GROWTH = 2 << 20
WARM_UP = 0.1           # of the rounds, and as many as fill what a session remembers
LEAST_WARM_UP = 4

SETUP = """
CREATE EXTENSION terra_identity;
SELECT terra_identity.set_signing_secret('key', dev_id => 'signed');
CREATE TABLE hooks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
SELECT terra_identity.attach('hooks', 'body');
-- An error of the app in the middle of what the extension writes, with a message of 4 kB.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the app says no: %', repeat('x', 4000);
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON terra_identity.connections FOR EACH ROW WHEN (new.user_id LIKE 'refused%')
    EXECUTE FUNCTION refuse();
CREATE SEQUENCE made;
CREATE FUNCTION payload(n bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE n % 10
        WHEN 0 THEN jsonb_build_object('type', 'user_reauth', 'new_user', jsonb_build_object('user_id', 'u' || n,
            'provider', 'GARMIN', 'reference_id', 'r' || n % 5000), 'old_user', jsonb_build_object('user_id',
            'u' || n - 5000, 'provider', 'GARMIN', 'reference_id', 'r' || n % 5000))
        WHEN 1 THEN jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', 'u' || n - 1),
                                       'athlete', jsonb_build_object('provider_user_id', 'a' || n % 7000))
        WHEN 2 THEN jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id',
            'u' || n, 'provider', 'OURA', 'reference_id', 'r' || n % 3000))
        WHEN 3 THEN jsonb_build_object('type', 'deauth', 'user', jsonb_build_object('user_id', 'u' || n - 1))
        WHEN 4 THEN jsonb_build_object('type', 'auth', 'user', n)
        ELSE jsonb_build_object('type', 'daily', 'data', '[{"steps": 1}]'::jsonb, 'user', jsonb_build_object('user_id',
            'u' || n - 1000 - n % 10, 'provider', 'GARMIN', 'reference_id', 'r' || n % 5000)) END $$;
CREATE FUNCTION data(n bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'daily', 'data', '[{"steps": 1}]'::jsonb, 'user', jsonb_build_object('user_id',
        'd' || n % 30000, 'provider', 'GARMIN', 'reference_id', 'r' || n % 5000)) $$;
"""

TRACED = "jsonb_build_object('X-Terra-Trace-Id', 't' || n)"
NUMBERS = "(SELECT nextval('made') AS n FROM generate_series(1, {count})) made"

# What raises an error, with its SQLSTATE. Errors of the extension, of the server in the middle of it, of the app.
MISTAKES = {
    "SET terra_identity.strict = on; INSERT INTO terra_identity.events (payload) VALUES ('7')": "TI001",
    "UPDATE terra_identity.events SET payload = '{}'": "TI002",
    "INSERT INTO terra_identity.events (received_at, payload) VALUES ('infinity', '{}')": "22008",
    "INSERT INTO terra_identity.events (dev_id, payload) VALUES (repeat('x', 600), '{}')": "22023",
    "INSERT INTO terra_identity.events (payload) VALUES ('{\"type\": \"auth\", \"status\": \"success\", \"user\": "
    "{\"user_id\": \"refused\"}}')": "P0001",
    "INSERT INTO hooks (body) VALUES ('{\"type\": \"daily\", \"user\": {\"user_id\": \"refused by hook\"}}')": "P0001",
    "SELECT terra_identity.correct('nobody', 'active', 'n', 'default')": "22023",
    "SELECT terra_identity.import_users('7', now())": "22023",
    "SELECT terra_identity.set_signing_secret('')": "22023",
    "SELECT terra_identity.attach('hooks', 'body')": None,
    "SELECT terra_identity.detach('pg_class')": None,
    "CALL terra_identity.prune('-1 day')": None,
    "SELECT 1 / 0 FROM terra_identity.ingest('{}'::text)": "22012",
    "BEGIN READ ONLY; SELECT terra_identity.ingest('{'::text)": "25006",
    "SELECT terra_identity.grant_reader('nobody')": None,
    "SELECT terra_identity.confirm_disconnect(-1)": None,
    "UPDATE terra_identity.environments SET account_policy = 'neither'": None,
}

# Every function that reads, and what writes without being an event.
CALLS = """
SELECT count(terra_identity.resolve('u' || n)), count(terra_identity.lineage_of('u' || n)),
       count(terra_identity.user_of(n)), count(terra_identity.reference_at('u' || n, now()))
    FROM generate_series({n} - 50, {n}) n;
SELECT count(*) FROM generate_series({n} - 20, {n}) n, terra_identity.lineage('u' || n);
SELECT count(*) FROM generate_series({n} - 20, {n}) n, terra_identity.explain('u' || n);
SELECT count(terra_identity.explain_graph('u' || n)) FROM generate_series({n} - 20, {n}) n;
SELECT count(*) FROM generate_series({n} - 20, {n}) n, terra_identity.reference_history('u' || n);
SELECT count(*) FROM generate_series({n} - 20, {n}) n, terra_identity.user_ids('r' || n % 5000);
SELECT count(*) FROM generate_series({n} - 20, {n}) n, terra_identity.would_duplicate('GARMIN', 'a' || n % 7000, 'new');
SELECT terra_identity.verify_signature('123', 't=1,v1=00', 'key', '5 minutes', now()) FROM generate_series(1, 50);
SELECT terra_identity.correct('u{n}', 'ended', 'a note');
SELECT terra_identity.import_users(
    jsonb_build_array(jsonb_build_object('user_id', 'i{n}', 'provider', 'FITBIT')), now());
SELECT terra_identity.forget('r{forgotten}');
UPDATE terra_identity.environments SET signature_tolerance = '{forgotten} s' WHERE dev_id = 'signed';
SELECT count(*) FROM (SELECT * FROM terra_identity.duplicate_connections LIMIT 5) d;
SELECT count(*) FROM terra_identity.verify('signed');
SELECT terra_identity.rebuild('signed');
"""


class Session:
    """A psql that is kept. What it prints are its errors, as SQLSTATEs, and what is asked for."""

    def __init__(self):
        self.psql = subprocess.Popen(["psql", "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
        self.errors = {}
        self.run("\\set VERBOSITY sqlstate\n\\set SHOW_CONTEXT never\nSET client_min_messages = error;\n"
                 "SET synchronous_commit = off;")

    def run(self, script):
        """The answers. Errors are counted by their SQLSTATE."""
        self.psql.stdin.write(script + "\n\\echo end of the answer\n")
        self.psql.stdin.flush()
        answers = []
        while True:
            line = self.psql.stdout.readline().rstrip("\n")
            if line == "end of the answer":
                return answers
            if not line and self.psql.poll() is not None:
                raise SystemExit("the session has died")
            error = re.search(r"ERROR:  ([0-9A-Z]{5})$", line)
            if error:
                self.errors[error.group(1)] = self.errors.get(error.group(1), 0) + 1
            elif "FATAL" in line or "server closed" in line or "PANIC" in line:
                raise SystemExit(line)
            else:
                answers.append(line)

    def run_well(self, script):
        """Runs what must raise no error."""
        before = dict(self.errors)
        answers = self.run(script)
        if self.errors != before:
            raise SystemExit(f"{script[:2000]}\nraised an error: {before}, then {self.errors}")
        return answers

    def value(self, query):
        return self.run_well(query + ";")[-1]


def memory(session, pid):
    """In bytes: what PostgreSQL counts, and what the kernel does."""
    counted = int(session.value("SELECT sum(total_bytes) FROM pg_backend_memory_contexts"))
    status = open(f"/proc/{pid}/status", encoding="ascii").read()
    return counted, int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) * 1024


def events_of_a_round():
    """Statements with ROUND events, in every way in; the counts add up."""
    half = ROUND // 2
    yield f"INSERT INTO terra_identity.events (payload, headers) SELECT data(n), {TRACED} FROM " + \
        NUMBERS.format(count=half)
    for _ in range(4):
        yield f"INSERT INTO terra_identity.events (payload, headers) SELECT payload(n), {TRACED} FROM " + \
            NUMBERS.format(count=ROUND // 16)
    yield "INSERT INTO hooks (body) SELECT payload(n)::text FROM " + NUMBERS.format(count=ROUND // 16)
    yield f"SELECT count(*) FROM {NUMBERS.format(count=ROUND // 16)}, terra_identity.ingest(payload(n)::text, {TRACED})"
    yield "SELECT count(*) FROM " + NUMBERS.format(count=ROUND // 16) + ", terra_identity.ingest(convert_to(" \
        "payload(n)::text, 'UTF8'), jsonb_build_object('terra-signature', 't=1,v1=00', 'n', n), 'signed')"
    yield f"DO $$ BEGIN FOR i IN 1 .. {ROUND // 32} LOOP INSERT INTO terra_identity.events (payload) VALUES " \
        "(payload(nextval('made'))); END LOOP; END $$"
    for _ in range(ROUND - half - 7 * (ROUND // 16) - ROUND // 32):
        yield "INSERT INTO terra_identity.events (payload) VALUES (payload(nextval('made')))"


def errors_of_a_round():
    """Half of them end a transaction, half are caught in plpgsql, which ends a subtransaction."""
    top, mistakes = ROUND_ERRORS // 2, list(MISTAKES)
    for i in range(top):
        yield mistakes[i % len(mistakes)] + "; ROLLBACK; RESET terra_identity.strict"
    caught = [m for m in mistakes if not m.startswith("BEGIN")]
    texts = ", ".join("$m$" + m + "$m$" for m in caught)
    yield f"""DO $$
        DECLARE
            mistakes text[] := ARRAY[{texts}];
        BEGIN
            FOR i IN 1 .. {ROUND_ERRORS - top} LOOP
                BEGIN
                    EXECUTE mistakes[1 + i % cardinality(mistakes)];
                EXCEPTION WHEN OTHERS THEN
                    PERFORM set_config('leaks.caught', (coalesce(nullif(current_setting('leaks.caught', true), ''),
                                                                 '0')::int + 1)::text, false);
                    IF sqlstate = 'XX000' THEN
                        PERFORM set_config('leaks.internal', sqlerrm, false);
                    END IF;
                END;
            END LOOP;
        END $$"""


def play(session, number):
    for statement in events_of_a_round():
        session.run_well(statement + ";")
    session.run(";\n".join(errors_of_a_round()) + ";")
    made = int(session.value("SELECT last_value FROM made"))
    session.run_well(CALLS.format(n=made - made % 10, forgotten=2 * number % 5000 + 1))


def main():
    rounds = max(1, round(EVENTS * float(os.environ.get("SCALE") or 1) / ROUND))
    warm_up = max(LEAST_WARM_UP, round(rounds * WARM_UP))
    session = Session()
    setup = subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1"], input=SETUP, capture_output=True, text=True)
    if setup.returncode:
        raise SystemExit(setup.stderr)
    for mistake, state in MISTAKES.items():
        session.errors.clear()
        session.run(mistake + "; ROLLBACK; RESET terra_identity.strict;")
        print(f"# {' '.join(map(str, session.errors))}: {mistake[:90]}")
        if len(session.errors) != 1 or state not in (None, *session.errors):
            raise SystemExit(f"it should raise one error {state or ''}, and raised {session.errors}")
    for i in range(warm_up):
        play(session, i)
    pid = session.value("SELECT pg_backend_pid()")
    made = int(session.value("SELECT last_value FROM made"))
    session.errors.clear()
    session.run("SET leaks.caught = 0;")
    before = memory(session, pid)
    for i in range(warm_up, warm_up + rounds):
        play(session, i)
        if i % max(1, rounds // 10) == 0:
            print("# round {}: {:,} bytes counted, {:,} resident".format(i, *memory(session, pid)), flush=True)
    after = memory(session, pid)
    events = int(session.value("SELECT last_value FROM made")) - made
    caught = int(session.value("SELECT current_setting('leaks.caught')"))
    internal = session.value("SELECT coalesce(current_setting('leaks.internal', true), '')")
    errors = sum(session.errors.values()) + caught
    differences = session.value("SELECT count(*) FROM terra_identity.verify()")
    print("# errors by SQLSTATE:", ", ".join(f"{state} {count:,}" for state, count in sorted(session.errors.items())),
          f"caught in plpgsql {caught:,}")
    failures = [growth > GROWTH for growth in (after[0] - before[0], after[1] - before[1])]
    print(f"growth: {(after[0] - before[0]) / 1024:,.0f} kB in memory contexts, "
          f"{(after[1] - before[1]) / 1024:,.0f} kB resident, of {before[1] / 1024:,.0f} kB")
    wanted = rounds * ROUND, rounds * ROUND_ERRORS
    print(f"events in one session: {events}/{wanted[0]}, {sum(failures)} failures")
    internal = int("XX000" in session.errors) + bool(internal)
    print(f"errors in one session: {errors}/{wanted[1]}, {internal + (differences != '0')} failures")
    return int(any(failures) or internal or differences != "0" or events < wanted[0] or errors < wanted[1])


sys.exit(main())
