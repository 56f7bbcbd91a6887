"""
examples/node/disconnect.js as a role that may call its three functions alone, against a fake of Terra that fails,
refuses, does not answer, answers twice, and says 404 to what it has done before; and is killed and stopped on its way.
Then how many rows take_disconnects reads among 1,000,000, before and after ANALYZE.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tap import check, finish

SETUP = """
CREATE EXTENSION terra_identity;
CREATE ROLE disconnector LOGIN;
GRANT USAGE ON SCHEMA terra_identity TO disconnector;
GRANT EXECUTE ON FUNCTION terra_identity.take_disconnects, terra_identity.confirm_disconnect,
    terra_identity.fail_disconnect TO disconnector;
INSERT INTO terra_identity.environments (dev_id, on_duplicate)
VALUES ('default', 'disconnect_newer'), ('other', 'disconnect_newer');
CREATE FUNCTION shares(dev_id text, names text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO terra_identity.events (dev_id, received_at, payload)
    SELECT dev_id, at, jsonb_build_object('type', 'athlete', 'athlete', jsonb_build_object('provider_user_id', name),
        'user', jsonb_build_object('user_id', id, 'reference_id', id, 'provider', 'OURA', 'created_at', at))
    FROM unnest(names) name,
         LATERAL (VALUES (name || ' stays', timestamptz '2026-01-01Z'), (name, '2026-01-02Z')) v (id, at)
$$;
"""


def psql(script):
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"], input=script, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def rows(query):
    return [json.loads(line) for line in psql(f"SELECT to_json(q) FROM ({query}) q").splitlines()]


class Terra(BaseHTTPRequestHandler):
    """What it does depends on the first word of the user_id."""

    calls = []         # (user_id, dev-id, x-api-key)
    gone = set()       # user_ids
    released = threading.Event()

    def do_DELETE(self):
        url = urlsplit(self.path)
        user_id = parse_qs(url.query)["user_id"][0]
        first = user_id not in [call[0] for call in self.calls]
        self.calls.append((user_id, self.headers["dev-id"], self.headers["x-api-key"]))
        kind = user_id.split()[0]
        if url.path != "/v2/auth/deauthenticateUser" or kind == "unknown" or user_id in self.gone:
            self.answer(404, {"status": "error", "message": "no such user"})
        elif kind == "fails" and first:
            self.answer(503, {"status": "error"})
        elif kind == "lies" and first:
            self.answer(200, {"status": "warning"})
        elif kind == "refuses":
            self.answer(401, {"status": "error"})
        else:
            self.gone.add(user_id)
            if kind == "hangs" and first:
                self.released.wait(30)
                return
            self.answer(200, {"status": "success"})
            if kind == "twice":
                self.answer(500, {"status": "error"})

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def start(server, **settings):
    environment = dict(os.environ, PGUSER="disconnector", TERRA_URL=f"http://127.0.0.1:{server.server_port}/v2",
                       TERRA_DEV_ID="acme-prod", TERRA_API_KEY="secret", TIMEOUT_SECONDS="1", POLL_SECONDS="600")
    environment.update(settings)
    return subprocess.Popen(["node", "examples/node/disconnect.js"], env=environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_once(server, **settings):
    """Works until nothing is due. @return (status, what it said)"""
    worker = start(server, ONCE="1", **settings)
    said = "".join(worker.communicate(timeout=60))
    return worker.returncode, said


def until(condition, patience=30):
    over = time.monotonic() + patience
    while not condition():
        if time.monotonic() > over:
            return False
        time.sleep(0.05)
    return True


def state(name, dev_id="default"):
    [row] = rows(f"SELECT d.state, d.attempts, d.last_error, c.status FROM terra_identity.disconnects d"
                 f" JOIN terra_identity.connections c USING (dev_id, user_id)"
                 f" WHERE dev_id = '{dev_id}' AND user_id = '{name}'")
    return row


def time_passes():
    psql("UPDATE terra_identity.disconnects SET next_attempt_at = now() WHERE state IN ('queued', 'taken')")


def check_worker(server):
    psql("SELECT shares('default', '{works,fails,lies,hangs,twice,unknown}')")
    status, said = run_once(server)
    check("it ends when nothing is due", status == 0, said)
    check("it says what it is to Terra", {call[1:] for call in Terra.calls} == {("acme-prod", "secret")}, Terra.calls)
    check("it calls for each once", sorted(call[0] for call in Terra.calls) == sorted(
        ["works", "fails", "lies", "hangs", "twice", "unknown"]), Terra.calls)
    for name in ("works", "twice"):
        check(f"{name}: done, and ended", state(name) == {"state": "done", "attempts": 1, "last_error": None,
                                                         "status": "deauthenticated"}, state(name))
    for name, error in (("fails", "HTTP 503: "), ("lies", "HTTP 200, but no success: "), ("hangs", "no answer: "),
                        ("unknown", "HTTP 404: ")):
        row = state(name)
        check(f"{name}: it is tried again", (row["state"], row["attempts"], row["status"]) == ("queued", 1, "active")
              and row["last_error"].startswith(error), row)
    status, said = run_once(server)
    check("not at once", len(Terra.calls) == 6 and status == 0, Terra.calls, said)

    Terra.released.set()
    time_passes()
    run_once(server)
    for name in ("fails", "lies", "hangs"):
        row = state(name)
        check(f"{name}: done at the second attempt", (row["state"], row["attempts"], row["status"])
              == ("done", 2, "deauthenticated"), row)
    row = state("unknown")
    check("unknown: 404 is no proof that it is gone", (row["state"], row["status"]) == ("queued", "active"), row)
    psql("""INSERT INTO terra_identity.events (payload)
            VALUES ('{"type": "deauth", "user": {"user_id": "unknown", "provider": "OURA"}}')""")
    check("unknown: the deauth webhook closes it", state("unknown")["state"] == "closed", state("unknown"))
    check("everybody else stays", rows("SELECT count(*) FROM terra_identity.current_connections") == [{"count": 6}],
          rows("TABLE terra_identity.current_connections"))
    check("nothing is left to do", rows("SELECT * FROM terra_identity.take_disconnects(10)") == [])

    psql("SELECT shares('other', '{refuses}')")
    status, said = run_once(server, DEV_ID="other")
    check("it stops if Terra refuses it", status == 1 and "Terra refuses" in said, status, said)
    row = state("refuses", "other")
    check("and the row waits", row["last_error"].startswith("HTTP 401"), row)


def check_dying(server):
    """A worker is killed while Terra does what it asked for; another one ends what it began."""
    Terra.released.clear()
    psql("SELECT shares('default', '{\"hangs 2\"}')")
    worker = start(server, TIMEOUT_SECONDS="60")
    check("it calls Terra", until(lambda: "hangs 2" in Terra.gone), Terra.calls)
    worker.kill()
    worker.communicate()
    check("it is killed: the row stays taken", state("hangs 2")["state"] == "taken", state("hangs 2"))
    status, said = run_once(server)
    check("nobody else gets it during the lease", state("hangs 2")["attempts"] == 1, said)
    Terra.released.set()
    time_passes()
    run_once(server)
    row = state("hangs 2")
    check("then another does, for whom 404 means that it is gone", (row["state"], row["attempts"]) == ("done", 2), row)

    psql("SELECT shares('default', '{works 2}')")
    worker = start(server)
    check("another one works", until(lambda: state("works 2")["state"] == "done"), state("works 2"))
    worker.send_signal(signal.SIGTERM)
    said = worker.communicate(timeout=15)
    check("SIGTERM ends it while it waits", worker.returncode == 0, worker.returncode, said)


def check_plan():
    """Among 1,000,000 rows, most of them done, many to be tried again later, 100 due."""
    psql("""
        INSERT INTO terra_identity.environments (dev_id, on_duplicate) VALUES ('many', 'disconnect_newer');
        SELECT shares('many', array_agg('due ' || n)) FROM generate_series(1, 100) n;
        INSERT INTO terra_identity.disconnects (dev_id, user_id, lineage_id, provider, provider_user_id, on_duplicate,
            requested_at, state, next_attempt_at)
        SELECT 'many', 'u' || n, n, 'OURA', 'a' || n, 'disconnect_newer', now(),
            CASE WHEN n % 10 = 0 THEN 'queued' ELSE 'done' END, now() + interval '1 day'
        FROM generate_series(1, 999900) n;
        SELECT pg_stat_force_next_flush();
    """)
    # In a transaction: what the statement itself has read.
    counters = """SELECT coalesce(seq_tup_read, 0), coalesce(idx_tup_fetch, 0)
                  FROM pg_stat_xact_user_tables WHERE relid = 'terra_identity.disconnects'::regclass"""
    for when in ("before", "after"):
        read = psql(f"""BEGIN;
            SELECT count(*) FROM terra_identity.take_disconnects(10, '1 hour', 'many');
            {counters};
            ROLLBACK;""").splitlines()
        sequential, fetched = map(int, read[1].split("|"))
        check(f"take_disconnects(10) takes ten, {when} ANALYZE", read[0] == "10", read)
        check(f"and reads little more ({fetched} rows by index), {when} ANALYZE", sequential == 0 and fetched <= 100,
              read)
        psql("ANALYZE terra_identity.disconnects")
    started = time.monotonic()
    taken = psql("SELECT count(*) FROM terra_identity.take_disconnects(1000, '1 hour', 'many')")
    check(f"all that are due are taken ({time.monotonic() - started:.2f} s)", taken == "100", taken)


psql(SETUP)
terra = ThreadingHTTPServer(("127.0.0.1", 0), Terra)
terra.daemon_threads = True
threading.Thread(target=terra.serve_forever, daemon=True).start()
try:
    check_worker(terra)
    check_dying(terra)
    check_plan()
finally:
    Terra.released.set()
    terra.shutdown()
    psql("DROP OWNED BY disconnector; DROP ROLE disconnector")
sys.exit(finish())
