"""Databases that rows share, each built when a row first asks for it."""

import functools
import shutil
from pathlib import Path

import payloads
import server
from measure import progress

HERE = Path(__file__).parent
PEER = HERE / "peer.sql"
AGREEMENT = HERE / "agreement.sql"
# Into what each variant inserts events without headers, and deliveries as Terra sends them.
TABLES = {"ours": "terra_identity.events (payload)", "bare": "bench.events (payload)"}
TRACED = {"ours": "terra_identity.events (payload, headers)",
          "bare": "bench.traced_events (payload, headers, trace_id)"}
if PEER.exists():
    TABLES["peer"], TRACED["peer"] = "peer.events (payload)", "peer.events (payload, headers)"
KNOWN = 10_000


@functools.cache
def empty():
    """The extension, the bare tables, plain copies of the extension's tables and, if it is there, the peer."""
    server.create_database("empty")
    server.psql("empty", "CREATE EXTENSION terra_identity")
    for tables in ("bare", "plain"):
        server.psql_file("empty", HERE / f"tables/{tables}.sql")
    if PEER.exists():
        server.psql_file("empty", PEER)
    return "empty"


@functools.cache
def known(count):
    """The same with connections whose accounts are known."""
    name = "known"
    progress(f"  loading {count} known connections")
    server.create_database(name, empty())
    path = server.FILES / "known.json"
    payloads.write(path, payloads.known_users(count))
    for table in TABLES.values():
        server.psql(name, server.copy(table, path))
    path.unlink()
    server.vacuum(name)
    return name


class Fresh:
    """A copy of a database, which is gone afterwards."""

    def __init__(self, template):
        self.template = template

    def __enter__(self):
        server.create_database("fresh", self.template)
        return "fresh"

    def __exit__(self, *_):
        server.drop_database("fresh")


def enough_space(gigabytes):
    free = shutil.disk_usage(server.DIRECTORY).free / 2**30
    if free < gigabytes:
        raise server.Failed(f"needs {gigabytes:.0f} GB on the disk of {server.DIRECTORY}: {free:.0f} GB are free")


@functools.cache
def population(connections, each, duplicates):
    """Made set-wise: see population.sql."""
    name = f"population_{connections}"
    enough_space(8 + 1.1e-6 * connections * each) # 7e-7 of it the tables; the log, and what is inserted later
    progress(f"  making {connections:,} connections and {connections * each:,} ledger rows")
    server.restart(wal_level="minimal")
    server.create_database(name, empty())
    server.psql_file(name, HERE / "population.sql", connections=connections, each=each, duplicates=duplicates,
                     first=payloads.FIRST, factor=payloads.FACTOR, modulus=payloads.MODULUS,
                     known=payloads.KNOWN.removesuffix(payloads.U), scopes=payloads.SCOPES)
    server.vacuum(name)
    server.restart()
    verify_if_small(name, connections * each)
    return name


def warm(database, tables):
    """Has the system read the files of tables of the extension and of their indexes: none is measured from the disk."""
    names = ", ".join(f"'terra_identity.{table}'::regclass" for table in tables)
    read_files(server.psql(database, f"""
        SELECT pg_relation_filepath(indexrelid) FROM pg_index WHERE indrelid IN ({names})
        UNION SELECT pg_relation_filepath(oid) FROM unnest(ARRAY[{names}]) oid"""))


def warm_index(database, index):
    read_files(server.psql(database, f"SELECT pg_relation_filepath('terra_identity.{index}')"))


def read_files(paths):
    for path in paths.split("\n"):
        first = Path(server.DATA, path)
        for file in [first, *first.parent.glob(f"{first.name}.*")]:
            with open(file, "rb", buffering=0) as stream:
                while stream.read(1 << 20):
                    pass


def verify_if_small(database, events):
    """Whether the state is what its ledger says; large ones would take longer than the measurement."""
    if events > 1_000_000:
        return
    differences = server.psql(database, "SELECT * FROM terra_identity.verify() LIMIT 10")
    if differences:
        raise server.Failed(f"verify() of {database} found differences\n{differences}")
