"""Rows 1, 2, 3, 15 and 16: events inserted one by one."""

import hmac
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import databases
import payloads
import server
from measure import Line, alternate, medians, quotients, ratio, without_headers

MEMBER = "'member-' || :u::text"
ON = "-c synchronous_commit=on"


def one_line(statement):
    return " ".join(statement.split())


def sql(template):
    """An id as an expression."""
    return f"'{template.removesuffix(payloads.U)}' || :u::text"


def data_scripts(known, targets, names=("ours", "bare")):
    """@param targets: TABLES or TRACED"""
    picks = server.any_known(known)
    return {name: server.insertion(f"data_{name}", targets[name], payloads.KNOWN_DATA[0], picks) for name in names}


def auth_scripts(targets, names=("ours", "bare")):
    return {name: server.insertion(f"auth_{name}", target, payloads.NEW_AUTH, server.ANY_NEW)
            for name, target in targets.items() if name in names}


def plain_delivery(template, user_id):
    """The rows of a delivery in `deliveries`, unless it is repeated, and in the ledger, by plain SQL: two statements,
    and the variables in them. The extension computes the hash of the
    payload; here it is 0."""
    payload, variables = server.payload_of(template)
    headers, of_headers = server.headers_of()
    kind = re.search('"type":"([^"]+)"', template)[1]
    delivery = f"""
        INSERT INTO plain.deliveries (dev_id, trace_id, event_id)
        VALUES ('default', {server.TRACE_ID}, nextval('plain.events_event_id_seq'))
        ON CONFLICT DO NOTHING RETURNING event_id"""
    event = f"""
        INSERT INTO plain.events (event_id, payload, headers, event_type, user_id, reference_id, provider, trace_id,
            event_time, contributes)
        OVERRIDING SYSTEM VALUE
        SELECT event_id, {payload}, {headers}, '{kind}', {user_id}, {MEMBER}, 'GARMIN', {server.TRACE_ID},
            clock_timestamp(), '{kind}' = 'auth'
        FROM delivery"""
    return delivery, event, variables | of_headers


def plain_data(known):
    """What a data event of a known connection writes: a row in each of two tables."""
    delivery, event, variables = plain_delivery(payloads.KNOWN_DATA[0], sql(payloads.KNOWN))
    return server.Script("data_plain", [*server.any_known(known), *server.NEXT_DELIVERY,
                                        one_line(f"WITH delivery AS ({delivery}) {event};")], variables)


def plain_auth():
    """What an `auth` of a new user writes: a row in each of four tables."""
    user_id = sql(payloads.NEW)
    delivery, event, variables = plain_delivery(payloads.NEW_AUTH, user_id)
    statement = one_line(f"""
        WITH delivery AS ({delivery}), event AS ({event} RETURNING event_id, event_time), connection AS (
            INSERT INTO plain.connections (dev_id, user_id, lineage_id, reference_id, provider, status, confirmed,
                scopes, created_at, first_seen_at, connected_at, live, alive_at, provider_at, reference_id_at,
                scopes_at, user_uuid)
            SELECT 'default', {user_id}, event_id, {MEMBER}, 'GARMIN', 'active', true, '{payloads.SCOPES}', event_time,
                event_time, event_time, true, event_time, event_time, event_time, event_time, ({user_id})::uuid
            FROM event)
        INSERT INTO plain.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id)
        SELECT event_id, 'connected', 'default', {user_id}, event_id, {MEMBER} FROM event;""")
    return server.Script("auth_plain", [*server.ANY_NEW, *server.NEXT_DELIVERY, statement], variables)


def throughput(scale, scripts, options=""):
    """Transactions per second by variant and round, after a step of each that does not count."""
    with databases.Fresh(databases.known(scale.size(databases.KNOWN))) as database:
        steps = {name: script.step(database, scale.seconds, options=options) for name, script in scripts.items()}
        server.checkpoint()
        for step in steps.values():
            step()
        return alternate(steps, scale.runs)


def row_1(scale):
    known = scale.size(databases.KNOWN)
    measured = throughput(scale, data_scripts(known, databases.TRACED) | {"plain": plain_data(known)} |
                          without_headers(data_scripts(known, databases.TABLES)))
    return quotients(1, "data event of a known connection, tps:", measured, "tps", {
        "ours / bare": "≥ 0.85", "ours / plain": "≥ 0.97", "plain / bare": "",
        "ours without headers / bare without headers": ""})


def row_2(scale):
    measured = throughput(scale, auth_scripts(databases.TRACED, databases.TRACED) | {"plain": plain_auth()} |
                          without_headers(auth_scripts(databases.TABLES)))
    return quotients(2, "`auth` of a new user, tps:", measured, "tps", {
        "ours / bare": "≥ 0.55", "ours / peer": "≥ 1.3", "ours / plain": "≥ 0.97", "plain / bare": "",
        "ours without headers / bare without headers": ""})


def row_3(scale):
    lines = []
    for what, scripts in (
            ("data event of a known connection", data_scripts(scale.size(databases.KNOWN), databases.TABLES)),
            ("`auth` of a new user", auth_scripts(databases.TABLES))):
        lines += quotients(3, f"{what}, synchronous_commit on, tps:", throughput(scale, scripts, ON), "tps",
                           {"ours / bare": "≥ 0.95"})
    return lines


def lock_waits(script, database, seconds):
    """Of two writers, sampled in a run of its own: sampling takes time of the cores that they use."""
    with ThreadPoolExecutor() as pool:
        writers = pool.submit(script.tps, database, seconds + 1, 2)
        samples = server.psql_file(database, Path(__file__).parent / "lock_waits.sql", seconds=seconds)
        writers.result()
    return samples


def row_15(scale):
    scripts = auth_scripts(databases.TABLES)
    with databases.Fresh(databases.known(scale.size(databases.KNOWN))) as database:
        steps = {f"{name} by {clients}": script.step(database, scale.seconds, clients)
                 for name, script in scripts.items() for clients in (1, 2)}
        server.checkpoint()
        measured = alternate(steps, scale.runs)
        waits = lock_waits(scripts["ours"], database, scale.seconds)
    what = "`auth` of new users, pgbench on the same cores, tps: 2 writers / 1"
    return [Line(15, what, "≥ 1.8", ratio(measured["ours by 2"], measured["ours by 1"]),
                 f"{medians(measured, 'tps')}; {waits}"),
            Line(15, f"{what}, into the bare table", "", ratio(measured["bare by 2"], measured["bare by 1"]), "")]


SECRET = "not a secret"
# So many signed deliveries are there for each second of a variant: more than one takes.
SIGNED_EACH_SECOND = 60_000
# The next of them, which nobody else takes.
SIGNED = "bench.signed s"
NEXT = "s.n = (SELECT nextval('bench.next_signed'))"


def signed_deliveries(count, known):
    """The number of each, that of its user, and the signature of its data. No signed content comes twice."""
    started = payloads.now() // 1000
    for n in range(1, count + 1):
        seconds, u = started - n // known, payloads.number(n % known + 1)
        content = f"{seconds}.{payloads.of(payloads.KNOWN_DATA[0], u)}"
        yield f"{n}\t{u}\tt={seconds},v1={hmac.digest(SECRET.encode(), content.encode(), 'sha256').hex()}"


def load_signed(database, count, known):
    path = server.FILES / "signed.txt"
    payloads.write(path, signed_deliveries(count, known))
    server.psql(database, f"""
        CREATE TABLE bench.signed (n bigint PRIMARY KEY, u text NOT NULL, signature text NOT NULL);
        COPY bench.signed FROM '{path}';
        CREATE SEQUENCE bench.next_signed MAXVALUE {count}; -- then nextval() is an error""")
    path.unlink()
    server.vacuum(database)


def of_signed(name, statement):
    """A script. @param statement: with {body} and {headers} of the delivery `s`"""
    columns = {payloads.U: "s.u", payloads.SIGNATURE: "s.signature"}
    body, variables = server.joined(payloads.KNOWN_DATA[0], columns)
    headers, of_headers = server.headers_of(payloads.SIGNED_HEADERS, columns)
    return server.Script(name, [*server.NEXT_DELIVERY, statement.format(body=body, headers=headers)],
                         variables | of_headers)


def count_events(database):
    return int(server.psql(database, "SELECT count(*) FROM terra_identity.events"))


def throughput_of_signed(scale, known, variants):
    """Like `throughput`, of deliveries that are read from a table, each variant in a database of its own.
    @param variants: by name the script, and what is done in its database before"""
    template = "signed"
    server.create_database(template, databases.known(known))
    load_signed(template, (scale.runs + 1) * scale.seconds * SIGNED_EACH_SECOND, known)
    steps = {}
    for name, (script, before) in variants.items():
        server.create_database(script.name, template)
        server.psql(script.name, before)
        steps[name] = script.step(script.name, scale.seconds)
    server.checkpoint()
    for step in steps.values():
        step()
    measured = alternate(steps, scale.runs)
    for script, _ in variants.values():
        taken = int(server.psql(script.name, "SELECT last_value FROM bench.next_signed"))
        if count_events(script.name) != count_events(template) + taken:
            raise server.Failed(f"{script.name}: not all of {taken} deliveries were stored")
        server.drop_database(script.name)
    server.drop_database(template)
    return measured


def ingestion(known):
    """A script that gives the same event to ingest() as its raw body, without headers."""
    body, variables = server.joined(payloads.KNOWN_DATA[0])
    return server.Script("ingest", [*server.any_known(known), f"SELECT * FROM terra_identity.ingest({body});"],
                         variables)


def row_16(scale):
    known = scale.size(databases.KNOWN)
    ingest = f"SELECT i.* FROM {SIGNED}, terra_identity.ingest({{body}}, {{headers}}) i WHERE {NEXT};"
    insert = f"INSERT INTO {databases.TRACED['ours']} SELECT {{body}}::jsonb, {{headers}} FROM {SIGNED} WHERE {NEXT};"
    measured = throughput_of_signed(scale, known, {
        "INSERT": (of_signed("inserted", insert), ""), "ingest()": (of_signed("ingested", ingest), ""),
        "ingest() signed": (of_signed("ingested_signed", ingest),
                            f"SELECT terra_identity.set_signing_secret('{SECRET}')")})
    measured |= throughput(scale, without_headers({
        "INSERT": data_scripts(known, databases.TABLES)["ours"], "ingest()": ingestion(known)}))
    return quotients(16, "data event of a known connection, tps:", measured, "tps", {
        "ingest() / INSERT": "≥ 0.9", "ingest() signed / INSERT": "≥ 0.8",
        "ingest() without headers / INSERT without headers": ""})
