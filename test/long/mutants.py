"""
Makes single-line faults, one at a time, and looks whether the tests of `make check` fail. faults.txt lists them.

    mutants.py SERVER...    beside each other in the folders of private servers (server.sh), which belong to this
                            script, as do the copies of the project there: SERVER/faulty, to build in, and
                            SERVER/project, which is the server's user's

A fault is found by the first test that fails, and the tests run in the order in which they are likely to: those that
faults.txt names, then the unit tests with fewer random histories, and all of regress, the model, isolation and t. What
survives these too is a survivor, unless faults.txt says why nothing can tell the difference.

FAULTS="newness views": only those whose path or line contains one of the words; QUICK=1: only the tests that faults.txt
names, and the unit tests; TRUST=1: does not look first whether all tests pass without a fault.

A server is started again from its first state for each fault that reaches it.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

HERE = Path(__file__).resolve().parent
UNIT_HISTORIES = "300"      # of each random unit test; `make check` has 4,000
MODEL_HISTORIES = "200"
PATIENCE = 900              # seconds; a test that hangs has failed


class Fault:
    def __init__(self, path, place, old, new, first, why):
        self.path, self.place, self.old, self.new, self.first, self.why = path, place, old, new, first, why

    def __str__(self):
        return f"{self.path}: {self.old}  ->  {self.new or '(nothing)'}"


def read_faults(path):
    """
    Each is a path, then lines of `- old` and `+ new`, parts of one line of the file; the first after `@ place`, where
    there are several. `? SUITE TEST...` are tests that are tried first, and `! WHY` says why nothing can tell the
    difference.
    """
    faults, file, place, old, new, first, why = [], "", "", None, None, [], ""
    for line in [*Path(path).read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("- "):
            old = line[2:]
        elif line.startswith("+"):
            new = line[2:]
        elif line.startswith("@ "):
            place = line[2:]
        elif line.startswith("? "):
            first.append(line[2:].split())
        elif line.startswith("! "):
            why = line[2:]
        elif not line.strip():
            if old is not None:
                faults.append(Fault(file, place, old, new, first, why))
            place, old, new, first, why = "", None, None, [], ""
        elif not line.startswith("#"):
            file = line.strip()
    return faults


class Tests:
    """In the copies of the project that are in the folder of a server, with that server."""

    def __init__(self, server):
        self.server, self.folder, self.project = Path(server), Path(server) / "faulty", Path(server) / "project"
        self.log = self.folder / "build" / "mutants.log"
        self.environment = environment_of(self.server)
        self.bin = Path(self.environment["PRIVATE_BINDIR"])
        config = subprocess.run([self.folder / "test/harness/pg_config.sh"], capture_output=True, text=True, check=True)
        self.pg_config = config.stdout.strip()
        pgxs = self.ask(self.pg_config, "--pgxs")
        self.drivers = Path(pgxs).parents[1] / "test"
        self.root = self.server / "root"
        self.first_state = self.server / "first_state"
        if not self.first_state.exists():
            self.stop()
            shutil.copytree(self.server / "data", self.first_state)
            self.own(self.first_state)

    def ask(self, *command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def own(self, path):
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{os.environ['TEST_USER']}:", str(path)], check=True)

    def run(self, *command, user=True, env=None, patience=PATIENCE):
        """Whether it succeeds: as the server's user where nothing is built, as in `make check`; or to build."""
        if user and os.geteuid() == 0:
            command = ("setpriv", f"--reuid={os.environ['TEST_USER']}", f"--regid={os.environ['TEST_USER']}",
                       "--clear-groups", "env", f"HOME={self.server}", *command)
        with open(self.log, "w", encoding="utf-8") as log:
            process = subprocess.Popen([str(part) for part in command], cwd=self.project if user else self.folder,
                                       stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                       start_new_session=True, env={**self.environment, **(env or {})})
            try:
                return process.wait(patience) == 0
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
                return False

    def write(self, path, text):
        """Into a file of both copies."""
        for copy in self.folder, self.project:
            (copy / path).write_text(text, encoding="utf-8")

    def stop(self):
        if (self.server / "data" / "postmaster.pid").exists():
            self.run(self.bin / "pg_ctl", "stop", "-D", self.server / "data", "-m", "immediate")

    def start_again(self):
        self.stop()
        shutil.rmtree(self.server / "data")
        shutil.copytree(self.first_state, self.server / "data")
        (self.server / "data").chmod(0o700)
        self.own(self.server / "data")
        for _ in range(3):
            if self.run("bash", "-c", f"'{self.bin}/pg_ctl' start -w -t 120 -s -D '{self.server}/data' "
                        f"-l '{self.server}/log' </dev/null >/dev/null 2>&1"):
                return
        raise SystemExit("the server does not start")

    def build_unit(self):
        return self.run("cmake", "--build", "build/unit", "-j2", user=False)

    def build_module(self):
        return self.run("make", "-s", "-j2", f"PG_CONFIG={self.pg_config}", user=False) and self.run(
            "make", "-s", "install", f"PG_CONFIG={self.pg_config}", f"DESTDIR={self.root}", user=False)

    def unit(self, *filters):
        """The tests with random histories last, and with fewer of them."""
        return all(self.run("build/unit/unit_tests", "--gtest_brief=1", "--gtest_fail_fast", f"--gtest_filter={tests}",
                            user=False, env={"TEST_HISTORIES": UNIT_HISTORIES})
                   for tests in filters or ["-RandomTest.*:KeysTest.*:DisconnectsTest.TheQueue*",
                                            "RandomTest.*:KeysTest.*:DisconnectsTest.TheQueue*"])

    def by_driver(self, driver, input_folder, name, tests):
        output = self.server / name
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        self.own(output)
        self.start_again()
        done = self.run(driver, f"--bindir={self.bin}", f"--host={self.server}", "--port=5432", "--user=postgres",
                        f"--dbname={name}_test", f"--inputdir={input_folder}", f"--outputdir={output}", *tests,
                        env={"PGISOLATIONTIMEOUT": "60"})    # seconds for a step, which may wait for ever
        return done and not self.crashed()

    def crashed(self):
        return "terminated by signal" in (self.server / "log").read_text(errors="replace").rpartition("starting")[2]

    def regress(self, *tests):
        every = sorted(path.stem for path in (self.project / "sql").glob("*.sql"))
        chosen = ["00_install", *(t for t in tests if t != "00_install")] if tests else every
        return self.by_driver(self.drivers / "regress/pg_regress", ".", "regress", chosen)

    def isolation(self, *tests):
        every = sorted(path.stem for path in (self.project / "test/isolation/specs").glob("*.spec"))
        return self.by_driver(self.drivers / "isolation/pg_isolation_regress", "test/isolation", "isolation",
                              tests or every)

    def in_database(self, *command):
        self.start_again()
        return self.run("test/harness/in_database.sh", *command) and not self.crashed()

    def model(self, histories=MODEL_HISTORIES):
        return self.in_database("python3", "test/model/run.py", "--histories", histories, "--seed", "16")

    def t(self, *tests):
        return all(self.in_database(f"test/t/{test}.sh") for test in tests)


def environment_of(server):
    """That with which to connect to it."""
    variables = subprocess.run(["bash", "-c", f". '{server}/env'; env -0"], capture_output=True, text=True, check=True)
    return dict(variable.split("=", 1) for variable in variables.stdout.split("\0") if variable)


def all_of_t():
    """One by one, so that the one that finds a fault is named."""
    return [["t", path.stem] for path in sorted((HERE.parent / "t").glob("*.sh")) if os.access(path, os.X_OK)]


def tests_of(fault):
    """The tests in their order: the words of each are a suite and some of its tests."""
    rest = [["unit"]] if fault.path.startswith("src/core/") else []
    first = [*fault.first, *(suite for suite in rest if suite not in fault.first)]
    if fault.why or os.environ.get("QUICK"):
        return first
    return [*first, ["regress"], ["model"], ["isolation"], *all_of_t()]


def with_fault(before, fault):
    """The text of the file with it, or None if it does not fit."""
    start = before.find(fault.place)
    if start < 0 or before.count(fault.old, start) < 1 or (not fault.place and before.count(fault.old) > 1):
        return None
    return before[:start] + before[start:].replace(fault.old, fault.new, 1)


def find(tests, suites):
    """Which test fails: its suite, and what its log says; None if none does, "" if it does not build."""
    built = set()
    for suite, *names in suites:
        kind = "unit" if suite == "unit" else "module"
        if kind not in built:
            if not (tests.build_unit() if kind == "unit" else tests.build_module()):
                return ""
            built.add(kind)
        if not getattr(tests, suite)(*names):
            log = tests.log.read_text(errors="replace")
            failed = re.findall(r"^\[  FAILED  \] (\S+)|^not ok +\d+ +- (\S+)|^test (\S+) +\.\.\. FAILED|"
                                r"(\S+) +\.\.\. FAILED", log, re.MULTILINE)
            names = names if suite == "t" else sorted({next(filter(None, f)) for f in failed})
            return " ".join([suite, *names][:4])
    return None


def try_one(tests, fault):
    """What became of it: "killed", "survivor", "survivor with a reason" or "wrong fault"; and a line that says more."""
    started = time.monotonic()
    before = (tests.project / fault.path).read_text(encoding="utf-8")
    faulty = with_fault(before, fault)
    if faulty is None:
        return "wrong fault", "DOES NOT FIT"
    try:
        tests.write(fault.path, faulty)
        found = find(tests, tests_of(fault))
    finally:
        tests.write(fault.path, before)
    seconds = f"({time.monotonic() - started:.0f} s)"
    if found:
        return "killed", f"{found} {seconds}"
    if found == "":
        return "wrong fault", f"DOES NOT BUILD {seconds}"
    if fault.why:
        return "survivor with a reason", f"nothing can tell: {fault.why} {seconds}"
    return "survivor", f"SURVIVES {seconds}"


def main():
    words = os.environ.get("FAULTS", "").split()
    faults = [f for f in read_faults(HERE / "faults.txt") if not words or any(w in str(f) for w in words)]
    scale = float(os.environ.get("SCALE") or 1)
    if scale < 1:
        faults = faults[::max(1, round(1 / scale))]
    free = SimpleQueue()
    for server in sys.argv[1:]:
        free.put(Tests(server))
    if not os.environ.get("TRUST"):
        tests = free.get()
        failed = find(tests, [["unit"], ["regress"], ["model"], ["isolation"], *all_of_t()])
        if failed is not None:
            raise SystemExit(f"without a fault fails: {failed}\n{tests.log.read_text(errors='replace')[-3000:]}")
        free.put(tests)

    def try_next(fault):
        tests = free.get()
        try:
            became, line = try_one(tests, fault)
        finally:
            free.put(tests)
        print(f"# {line}: {fault}", flush=True)
        return became

    with ThreadPoolExecutor(free.qsize()) as pool:
        became = list(pool.map(try_next, faults))
    for title in "survivor", "survivor with a reason", "wrong fault":
        for fault, what in zip(faults, became, strict=True):
            if what == title:
                print(f"# {title}: {fault} {fault.why}")
    killed, needed = became.count("killed"), -(-95 * len(faults) // 100)
    survivors, wrong = became.count("survivor"), became.count("wrong fault")
    print(f"faults that make check finds: {killed}/{needed}, {survivors + wrong} failures")
    print(f"faults made: {len(faults)}/{len(faults)}, {wrong} failures")
    return int(killed < needed or survivors + wrong > 0)


sys.exit(main())
