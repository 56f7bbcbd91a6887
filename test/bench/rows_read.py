"""Rows 7, 8 and 9: what is asked of the state."""

import databases
import payloads
import server
from measure import Line, alternate, figure, medians, ratio, spread

LARGE = 10_000_000
EACH = 5
DUPLICATES = 100
CROWD = "c0c0c0c0-91d6-4a58-8c0d-" + payloads.U
BY_USER_ID = ("SELECT user_id FROM terra_identity.connections "
               "WHERE dev_id = :dev_id::text AND user_id = :prefix::text || :u::text;")
RESOLVE = "SELECT terra_identity.resolve(:prefix::text || :u::text);"
CURRENT = "SELECT * FROM terra_identity.current_connections WHERE dev_id = :dev_id::text AND "


def large(scale):
    connections = scale.size(LARGE, 1000)
    return databases.population(connections, EACH, DUPLICATES), connections


def query(name, statement, picks, prefix=payloads.KNOWN):
    return server.Script(name, [*picks, statement], {"dev_id": "default", "prefix": prefix.removesuffix(payloads.U)})


def alternate_queries(scale, database, scripts, clients=4):
    """After a second of each that does not count."""
    for script in scripts.values():
        script.tps(database, 1, clients)
    steps = {name: script.step(database, scale.seconds, clients) for name, script in scripts.items()}
    return alternate(steps, scale.runs)


def load_crowd(database, members):
    """Connections that one end user has had to one account: one lineage."""
    path = server.FILES / "crowd.json"
    events = (payloads.auth(CROWD, "crowd", None), payloads.athlete(CROWD, "crowd", "G-crowd"))
    payloads.write(path, (payloads.of(event, payloads.number(n)) for n in range(1, members + 1) for event in events))
    server.psql(database, server.copy(databases.TABLES["ours"], path))
    path.unlink()
    server.vacuum(database)


def row_7(scale):
    connections, members = scale.size(1_000_000, 1000), 1000
    database = databases.population(connections, 2, DUPLICATES)
    picks = server.any_known(connections)
    resolve = query("resolve", RESOLVE, picks)
    steps = {"primary key": query("by_user_id", BY_USER_ID, picks).step(database, scale.seconds),
             "resolve": resolve.step(database, scale.seconds)}
    for name, dev_id in {"of every environment": "NULL", "of one environment": "'default'"}.items():
        role = "bench_reader_" + name.replace(" ", "_")
        server.psql(database, f"CREATE ROLE {role}; SELECT terra_identity.grant_reader('{role}', {dev_id})")
        steps[f"by a reader {name}"] = resolve.step(database, scale.seconds, options=f"-c role={role}")
    for step in steps.values():
        step()
    measured = alternate(steps, scale.runs)
    lines = [Line(7, f"resolve() among {connections:,} connections, tps: resolve / SELECT by primary key", "≥ 0.7",
                  ratio(measured["resolve"], measured["primary key"]), medians(measured, "tps"))]
    lines += [Line(7, f"the same {name}", "≥ 0.7", ratio(measured[name], measured["primary key"]), "")
              for name in measured if name.startswith("by a reader")]
    server.psql(database, "".join(f"DROP OWNED BY {role}; DROP ROLE {role};" for role in
                                  ("bench_reader_of_every_environment", "bench_reader_of_one_environment")))
    load_crowd(database, members)
    picks = server.any_known(members)
    measured = alternate_queries(scale, database, {"of 1,000": query("resolve_crowd", RESOLVE, picks, CROWD),
                                                   "of 1": query("resolve_one", RESOLVE, picks)})
    return [*lines, Line(7, "resolve() in a lineage of 1,000, time: of 1,000 / of 1", "≤ 1.2",
                         ratio(measured["of 1"], measured["of 1,000"]), medians(measured, "tps"))]


def row_8(scale):
    small = scale.size(100_000, 500)
    few = databases.population(small, 2, DUPLICATES)
    many, connections = large(scale)
    script = query("duplicates", "SELECT * FROM terra_identity.duplicate_connections;", [])
    for database in (few, many):
        script.tps(database, 1, 1)
    measured = alternate({"few": script.step(few, scale.seconds, 1), "many": script.step(many, scale.seconds, 1)},
                         scale.runs)
    of_few, of_many = ([1000 / tps for tps in measured[name]] for name in ("few", "many"))
    what = f"duplicate_connections, {DUPLICATES} duplicates"
    return [Line(8, f"{what} among {small:,} connections, ms", "≤ 5", spread(of_few), ""),
            Line(8, f"{what} among {connections:,} connections, ms", "≤ 5", spread(of_many), ""),
            Line(8, f"{what}, time: among {connections:,} / among {small:,}", "≤ 1.5", ratio(of_many, of_few), "")]


def row_9(scale):
    database, connections = large(scale)
    databases.warm(database, ["connections"])
    picks = server.any_known(connections)
    measured = alternate_queries(scale, database, {
        "reference_id": query("by_reference", f"{CURRENT} reference_id = 'member-' || :u::text;", picks),
        "account": query("by_account",
                         f"{CURRENT} provider = 'GARMIN' AND provider_user_id = 'G-' || :u::text;", picks),
        "user_id": query("by_user_id", BY_USER_ID, picks)})
    alone = server.milliseconds(database, "SELECT * FROM terra_identity.current_connections "
                                f"WHERE reference_id = 'member-{payloads.number(1)}'")
    what = f"current_connections among {connections:,}, time:"
    return [Line(9, f"{what} by reference_id / SELECT by user_id", "≤ 1.5",
                 ratio(measured["user_id"], measured["reference_id"]), medians(measured, "tps")),
            Line(9, f"{what} by provider account / SELECT by user_id", "≤ 1.5",
                 ratio(measured["user_id"], measured["account"]),
                 f"by reference_id without dev_id: {figure(alone)} ms")]
