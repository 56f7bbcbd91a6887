"""
Crowds: many sessions deliver at once what random histories tell, about the same few connections; then the state must be
what the model makes of the ledger, and the ledger must have every delivery, once.

An arena is an environment with the events of some histories, which share their ids. A round is a few arenas: each
session gets its share of the deliveries in an order by chance, many of them also another session's (a repeated trace
id), and sends them by single statements: INSERT of one row, of several and of hundreds, COPY, ingest(); beside edits of
the account policy. At the end of the round the arenas are compared.

At READ COMMITTED no statement may fail in any way; in the last two sessions, which are at REPEATABLE READ and
SERIALIZABLE, with nothing but 40001, and then it is sent again.

    python3 test/model/crowds.py [--deliveries N] [--sessions N] [--seed S]

The last line is `N deliveries, N errors, N divergences`.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import batches
import comparison
import forgetting
from histories import UNUSABLE_PROVIDERS, history
from reading import Event, read
from reference import state
from run import prepare_database, psql

ISOLATION = ["repeatable read", "serializable"]   # of the last sessions; the others are at READ COMMITTED
ARENAS = [1, 1, 1, 2, 2, 24]                      # the arenas of a round: of so many histories each
PRINTED = 40                                      # lines
# What is read from the ledger, and not from the state; with the events of 24 histories it takes most of the time.
LEFT_OUT = {"histories", "histories that end otherwise", "moments of others"}


class Session:
    """A psql that stays. Each statement is a transaction of its own."""

    def __init__(self, number, isolation, directory):
        self.isolation = isolation
        self.path = Path(directory) / f"{number}.sql"
        options = ("-c deadlock_timeout=10ms -c statement_timeout=300s -c synchronous_commit=off"
                   f" -c default_transaction_isolation={isolation.replace(' ', chr(92) + ' ')}")
        # pylint: disable-next=consider-using-with
        self.psql = subprocess.Popen(["psql", "-X", "-q", "-A", "-t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True, encoding="utf-8",
                                     env={**os.environ, "PGOPTIONS": options, "PGAPPNAME": "crowds"})

    def run(self, statements):
        """Returns what was not as it should be, one line each, and how often 40001 was answered."""
        wrong, retries = [], 0
        while statements:
            answers = self.send(statements)
            again = []
            for statement, output in zip(statements, answers, strict=True):
                if "ERROR:  40001: " in output and self.isolation != "read committed":
                    again.append(statement)
                elif output:
                    wrong.append(f"{self.isolation}: {output[:400]} of: {statement[:300]}")
            retries += len(again)
            statements = again
        return wrong, retries

    def send(self, statements):
        """What each of them printed: nothing if it succeeded."""
        self.path.write_text("\\set VERBOSITY verbose\n"
                             + "".join(f"{statement}\n\\echo == done\n" for statement in statements)
                             + "\\echo == the end\n", encoding="utf-8")
        self.psql.stdin.write(f"\\i {self.path}\n")
        self.psql.stdin.flush()
        answers, output = [], ""
        for line in self.psql.stdout:
            if line == "== the end\n":
                return answers
            if line == "== done\n":
                answers.append(output)
                output = ""
            else:
                output += line
        raise RuntimeError(f"psql ended: {output}")

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()


class Arena:
    def __init__(self, seed, number, histories):
        self.dev_id = f"crowd-{seed}-{number}"
        self.events = [event for i in range(histories) for event in history(seed, number * 100 + i).events]
        self.delivered = Counter()   # what must be in the ledger

    def deliveries(self, rng):
        """Each event, often several times if it has a trace id: then only the first is stored."""
        for event in self.events:
            trace_id = read(event).trace_id
            key = (trace_id, comparison.canonical(event.payload))
            self.delivered[key] = self.delivered[key] + 1 if trace_id is None else 1
            yield from [(self.dev_id, event)] * (1 if trace_id is None else rng.choice([1, 1, 2, 4]))

    def differences(self, ledger, found, policy):
        events = [Event(row["payload"], row["headers"], row["received_at"], row["entered"]) for row in ledger]
        there = Counter((read(event).trace_id, comparison.canonical(event.payload)) for event in events)
        lines = [f"{n} too many in the ledger: {key}" for key, n in (there - self.delivered).items()]
        lines += [f"{n} are not in the ledger: {key}" for key, n in (self.delivered - there).items()]
        wanted = comparison.expected(state(events, policy, unusable_providers=UNUSABLE_PROVIDERS))
        lines += comparison.differences({name: wanted[name] for name in wanted if name not in LEFT_OUT}, found)
        return [f"{self.dev_id}, {policy}:", *lines] if lines else []


def statements(rng, deliveries, dev_ids):
    """Single statements of every kind that send the deliveries, in an order by chance."""
    deliveries = list(deliveries)
    rng.shuffle(deliveries)
    largest = rng.choice([1, 1, 5, 5, 30, 1000])
    sent = []
    while deliveries:
        size = rng.randint(1, largest)
        batch, deliveries = deliveries[:size], deliveries[size:]
        sent.append(rng.choice([insert, insert, copy, ingest])(batch))
    for _ in range(rng.choice([0, 0, 0, 1])):
        policy = rng.choice(["keep", "replace"])
        sent.insert(rng.randint(0, len(sent)),
                    "INSERT INTO terra_identity.environments (dev_id, account_policy)"
                    f" VALUES ({batches.literal(rng.choice(dev_ids))}, '{policy}');")
    return sent


def insert(batch):
    rows = ",\n".join("({}, {}, {}, {})".format(*map(batches.literal, (dev_id, *batches.columns(event))))
                      for dev_id, event in batch)
    return f"INSERT INTO terra_identity.events (dev_id, received_at, payload, headers) VALUES\n{rows};"


def copy(batch):
    rows = ["\t".join(r"\N" if value is None else value.replace("\\", "\\\\")
                      for value in (dev_id, *batches.columns(event))) for dev_id, event in batch]
    return "\n".join(["COPY terra_identity.events (dev_id, received_at, payload, headers) FROM STDIN;", *rows, r"\."])


def ingest(batch):
    """Prints the answers that are not 200."""
    rows = ",\n".join("({}, {}, {})".format(*map(batches.literal, (dev_id, *batches.columns(event)[1:])))
                      for dev_id, event in batch)
    return (f"SELECT v.d, i.* FROM (VALUES\n{rows}) v (d, p, h), LATERAL"
            " terra_identity.ingest(v.p, v.h::jsonb, v.d) i WHERE i.http_status <> 200;")


def play(rng, seed, first_arena, sessions, pool):
    """One round. Returns how many were delivered, errors, divergences, retries."""
    arenas = [Arena(seed, first_arena + i, histories) for i, histories in enumerate(ARENAS)]
    shares = [[] for _ in sessions]
    for arena in arenas:
        for delivery in arena.deliveries(rng):
            rng.choice(shares).append(delivery)
    dev_ids = [arena.dev_id for arena in arenas]
    scripts = [statements(rng, share, dev_ids) for share in shares]
    errors, retries = [], 0
    for wrong, again in pool.map(Session.run, sessions, scripts):
        errors += wrong
        retries += again
    divergences = compare(arenas, dev_ids)
    return sum(map(len, shares)), errors, divergences, retries


def compare(arenas, dev_ids):
    array = "ARRAY[" + ", ".join(map(batches.literal, dev_ids)) + "]::text[]"
    ledgers = {dev_id: [] for dev_id in dev_ids}
    rows = psql(f"SELECT row_to_json(q) FROM ({forgetting.LEDGER % array}) q;")
    for row in map(json.loads, rows.split("\n")[:-1]):
        ledgers[row["dev_id"]].append(row)
    policies = dict(line.split("|") for line in psql(
        f"SELECT dev_id, account_policy FROM terra_identity.environments WHERE dev_id = ANY ({array});").split())
    found = comparison.actual(psql(comparison.queries(dev_ids, LEFT_OUT)), dev_ids)
    return [lines for arena in arenas
            if (lines := arena.differences(ledgers[arena.dev_id], found[arena.dev_id],
                                           policies.get(arena.dev_id, "keep")))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=5000, metavar="N")
    parser.add_argument("--sessions", type=int, default=16, metavar="N")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="S")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    prepare_database()
    rng = random.Random(options.seed)
    delivered = errors = divergences = retries = rounds = 0
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(options.sessions) as pool:
        isolation = ["read committed"] * (options.sessions - len(ISOLATION)) + ISOLATION
        sessions = [Session(i, isolation[i], directory) for i in range(options.sessions)]
        while delivered < options.deliveries:
            sent, wrong, divergent, again = play(rng, options.seed, rounds * len(ARENAS), sessions, pool)
            delivered, rounds, retries = delivered + sent, rounds + 1, retries + again
            for lines in [wrong, *divergent]:
                print("\n".join(lines[:PRINTED]), end="\n" * bool(lines), flush=True)
            errors += len(wrong)
            divergences += len(divergent)
        for session in sessions:
            session.close()
    print(f"{rounds} rounds, {retries} times 40001 above READ COMMITTED")
    print(f"{delivered} deliveries, {errors} errors, {divergences} divergences")
    return 1 if errors or divergences else 0


if __name__ == "__main__":
    sys.exit(main())
