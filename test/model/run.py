"""
Compares the extension with the reference model on random histories.

Needs a database with the extension, found through PGHOST, PGPORT, PGUSER and PGDATABASE. Every history has an
environment of its own, `model-<seed>-<index>`; but for the provider DASH, which is marked unusable, and the schema
model_app, whose tables are attached, nothing else in the database is touched. A history that fails is printed with its
seed and index, written as a psql script to a temporary directory, and shrunk.

    python3 test/model/run.py [--histories N] [--seed S] [--jobs N]
    python3 test/model/run.py --scenarios [--histories N] ...    orders of the scenarios of test/unit; each twice
    python3 test/model/run.py [--scenarios] --replay SEED:INDEX
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import batches
import comparison
import forgetting
import scenarios
from histories import UNUSABLE_PROVIDERS, history
from reading import Event
from reference import SDK_PROVIDERS, state

BLOCK = 50             # histories per psql session
SHRINKING_TRIES = 60
DEADLOCKS = 5          # so many times a history is tried again
SHRUNK = 3             # how many failures are shrunk
PRINTED = 10           # of how many failures the differences are printed
REBUILD_ONE_IN = 4
FORGET_ONE_IN = 3


class Failed(Exception):
    """Raised when psql failed, with what it wrote to stdout until then, and its error message."""

    def __init__(self, output, message):
        super().__init__(message)
        self.output, self.message = output, message


def psql(script, patience=30):
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"],
                          input="SET synchronous_commit = off;\n" + script,
                          capture_output=True, text=True, encoding="utf-8", check=False)
    # No connection: the server may be recovering from a crash.
    if done.returncode == 2 and not done.stdout and patience:
        time.sleep(1)
        return psql(script, patience - 1)
    if done.returncode != 0:
        raise Failed(done.stdout, done.stderr.strip())
    return done.stdout


def expected(trial, entered=()):
    return comparison.expected(state([*trial.events, *entered], trial.history.policy,
                                     unusable_providers=UNUSABLE_PROVIDERS, on_duplicate=trial.history.on_duplicate,
                                     accepted=trial.history.accepted), trial.history.accepted)


class Trial:
    """One history, or a part of it, in an environment of its own."""

    def __init__(self, history_, dev_id, kept=None):
        self.history, self.dev_id, self.kept = history_, dev_id, kept
        self.rebuilt = history_.index % REBUILD_ONE_IN == 0
        self.script = batches.script(history_, batches.plan(history_), dev_id, kept)
        self.events = [event for i, event in enumerate(history_.events) if kept is None or i in kept]
        self.differences = []   # lines; empty if it passed
        self.entered = []       # the events that correct() and import_users() have inserted
        self.deadlocks = 0

    def start_again(self):
        """In another environment, because of a deadlock."""
        self.deadlocks += 1
        self.dev_id = f"{self.dev_id}-{time.time_ns()}"
        self.script = batches.script(self.history, batches.plan(self.history), self.dev_id, self.kept)

    def compare(self, found, before=None):
        """Compares with the extension's state. `before` is that state before rebuild()."""
        self.entered = [Event(row["payload"], None, row["received_at"], True) for row in found.pop("entered")]
        wanted = expected(self, self.entered)
        if before is not None:
            wanted["ids"] = before["ids"]
        if self.history.keeps != "everything":
            # An event may be there twice, whole and as its envelope.
            wanted["problems"], found["problems"] = (
                [{"received_at": time} for time in sorted({row["received_at"] for row in rows})]
                for rows in (wanted["problems"], found["problems"]))
        if self.history.keeps == "few events":
            del wanted["problems"], wanted["ledger"]
        lines = comparison.differences(wanted, found)
        if lines:
            self.differences += ["after rebuild():"] * (before is not None) + lines


def run(trials):
    """Runs the trials in one session, as far as they succeed, and sets their differences."""
    remaining = list(trials)
    inserted = []
    while remaining:
        try:
            psql("".join(f"\\echo == history {i}\n{trial.script}" for i, trial in enumerate(remaining)))
            inserted += remaining
            remaining = []
        except Failed as failed:
            started = [line for line in failed.output.split("\n") if line.startswith("== history ")]
            if not started:
                raise
            culprit = int(started[-1].rsplit(" ", 1)[1])
            inserted += remaining[:culprit]
            remaining = remaining[culprit:]
            # Transactions of several statements, as these have, may deadlock with those of another session.
            if "deadlock detected" in failed.message and remaining[0].deadlocks < DEADLOCKS:
                remaining[0].start_again()
                continue
            remaining[0].differences = ["error while inserting:", "  " + failed.message]
            remaining = remaining[1:]
    compare(inserted)


def compare(trials):
    """
    Runs one query per relation for all trials; if that fails, for one trial at a time, to find the one that fails.
    """
    if not trials:
        return
    try:
        found = fetch(trials)
        to_rebuild = [trial for trial in trials if trial.rebuilt]
        again = fetch(to_rebuild, "".join(f"SELECT terra_identity.rebuild({batches.literal(trial.dev_id)});\n"
                                          for trial in to_rebuild)) if to_rebuild else {}
    except Failed as failed:
        if len(trials) == 1:
            trials[0].differences.append("error while reading: " + failed.message)
        else:
            for trial in trials:
                compare([trial])
        return
    for trial in trials:
        trial.found = found[trial.dev_id]
        trial.compare(found[trial.dev_id])
        if trial.rebuilt:
            trial.compare(again[trial.dev_id], before=found[trial.dev_id])
    forget(trials)


def forget(trials):
    """Forgets somebody in one of a few of the trials that have passed. What becomes of it: forgetting.py."""
    before = {}
    for trial in trials:
        if trial.history.index % FORGET_ONE_IN == 0 and not trial.differences and trial.found["user_ids"]:
            before[trial.dev_id] = (trial, trial.found)
    for dev_id, (trial, found) in before.items():
        try:
            after = fetch_again([trial], forgetting.script(trial, forgetting.person(trial, found)))[dev_id]
            rows = psql(f"SELECT row_to_json(q) FROM ({forgetting.LEDGER % f'ARRAY[{batches.literal(dev_id)}]'}) q;")
            events = [Event(row["payload"], row["headers"], row["received_at"], row["entered"])
                      for row in map(json.loads, rows.split("\n")[:-1])]
            again = fetch_again([trial], forgetting.once_more(trial))[dev_id]
        except Failed as failed:
            trial.differences.append("error while forgetting: " + failed.message)
            continue
        wanted = comparison.expected(state(events, trial.history.policy, unusable_providers=UNUSABLE_PROVIDERS,
                                           on_duplicate=trial.history.on_duplicate, accepted=trial.history.accepted),
                                     trial.history.accepted)
        trial.differences += forgetting.differences(trial, found, after, again, events, wanted)


def fetch_again(trials, first):
    """Again if the first statement deadlocks with a transaction of several statements in another session."""
    for _ in range(DEADLOCKS):
        try:
            return fetch(trials, first)
        except Failed as failed:
            if "deadlock detected" not in failed.message:
                raise
    return fetch(trials, first)


def fetch(trials, first=""):
    dev_ids = [trial.dev_id for trial in trials]
    return comparison.actual(psql(first + comparison.queries(dev_ids)), dev_ids)


def shrink(trial):
    """Shrinks a failing trial: leaves out events as long as it still fails, halves first, then ever smaller parts."""
    kept, smallest, tries = list(range(len(trial.history.events))), trial, 0
    size = max(1, len(kept) // 2)
    while True:
        position, shrunk = 0, False
        while position < len(kept):
            if tries == SHRINKING_TRIES:
                return smallest
            tries += 1
            attempt = Trial(trial.history, f"{trial.dev_id}-{time.time_ns()}", kept[:position] + kept[position + size:])
            run([attempt])
            if attempt.differences:
                kept, smallest, shrunk = attempt.kept, attempt, True
            else:
                position += size
        if size == 1 and not shrunk:
            return smallest
        size = max(1, size // 2)


def report(trial, seed, directory, number):
    name = f"{seed}:{trial.history.index}"
    print(f"\nFAILED {name} (seed {seed}; again with --replay {name}), policy {trial.history.policy}")
    print("script:", written(trial, directory, f"{seed}-{trial.history.index}.sql"))
    if number < PRINTED:
        print("\n".join(trial.differences))
    if number < SHRUNK:
        smallest = shrink(trial)
        print(f"shrunk to {len(smallest.events)} of {len(trial.events)} events:")
        for event in smallest.events:
            print("  " + json.dumps(event._asdict(), ensure_ascii=False))
        print("\n".join(smallest.differences))
        print("script:", written(smallest, directory, f"{seed}-{trial.history.index}-shrunk.sql"))
    sys.stdout.flush()


def written(trial, directory, name):
    path = Path(directory) / name
    path.write_text(trial.script, encoding="utf-8")
    return path


def replay(tell, seed, index, suffix):
    trial = Trial(tell(seed, index), f"model-{seed}-{index}{suffix}")
    print(f"-- dev_id {trial.dev_id}, policy {trial.history.policy}, {len(trial.events)} events as they happened:")
    for event in trial.events:
        print("  " + json.dumps(event._asdict(), ensure_ascii=False))
    print("-- script:\n" + trial.script)
    print("-- expected:")
    for relation, rows in expected(trial).items():
        print("\n".join([f"{relation}:"] + [f"  {comparison.canonical(row)}" for row in rows]))
    run([trial])
    return [trial]


def prepare_database():
    """
    Creates the extension, the attached tables, and the rows of `providers` that the histories assume, which hold for
    all environments.
    """
    psql("CREATE EXTENSION IF NOT EXISTS terra_identity;" + "".join(
        f"INSERT INTO terra_identity.providers (provider, account_ids) VALUES ({batches.literal(provider)}, 'unusable')"
        " ON CONFLICT DO NOTHING;" for provider in sorted(UNUSABLE_PROVIDERS)))
    if psql("SELECT to_regnamespace('model_app') IS NULL;").strip() == "t":
        psql(batches.ATTACHED)
    for rule, wanted in [("sdk", SDK_PROVIDERS), ("account_ids = 'unusable'", UNUSABLE_PROVIDERS)]:
        found = set(psql(f"SELECT provider FROM terra_identity.providers WHERE {rule};").split())
        if found != wanted:
            sys.exit(f"terra_identity.providers is not as installed: those with {rule} are {sorted(found)}, "
                     f"not {sorted(wanted)}")


def environment_suffix(seed):
    """A suffix for dev_ids: empty, or a new one if this database has seen the seed before."""
    seen = psql(f"SELECT EXISTS (SELECT FROM terra_identity.events WHERE dev_id LIKE 'model-{seed}-%')").strip() == "t"
    return f"-{time.time_ns()}" if seen else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, metavar="N")
    parser.add_argument("--scenarios", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="S")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="psql sessions at a time")
    parser.add_argument("--replay", metavar="SEED:INDEX")
    options = parser.parse_args()
    seed, index = map(int, options.replay.split(":")) if options.replay else (options.seed, None)
    print(f"seed {seed}", flush=True)
    tell = scenarios.history if options.scenarios else history
    number = options.histories or (scenarios.all_of_them() if options.scenarios else 2000)
    prepare_database()
    suffix = environment_suffix(seed)

    if options.replay:
        trials = replay(tell, seed, index, suffix)
    else:
        def block(start):
            trials = [Trial(tell(seed, i), f"model-{seed}-{i}{suffix}")
                      for i in range(start, min(start + BLOCK, number))]
            run(trials)
            return trials

        with ThreadPoolExecutor(options.jobs) as pool:
            trials = [trial for done in pool.map(block, range(0, number, BLOCK)) for trial in done]

    failures = [trial for trial in trials if trial.differences]
    if failures:
        directory = tempfile.mkdtemp(prefix="terra_identity-model-")
        for number, trial in enumerate(failures):
            report(trial, seed, directory, number)
    print(f"{len(trials) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
