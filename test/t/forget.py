"""
A person who is in every table is forgotten. Then, after VACUUM FULL and a checkpoint, no file of the database has an
id, a name or an e-mail address of hers, in any form in which the extension writes them; of a control it has all. A
dump has the tombstones and not their key: a restore of it takes no delivery until the key is set, and then not hers.
Nobody without the key can test a guess, and what a sender can measure does not tell `forgotten` from `stored`.
"""

import hashlib
import hmac
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from pathlib import Path

from tap import check, finish

DATABASE = os.environ["PGDATABASE"]
SECRET = "a secret"


class Person:
    """With an id that is a uuid, which is also stored in 16 bytes, and one that is none."""

    def __init__(self, name, number):
        self.reference_id = f"reference-of-{name}"
        self.user_id = str(uuid.UUID(int=number))
        self.second_user_id = f"second-user-of-{name}"
        self.lone_user_id = f"lone-user-of-{name}"
        self.name = f"{name.capitalize()} Givenname"
        self.email = f"{name}.mail@example.org"
        self.account = f"account-of-{name}"
        self.texts = [self.reference_id, self.user_id, self.second_user_id, self.lone_user_id, self.name, self.email,
                      self.account, f"trace-of-{name}", f"hypnogram-of-{name}"]

    def user(self, user_id, provider="OURA"):
        return {"user_id": user_id, "provider": provider, "reference_id": self.reference_id}

    def athlete(self, user_id, account, provider="OURA"):
        return {"type": "athlete", "user": self.user(user_id, provider),
                "athlete": {"provider_user_id": account, "first_name": self.name, "email": self.email}}

    def forms(self):
        """What is searched for: each text in the bytes of UTF-8, as hex digits, and an id as a uuid."""
        for text in self.texts:
            raw = text.encode()
            yield text, raw
            yield text + " in hex", raw.hex().encode()
        yield self.user_id + " as a uuid", uuid.UUID(self.user_id).bytes


def psql(sql, database=DATABASE, role=None, **variables):
    """The answer; an error is part of it."""
    command = ["psql", "-XqAt", "-v", "VERBOSITY=sqlstate", "-d", database]
    for name, value in variables.items():
        command += ["-v", f"{name}={value}"]
    if role:
        sql = f"SET ROLE {role};\n{sql}"
    ran = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
    return (ran.stdout + ran.stderr).strip()


def quoted(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("'", "''") + "'"


def insert(payload, headers=None, dev_id="default"):
    return (f"INSERT INTO terra_identity.events (dev_id, payload, headers) VALUES ({quoted(dev_id)}, {quoted(payload)},"
            f" {quoted(headers) if headers else 'NULL'});")


def signed(body):
    stamp = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Terra-Signature": f"t={stamp},v1={digest}"}


def life(person, other, what):
    """
    Everything that a person leaves: on an account of her own, and on one that others have, too. `what` is said of her
    and of another.
    """
    name = person.name.split()[0].lower()
    trace = {"X-Terra-Trace-Id": f"trace-of-{name}"}
    sleep = {"type": "sleep", "user": person.user(person.user_id),
             "data": [{"hypnogram": f"hypnogram-of-{name} " * 500, "email": person.email}]}
    body = json.dumps({"type": "daily", "user": person.user(person.lone_user_id, "FITBIT"), "data": []})
    yield insert({"type": "auth", "status": "success", "user": person.user(person.user_id)}, trace)
    yield insert(person.athlete(person.user_id, "an account of several people"))
    yield insert(sleep, {"X-Terra-Trace-Id": f"trace-of-{name}-2", "X-Forwarded-For": person.email})
    yield insert({"type": "user_reauth", "status": "warning", "old_user": person.user(person.user_id),
                  "new_user": person.user(person.second_user_id)})
    yield insert({"type": "auth", "status": "success", "user": person.user(person.lone_user_id, "FITBIT")})
    yield insert(person.athlete(person.lone_user_id, person.account, "FITBIT"))
    yield insert({"type": "auth_cancelled", "reference_id": person.reference_id, "message": person.email})
    yield insert({"type": "auth", "status": "perhaps", "user": person.user(person.user_id), "message": person.name})
    yield f"SELECT terra_identity.ingest({quoted(body)}, {quoted(signed(body))}, 'signed');"
    yield (f"SELECT terra_identity.ingest({quoted(json.dumps(sleep)[:-3] + chr(10))}, {quoted(trace)}, 'default');")
    yield (f"SELECT terra_identity.import_users({quoted([person.user(person.user_id)])}, now());")
    yield (f"SELECT terra_identity.correct({quoted(person.lone_user_id)}, '{what}',"
           f" {quoted(f'{person.name} <{person.email}> wrote')});")
    yield (f"SELECT terra_identity.correct({quoted(other.lone_user_id)}, '{what}',"
           f" {quoted(f'like {person.reference_id}, she said')});")
    yield ("INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id, note)"
           f" VALUES ('FITBIT', {quoted(person.account)}, {quoted(person.name)});")


def files():
    """The files of the database, and those of the cluster that have rows."""
    oid = psql("SELECT oid FROM pg_database WHERE datname = current_database()")
    root = Path(os.environ["PGDATA"])
    return [file for folder in (root / "base" / oid, root / "global") for file in folder.iterdir() if file.is_file()]


def found_on_disk(person):
    """[(form, file)] of what is found. The cluster is at rest as far as this database goes: all of it is written."""
    psql("ANALYZE")
    psql("VACUUM FULL")
    psql("VACUUM FULL pg_statistic")
    psql("CHECKPOINT")
    found = []
    for file in files():
        try:
            content = file.read_bytes()
        except FileNotFoundError:  # of another test's temporary table
            continue
        found += [(form, file.name) for form, raw in person.forms() if raw in content]
    return found


def fill(ann, cleo):
    psql(f"""
        CREATE EXTENSION terra_identity;
        ALTER TABLE terra_identity.events ALTER payload SET STORAGE EXTERNAL; -- compressed, nothing could be searched
        ALTER TABLE terra_identity.rejected ALTER body SET STORAGE EXTERNAL;
        INSERT INTO terra_identity.environments (dev_id, on_duplicate) VALUES ('default', 'disconnect_older');
        SELECT terra_identity.set_signing_secret({quoted(SECRET)}, dev_id => 'signed');
        CREATE ROLE forget_reader; SELECT terra_identity.grant_reader('forget_reader');
        {insert({"type": "auth", "status": "success", "user": cleo.user(cleo.lone_user_id, "FITBIT")})}
        {insert({"type": "auth", "status": "success",
                 "user": {"user_id": "eldest", "provider": "OURA", "reference_id": "eldest"}})}
        {insert({"type": "athlete", "user": {"user_id": "eldest"},
                 "athlete": {"provider_user_id": "an account of several people"}})}""")
    told = [psql("\n".join(life(*one))) for one in ((ann, cleo, "ended"), (cleo, ann, "active"))]
    psql("SELECT * FROM terra_identity.take_disconnects(10)")
    psql(f"""SELECT terra_identity.fail_disconnect(d.disconnect_id, {quoted(f'Terra knows no {ann.second_user_id}')})
        FROM terra_identity.disconnects d WHERE d.user_id = 'eldest';
        SELECT count(*) FROM terra_identity.read_changes('somebody', 1000)""")
    check("a life leaves no errors", not any("ERROR" in one for one in told), *told)
    empty = psql("""SELECT what FROM (VALUES ('events', (SELECT count(*) FROM terra_identity.events)),
        ('deliveries', (SELECT count(*) FROM terra_identity.deliveries)),
        ('signatures', (SELECT count(*) FROM terra_identity.signatures)),
        ('rejected', (SELECT count(*) FROM terra_identity.rejected)),
        ('disconnects', (SELECT count(*) FROM terra_identity.disconnects)),
        ('duplicates', (SELECT count(*) FROM terra_identity.connections WHERE duplicate)),
        ('corrections', (SELECT count(*) FROM terra_identity.events WHERE event_type = 'correction'))) v (what, n)
        WHERE n < 2""")
    check("she is in every table", not empty, empty)


def on_disk(ann, cleo):
    missing = {form for form, _ in ann.forms()} - {form for form, _ in found_on_disk(ann)}
    hex_forms = {form for form in missing if form.endswith(" in hex")}
    check("all of her is on disk before", missing == hex_forms, missing - hex_forms)
    said = [psql("SELECT table_name, erased, changed FROM"
                 f" terra_identity.forget({quoted(ann.reference_id)}, '{dev_id}') WHERE erased + changed > 0")
            for dev_id in ("default", "signed")]
    check("forget() says what it did in each table",
          all(table in said[0] for table in ("events|", "connections|", "rejected|", "disconnects|", "deliveries|",
                                             "changes|", "accepted_duplicates|")) and "signatures|1|0" in said[1],
          *said)
    found = found_on_disk(ann)
    check("nothing of her is on disk afterwards", not found, *found)
    missing = {form for form, _ in cleo.forms()} - {form for form, _ in found_on_disk(cleo)}
    check("all of somebody else is", not {form for form in missing if not form.endswith(" in hex")}, missing)
    check("ledger and state agree",
          psql("SELECT count(*) FROM terra_identity.verify(); SELECT terra_identity.rebuild();"
               " SELECT count(*) FROM terra_identity.verify(dev_id => 'signed')") == "0\n0\n0")


def restored(ann):
    """A dump, and what it takes to go on from it."""
    key = psql("SELECT encode(terra_identity.tombstone_key(), 'hex')")
    dump = subprocess.run(["pg_dump", "-d", DATABASE], capture_output=True, text=True, check=True).stdout
    check("the key has 32 bytes, and is in no dump", len(key) == 64 and key not in dump)
    tombstones = psql("SELECT dev_id, kind, hash FROM terra_identity.tombstones ORDER BY 1, 2, 3")
    copy = DATABASE + "_copy"
    subprocess.run(["createdb", copy], check=True)
    psql(dump, copy)
    check("the tombstones are", len(tombstones.splitlines()) == 6 and tombstones == psql(
        "SELECT dev_id, kind, hash FROM terra_identity.tombstones ORDER BY 1, 2, 3", copy), tombstones)
    late = insert({"type": "daily", "user": ann.user(ann.user_id)})
    anybody = insert({"type": "daily", "user": {"user_id": "anybody"}})
    x = {"type": "daily", "user": {"user_id": "x"}}
    for what, sql in (("an INSERT", anybody), ("hers", late),
                      ("ingest", f"SELECT terra_identity.ingest({quoted(json.dumps(x))})"),
                      ("forget", "SELECT terra_identity.forget('somebody')"),
                      ("import_users", "SELECT terra_identity.import_users('[{\"user_id\": \"x\"}]', now())")):
        check(f"without the key {what} fails", "TI005" in psql(sql, copy), psql(sql, copy))
    check("where nobody was forgotten, it does not",
          psql(insert({"type": "daily", "user": {"user_id": "x"}}, dev_id="another"), copy) == "")
    check("reading needs no key", psql("SELECT count(*) FROM terra_identity.verify()", copy) == "0")
    check("another key is refused", "22023" in psql(
        "SELECT terra_identity.set_tombstone_key(decode(repeat('ab', 32), 'hex'))", copy))
    check("the key is taken", psql(f"SELECT terra_identity.set_tombstone_key(decode('{key}', 'hex'))", copy) == "")
    events = psql("SELECT count(*) FROM terra_identity.events", copy)
    check("then others are stored, and she is not",
          psql(late + anybody + "SELECT count(*) FROM terra_identity.events", copy) == str(int(events) + 1))
    subprocess.run(["dropdb", copy], check=True)


def guesses(ann):
    """Whoever may read everything but secrets knows her id, and wants to know whether she was forgotten."""
    hashes = {bytes.fromhex(line) for line in
              psql("SELECT encode(hash, 'hex') FROM terra_identity.tombstones", role="forget_reader").splitlines()}
    names = {bytes.fromhex(line[len("!forgotten:"):]) for line in
             psql("SELECT user_id FROM terra_identity.connections WHERE user_id LIKE '!forgotten:%'"
                  " UNION SELECT reference_id FROM terra_identity.connections WHERE reference_id LIKE '!forgotten:%'",
                  role="forget_reader").splitlines()}
    check("a reader sees tombstones, and the names of stubs", len(hashes) == 6 and len(names) == 3, hashes, names)
    tried = set()
    for id_ in (ann.reference_id, ann.user_id, ann.second_user_id, ann.lone_user_id):
        for kind in ("user", "reference", ""):
            for text in (id_, kind + id_, f"{kind}\0{id_}", f"{kind}\0default\0{id_}", f"default\0{id_}"):
                for purpose in ("", "tombstone\0", "name\0"):
                    message = (purpose + text).encode()
                    for key in (b"", b"\0" * 32, b"terra_identity"):
                        tried.add(hmac.new(key, message, hashlib.sha256).digest())
                    for algorithm in ("md5", "sha1", "sha256", "sha512"):
                        tried.add(hashlib.new(algorithm, message).digest())
    check("no hash without the key is one of them",
          not any(hash_.startswith(name[:16]) for hash_ in tried for name in hashes | names))
    key = bytes.fromhex(psql("SELECT encode(terra_identity.tombstone_key(), 'hex')"))
    check("with the key it is", hmac.new(key, f"tombstone\0reference\0default\0{ann.reference_id}".encode(),
                                         hashlib.sha256).digest() in hashes)
    for sql in ("SELECT terra_identity.tombstone_key()", "SELECT key FROM terra_identity.tombstone_key",
                "SELECT terra_identity.forget('x')", "SELECT terra_identity.forget_user('x')",
                f"SELECT terra_identity.remember({quoted(ann.reference_id)})",
                f"SELECT terra_identity.remember_user({quoted(ann.user_id)})",
                "SELECT terra_identity.set_tombstone_key(decode(repeat('ab', 32), 'hex'))",
                f"SELECT outcome FROM terra_identity.ingest({quoted({'type': 'daily', 'user': ann.user('x')})})"):
        check(f"a reader may not: {sql[:60]}", "42501" in psql(sql, role="forget_reader"))


def timing(ann):
    """What a sender waits for: alternately a delivery of hers and one of somebody else, in one session."""
    rounds = 400
    script = ["\\timing on"]
    for n in range(rounds):
        for user in (ann.user_id, str(uuid.UUID(int=7))):
            body = {"type": "daily", "user": {"user_id": user, "provider": "OURA"}, "n": n}
            script.append(f"SELECT terra_identity.webhook({quoted(body)}::json);")
    told = psql("\n".join(script)).splitlines()
    answers = {line for line in told if line.startswith("{")}
    check("webhook answers both alike", answers == {'{"outcome":"stored","detail":null}'}, answers)
    times = [float(line.split()[1]) for line in told if line.startswith("Time:")]
    forgotten, stored = times[40::2], times[41::2]
    medians = statistics.median(forgotten), statistics.median(stored)
    spread = statistics.quantiles(stored, n=10)
    print(f"# median of forgotten {medians[0]:.3f} ms, of stored {medians[1]:.3f} ms,"
          f" 10th to 90th percentile of stored {spread[0]:.3f} to {spread[-1]:.3f} ms")
    check("the difference is less than a millisecond", abs(medians[0] - medians[1]) < 1, medians)
    check("they were forgotten", int(psql("SELECT sum(refused) FROM terra_identity.refusals"
                                          " WHERE reason = 'forgotten'")) >= rounds)


def main():
    ann, cleo = Person("annabelle", 0x5E1F00D1A57C0FFEE5E1F00D1A57C0FF), Person("cleopatra", 0xC1E0C1E0C1E0C1E0C1E0C1E0)
    fill(ann, cleo)
    on_disk(ann, cleo)
    restored(ann)
    guesses(ann)
    timing(ann)
    psql("DROP OWNED BY forget_reader; DROP ROLE forget_reader")
    return finish()


sys.exit(main())
