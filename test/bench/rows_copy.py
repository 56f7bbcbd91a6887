"""Rows 4, 5, 6 and 17: COPY, and the disk space that it takes."""

import databases
import payloads
import server
from measure import Line, alternate, figure, quotients, spread, without_headers

# The extension's tables that grow with the events.
GROWING = ("events", "deliveries", "connections", "reauths", "changes")


def file_of(name, lines):
    path = server.FILES / name
    payloads.write(path, lines)
    return path


def traced_files(events):
    """Files of deliveries, by what the COPY gives: payload and headers, and to the bare table the trace id as well."""
    ordering = payloads.now()
    files = {}
    for name, fields in (("ours", 2), ("bare", 3)):
        lines = ("\t".join(delivery[:fields]) for delivery in payloads.deliveries(events(), ordering))
        files[name] = file_of(f"traced_{name}.txt", lines)
    return files | {"peer": files["ours"]}


def copy_of(target, path, template):
    """A variant: seconds of a COPY into a fresh copy of the template."""
    def measure():
        with databases.Fresh(template) as database:
            return server.milliseconds(database, server.copy(target, path)) / 1000
    return measure


def rows_written(target, path, template):
    """What a COPY of events adds to tables of the extension, in the order of its place: by target of a COPY, files. The
    default of received_at is left to work, as it works for the other variants: with a volatile default PostgreSQL
    inserts row by row."""
    files = {}
    with databases.Fresh(template) as database:
        before = server.psql(database, "SELECT pg_current_xact_id()")
        server.psql(database, server.copy(target, path))
        for table in GROWING:
            columns = server.psql(database, f"""
                SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                WHERE attrelid = 'terra_identity.{table}'::regclass AND attnum > 0 AND NOT attisdropped
                    AND (attrelid, attname) <> ('terra_identity.events'::regclass, 'received_at')""")
            file = server.FILES / f"{table}.rows"
            server.psql(database, f"""COPY (SELECT {columns} FROM terra_identity.{table}
                                            WHERE xmin::text::bigint > {before} ORDER BY ctid) TO '{file}'""")
            files[f"plain.{table} ({columns})"] = file
    return files


def plain_copy_of(target, path, template):
    """A variant: seconds of COPY of the rows that the extension writes into tables with the same indexes."""
    files = rows_written(target, path, template)

    def measure():
        with databases.Fresh(template) as database:
            return sum(server.milliseconds(database, server.copy(plain, file)) for plain, file in files.items()) / 1000
    return measure


def remove(paths):
    for path in set(paths):
        path.unlink()


def copies(scale, events, names):
    """Seconds of COPY by variant and round: of deliveries, and of the same events without headers.
    @param events: returns an iterator over the payloads"""
    template = databases.known(scale.size(databases.KNOWN))
    traced, untraced = traced_files(events), file_of("events.txt", events())
    variants = {name: copy_of(target, traced[name], template)
                for name, target in databases.TRACED.items() if name in names}
    variants["plain"] = plain_copy_of(databases.TRACED["ours"], traced["ours"], template)
    variants |= without_headers({name: copy_of(databases.TABLES[name], untraced, template)
                                 for name in ("ours", "bare")})
    measured = alternate(variants, scale.runs)
    remove([*traced.values(), untraced])
    return measured


def row_4(scale):
    count = scale.size(200_000)
    measured = copies(scale, lambda: payloads.new_users(count), ("ours", "bare", "peer"))
    return quotients(4, f"COPY of {count:,} `auth` of new users, time:", measured, "s", {
        "ours / bare": "≤ 3", "peer / ours": "≥ 3", "ours / plain": "≤ 1.1", "plain / bare": "",
        "ours without headers / bare without headers": ""})


def row_5(scale):
    count, known = scale.size(1_000_000), scale.size(databases.KNOWN)
    measured = copies(scale, lambda: payloads.mixed(count, known, 50), ("ours", "bare"))
    return quotients(5, f"COPY of {count:,} events, 2 % of them identity events, time:", measured, "s", {
        "ours / bare": "≤ 1.35", "ours / plain": "≤ 1.08", "plain / bare": "",
        "ours without headers / bare without headers": ""})


def row_6(scale):
    count, known = scale.size(2000), scale.size(databases.KNOWN)
    template, path = databases.known(known), file_of("large.txt", payloads.large_data(count, known))
    measured = alternate({name: copy_of(databases.TABLES[name], path, template) for name in ("ours", "bare")},
                         scale.runs)
    path.unlink()
    return quotients(6, f"COPY of {count:,} data events of 140 kB, time:", measured, "s", {"ours / bare": "≤ 1.05"})


def sizes(database, tables):
    """Bytes of tables with their indexes, by name."""
    return {table: int(server.psql(database, f"SELECT pg_total_relation_size('{table}')")) for table in tables}


def growth(target, path, template, tables):
    """Bytes that a COPY adds, by table."""
    with databases.Fresh(template) as database:
        before = sizes(database, tables)
        server.psql(database, server.copy(target, path))
        after = sizes(database, tables)
    return {table: after[table] - before[table] for table in tables}


def disk_space(scale, what, count, events):
    """@param events: returns an iterator over the payloads of `count` deliveries"""
    template, files = databases.known(scale.size(databases.KNOWN)), traced_files(events)
    tables = server.psql(template, "SELECT oid::regclass FROM pg_class "
                         "WHERE relnamespace = 'terra_identity'::regnamespace AND relkind = 'r'").split("\n")
    ours = growth(databases.TRACED["ours"], files["ours"], template, tables)
    bare, = growth(databases.TRACED["bare"], files["bare"], template, ["bench.traced_events"]).values()
    remove(files.values())
    most_first = sorted(ours.items(), key=lambda grown: -grown[1])
    by_table = ", ".join(f"{table.removeprefix('terra_identity.')} {figure(added / count)}"
                         for table, added in most_first if added >= count)
    return Line(17, f"bytes on disk for each of {count:,} {what}, indexes included: ours / bare", "",
                spread([sum(ours.values()) / bare]),
                f"ours {figure(sum(ours.values()) / count)} ({by_table}), bare {figure(bare / count)}")


def row_17(scale):
    count, known = scale.size(200_000), scale.size(databases.KNOWN)
    return [disk_space(scale, "data events of known connections", count,
                       lambda: payloads.known_data(count, known)),
            disk_space(scale, "`auth` of new users", count, lambda: payloads.new_users(count))]


def agreement(scale):
    """On how many connections the peer and the extension differ after the same events; None without a peer."""
    if not (databases.PEER.exists() and databases.AGREEMENT.exists()):
        return None
    known = scale.size(databases.KNOWN)
    events = [*payloads.known_users(known), *payloads.mixed(4 * known, known, 2)]
    path = file_of("agreement.txt", map("\t".join, payloads.timed(events)))
    with databases.Fresh(databases.empty()) as database:
        for name in ("terra_identity", "peer"):
            server.psql(database, server.copy(f"{name}.events (received_at, payload, headers)", path))
        differences = server.psql_file(database, databases.AGREEMENT)
        connections = server.psql(database, "SELECT count(*) FROM terra_identity.connections")
    path.unlink()
    return f"After the same events, peer and extension differ on {differences} of {connections} connections."
