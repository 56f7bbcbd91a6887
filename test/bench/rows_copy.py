"""Rows 4, 5, 6 and 13: COPY."""

import databases
import payloads
import server
from measure import Line, alternate, medians, ratio


KEYS = {"events": "event_id", "connections": "connection_id", "changes": "change_id"}


def file_of(name, events):
    path = server.FILES / name
    payloads.write(path, events)
    return path


def copy_of(table, path, template):
    """A variant: COPY into a fresh copy of the template."""
    def measure():
        with databases.Fresh(template) as database:
            return server.milliseconds(database, server.copy(table, path)) / 1000
    return measure


def rows_written(path, template, tables):
    """Files of the rows that a COPY of events adds to tables of the extension."""
    files = {}
    with databases.Fresh(template) as database:
        before = {table: server.psql(database, f"SELECT max({KEYS[table]}) FROM terra_identity.{table}")
                  for table in tables}
        server.psql(database, server.copy(databases.TABLES["ours"], path))
        for table, last in before.items():
            files[table] = server.FILES / f"{table}.rows"
            server.psql(database, f"""COPY (SELECT * FROM terra_identity.{table} WHERE {KEYS[table]} > {last}
                                            ORDER BY {KEYS[table]}) TO '{files[table]}'""")
    return files


def plain_copy_of(path, template, tables):
    """A variant: COPY of the same rows into tables with the same indexes."""
    files = rows_written(path, template, tables)

    def measure():
        with databases.Fresh(template) as database:
            return sum(server.milliseconds(database, f"COPY plain.{table} FROM '{file}'")
                       for table, file in files.items()) / 1000
    return measure


def copies(scale, path, names, plain=()):
    """Seconds of COPY by variant and round. @param plain: the tables whose rows are also copied by plain SQL"""
    template = databases.known(scale.size(databases.KNOWN))
    tables = {name: table for name, table in databases.TABLES.items() if name in names}
    variants = {name: copy_of(table, path, template) for name, table in tables.items()}
    if plain:
        variants["plain"] = plain_copy_of(path, template, plain)
    measured = alternate(variants, scale.runs)
    path.unlink()
    return measured


def row_4(scale):
    count = scale.size(200_000)
    measured = copies(scale, file_of("auth.json", payloads.new_users(count)), ("ours", "bare", "peer"), KEYS)
    what = f"COPY of {count:,} `auth` of new users, time:"
    to_bare = ratio(measured["ours"], measured["bare"])
    lines = [Line(4, f"{what} ours / bare", "≤ 2.2", to_bare, medians(measured, "s"))]
    if "peer" in measured:
        lines.append(Line(4, f"{what} peer / ours", "≥ 3", ratio(measured["peer"], measured["ours"]), ""))
    lines.append(Line(4, f"{what} the same rows by plain COPY / bare", "",
                      ratio(measured["plain"], measured["bare"]), ""))
    return lines


def row_5(scale):
    count, known = scale.size(1_000_000), scale.size(databases.KNOWN)
    measured = copies(scale, file_of("mixed.json", payloads.mixed(count, known, 50)), ("ours", "bare"),
                      ("events",))
    what = f"COPY of {count:,} events, 2 % of them identity events, time:"
    return [Line(5, f"{what} ours / bare", "≤ 1.25", ratio(measured["ours"], measured["bare"]),
                 medians(measured, "s")),
            Line(5, f"{what} the same ledger rows by plain COPY / bare", "",
                 ratio(measured["plain"], measured["bare"]), "")]


def row_6(scale):
    count, known = scale.size(2000), scale.size(databases.KNOWN)
    measured = copies(scale, file_of("large.json", payloads.large_data(count, known)), ("ours", "bare"))
    return [Line(6, f"COPY of {count:,} data events of 140 kB, time: ours / bare", "≤ 1.05",
                 ratio(measured["ours"], measured["bare"]), medians(measured, "s"))]


def agreement(scale):
    """On how many connections the peer and the extension differ after the same events; None without a peer."""
    if not (databases.PEER.exists() and databases.AGREEMENT.exists()):
        return None
    known = scale.size(databases.KNOWN)
    events = [*payloads.known_users(known), *payloads.mixed(4 * known, known, 2)]
    path = file_of("agreement.txt", payloads.timed(events))
    with databases.Fresh(databases.empty()) as database:
        for name in ("ours", "peer"):
            server.psql(database, server.copy(databases.TABLES[name], path, "received_at, payload"))
        differences = server.psql_file(database, databases.AGREEMENT)
        connections = server.psql(database, "SELECT count(*) FROM terra_identity.connections")
    path.unlink()
    return f"After the same events, peer and extension differ on {differences} of {connections} connections."
