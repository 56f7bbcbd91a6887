"""Rows 1, 2, 3 and 15: events inserted one by one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import databases
import payloads
import server
from measure import Line, alternate, medians, ratio

ON = "-c synchronous_commit=on"


def data_scripts(known, names=("ours", "bare")):
    picks = server.any_known(known)
    return {name: server.insertion(f"data_{name}", databases.TABLES[name], payloads.KNOWN_DATA[0], picks)
            for name in names}


def auth_scripts(names=tuple(databases.TABLES)):
    return {name: server.insertion(f"auth_{name}", databases.TABLES[name], payloads.NEW_AUTH, server.ANY_NEW)
            for name in names}


def throughput(scale, scripts, options=""):
    """Transactions per second by variant and round, after a second of each that does not count."""
    database = databases.working(scale.size(databases.KNOWN))
    for script in scripts.values():
        script.tps(database, 1, options=options)
    return alternate({name: script.step(database, scale.seconds, options=options) for name, script in scripts.items()},
                     scale.runs)


def row_1(scale):
    measured = throughput(scale, data_scripts(scale.size(databases.KNOWN)))
    return [Line(1, "data event of a known connection, tps: ours / bare", "≥ 0.85",
                 ratio(measured["ours"], measured["bare"]), medians(measured, "tps"))]


def row_2(scale):
    measured = throughput(scale, auth_scripts())
    what = "`auth` of a new user, tps:"
    to_bare = ratio(measured["ours"], measured["bare"])
    lines = [Line(2, f"{what} ours / bare", "≥ 0.5", to_bare, medians(measured, "tps"))]
    if "peer" in measured:
        lines.append(Line(2, f"{what} ours / peer", "≥ 1.3", ratio(measured["ours"], measured["peer"]), ""))
    return lines


def row_3(scale):
    lines = []
    for what, scripts in (("data event of a known connection", data_scripts(scale.size(databases.KNOWN))),
                          ("`auth` of a new user", auth_scripts(("ours", "bare")))):
        measured = throughput(scale, scripts, ON)
        lines.append(Line(3, f"{what}, synchronous_commit on, tps: ours / bare", "≥ 0.95",
                          ratio(measured["ours"], measured["bare"]), medians(measured, "tps")))
    return lines


def lock_waits(script, database, seconds):
    """Of two writers, sampled in a run of its own: sampling takes time of the cores that they use."""
    with ThreadPoolExecutor() as pool:
        writers = pool.submit(script.tps, database, seconds + 1, 2)
        samples = server.psql_file(database, Path(__file__).parent / "lock_waits.sql", seconds=seconds)
        writers.result()
    return samples


def row_15(scale):
    database = databases.working(scale.size(databases.KNOWN))
    scripts = auth_scripts(("ours", "bare"))
    steps = {f"{name} by {clients}": script.step(database, scale.seconds, clients)
             for name, script in scripts.items() for clients in (1, 2)}
    measured = alternate(steps, scale.runs)
    what = "`auth` of new users, pgbench on the same cores, tps: 2 writers / 1"
    return [Line(15, what, "≥ 1.8", ratio(measured["ours by 2"], measured["ours by 1"]),
                 f"{medians(measured, 'tps')}; {lock_waits(scripts['ours'], database, scale.seconds)}"),
            Line(15, f"{what}, into the bare table", "", ratio(measured["bare by 2"], measured["bare by 1"]), "")]
