"""
The COMMENT of every column of every table says whether it holds personal data. People whose ids, names, notes and roles
can be recognised come through every door: all of test/data/events, bodies that are rejected, signed deliveries,
attached tables, lists that are imported, corrections, disconnects, duplicates that are accepted. Then every column of
every table is searched: what is found there must be marked, and no mark may be idle. In the end all of them are
forgotten, and nothing of theirs is found.
"""

import hashlib
import hmac
import json
import sys
import time
from pathlib import Path

from personal_data_marks import AN_ID, A_HASH, A_ROLE, MARKS, SECRET, SENT, WRITTEN, columns, psql
from personal_data_page import check_page
from tap import check, finish

# What is recognised, in lower case. A connection's number is given by a sequence, which begins there.
USER, NUMBER, TRACE, NAME = "a11a5e1f", 7711771177, "0ff1ce", "zanzibar"
NOTE, ROLE, KEY = "she told us", "clerk_bea", "the sesame"
# Of what kind each is, and in which columns it may be found: ids and names are also in what Terra sent, and in notes.
KINDS = {AN_ID: [USER, str(NUMBER), TRACE], SENT: [NAME], WRITTEN: [NOTE], A_ROLE: [ROLE], SECRET: [KEY]}
MAY_HOLD = {AN_ID: {AN_ID, SENT, WRITTEN}, SENT: {SENT, WRITTEN}, WRITTEN: {SENT, WRITTEN}, A_ROLE: {A_ROLE},
            SECRET: {SECRET}}

KEPT_KEYS = {"type", "status", "version", "provider", "what"}


def user_id(original):
    """Another UUID with USER in it for each original."""
    return f"{USER}-0000-4000-8000-{hashlib.sha256(original.encode()).hexdigest()[:12]}"


def hers(value, key=None):
    """A payload of test/data/events as if it were of somebody who is recognised: every text but times and KEPT_KEYS."""
    if isinstance(value, dict):
        return {key: hers(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [hers(inner, key) for inner in value]
    if key == "provider_user_id" and isinstance(value, int):
        return NUMBER
    if not isinstance(value, str) or not value or key in KEPT_KEYS or value[:4].isdigit() and value[4:5] == "-":
        return value
    return {"user_id": user_id(value), "reference_id": f"member {USER}", "provider_user_id": f"account {USER}"}.get(
        key, f"{NAME} {key}")


def literal(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("'", "''") + "'"


def headers(number, **more):
    return {"X-Terra-Trace-Id": f"{TRACE} {number}", "X-Forwarded-User": NAME, **more}


def event(kind, user, reference, day, **more):
    at = f"2026-03-{day:02}T08:00:00Z"
    return {"type": kind, "status": "success", **more,
            "user": {"user_id": user_id(user), "reference_id": f"{reference} {USER}", "provider": "GARMIN",
                     "scopes": NAME, "created_at": at}}


def insert(dev_id, payload, number=None):
    return (f"INSERT INTO terra_identity.events (dev_id, payload, headers) VALUES ({literal(dev_id)}, "
            f"{literal(payload)}, {literal(headers(number)) if number is not None else 'NULL'});")


def ingest(dev_id, body, number, **more):
    return (f"SELECT * FROM terra_identity.ingest({literal(body)}::text, {literal(headers(number, **more))}, "
            f"{literal(dev_id)});")


def signature(body):
    seconds = str(int(time.time()))
    return f"t={seconds},v1=" + hmac.new(KEY.encode(), f"{seconds}.{body}".encode(), hashlib.sha256).hexdigest()


SETUP = f"""
CREATE EXTENSION terra_identity;
ALTER TABLE terra_identity.connections ALTER connection_id RESTART {NUMBER}001;
CREATE ROLE {ROLE};
GRANT USAGE ON SCHEMA terra_identity TO {ROLE};
GRANT EXECUTE ON FUNCTION terra_identity.correct, terra_identity.import_users, terra_identity.take_disconnects,
    terra_identity.confirm_disconnect, terra_identity.fail_disconnect TO {ROLE};
GRANT INSERT ON terra_identity.accepted_duplicates TO {ROLE};
SELECT terra_identity.grant_consumer('{ROLE}');
INSERT INTO terra_identity.environments (dev_id, on_duplicate, account_policy)
VALUES ('default', 'disconnect_older', 'keep'), ('replacing', 'report', 'replace');
INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('WITHINGS', 'unusable');
CREATE TABLE webhooks (id text PRIMARY KEY, body text, headers jsonb);
SELECT terra_identity.attach('webhooks', 'body', 'headers');
"""


def shared_account(dev_id):
    """Two end users on one account, the second connection of the first, and what a person then decides."""
    accounts = {"athlete": {"provider_user_id": f"account {USER}", "email": f"{NAME}@example.org"}}
    yield insert(dev_id, event("auth", "first", "anna", 1))
    yield insert(dev_id, event("athlete", "first", "anna", 2, **accounts))
    yield insert(dev_id, event("auth", "second", "bob", 3))
    yield insert(dev_id, event("athlete", "second", "bob", 4, **accounts))
    reauth = {"type": "user_reauth", "new_user": event("", "third", "anna", 5)["user"],
              "old_user": event("", "first", "anna", 1)["user"]}
    yield insert(dev_id, reauth, f"{dev_id} reauth")
    yield insert(dev_id, event("auth", "fourth", "anna", 6))


def lives():
    """Statements: everybody comes through every door."""
    for number, file in enumerate(sorted(Path("test/data/events").glob("*.json"))):
        yield insert("every type", hers(json.loads(file.read_text())), number)
    for dev_id in "default", "replacing":
        yield from shared_account(dev_id)
    for payload in ({"type": "auth", "user": {"user_id": [f"{USER} {NAME}"]}}, f'"{NAME} {USER}"',
                    {"type": NAME + "!" * 600, "user": {"user_id": USER, "provider": NAME * 600}},
                    {"type": "body", "user": {"user_id": USER * 600}, "data": NAME}):
        yield insert("problems", payload, "problem")
    yield ingest("default", f'{{"type": "auth", "user": {{"user_id": {NAME}, "{user_id("first")}', "rejected")
    yield ingest("default", f'{{"user": {{"name": "\\u0000{NAME}", "user_id": "{user_id("first")}"}}}}', "NUL")
    # Signed deliveries, one of them rejected; and one that is not signed.
    yield f"SELECT terra_identity.set_signing_secret('{KEY}', dev_id => 'signed');"
    for number in 1, 2:
        body = json.dumps(event("auth", "signed", "anna", number))
        yield ingest("signed", body, f"signed {number}", **{"X-Terra-Signature": signature(body)})
        yield ingest("signed", body[:-9], f"cut {number}", **{"X-Terra-Signature": signature(body[:-9])})
    yield ingest("signed", body, "not signed")
    for number, body in enumerate([json.dumps(event("sleep", "first", "anna", 7, data=[{"name": NAME}])), "{"]):
        yield f"INSERT INTO webhooks (id, body) VALUES ('{TRACE} {number}', {literal(body)});"
    yield f"SET ROLE {ROLE};"
    listed = [{**event("", name, "anna", 7)["user"], "state": state}
              for name, state in [("listed", "active"), ("gone", "deauth")]]
    yield f"SELECT terra_identity.import_users({literal(listed)}, '2026-03-08Z', 'default');"
    for dev_id in "default", "replacing":
        yield f"""SELECT terra_identity.correct('{user_id("fourth")}', 'same_person_as', '{NOTE}, in a mail',
                      '{user_id("third")}', '{dev_id}');"""
    # The first disconnect fails, and stays; then it is confirmed, which ends the connection by a correction.
    yield "SELECT * FROM terra_identity.take_disconnects(9);"
    yield "RESET ROLE;"
    yield f"""SELECT terra_identity.fail_disconnect(disconnect_id, '{NOTE}: no {user_id("first")}', 'default')
              FROM terra_identity.disconnects WHERE state = 'taken';"""
    yield f"SET ROLE {ROLE};"
    yield f"""INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id, note)
              VALUES ('GARMIN', 'account {USER}', '{NOTE}: one scale, one family');"""
    yield "RESET ROLE;"
    yield "SELECT count(*) FROM terra_identity.read_changes('mailer', 5);"
    yield "SELECT terra_identity.commit_changes('mailer', 3);"
    yield f"SELECT terra_identity.set_tombstone_key({literal(f'{KEY:<32}')}::bytea);"
    yield "SELECT count(*) FROM unnest('{carl,dora}'::text[]) who, terra_identity.forget(who);"


# Everybody whom an event names: by reference_id, then those who have none.
FORGET_ALL = r"""
SELECT DISTINCT format('SELECT FROM terra_identity.forget(%L, %L)', reference_id, dev_id)
FROM terra_identity.connections WHERE reference_id IS NOT NULL \gexec
SELECT DISTINCT ON (dev_id, lineage_id) format('SELECT FROM terra_identity.forget_user(%L, %L)', user_id, dev_id)
FROM terra_identity.connections WHERE reference_id IS NULL \gexec
"""


def found_in(listed, kinds, of_table):
    """
    {mark: {(table, column) where something of this kind is found}}; of hashes: where several are. Of some tables only
    some rows are looked at.
    """
    def text(column, type_name):
        return f"encode({column}, 'escape')" if type_name == "bytea" else f"{column}::text"

    searched = "\nUNION ALL\n".join(
        f"""SELECT '{table}', '{column}', {literal(kind)} WHERE EXISTS (
            SELECT FROM terra_identity.{table}
            WHERE {of_table.get(table, True)} AND lower({text(column, type_name)}) LIKE ANY (ARRAY[
                {", ".join(literal(f"%{needle}%") for needle in needles)}]))"""
        for table, column, type_name, _ in listed for kind, needles in kinds.items())
    hashes = "\nUNION ALL\n".join(
        f"""SELECT '{table}', '{column}', {literal(A_HASH)} FROM terra_identity.{table}
            HAVING count(DISTINCT {column}) > 1"""
        for table, column, _, mark in listed if mark == A_HASH)
    found = {mark: set() for mark in MARKS}
    for line in psql(f"{searched}\nUNION ALL\n{hashes};").splitlines():
        table, column, kind = line.split("|")
        found[kind].add((table, column))
    return found


def names(columns_found):
    return "\n".join(".".join(column) for column in sorted(columns_found))


def main():
    psql(SETUP)
    listed = columns()
    marked = {(table, column): mark for table, column, _, mark in listed}
    check("the COMMENT of every column of every table ends with one of the marks",
          None not in marked.values(), names(one for one, mark in marked.items() if mark is None), *MARKS)
    check_page(listed)
    psql("\n".join(lives()))
    found = found_in(listed, KINDS, {})
    for kind, may_hold in MAY_HOLD.items():
        wrong = {one for one in found[kind] if marked[one] not in may_hold}
        check(f"what is found as \"{kind}\" is in columns that are marked", found[kind] and not wrong, names(wrong))
    for mark in [*KINDS, A_HASH]:
        idle = {one for one, its in marked.items() if its == mark} - found[mark]
        check(f"no mark \"{mark}\" is idle", not idle, names(idle))
    # Of events that name nobody, and bodies that are no JSON and name nobody, the trace id and a URL stay.
    psql(FORGET_ALL)
    kinds = {AN_ID: [USER, str(NUMBER)], SENT: [NAME], WRITTEN: [NOTE]}
    found = found_in(listed, kinds, {"events": "user_id IS NOT NULL", "rejected": "body <> '{'"})
    for kind in kinds:
        check(f"when all are forgotten, nothing is found as \"{kind}\"", not found[kind], names(found[kind]))
    return finish()


sys.exit(main())
