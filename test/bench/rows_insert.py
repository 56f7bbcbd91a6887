"""Rows 1, 2, 3 and 15: events inserted one by one."""

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
