"""psql, pgbench and pg_ctl as subprocesses. The environment says which server they talk to."""

import itertools
import os
import re
import subprocess
from pathlib import Path

import payloads

SETTINGS = {
    "shared_buffers": "4GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "wal_level": "replica",
    "max_wal_senders": "0",
    "log_lock_waits": "on",
}
DIRECTORY = Path(os.environ["SERVER_DIR"])
DATA = os.environ["PGDATA"]
FILES = DIRECTORY / "files"

PSQL = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]


class Failed(Exception):
    pass


def run(command, script=None, options=""):
    """Its stdout. `options` are server settings of the session; commits do not wait for the disk unless they say so."""
    environment = os.environ | {"PGOPTIONS": f"-c synchronous_commit=off {options}", "PSQLRC": "/dev/null"}
    done = subprocess.run(command, input=script, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{command[0]}: status {done.returncode}\n{done.stderr}{done.stdout}")
    return done.stdout


def psql(database, script, options=""):
    return run([*PSQL, "-d", database], script, options).strip()


def psql_file(database, path, **variables):
    given = [f"--set={name}={value}" for name, value in variables.items()]
    return run([*PSQL, "-d", database, *given, "-f", str(path)]).strip()


def restart(**settings):
    """With SETTINGS, apart from those that are given."""
    for name, value in (SETTINGS | settings).items():
        psql("postgres", f"ALTER SYSTEM SET {name} = '{value}'")
    run(["pg_ctl", "restart", "-s", "-w", "-t", "600", "-m", "fast", "-D", DATA, "-l", os.environ["SERVER_LOG"]])


def reload(**settings):
    for name, value in settings.items():
        psql("postgres", f"ALTER SYSTEM SET {name} = '{value}'")
    psql("postgres", "SELECT pg_reload_conf()")


def checkpoint():
    """Before a timed statement, or a row of transactions: what former ones left to write does not count in it. Not
    between steps of transactions: the first change of a page after a checkpoint is logged whole, which is seldom in a
    day and would be most of what a few seconds measure."""
    psql("postgres", "CHECKPOINT")


def milliseconds(database, statement, before=""):
    """Of one statement, its commit included, as psql sees it. `before` is done in the same session."""
    checkpoint()
    output = psql(database, f"{before}\n\\timing on\n{statement};\n")
    return float(re.findall(r"^Time: ([0-9.]+) ms", output, re.MULTILINE)[-1])


def locale():
    """What most Debian servers have, if this one has it."""
    wanted = psql("postgres", "SELECT 1 FROM pg_collation WHERE collname = 'en_US.utf8'")
    return "en_US.UTF-8" if wanted else "C.UTF-8"


def create_database(name, template=None):
    """@param template: null for an empty one"""
    run(["dropdb", "--if-exists", name])
    run(["createdb", name, *(["-T", template] if template else ["-T", "template0", f"--locale={locale()}"])])


def drop_database(name):
    run(["dropdb", name])


def vacuum(database):
    psql(database, "VACUUM ANALYZE")


def copy(target, path):
    return f"COPY {target} FROM '{path}'"


class Script:
    """A pgbench script with the texts that it takes as variables."""

    numbers = itertools.count(1)

    def __init__(self, name, lines, variables=None):
        self.name = name
        self.path = FILES / f"{name}_{next(self.numbers)}.sql"
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.variables = variables or {}

    def tps(self, database, seconds, clients=4, options=""):
        """Transactions per second; none may have failed."""
        given = [f"--define={name}={value}" for name, value in self.variables.items()]
        output = run(["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)),
                      "-T", str(seconds), *given, "-f", str(self.path), database], options=options)
        if not re.search(r"^number of failed transactions: 0 ", output, re.MULTILINE):
            raise Failed(f"pgbench: transactions failed\n{output}")
        return float(re.search(r"^tps = ([0-9.]+) \(without initial connection time\)", output, re.MULTILINE)[1])

    def step(self, database, seconds, clients=4, options=""):
        """A variant for `alternate`."""
        return lambda: self.tps(database, seconds, clients, options)


ANY_NEW = ["\\set u random(100000000000, 999999999999)"]


def any_known(count, stride=1):
    """One of `count` known users: of the first, or of every so many."""
    return [f"\\set n random(1, {count}) * {stride}",
            f"\\set u {payloads.FIRST} + :n * {payloads.FACTOR} % {payloads.MODULUS}"]


# For headers: a trace id like a random UUID, which does not come twice, and an ordering timestamp that is a millisecond
# after the client's last.
NEXT_DELIVERY = ["\\set trace random(10000000, 99999999)", "\\set id random(100000000000, 999999999999)",
                 "\\set ordering :ordering + 1"]
TRACE_ID = "(:trace::text || '-7f3c-4b1e-8a52-' || :id::text)"
# What the marks of a template stand for in a statement.
OPERANDS = {payloads.U: ":u::text", payloads.V: ":v::text", payloads.TRACE: TRACE_ID,
            payloads.ORDERING: ":ordering::text"}


def joined(template, operands=None, name="piece"):
    """A template as an expression, and the variables in it. It reaches the server as pieces of text, parameters all of
    them, around the numbers: the server joins them at every execution. The joining, well below a microsecond, is the
    same for every variant. @param operands: other than OPERANDS, by mark"""
    operands = OPERANDS | (operands or {})
    variables, pieces = {}, []
    for i, piece in enumerate(re.split(f"([{re.escape(''.join(operands))}])", template)):
        if piece in operands:
            pieces.append(operands[piece])
        else:
            variables[f"{name}{i}"] = piece
            pieces.append(f":{name}{i}::text")
    return f"({' || '.join(pieces)})", variables


def payload_of(template):
    """The joined template, for the server to parse as jsonb at every execution, and the variables in it."""
    text, variables = joined(template)
    return f"{text}::jsonb", variables


def headers_of(template=payloads.HEADERS, operands=None):
    """The same of a delivery's headers."""
    text, variables = joined(template, operands, "header")
    return f"{text}::jsonb", variables | {"ordering": payloads.now()}


def insertion(name, target, template, picks):
    """A script that inserts one event. @param target: a table and its columns: of TABLES or TRACED in databases.py"""
    values, variables = payload_of(template)
    if "headers" in target:
        headers, of_headers = headers_of()
        values, variables, picks = f"{values}, {headers}", variables | of_headers, [*picks, *NEXT_DELIVERY]
    if "trace_id" in target:
        values += f", {TRACE_ID}"
    return Script(name, [*picks, f"INSERT INTO {target} VALUES ({values});"], variables)
