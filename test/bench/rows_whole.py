"""Rows 12 and 14: the derivation of everything, in the database and in the core alone."""

import os
import re

import databases
import payloads
import server
from measure import Line, alternate, figure, medians, progress, spread

REBUILD = "SELECT terra_identity.rebuild()"
FORGET = "SET session_replication_role = replica; TRUNCATE terra_identity.connections, terra_identity.reauths;"


def identity_ledger(count):
    """A database with so many identity events."""
    name = f"identity_{count}"
    path = server.FILES / "identity.json"
    progress(f"  loading {count:,} identity events")
    payloads.write(path, (payloads.identity_event(k) for k in range(count)))
    server.create_database(name, databases.empty())
    server.psql(name, server.copy(databases.TABLES["ours"], path))
    path.unlink()
    server.vacuum(name)
    return name


def rebuilding(database, count, before=""):
    """A variant: events for each second."""
    return lambda: count / server.milliseconds(database, REBUILD, before) * 1000


def row_12(scale):
    counts = [scale.size(count, count // 100) for count in (10_000, 100_000, 1_000_000)]
    names = [identity_ledger(count) for count in counts]
    steps = {f"{count:,} events": rebuilding(name, count) for name, count in zip(names, counts, strict=True)}
    measured = alternate(steps, scale.runs)
    most = f"{counts[-1]:,} events"
    lines = [Line(12, f"rebuild() of {most}, events/s", "≥ 150,000", spread(measured[most]),
                  medians(measured, "events/s"))]
    afresh = alternate({most: rebuilding(names[-1], counts[-1], FORGET)}, min(scale.runs, 3))
    lines.append(Line(12, f"rebuild() of {most} without any connections, which it writes all, events/s", "≥ 150,000",
                      spread(afresh[most]), ""))
    for name in names:
        server.drop_database(name)
    return lines


def row_14(scale):
    program = os.environ.get("CORE_BENCH")
    if not program:
        raise server.Failed("there is no test/bench/core_bench.cpp")
    runs = [float(re.search(r"^events_per_second ([0-9.]+)", server.run([program]), re.MULTILINE)[1])
            for _ in range(scale.runs)]
    return [Line(14, "the core alone, 1,000,000 events, events/s", "≥ 2,000,000", spread(runs),
                 ", ".join(figure(run) for run in runs))]
