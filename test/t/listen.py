"""
examples/node/listen.js, as a role that may only read the feed: it wakes on NOTIFY, polls where the setting is off, goes
on after its connection is cut and after it was killed, and does not commit what it has not handled.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

from tap import check, finish

LONG = "600000"  # milliseconds between polls: what comes sooner was woken


def sql(statements):
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], input=statements, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


def connect(user_id, notify, more=""):
    return sql(f"""SET terra_identity.notify = {notify}; BEGIN; INSERT INTO terra_identity.events (payload) VALUES
        ('{{"type": "auth", "status": "success", "user": {{"user_id": "{user_id}", "provider": "OURA"}}}}'); {more}
        COMMIT""")


class Worker:
    """listen.js. What it prints goes into a queue."""

    def __init__(self, **settings):
        self.process = subprocess.Popen(
            ["node", "examples/node/listen.js"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PGUSER": "mailer", "CONSUMER": "mailer", **settings})
        self.lines, self.told = queue.Queue(), []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        threading.Thread(target=self.listen, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def listen(self):
        for line in self.process.stderr:
            self.told.append(line)

    def changes(self, number, patience=20):
        """The user_ids of so many changes; fewer if they do not come."""
        over = time.monotonic() + patience
        found = []
        while len(found) < number and time.monotonic() < over:
            try:
                found.append(self.lines.get(timeout=0.05)["user_id"])
            except queue.Empty:
                pass
        return found

    def rest(self):
        """The user_ids of all changes that it handled before it ended and that were not asked for."""
        self.reader.join(20)
        return self.changes(self.lines.qsize())

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(20)


def position():
    """How many changes the consumer is done with."""
    return int(sql("""SELECT count(*) FROM terra_identity.changes c JOIN terra_identity.consumers k
                      ON k.consumer = 'mailer' AND c.position <= k.position"""))


def until(condition, patience=20):
    over = time.monotonic() + patience
    while not condition() and time.monotonic() < over:
        time.sleep(0.02)
    return condition()


sql("CREATE EXTENSION terra_identity; CREATE ROLE mailer LOGIN; SELECT terra_identity.grant_consumer('mailer')")
connect("before", "off")

worker = Worker(POLL_MS=LONG)
check("it begins with what was there", worker.changes(1) == ["before"], worker.told)
until(lambda: position() == 1)
connect("woken", "on")
check("it wakes on NOTIFY", worker.changes(1) == ["woken"], worker.told)
connect("late", "on", "SELECT pg_sleep(0.5);")
check("also for a transaction that commits late", worker.changes(1) == ["late"], worker.told)
check("it commits what it has handled", until(lambda: position() == 3), position())

sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mailer'")
connect("after the cut", "off")
check("it connects again when its connection is cut", worker.changes(1) == ["after the cut"], worker.told)
check("and says so", any("terminating connection" in line for line in worker.told), worker.told)
check("SIGTERM ends it, with everything committed", worker.stop() == 0 and position() == 4, position())

connect("meanwhile", "on")
worker = Worker(POLL_MS="50")
check("it goes on where it was", worker.changes(1) == ["meanwhile"], worker.told)
connect("polled", "off")
check("it polls where the setting is off", worker.changes(1) == ["polled"], worker.told)
until(lambda: position() == 6)
worker.stop(signal.SIGKILL)

sql("""INSERT INTO terra_identity.events (payload) SELECT jsonb_build_object(
           'type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id', 'many ' || i))
       FROM generate_series(1, 1000) i""")
seen = set()
for _ in range(3):
    worker = Worker(POLL_MS="50", BATCH="7")
    seen |= set(worker.changes(100))
    worker.stop(signal.SIGKILL)
    seen |= set(worker.rest())
worker = Worker(POLL_MS="50")
until(lambda: position() == 1006)
worker.stop()
seen |= set(worker.rest())
check("it misses nothing when it is killed again and again", len(seen) == 1000, len(seen))
check("and is done with everything", position() == 1006, position())

again = Worker(POLL_MS=LONG, TERRA_DEV_ID="other")
sql("""SET terra_identity.notify = on; INSERT INTO terra_identity.events (dev_id, payload) VALUES
       ('other', '{"type": "auth", "status": "success", "user": {"user_id": "elsewhere"}}')""")
check("TERRA_DEV_ID names its environment", again.changes(1) == ["elsewhere"], again.told)
again.stop()
check("it cannot read what it is not granted",
      "permission denied" in sql("SET ROLE mailer; SELECT * FROM terra_identity.events"))
sql("DROP OWNED BY mailer; DROP ROLE mailer")
sys.exit(finish())
