"""
Posts random histories, and what is no good, to examples/node/handler.js, while the handler and the server are killed
and come back; sends again what was not acknowledged, as Terra does. In the end the state must be what the reference
model says of the same events, and nothing may be lost, counted twice or let in.

    run.py DIRECTORY    in which DIRECTORY/data is a cluster that is not running. SEED=N to choose the webhooks.
"""

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "model")]

import comparison                                   # noqa: E402
from deliveries import Delivery, Webhooks, sign     # noqa: E402
from reference import state                         # noqa: E402
from sender import Terra                            # noqa: E402
from services import HANDLER, Handler, LockedLedger, Server, rows, sql, until  # noqa: E402
from tap import check, finish                       # noqa: E402

DEV_ID = "terra-dev-1"
SECRET = "a signing secret, as long as it likes to be: ü"
MAX_REQUESTS = int(re.search(r"MAX_REQUESTS = (\d+)", HANDLER.read_text()).group(1))
MAX_CONNECTIONS = int(re.search(r"max: (\d+)", HANDLER.read_text()).group(1))
# As docs/handler.md has it.
CURL = """\
body='{"type": "auth", "status": "success", "user": {"user_id": "id-1", "provider": "GARMIN", "reference_id": "alice"}}'
t=$(date +%s)
v1=$(printf '%s.%s' "$t" "$body" | openssl dgst -sha256 -hmac "$secret" | sed 's/.* //')
curl -i http://127.0.0.1:8080/terra -H "X-Terra-Signature: t=$t,v1=$v1" --data-binary "$body"
"""


def parts(deliveries, count):
    return [deliveries[i::count] for i in range(count)]


def check_answers(name, deliveries, status):
    """Each was answered, and never otherwise: 5xx aside, which brings a retry."""
    wrong = [f"{d.trace_id} {d.forgery or ''}: {d.answers}" for d in deliveries
             if {found for found, _ in d.answers if found < 500} != {status}]
    check(f"{len(deliveries)} {name} are answered by {status}", not wrong, *wrong)


class Test:
    def __init__(self, directory, seed):
        self.rng = random.Random(seed)
        self.policy = self.rng.choice(["keep", "replace"])
        self.webhooks = Webhooks(seed)
        self.server, self.handler = Server(directory), Handler(directory, DEV_ID)
        self.seed = seed

    def run(self):
        self.prepare()
        good = parts([delivery for delivery, _, _ in self.webhooks.told], 5)
        garbage, forged = parts(self.webhooks.garbage, 3), parts(self.webhooks.forged, 3)
        self.all_well(good[0] + garbage[0] + forged[0])
        self.two_hundred_at_once(good[1])
        self.other_requests()
        self.handler_is_killed(good[2] + garbage[1] + forged[1])
        self.server_is_killed(good[3] + garbage[2] + forged[2])
        self.server_restarts_while_idle()
        self.shutdown(good[4])
        self.end_state()

    def prepare(self):
        self.server.start()
        sql("CREATE DATABASE webhooks; CREATE ROLE handler LOGIN")
        os.environ["PGDATABASE"] = "webhooks"
        sql(f"""CREATE EXTENSION terra_identity;
                INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('{DEV_ID}', '{self.policy}');
                SELECT terra_identity.set_signing_secret('{SECRET}', dev_id => '{DEV_ID}');
                SELECT terra_identity.grant_writer('handler')""")
        self.handler.start()
        self.terra = Terra([self.handler.port], SECRET, self.seed)

    def send(self, deliveries, meanwhile=None):
        deliveries = list(deliveries)
        self.rng.shuffle(deliveries)
        left = self.terra.deliver(deliveries, meanwhile)
        assert left == 0, f"{left} of {len(deliveries)} were not answered"

    def all_well(self, deliveries):
        self.send(deliveries)
        troubles = [attempt for attempt in self.terra.attempts if attempt[2] not in (200, 400, 401)]
        check("while all is well nothing is answered by 5xx or not at all", not troubles, *troubles[:9])
        refused, garbage = [d for d in deliveries if d.forgery], [d for d in deliveries if d in self.webhooks.garbage]
        good = [d for d in deliveries if d not in refused and d not in garbage]
        check_answers("with no good signature", refused, 401)
        check_answers("that are no JSON", garbage, 400)
        check_answers("good ones", good, 200)
        counted = rows("SELECT coalesce(sum(refused), 0) AS n FROM terra_identity.refusals")[0]["n"]
        check("every refusal is counted", counted == len(refused) > 0, counted, len(refused))

    def two_hundred_at_once(self, deliveries):
        deliveries = list({id(d): d for d in deliveries + self.webhooks.good}.values())[:200]
        with LockedLedger():
            threads, answers = self.terra.deliver_at_once(deliveries)
            until(lambda: len(answers) >= 200 - MAX_REQUESTS, 30)
        for thread in threads:
            thread.join()
        busy = [answer for answer in answers if answer[0] == 503]
        check(f"of 200 at once {200 - MAX_REQUESTS} are asked to come again", len(busy) >= 200 - MAX_REQUESTS
              and all(headers["Retry-After"] for _, _, headers in busy), sorted(str(answer[:2]) for answer in answers))
        # 500: they waited longer for a session than the handler lets them.
        check("and the others are stored", {200, 503} <= {answer[0] for answer in answers} <= {200, 500, 503},
              sorted(str(answer[:2]) for answer in answers))
        self.send(deliveries)

    def other_requests(self):
        def status(method, path, body=None, **headers):
            connection = http.client.HTTPConnection("127.0.0.1", self.handler.port, timeout=60)
            try:
                connection.request(method, path, body, headers, encode_chunked="Transfer-Encoding" in headers)
                return connection.getresponse().status
            finally:
                connection.close()

        check("another path is answered by 404", status("POST", "/", b"{}") == 404)
        check("another method is answered by 405", status("GET", "/terra") == 405)
        chunks = (b" " * 2**20 for _ in range(101))
        found = status("POST", "/terra", chunks, **{"Transfer-Encoding": "chunked"})
        check("101 MB are answered by 413", found == 413, found)
        # One sender goes away in the middle of the body, one before the answer.
        for length in (1000, 2):
            gone = socket.create_connection(("127.0.0.1", self.handler.port))
            gone.sendall(b"POST /terra HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n{}" % length)
            gone.close()
        large = Delivery("large", json.dumps({"type": "daily", "user": {"user_id": "0/u1", "provider": "OURA"},
                                              "data": ["x" * 1000 + str(i) for i in range(10_000)]}).encode())
        self.webhooks.good.append(large)
        self.webhooks.told.append((large, json.loads(large.body), {"x-terra-trace-id": "large"}))
        self.send([large])
        check("10 MB are taken", large.answers == [(200, "stored")], large.answers)
        check("senders that go away do not end the handler", self.handler.runs())

    def handler_is_killed(self, deliveries):
        """First when the database is at work for it, so that there are commits that it cannot acknowledge."""
        interrupted = []

        def meanwhile(wait_for):
            wait_for(0.1)
            with LockedLedger():
                assert until(lambda: self.server.waiting(MAX_CONNECTIONS))
                interrupted.extend(d for d in deliveries if not d.answers)
                self.handler.stop(signal.SIGKILL)
            time.sleep(0.3)
            self.handler.start()
            wait_for(0.6)
            self.handler.stop(signal.SIGKILL)
            self.handler.start()

        self.send(deliveries, meanwhile)
        repeated = [d for d in interrupted if d.answers[0] == (200, "duplicate")]
        check("what was stored but not acknowledged when the handler was killed is a duplicate on the retry", repeated)

    def server_is_killed(self, deliveries):
        down = []                  # times: from, to

        def meanwhile(wait_for):
            for share, how in ((0.1, signal.SIGKILL), (0.5, signal.SIGQUIT)):
                wait_for(share)
                self.server.stop(how)
                time.sleep(0.3)    # in which sessions find out that the postmaster is gone
                down.append((time.monotonic(), time.monotonic() + 0.4))
                time.sleep(0.5)
                self.server.start()

        self.send(deliveries, meanwhile)
        for times in down:
            answers = [answer for sent, came, answer in self.terra.attempts if times[0] < sent and came < times[1]]
            check(f"while the server is down the answer is 500 ({len(answers)} times)",
                  500 in answers and set(answers) <= {500, 503}, set(answers))
        check("the handler survives the server's end", self.handler.runs())

    def server_restarts_while_idle(self):
        """The handler's connections end while nothing is asked of them."""
        self.server.stop(signal.SIGQUIT)
        time.sleep(0.2)
        check("the handler survives the loss of its idle connections", self.handler.runs())
        self.server.start()
        again = self.rng.sample([d for d in self.webhooks.good if d.answers], 50)
        before = [len(d.answers) for d in again]
        self.send(again)
        repeated = [d.answers[n:][-1] for d, n in zip(again, before)]
        check("50 that were acknowledged are duplicates when sent again", set(repeated) == {(200, "duplicate")},
              set(repeated))

    def shutdown(self, deliveries):
        """SIGTERM with requests in flight and an idle connection open."""
        self.send(deliveries)
        idle = http.client.HTTPConnection("127.0.0.1", self.handler.port)
        idle.request("GET", "/")
        idle.getresponse().read()
        last = [Delivery(f"last-{i}", json.dumps({"type": "healthcheck", "n": i}).encode()) for i in range(5)]
        for delivery in last:
            self.webhooks.good.append(delivery)
            self.webhooks.told.append((delivery, json.loads(delivery.body), {"x-terra-trace-id": delivery.trace_id}))
        with LockedLedger():
            threads, answers = self.terra.deliver_at_once(last)
            assert until(lambda: self.server.waiting(len(last)))
            self.handler.process.send_signal(signal.SIGTERM)
            check("after SIGTERM no connection is accepted", until(self.handler.refuses_connections, 5))
            check("but it stays until the last request is done", self.handler.runs())
        for thread in threads:
            thread.join()
        arrived = [(status, outcome, headers.get("Connection")) for status, outcome, headers in answers]
        check("whose answers still arrive, on connections that end", arrived == [(200, "stored", "close")] * len(last),
              arrived)
        started = time.monotonic()
        status = self.handler.ended()
        check("and then it exits with status 0, at once", status == 0 and time.monotonic() - started < 3,
              status, time.monotonic() - started)
        idle.close()

    def end_state(self):
        webhooks = self.webhooks
        stored = rows(f"""SELECT trace_id, (extract(epoch FROM received_at) * 1000000)::bigint AS received_at,
                                 CASE WHEN trace_id <> 'large' THEN payload END AS payload
                          FROM terra_identity.events WHERE dev_id = '{DEV_ID}'""")
        found, wanted = sorted(str(row["trace_id"]) for row in stored), sorted(d.trace_id for d in webhooks.good)
        acknowledged = sum(status == 200 for d in webhooks.good for status, _ in d.answers)
        check(f"{len(wanted)} deliveries, acknowledged {acknowledged} times, are each in the ledger once, "
              "and nothing else is",
              found == wanted, set(wanted) ^ set(found), f"{len(found)} rows")
        twice = [(d.trace_id, d.answers) for d in webhooks.good if d.answers.count((200, "stored")) > 1]
        check("none is told to be stored twice", not twice, twice)
        payloads = {delivery.trace_id: payload
                    for delivery, payload, _ in webhooks.told if delivery.trace_id != "large"}
        differ = [row for row in stored if row["payload"] != payloads.get(row["trace_id"])]
        check("with the payloads that were sent", not differ, *differ[:3])

        rejected = rows(f"""SELECT trace_id, encode(body, 'hex') AS body FROM terra_identity.rejected
                            WHERE dev_id = '{DEV_ID}'""")
        found = sorted((row["trace_id"], row["body"]) for row in rejected)
        wanted = sorted((d.trace_id, d.body.hex()) for d in webhooks.garbage)
        check(f"{len(wanted)} that are no JSON are kept byte for byte, each once", found == wanted,
              sorted(row for row in found if found.count(row) > 1 or row not in wanted), set(wanted) - set(found))
        check_answers("good ones in all", webhooks.good, 200)
        check_answers("in all that are no JSON", webhooks.garbage, 400)
        check_answers("in all with no good signature", webhooks.forged, 401)
        let_in = rows("""SELECT 'events' AS where, to_jsonb(e) FROM terra_identity.events AS e
                         WHERE reference_id = 'forged'
                         UNION ALL SELECT 'rejected', to_jsonb(r) FROM terra_identity.rejected AS r
                         WHERE position('forged'::bytea IN body) > 0""")
        check("none with no good signature left a trace but a count", not let_in, *let_in)
        told = sum(attempt[2] == 401 for attempt in self.terra.attempts)
        counted = rows("SELECT coalesce(sum(refused), 0) AS n FROM terra_identity.refusals")[0]["n"]
        check(f"{counted} refusals are counted: no fewer than were told ({told}), no more than were sent",
              told <= counted <= self.terra.forgeries_sent, self.terra.forgeries_sent)

        expected = state(webhooks.events({row["trace_id"]: row["received_at"] for row in stored}), self.policy)
        actual = comparison.actual(sql(comparison.queries([DEV_ID])), [DEV_ID])[DEV_ID]
        wanted = comparison.expected(expected)
        differences = comparison.differences({name: part for name, part in wanted.items() if name != "verify"}, actual)
        check(f"the state is what the model says: {len(wanted['connections'])} connections, "
              f"{len(wanted['lineages'])} lineages",
              len(wanted["connections"]) > 20 and not differences, *differences)
        check("verify() finds nothing", not actual["verify"], *actual["verify"])

    def curl(self, directory):
        """The command of docs/handler.md, on a handler that names no environment."""
        handler = Handler(directory)
        handler.start()
        command = CURL.replace("8080", str(handler.port)).replace("curl -i", "curl -s -S -i")

        def posted(secret):
            done = subprocess.run(["bash", "-euc", command], env=dict(os.environ, secret=secret, no_proxy="*"),
                                  check=False,
                                  capture_output=True, text=True)
            return (done.stdout.splitlines() or [""])[0], done.stdout.rpartition("\n")[2] or done.stderr

        unsigned = http.client.HTTPConnection("127.0.0.1", handler.port, timeout=30)
        unsigned.request("POST", "/terra", b'{"type": "healthcheck"}')
        found = json.loads(unsigned.getresponse().read())
        unsigned.close()
        check("an environment without a secret needs no signature", found == {"outcome": "stored", "detail": None},
              found)
        sql(f"SELECT terra_identity.set_signing_secret('{SECRET}')")
        found = posted(SECRET)
        check("the curl command posts a signed webhook",
              found == ("HTTP/1.1 200 OK", '{"outcome":"stored","detail":null}'), found)
        found = rows("SELECT user_id, reference_id FROM terra_identity.current_connections WHERE dev_id = 'default'")
        check("into the environment default", found == [{"user_id": "id-1", "reference_id": "alice"}], found)
        found = posted("not " + SECRET)
        check("under another secret it is refused", found[0] == "HTTP/1.1 401 Unauthorized" and "rejected" in found[1],
              found)
        check("docs/handler.md has this curl command", CURL in Path("docs/handler.md").read_text())
        check("a handler that did nothing of late exits with status 0", handler.stop(signal.SIGTERM) == 0)

    def environments_by_header(self, directory):
        """A handler without TERRA_DEV_ID, and deliveries of several Terra environments, as their dev-id headers say."""
        sql("""UPDATE terra_identity.environments SET terra_dev_id = 'app-live' WHERE dev_id = 'default';
               SELECT terra_identity.set_signing_secret('of live');
               SELECT terra_identity.set_signing_secret('of test', dev_id => 'app-test')""")
        body = b'{"type": "auth", "status": "success", "user": {"user_id": "by-header", "provider": "GARMIN"}}'
        handler = Handler(directory)
        handler.start()

        def post(header, secret):
            connection = http.client.HTTPConnection("127.0.0.1", handler.port, timeout=60)
            headers = {"dev-id": header, "hook-type": "WEBHOOK"}
            if secret:
                at = int(time.time())
                headers["X-Terra-Signature"] = f"t={at},v1={sign(secret, at, body)}"
            connection.request("POST", "/terra", body, headers)
            status = connection.getresponse().status
            connection.close()
            return status

        found = [post(*sent) for sent in [("app-live", "of live"), ("app-test", "of test"), ("app-test", "of live"),
                                          ("app-test", None), ("app-unheard-of", "of live"), ("app-unheard-of", None)]]
        check("each environment takes what is signed for it, and no header leads past that",
              found == [200, 200, 401, 401, 401, 401], found)
        found = rows("""SELECT e.dev_id, count(c.user_id) AS n FROM terra_identity.environments e
                        LEFT JOIN terra_identity.connections c ON c.dev_id = e.dev_id AND c.user_id = 'by-header'
                        GROUP BY 1 HAVING e.dev_id LIKE 'app-%' OR e.dev_id = 'default' ORDER BY 1""")
        check("so that production and testing are apart",
              found == [{"dev_id": "app-test", "n": 1}, {"dev_id": "default", "n": 1}],
              found)
        handler.stop(signal.SIGTERM)

    def logs(self, directory):
        self.server.stop(signal.SIGINT)
        crashes = re.findall(".*(?:terminated by signal|PANIC|TRAP).*", (Path(directory) / "server.log").read_text())
        check("the server's log tells of no crash", not crashes, *crashes)


def main():
    seed = int(os.environ.get("SEED") or time.time())
    print(f"# seed {seed}", flush=True)
    test = Test(sys.argv[1], seed)
    test.run()
    test.curl(sys.argv[1])
    test.environments_by_header(sys.argv[1])
    test.logs(sys.argv[1])
    return finish()


if __name__ == "__main__":
    sys.exit(main())
