"""
Crashes under load. Each cycle has an environment and webhooks of its own, which come through two handlers, one of them
behind PgBouncer in transaction mode, while a bulk statement runs and a transaction stands prepared. In the middle of it
the server crashes. What was not acknowledged is sent again; in the end every delivery is in the ledger once, the bulk
statement is there whole or not at all, and whole if it was acknowledged, the prepared transaction can be committed, and
the state is what the reference model says of the same events.

    crashes.py DIRECTORY CYCLES    in which DIRECTORY/data is a cluster that is not running. SEED=N to choose.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "model")]

import comparison                                         # noqa: E402
from deliveries import Webhooks                           # noqa: E402
from histories import UNUSABLE_PROVIDERS                  # noqa: E402
from reference import state                               # noqa: E402
from sender import Terra                                  # noqa: E402
from services import Handler, Server, rows, sql, until    # noqa: E402
from tap import check, finish, skip                       # noqa: E402

SECRET = "of all environments"
EVENTS = 150                   # of one cycle, through the handlers
BULK = 400                     # of one statement: more than a statement may lock one by one
KINDS = ["backend", "postmaster", "immediate stop", "recovery"]
# Connections that end, and a server that is not there yet, or not quite gone.
CRASH = {"57P01", "57P02", "57P03", "08006", "08P01", "F0001"}
BULK_INSERT = f"""
    INSERT INTO terra_identity.events (dev_id, payload, headers)
    SELECT 'bulk-%(n)s', jsonb_build_object(
               'type', (ARRAY['auth', 'athlete'])[1 + i %% 2], 'status', 'success',
               'user', jsonb_build_object('user_id', 'u' || i / 2, 'provider', 'OURA', 'reference_id', 'r' || i / 4),
               'athlete', jsonb_build_object('provider_user_id', 'a' || i / 6)),
           jsonb_build_object('X-Terra-Trace-Id', 'bulk ' || i)
    FROM generate_series(1, {BULK}) i"""


class Bouncer:
    """PgBouncer in transaction mode, with fewer sessions than its clients have connections."""

    def __init__(self, directory, program):
        self.directory, self.socket = directory, directory / "bouncer"
        self.socket.mkdir()
        (directory / "bouncer-users").write_text('"handler" ""\n')
        (directory / "bouncer.ini").write_text(f"""
[databases]
webhooks = host={directory} port=5432
[pgbouncer]
unix_socket_dir = {self.socket}
listen_port = 6432
auth_type = trust
auth_file = {directory}/bouncer-users
stats_users = handler
pool_mode = transaction
default_pool_size = 4
server_login_retry = 0.1
ignore_startup_parameters = statement_timeout
""")
        with open(directory / "bouncer.log", "a") as log:
            self.process = subprocess.Popen([program, str(directory / "bouncer.ini")], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        (directory / "bouncer.pid").write_text(str(self.process.pid))

    def leads_there(self):
        return {"PGHOST": str(self.socket), "PGPORT": "6432"}

    def transactions(self):
        done = subprocess.run(["psql", "-X", "-A", "-t", "-c", "SHOW STATS_TOTALS"], check=True, text=True,
                              stdout=subprocess.PIPE,
                              env=dict(os.environ, PGUSER="handler", PGDATABASE="pgbouncer", **self.leads_there()))
        found = [line.split("|") for line in done.stdout.splitlines()]
        return sum(int(line[1]) for line in found if line[0] == "webhooks")


class CrashingServer(Server):
    """The ways in which it ends. Each leaves it running again."""

    def __init__(self, directory, rng):
        super().__init__(directory)
        self.rng = rng
        self.log = self.directory / "server.log"
        self.missed = 0            # kills that were meant for a recovery, and came when it was over

    def since(self, position):
        with open(self.log, "rb") as log:
            log.seek(position)
            return log.read().decode(errors="replace")

    def crash(self, kind):
        position = self.log.stat().st_size
        if kind == "backend":
            self.kill_backend()
            assert until(lambda: "reinitializing" in self.since(position)), "the server did not see its backend killed"
            assert until(lambda: "ready to accept connections" in self.since(position), 30), self.since(position)
            return
        self.stop(signal.SIGQUIT if kind == "immediate stop" else signal.SIGKILL)
        if kind == "recovery":
            while not self.killed_in_recovery():
                self.missed += 1
        self.start()

    def children(self):
        """(pid, title) of the server's processes."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in listed:
            try:
                yield int(pid), Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ").decode()
            except OSError:
                pass

    def kill_backend(self):
        """One that is at work, if there is one."""
        found = [(title.endswith("idle"), self.rng.random(), pid) for pid, title in self.children()
                 if title.startswith("postgres: handler webhooks")]
        os.kill(min(found)[2], signal.SIGKILL)

    def killed_in_recovery(self):
        """Starts it, and kills it while it reads the log: the postmaster, or the process that reads."""
        position = self.log.stat().st_size
        over = time.monotonic() + 30
        with open(self.log, "a") as log:
            command = [os.environ["PRIVATE_BINDIR"] + "/postgres", "-D", str(self.directory / "data")]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            while "redo starts at" not in self.since(position):
                assert time.monotonic() < over, self.since(position)
                if self.process.poll() is not None:      # the last of the old processes still has the shared memory
                    self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                time.sleep(0.0005)
        time.sleep(self.rng.choice([0, 0, 0.002, 0.005]))
        reading = [pid for pid, title in self.children() if title.startswith("postgres: startup")]
        if reading and self.rng.random() < 0.5:
            os.kill(reading[0], signal.SIGKILL)
            assert until(lambda: self.process.poll() is not None), "it goes on without the process that reads the log"
        else:
            self.stop(signal.SIGKILL)
        return "ready to accept connections" not in self.since(position)


def psql_later(text):
    process = subprocess.Popen(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, encoding="utf-8")
    process.stdin.write(text)
    process.stdin.close()
    return process


def count(dev_id):
    return rows(f"SELECT count(*) AS n FROM terra_identity.events WHERE dev_id = '{dev_id}'")[0]["n"]


class Test:
    def __init__(self, directory, seed):
        self.directory, self.seed = Path(directory), seed
        self.server = CrashingServer(directory, random.Random(f"{seed}:server"))
        self.totals, self.faults = Counter(), Counter()
        self.bouncer = None

    def prepare(self):
        self.server.start()
        sql("CREATE DATABASE webhooks; CREATE ROLE handler LOGIN")
        os.environ["PGDATABASE"] = "webhooks"
        sql("""CREATE EXTENSION terra_identity;
               INSERT INTO terra_identity.environments (dev_id, terra_dev_id) VALUES ('default', 'the default one');
               SELECT terra_identity.grant_writer('handler')""")
        for provider in UNUSABLE_PROVIDERS:
            sql(f"INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('{provider}', 'unusable')")
        self.handlers = [Handler(self.directory)]
        program = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
        if program:
            self.bouncer = Bouncer(self.directory, program)
            self.handlers.append(Handler(self.directory, name="bounced", **self.bouncer.leads_there()))
        for handler in self.handlers:
            handler.start()

    def cycle(self, n):
        """What is wrong after a crash, in words."""
        kind, rng, dev_id = KINDS[n % len(KINDS)], random.Random(f"{self.seed}:{n}"), f"crash-{n}"
        policy = rng.choice(["keep", "replace"])
        sql(f"""INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('{dev_id}', '{policy}');
                SELECT terra_identity.set_signing_secret('{SECRET}', dev_id => '{dev_id}');
                BEGIN; {BULK_INSERT.replace("bulk-", "prepared-") % {"n": n}} LIMIT 5; PREPARE TRANSACTION '{n}'""")
        webhooks = Webhooks(f"{self.seed}:{n}", EVENTS)
        good, garbage = webhooks.good, rng.sample(webhooks.garbage, 4)
        deliveries = [delivery for delivery, _, _ in webhooks.told] + garbage
        for delivery in good + garbage:
            delivery.headers["dev-id"] = dev_id
        rng.shuffle(deliveries)
        terra = Terra([handler.port for handler in self.handlers], SECRET, f"{self.seed}:{n}")
        bulk = []

        def meanwhile(wait_for):
            wait_for(rng.uniform(0.1, 0.7))
            bulk.append(psql_later(BULK_INSERT % {"n": n}))
            time.sleep(rng.uniform(0, 0.12))
            self.server.crash(kind)

        left = terra.deliver(deliveries, meanwhile)
        wrong = [f"{left} deliveries are not answered"] if left else []
        wrong += self.wrong_bulk(n, bulk[0].wait(60) == 0)
        end = rng.choice(["COMMIT", "ROLLBACK"])
        sql(f"{end} PREPARED '{n}'")
        found = count(f"prepared-{n}")
        wrong += [f"prepared: {end}, and {found} events"] if found != (5 if end == "COMMIT" else 0) else []
        wrong += self.wrong_ledger(dev_id, webhooks, garbage)
        wrong += self.wrong_state(dev_id, webhooks, policy)
        for other in (f"bulk-{n}", f"prepared-{n}"):
            wrong += [f"{other}: {row}" for row in rows(f"SELECT v FROM terra_identity.verify('{other}') v")]
        self.tell(terra, good)
        return [f"{dev_id}, {kind}: {line}" for line in wrong]

    def tell(self, terra, good):
        self.totals["acknowledged"] += sum(status == 200 for d in good for status, _ in d.answers)
        self.totals["not answered"] += sum(not isinstance(attempt[2], int) for attempt in terra.attempts)
        self.totals["answered by 5xx"] += sum(isinstance(a[2], int) and a[2] >= 500 for a in terra.attempts)
        # Each event of the histories is sent once, apart from retries.
        self.totals["duplicates"] += sum(d.answers.count((200, "duplicate")) for d in good)

    def wrong_bulk(self, n, acknowledged):
        found = count(f"bulk-{n}")
        self.totals["bulk statements acknowledged" if acknowledged else "bulk statements interrupted"] += 1
        wrong = []
        if found not in (0, BULK) or acknowledged and not found:
            wrong.append(f"bulk: {found} of {BULK} are there, acknowledged: {acknowledged}")
        sql(BULK_INSERT % {"n": n})
        found = count(f"bulk-{n}")
        return wrong + ([f"bulk: {found} of {BULK} are there after a retry"] if found != BULK else [])

    def wrong_ledger(self, dev_id, webhooks, garbage):
        stored = self.stored = rows(f"""SELECT trace_id, payload, (extract(epoch FROM received_at) * 1000000)::bigint
                                            AS received_at
                                        FROM terra_identity.events WHERE dev_id = '{dev_id}'""")
        wrong = []
        found, wanted = sorted(str(row["trace_id"]) for row in stored), sorted(d.trace_id for d in webhooks.good)
        if found != wanted:
            wrong.append(f"missing: {set(wanted) - set(found)}, superfluous: {Counter(found) - Counter(wanted)}")
        payloads = {delivery.trace_id: payload for delivery, payload, _ in webhooks.told}
        wrong += [f"another payload: {row}" for row in stored if row["payload"] != payloads.get(row["trace_id"])]
        wrong += [f"stored twice: {d.trace_id} {d.answers}" for d in webhooks.good
                  if d.answers.count((200, "stored")) > 1]
        rejected = rows(f"""SELECT trace_id, encode(body, 'hex') AS body FROM terra_identity.rejected
                            WHERE dev_id = '{dev_id}'""")
        if sorted((row["trace_id"], row["body"]) for row in rejected) != \
                sorted((d.trace_id, d.body.hex()) for d in garbage):
            wrong.append(f"rejected are {[row['trace_id'] for row in rejected]}, not {[d.trace_id for d in garbage]}")
        wrong += [f"deliveries: {row}" for row in rows(f"""
            SELECT trace_id, d.event_id AS delivered, e.event_id FROM terra_identity.deliveries d
            FULL JOIN terra_identity.events e USING (dev_id, trace_id)
            WHERE dev_id = '{dev_id}' AND d.event_id IS DISTINCT FROM e.event_id""")]
        wrong += [f"signatures: {row}" for row in rows(f"""
            SELECT (SELECT count(*) FROM terra_identity.signatures WHERE dev_id = '{dev_id}') AS signatures
            WHERE (SELECT count(*) FROM terra_identity.signatures WHERE dev_id = '{dev_id}') < {len(webhooks.good)}""")]
        return wrong

    def wrong_state(self, dev_id, webhooks, policy):
        expected = comparison.expected(state(
            webhooks.events({row["trace_id"]: row["received_at"] for row in self.stored}), policy,
            unusable_providers=UNUSABLE_PROVIDERS))
        actual = comparison.actual(sql(comparison.queries([dev_id])), [dev_id])[dev_id]
        self.totals["connections"] += len(expected["connections"])
        return comparison.differences(expected, actual)

    def end(self):
        sql("CREATE EXTENSION amcheck")
        checked = subprocess.run([os.environ["PRIVATE_BINDIR"] + "/pg_amcheck", "--heapallindexed", "webhooks"],
                                 capture_output=True, text=True, check=False)
        check("pg_amcheck finds every table and index whole", checked.returncode == 0, checked.stdout, checked.stderr)
        different = rows("""SELECT e.dev_id, v FROM terra_identity.environments e,
                            LATERAL terra_identity.verify(e.dev_id) v""")
        check("verify() finds nothing in any environment", not different, *different[:9])
        check("no prepared transaction is left", not rows("SELECT gid FROM pg_prepared_xacts"))
        if self.bouncer:
            found = self.bouncer.transactions()
            check(f"{found} transactions came through PgBouncer", found > 0)
        else:
            skip("transactions came through PgBouncer", "it is not installed: test/harness/dependencies.sh --long")
        for handler in self.handlers:
            check(f"{handler.name} is alive, and ends when asked", handler.stop(signal.SIGTERM) == 0)
        self.server.stop(signal.SIGINT)
        log = self.server.since(0)
        crashes = [line for line in re.findall(".*(?:terminated by signal|PANIC|TRAP).*", log)
                   if "terminated by signal 9" not in line]
        check("the server's log tells of no crash but those", not crashes, *crashes[:9])
        codes = Counter(re.findall(r"(?:ERROR|FATAL):  (\w{5}):", log))
        print(f"# errors and fatal errors of the server by SQLSTATE: {dict(codes)}", flush=True)
        check("and of no error but those of connections that end", set(codes) <= CRASH, set(codes) - CRASH)


def main():
    directory, cycles = sys.argv[1], int(sys.argv[2])
    seed = os.environ.get("SEED") or str(int(time.time()))
    print(f"# seed {seed}", flush=True)
    test = Test(directory, seed)
    test.prepare()
    failures, done, started = [], Counter(), time.monotonic()
    for n in range(cycles):
        wrong = test.cycle(n)
        done[KINDS[n % len(KINDS)]] += 1
        if wrong:
            failures.append(wrong)
            print("\n".join("# " + line[:500] for line in wrong[:20]), flush=True)
    check(f"after {cycles} crashes all that was acknowledged is there, once, and the state is what the model says",
          not failures, f"{len(failures)} cycles have failed")
    took = (time.monotonic() - started) / cycles
    print(f"# {json.dumps(test.totals)}, {test.server.missed} kills after the recovery, {took:.2f} s for a cycle",
          flush=True)
    check("some deliveries came while the server was down", test.totals["answered by 5xx"] > 0)
    test.end()
    status = finish()
    for kind, number in done.items():
        print(f"# {kind}: {number} cycles", flush=True)
    print(f"# {sum(done.values())} cycles, {len(failures)} failed", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
