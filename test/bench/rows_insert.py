"""Rows 1, 2, 3, 15 and 16: events inserted one by one."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import databases
import payloads
import server
from measure import Line, alternate, medians, ratio

MEMBER = "'member-' || :u::text"
ON = "-c synchronous_commit=on"


def one_line(statement):
    return " ".join(statement.split())


def sql(template):
    """An id as an expression."""
    return f"'{template.removesuffix(payloads.U)}' || :u::text"


def data_scripts(known, names=("ours", "bare")):
    picks = server.any_known(known)
    return {name: server.insertion(f"data_{name}", databases.TABLES[name], payloads.KNOWN_DATA[0], picks)
            for name in names}


def auth_scripts(names=tuple(databases.TABLES)):
    return {name: server.insertion(f"auth_{name}", databases.TABLES[name], payloads.NEW_AUTH, server.ANY_NEW)
            for name in names}


def plain_event(template, user_id):
    """The ledger row of an event by plain SQL, and the variables in it."""
    payload, variables = server.payload_of(template)
    kind = re.search('"type":"([^"]+)"', template)[1]
    statement = f"""
        INSERT INTO plain.events (payload, event_type, user_id, reference_id, provider, event_time, contributes)
        VALUES ({payload}, '{kind}', {user_id}, {MEMBER}, 'GARMIN', clock_timestamp(), '{kind}' = 'auth')"""
    return statement, variables


def plain_data(known):
    """What a data event of a known connection writes: one row."""
    event, variables = plain_event(payloads.KNOWN_DATA[0], sql(payloads.KNOWN))
    return server.Script("data_plain", [*server.any_known(known), f"{one_line(event)};"], variables)


def plain_auth():
    """What an `auth` of a new user writes: a row in each of three tables."""
    user_id = sql(payloads.NEW)
    event, variables = plain_event(payloads.NEW_AUTH, user_id)
    statement = one_line(f"""
        WITH event AS ({event} RETURNING event_id, event_time), connection AS (
            INSERT INTO plain.connections (dev_id, user_id, lineage_id, reference_id, provider, status, confirmed,
                scopes, created_at, first_seen_at, connected_at, live, alive_at, provider_at, reference_id_at,
                scopes_at)
            SELECT 'default', {user_id}, event_id, {MEMBER}, 'GARMIN', 'active', true, '{payloads.SCOPES}', event_time,
                event_time, event_time, true, event_time, event_time, event_time, event_time FROM event)
        INSERT INTO plain.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id)
        SELECT event_id, 'connected', 'default', {user_id}, event_id, {MEMBER} FROM event;""")
    return server.Script("auth_plain", [*server.ANY_NEW, statement], variables)


def throughput(scale, scripts, options=""):
    """Transactions per second by variant and round, after a step of each that does not count."""
    database = databases.working(scale.size(databases.KNOWN))
    server.checkpoint()
    for script in scripts.values():
        script.tps(database, scale.seconds, options=options)
    return alternate({name: script.step(database, scale.seconds, options=options) for name, script in scripts.items()},
                     scale.runs)


def row_1(scale):
    known = scale.size(databases.KNOWN)
    measured = throughput(scale, data_scripts(known) | {"plain": plain_data(known)})
    what = "data event of a known connection, tps:"
    return [Line(1, f"{what} ours / bare", "≥ 0.85", ratio(measured["ours"], measured["bare"]),
                 medians(measured, "tps")),
            Line(1, f"{what} the same row by plain SQL / bare", "", ratio(measured["plain"], measured["bare"]), "")]


def row_2(scale):
    measured = throughput(scale, auth_scripts() | {"plain": plain_auth()})
    what = "`auth` of a new user, tps:"
    to_bare = ratio(measured["ours"], measured["bare"])
    lines = [Line(2, f"{what} ours / bare", "≥ 0.5", to_bare, medians(measured, "tps"))]
    if "peer" in measured:
        lines.append(Line(2, f"{what} ours / peer", "≥ 1.3", ratio(measured["ours"], measured["peer"]), ""))
    lines.append(Line(2, f"{what} the same rows by plain SQL / bare", "",
                      ratio(measured["plain"], measured["bare"]), ""))
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
    server.checkpoint()
    measured = alternate(steps, scale.runs)
    what = "`auth` of new users, pgbench on the same cores, tps: 2 writers / 1"
    return [Line(15, what, "≥ 1.8", ratio(measured["ours by 2"], measured["ours by 1"]),
                 f"{medians(measured, 'tps')}; {lock_waits(scripts['ours'], database, scale.seconds)}"),
            Line(15, f"{what}, into the bare table", "", ratio(measured["bare by 2"], measured["bare by 1"]), "")]


def ingestion(known):
    """A script that gives the same event to ingest() as its raw body."""
    payload, variables = server.payload_of(payloads.KNOWN_DATA[0])
    body = payload.removesuffix("::jsonb")
    return server.Script("data_ingest", [*server.any_known(known), f"SELECT * FROM terra_identity.ingest({body});"],
                         variables)


def row_16(scale):
    known = scale.size(databases.KNOWN)
    measured = throughput(scale, data_scripts(known, ("ours",)) | {"ingest": ingestion(known)})
    return [Line(16, "data event of a known connection, unsigned, tps: ingest() / INSERT", "",
                 ratio(measured["ingest"], measured["ours"]), medians(measured, "tps"))]
