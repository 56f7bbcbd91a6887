"""
The server and the handler: starting, stopping and killing them.
"""

import json
import os
import random
import socket
import subprocess
import time
from pathlib import Path

HANDLER = Path("examples/node/handler.js")


def until(condition, patience=15):
    """Whether it comes true before patience ends."""
    over = time.monotonic() + patience
    while not condition():
        if time.monotonic() > over:
            return False
        time.sleep(0.01)
    return True


def sql(text):
    return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"], input=text, check=True,
                          stdout=subprocess.PIPE, encoding="utf-8").stdout


def rows(query):
    return [json.loads(line) for line in sql(f"SELECT row_to_json(q) FROM ({query}) AS q").splitlines()]


def free_port():
    """Below those that the system gives to clients, who could otherwise connect to themselves while nobody listens."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Server:
    """The cluster. Started in the foreground, so that it is in this test's process group and its pid is known."""

    def __init__(self, directory):
        self.directory = Path(directory)

    def start(self):
        # After a kill -9 the last of the old processes may still hold the shared memory.
        assert until(self.attempt, 30), "the server did not start"

    def attempt(self):
        with open(self.directory / "server.log", "a") as log:
            self.process = subprocess.Popen([os.environ["PRIVATE_BINDIR"] + "/postgres", "-D",
                                             str(self.directory / "data")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ready = [os.environ["PRIVATE_BINDIR"] + "/pg_isready", "-q"]
        until(lambda: self.process.poll() is not None or subprocess.run(ready, check=False).returncode == 0)
        return self.process.poll() is None

    def stop(self, how):
        """SIGINT: fast; SIGQUIT: immediate; SIGKILL: the postmaster alone, whose children find out."""
        self.process.send_signal(how)
        self.process.wait(30)

    def waiting(self, number):
        """Whether so many of the handler's sessions wait for a lock."""
        return int(sql("""SELECT count(*) FROM pg_stat_activity
                          WHERE usename = 'handler' AND wait_event_type = 'Lock'""")) == number


class LockedLedger:
    """While it is entered, ingest() waits."""

    def __enter__(self):
        self.psql = subprocess.Popen(["psql", "-X", "-q", "-A", "-t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True)
        self.psql.stdin.write("BEGIN; LOCK TABLE terra_identity.environments;\n\\echo locked\n")
        self.psql.stdin.flush()
        assert self.psql.stdout.readline() == "locked\n"

    def __exit__(self, *_):
        self.psql.communicate("COMMIT;\n")


class Handler:
    def __init__(self, directory, dev_id=None, name="handler", **environment):
        self.directory, self.name = Path(directory), name
        self.port = free_port()
        self.environment = dict(os.environ, PGUSER="handler", PGDATABASE="webhooks", PORT=str(self.port), **environment)
        for name in ("HOST", "TERRA_DEV_ID"):
            self.environment.pop(name, None)
        if dev_id:
            self.environment["TERRA_DEV_ID"] = dev_id

    def start(self):
        with open(self.directory / f"{self.name}.log", "a") as log:
            self.process = subprocess.Popen(["node", str(HANDLER)], env=self.environment, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        (self.directory / f"{self.name}.pid").write_text(str(self.process.pid))
        assert self.process.stdout.readline() == f"listening on 127.0.0.1:{self.port}\n", "the handler did not start"

    def stop(self, how):
        self.process.send_signal(how)
        return self.ended()

    def ended(self):
        """Its exit status; None if it does not end."""
        try:
            status = self.process.wait(15)
        except subprocess.TimeoutExpired:
            return None
        (self.directory / f"{self.name}.pid").unlink()
        return status

    def runs(self):
        return self.process.poll() is None

    def refuses_connections(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except ConnectionRefusedError:
            return True
        return False
