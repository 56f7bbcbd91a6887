"""
Turns a history into SQL: a random plan of statements, batches, transactions, edits of the rules, and workers that
disconnect duplicates; in some histories the ledger is pruned on the way, or data is not stored at times.

Corrections are made when the script runs, so they are later than most events; what cannot be said is refused. Lists of
users are imported as of any time.

A plan is a list of steps. It is made once, for all events of a history, and written as SQL for all or some of them, so
that a failing history can be shrunk under the same plan.
"""

import json
import random
from histories import HOUR, REFERENCE_IDS, SDK_PROVIDERS, START, WEB_PROVIDERS
from reading import read
from datetime import datetime, timedelta, timezone

TIME_ZONES = ["UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati"]
FORMS = ["values", "values", "select from json", "select from values", "copy"]

# Tables of an application that are attached: what is inserted there comes to the ledger by their triggers.
ATTACHED = """
CREATE SCHEMA model_app;
CREATE TABLE model_app.bodies (environment text, received_at timestamptz, body jsonb, headers jsonb);
CREATE TABLE model_app.raw (
    id bigserial PRIMARY KEY, environment text, received_at timestamptz, body text, headers json);
CREATE TABLE model_app.parted (LIKE model_app.raw INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY HASH (id);
CREATE TABLE model_app.parted_0 PARTITION OF model_app.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE model_app.parted_1 PARTITION OF model_app.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT terra_identity.attach(attached_table, 'body', 'headers', 'environment', 'received_at')
FROM unnest('{model_app.bodies,model_app.raw,model_app.parted}'::regclass[]) attached_table \\g /dev/null
"""
TABLES = [None, None, "model_app.bodies", "model_app.raw", "model_app.parted"]


def plan(history):
    """
    A random plan. Its steps: ('insert', form, indexes), ('policy', sql with %s for the dev_id),
    ('correct', user_id, what, other_user_id), ('import', list, taken_at), ('prune', arguments), ('sql', text). An
    insert is followed by the table that it inserts into, null for the ledger.
    """
    rng = random.Random(f"{history.seed}:{history.index}:plan")
    units = [[batch] for batch in inserts(rng, history)]
    places = sorted(rng.randint(0, len(units)) for _ in range(3))
    for place, change in reversed(list(zip(places, policy_changes(rng, history.policy)))):
        units.insert(place, [("policy", change)])
    for edits in (duplicate_changes(rng, history.on_duplicate), *acceptances(rng, history)):
        places = sorted(rng.randint(0, len(units)) for _ in edits)
        for place, change in reversed(list(zip(places, edits))):
            units.insert(place, [("policy", change)])
    for _ in range(rng.choice([0, 0, 1, 5])):
        units.insert(rng.randint(0, len(units)), [("policy", WORKER)])
    for stored in rng.choice(STORED[history.keeps]):
        units.insert(rng.randint(0, len(units)), [("policy", STORE_DATA.replace("choice", stored))])
    if history.entered is None:
        entered = [[correction] for correction in corrections(rng, history)]
        entered += [[list_] * rng.choice([1, 1, 2]) for list_ in imports(rng, history)]
    else:
        entered = [[step] for step in history.entered]
    for unit in entered:
        units.insert(rng.randint(0, len(units)), unit)
    steps = [("sql", f"SET TimeZone = '{rng.choice(TIME_ZONES)}';"),
             ("sql", f"SET DateStyle = '{rng.choice(['ISO, MDY', 'SQL, DMY', 'German'])}';")]
    while units:
        count = rng.randint(1, 4)
        group, units = units[:count], units[count:]
        steps += transaction(rng, group) if rng.random() < 0.3 else sum(group, [])
        if PRUNES[history.keeps] and rng.random() < 0.4:
            steps.append(("prune", rng.choice(PRUNES[history.keeps])))
    return steps


def inserts(rng, history):
    """All events, in some order, cut into batches."""
    order = list(range(len(history.events)))
    arrival = rng.random()
    if arrival < 0.65:
        rng.shuffle(order)
    elif arrival < 0.8:
        order.sort(key=lambda i: history.events[i].received_at)
    elif arrival < 0.9:
        order.reverse()
    largest = rng.choice([1, 4, 4, 15, 60])
    while order:
        size = rng.randint(1, largest)
        yield ("insert", rng.choice(FORMS), order[:size], rng.choice(TABLES))
        order = order[size:]


def corrections(rng, history):
    named = sorted({mention.user_id for event in history.events for mention in read(event).mentions})
    for _ in range(rng.choice([0, 0, 0, 2, 10]) if named else 0):
        what = rng.choice(["active", "ended", "same_person_as", "same_person_as", "not_same_person_as"])
        yield ("correct", rng.choice(named), what, rng.choice(named) if "same" in what else None)


def imports(rng, history):
    """Lists of users as Terra may give them, in any shape, of users that the history names and of others."""
    named = sorted({mention.user_id for event in history.events for mention in read(event).mentions})

    def user():
        listed = {"user_id": rng.choice([*named, "only listed"]), "provider": rng.choice(WEB_PROVIDERS + SDK_PROVIDERS),
                  "reference_id": rng.choice([*REFERENCE_IDS, None, ""]),
                  rng.choice(["scopes", "granted_scopes"]): rng.choice([None, "A", "B"])}
        for key in ("provider", "reference_id"):
            if rng.random() < 0.4:
                del listed[key]
        if rng.random() < 0.5:
            listed["created_at"] = iso(START + HOUR * rng.randrange(72))
        if rng.random() < 0.3:
            listed["state"] = rng.choice(["active", "deauth", "user_reauth", "access_revoked", "paused", "", None])
        if rng.random() < 0.3:
            listed["active"] = rng.choice([True, False, None])
        return rng.choice([listed] * 12 + [{**listed, "user_id": rng.choice([7, None, " ", "x" * 513])}, 5, {}])

    for _ in range(rng.choice([0, 0, 1, 4])):
        users = [user() for _ in range(rng.randint(0, 6))]
        shape = rng.choice([users, [users], {"users": users}, [{"users": users}],
                            {"data": {"next": None, "max_page": 1, "results": users}},
                            [{"user": u, "is_authenticated": rng.choice([True, False])} for u in users]])
        yield ("import", json.dumps(shape), iso(START + HOUR * rng.randrange(72)))


def policy_changes(rng, final):
    """Zero to three changes of policy, of which the last sets the final policy."""
    def begin(policy):
        return f"INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES (%s, '{policy}');"

    def change(policy):
        return f"UPDATE terra_identity.environments SET account_policy = '{policy}' WHERE dev_id = %s;"

    other = "keep" if final == "replace" else "replace"
    ways = [[begin(final)], [begin(other), change(final)], [begin(final), change(other), change(final)]]
    if final == "keep":
        return rng.choice([[], [], [], [], *ways])
    return rng.choice([ways[0], ways[0], *ways])


def duplicate_changes(rng, final):
    """Edits of on_duplicate, of which the last sets the final one; none if the default is final."""
    others = [rng.choice(["report", "disconnect_older", "disconnect_newer"]) for _ in range(rng.choice([0, 0, 1, 2]))]
    return [f"INSERT INTO terra_identity.environments (dev_id, on_duplicate) VALUES (%s, '{choice}');"
            for choice in [*others, final] if others or final != "report"]


def acceptances(rng, history):
    """For some accounts: edits of accepted_duplicates, of which the last says whether the account may be shared."""
    for provider, account in sorted({*history.accepted, ("GARMIN", "100"), ("OURA", "a")}):
        values = f"{literal(provider)}, {literal(account)}"
        accept = ("INSERT INTO terra_identity.accepted_duplicates (dev_id, provider, provider_user_id)"
                  f" VALUES (%s, {values}) ON CONFLICT DO NOTHING;")
        withdraw = ("DELETE FROM terra_identity.accepted_duplicates WHERE dev_id = %s"
                    f" AND (provider, provider_user_id) = ({values});")
        edits = [accept, withdraw] * rng.choice([0, 0, 1, 2])
        yield edits + [accept] if (provider, account) in history.accepted else edits


STORE_DATA = "INSERT INTO terra_identity.environments (dev_id, store_data) VALUES (%s, choice);"

# What is not stored, and what is pruned on the way, by what the ledger keeps of a history.
STORED = {"everything": [[]], "no data": [[], ["false"], ["false", "true"]], "few events": [[], ["false"]]}
PRUNES = {"everything": [],
          "no data": ["'0'", "'1 day', rejected_older_than => '0'"],
          "few events": ["'0'", "'0', events_older_than => '7 days'",
                     "'0', events_older_than => '30 days', changes_older_than => '0',"
                     " disconnects_older_than => '1 day'"]}

# A worker: of the rows that it takes it confirms some, fails some, and dies over the others.
WORKER = ("DO $do$ DECLARE dev_id text = %s; d record; BEGIN"
          " FOR d IN SELECT * FROM terra_identity.take_disconnects(3, '1 second', dev_id) LOOP"
          " CASE d.disconnect_id %% 3"
          " WHEN 0 THEN PERFORM terra_identity.confirm_disconnect(d.disconnect_id, dev_id);"
          " WHEN 1 THEN PERFORM terra_identity.fail_disconnect(d.disconnect_id, 'failed', dev_id);"
          " ELSE NULL; END CASE; END LOOP; END $do$;")


def transaction(rng, group):
    """The units of the group as one transaction; parts of it, or all, may be rolled back and run again."""
    steps = []
    for unit in group:
        fate = rng.random()
        if fate < 0.25:
            steps += [("sql", "SAVEPOINT s;"), *unit, ("sql", "ROLLBACK TO SAVEPOINT s;"), *unit,
                      ("sql", "RELEASE SAVEPOINT s;")]
        elif fate < 0.4:
            steps += [("sql", "SAVEPOINT s;"), *unit, ("sql", "RELEASE SAVEPOINT s;")]
        else:
            steps += unit
    again = [("sql", "BEGIN;"), *steps, ("sql", "ROLLBACK;")] if rng.random() < 0.15 else []
    return again + [("sql", "BEGIN;"), *steps, ("sql", "COMMIT;")]


def script(history, steps, dev_id, kept=None):
    """The plan as a psql script; with `kept`, only for the events of these indexes."""
    lines = []
    for kind, *rest in steps:
        if kind == "sql":
            lines.append(rest[0])
        elif kind == "policy":
            lines.append(rest[0] % literal(dev_id))
        elif kind == "import":
            users, taken_at = map(literal, rest)
            lines.append(f"SELECT FROM terra_identity.import_users({users}, {taken_at}, {literal(dev_id)});")
        elif kind == "prune":
            lines.append(f"CALL terra_identity.prune({rest[0]}, dev_id => {literal(dev_id)});")
        elif kind == "correct":
            user_id, what, other_user_id = map(literal, rest)
            lines.append("DO $do$ BEGIN PERFORM terra_identity.correct("
                         f"{user_id}, {what}, 'as said', {other_user_id}, {literal(dev_id)});"
                         " EXCEPTION WHEN SQLSTATE 'TI004' THEN NULL; END $do$;")
        else:
            form, indexes, table = rest
            events = [history.events[i] for i in indexes if kept is None or i in kept]
            if events:
                lines.append(insert(form, events, dev_id, table))
    return "\n".join(lines) + "\n"


def insert(form, events, dev_id, table=None):
    into = (f"{table} (environment, received_at, body, headers)" if table
            else "terra_identity.events (dev_id, received_at, payload, headers)")
    if form == "copy":
        rows = ["\t".join(r"\N" if value is None else value.replace("\\", "\\\\")
                          for value in (dev_id, *columns(event))) for event in events]
        return "\n".join([f"COPY {into} FROM STDIN;", *rows, r"\."])
    if form == "select from json":
        array = [{"received_at": iso(event.received_at), "payload": event.payload, "headers": event.headers}
                 for event in events]
        return (f"INSERT INTO {into}\n  SELECT {literal(dev_id)}, (e->>'received_at')::timestamptz, e->'payload',"
                f" nullif(e->'headers', 'null')\n  FROM jsonb_array_elements({literal(json.dumps(array))}) AS e;")
    rows = ",\n  ".join("({}, {}, {}, {})".format(*map(literal, (dev_id, *columns(event)))) for event in events)
    if form == "select from values":
        return (f"INSERT INTO {into}\n  SELECT d, t::timestamptz, p::jsonb, h::jsonb FROM (VALUES\n  {rows})"
                " AS v (d, t, p, h);")
    return f"INSERT INTO {into} VALUES\n  {rows};"


def columns(event):
    headers = None if event.headers is None else json.dumps(event.headers, ensure_ascii=False)
    return iso(event.received_at), json.dumps(event.payload), headers


def literal(text):
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def iso(time):
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=time)).isoformat()
