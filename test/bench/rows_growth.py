"""Rows 10, 11 and 18: events inserted one by one where there is much already."""

import itertools

import databases
import payloads
import rows_insert
import rows_read
import server
from measure import Line, alternate, medians, progress, ratio, spread

OURS = databases.TABLES["ours"]


WITHOUT_TRIGGERS = "-c session_replication_role=replica"


def plain_data(name, picks):
    """The ledger's row of a data event, for where no trigger fires: what the same table and indexes cost alone."""
    payload, variables = server.payload_of(payloads.KNOWN_DATA[0])
    statement = f"""INSERT INTO terra_identity.events (dev_id, payload, event_type, user_id, reference_id, provider,
                        event_time, contributes)
                    VALUES ('default', {payload}, 'daily', {rows_insert.sql(payloads.KNOWN)}, {rows_insert.MEMBER},
                        'GARMIN', clock_timestamp(), false);"""
    return server.Script(name, [*picks, rows_insert.one_line(statement)], variables)


def insertions(connections, known):
    """By name: the script, and whether it runs in the large database."""
    data = payloads.KNOWN_DATA[0]
    stride = max(connections // known, 1)
    return {
        "data, few": (server.insertion("data_few", OURS, data, server.any_known(known)), False),
        "data, many": (server.insertion("data_many", OURS, data, server.any_known(known, stride)), True),
        "data of any, many": (server.insertion("data_any", OURS, data, server.any_known(connections)), True),
        "plain, few": (plain_data("plain_few", server.any_known(known)), False),
        "plain of any, many": (plain_data("plain_any", server.any_known(connections)), True),
        "auth, few": (server.insertion("auth_few", OURS, payloads.NEW_AUTH, server.ANY_NEW), False),
        "auth, many": (server.insertion("auth_many", OURS, payloads.NEW_AUTH, server.ANY_NEW), True)}


def among(scale, scripts, few, many):
    steps = {name: script.step(many if in_many else few, scale.seconds,
                               options=WITHOUT_TRIGGERS if name.startswith("plain") else "")
             for name, (script, in_many) in scripts.items()}
    server.checkpoint()
    for step in steps.values():
        step()
    return alternate(steps, scale.runs)


def row_10(scale):
    """The first change of a page after a checkpoint is logged whole. Ids are random, so with many connections that is
    for some minutes nearly every page that an event changes in an index: measured with and without."""
    known = scale.size(databases.KNOWN)
    server.create_database("few", databases.known(known))
    many, connections = rows_read.large(scale)
    databases.warm(many, ["connections", "changes"])
    databases.warm_index(many, "events_user_id_idx")
    scripts = insertions(connections, known)
    size = f"among {connections:,} with {connections * rows_read.EACH:,} ledger rows / among {known:,}"
    lines = []
    for full_page_writes, remark in (("on", ""), ("off", ", full_page_writes off")):
        server.reload(full_page_writes=full_page_writes)
        progress(f"  full_page_writes {full_page_writes}")
        measured = among(scale, scripts, "few", many)
        for what, one, other in ((f"data of {known:,} connections", "data, few", "data, many"),
                                 ("data of any connection", "data, few", "data of any, many"),
                                 ("the same row without triggers", "plain, few", "plain of any, many"),
                                 ("`auth` of a new user", "auth, few", "auth, many")):
            figures = medians({name: measured[name] for name in (one, other)}, "tps")
            quotient = ratio(measured[other], measured[one])
            goal = "" if one.startswith("plain") else "≥ 0.8"
            lines.append(Line(10, f"{what}, tps: {size}{remark}", goal, quotient, figures))
    server.reload(full_page_writes="on")
    server.drop_database("few")
    return lines


MEMBERS = 100_000
# A slot's members have one reference_id and one account: the slot's number. Members of the crowd are in one slot.
SLOT, ACCOUNT = "slot-" + payloads.V, "S-" + payloads.V
CROWD_SLOT = 900_000_000_000


def members_file(members):
    """Slots with one member, and one slot with as many."""
    path = server.FILES / "members.json"

    def events():
        for n in range(1, members + 1):
            u = payloads.number(n)
            for user_id, v in ((payloads.KNOWN, u), (rows_read.CROWD, CROWD_SLOT)):
                yield payloads.of(payloads.auth(user_id, SLOT, None), u, v)
                yield payloads.of(payloads.athlete(user_id, SLOT, ACCOUNT), u, v)
    payloads.write(path, events())
    return path


# By name: what it is, and the event of a member.
SLOT_EVENTS = {
    "enter": ("`athlete` of a new connection, which enters", lambda _: payloads.athlete(payloads.NEW, SLOT, ACCOUNT)),
    "again": ("`auth` of a member, repeated", lambda member: payloads.auth(member, SLOT, None)),
    "data": ("data of a member", lambda member: payloads.data("daily", member, SLOT)),
}


def slot_scripts(name, members):
    """The same statement for a slot of one and for the crowd's."""
    event_of = SLOT_EVENTS[name][1]
    of_new = server.ANY_NEW if name == "enter" else []
    of_member = server.any_known(members)
    return {"of 1": server.insertion(f"{name}_one", OURS, event_of(payloads.KNOWN),
                                     [*of_member, "\\set v :u", *of_new]),
            f"of {members:,}": server.insertion(f"{name}_crowd", OURS, event_of(rows_read.CROWD),
                                                [*of_member, f"\\set v {CROWD_SLOT}", *of_new])}


def row_11(scale):
    members = scale.size(MEMBERS)
    path = members_file(members)
    server.create_database("slots", databases.empty())
    progress(f"  loading {members:,} slots of one connection and one slot of {members:,}")
    server.psql("slots", server.copy(OURS, path))
    path.unlink()
    server.vacuum("slots")
    lines = []
    for name, (what, _) in SLOT_EVENTS.items():
        measured = rows_read.alternate_queries(scale, "slots", slot_scripts(name, members), 1)
        one, crowd = measured.values()
        lines.append(Line(11, f"{what}, time: slot and lineage of {members:,} / of 1", "≤ 1.5", ratio(one, crowd),
                          medians(measured, "tps")))
    databases.verify_if_small("slots", 4 * members)
    server.drop_database("slots")
    return lines


OLD = "01d01d01-91d6-4a58-8c0d-" + payloads.U


def join(slot):
    """The event that joins an old connection, which had no account until then, with the members of a slot."""
    return payloads.of(payloads.athlete(OLD, SLOT, ACCOUNT), slot, slot)


def lineages(members):
    """Events that make two lineages of each slot: first an old connection, whose account is not known, and then as
    many members as the slot has. @param members: their count, by slot"""
    for slot in members:
        yield payloads.of(payloads.auth(OLD, SLOT, None), slot, slot)
    numbers = itertools.count(1)
    for slot, count in members.items():
        for u in map(payloads.number, itertools.islice(numbers, count)):
            yield payloads.of(payloads.auth(rows_read.CROWD, SLOT, None), u, slot)
            yield payloads.of(payloads.athlete(rows_read.CROWD, SLOT, ACCOUNT), u, slot)


def joining(database, pairs, members):
    """A variant: milliseconds of the event that joins the lineages of the second slot of the next pair. Before that,
    the same session joins those of the first."""
    def statement(slot):
        return f"INSERT INTO {OURS} VALUES ('{join(slot)}')"

    def measure():
        first, second = next(pairs)
        milliseconds = server.milliseconds(database, statement(second), f"{statement(first)};")
        user_id = payloads.of(OLD, second)
        joined = int(server.psql(database, f"SELECT count(*) FROM terra_identity.lineage('{user_id}')"))
        if joined != members + 1:
            raise server.Failed(f"the lineage of {user_id} has {joined} members instead of {members + 1}")
        return milliseconds
    return measure


def row_18(scale):
    counts = [10 ** i for i in range(5) if 10 ** i <= scale.size(10_000)]
    slots, members, variants = itertools.count(CROWD_SLOT), {}, {}
    for count in counts:
        pairs = [(next(slots), next(slots)) for _ in range(scale.runs)]
        for first, second in pairs:
            members |= {first: 1, second: count}
        variants[f"{count:,}"] = joining("lineages", iter(pairs), count)
    progress(f"  loading {sum(members.values()):,} connections of {2 * len(members):,} lineages")
    path = server.FILES / "lineages.txt"
    payloads.write(path, lineages(members))
    server.create_database("lineages", databases.empty())
    server.psql("lineages", server.copy(OURS, path))
    path.unlink()
    server.vacuum("lineages")
    measured = alternate(variants, scale.runs)
    databases.verify_if_small("lineages", 2 * len(members) + 2 * sum(members.values()))
    server.drop_database("lineages")
    return [Line(18, f"an event that joins two lineages, the younger of {counts[-1]:,} connections, ms", "",
                 spread(measured[f"{counts[-1]:,}"]), f"by its connections: {medians(measured, 'ms')}")]
