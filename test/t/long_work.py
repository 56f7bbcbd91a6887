"""
rebuild, verify, import_users, skip_changes, attach with a backfill and an edit of the account policy, over 100,000
events: they tell how far they have come, unless terra_identity.progress is off; a cancel ends each within 100 ms,
wherever it is, and then nothing has changed. The procedure backfill keeps the batches that it has committed, and goes
on where it was.
"""

import os
import re
import subprocess
import sys
import time

from psql_session import Session
from tap import check, finish

FILL = """
CREATE EXTENSION terra_identity;
INSERT INTO terra_identity.events (received_at, payload)
SELECT timestamptz '2026-01-01 00:00Z' + i * interval '1 second',
       CASE i % 4 WHEN 0 THEN jsonb_build_object('type', 'auth', 'status', 'success', 'user', u)
           WHEN 1 THEN jsonb_build_object('type', 'athlete', 'user', u,
                                          'athlete', jsonb_build_object('provider_user_id', 'account ' || n / 3))
           WHEN 2 THEN jsonb_build_object('type', 'user_reauth', 'new_user', u, 'old_user',
                                          jsonb_build_object('user_id', 'u' || n - 1, 'provider', 'GARMIN'))
           ELSE jsonb_build_object('type', 'daily', 'user', u) END
FROM generate_series(0, 99999) i,
     LATERAL (SELECT i / 4 AS n, jsonb_build_object('user_id', 'u' || i / 4, 'provider', 'GARMIN',
                                                    'reference_id', 'p' || i / 12) AS u) x;
CREATE TABLE lists AS
SELECT jsonb_agg(jsonb_build_object('user_id', 'u' || i, 'provider', 'GARMIN', 'reference_id', 'r' || i / 2)) AS list
FROM generate_series(20000, 49999) i;
CREATE TABLE webhooks (id bigint PRIMARY KEY, body text, received_at timestamptz);
INSERT INTO webhooks
SELECT i, jsonb_build_object('type', 'auth', 'status', 'success', 'user',
                             jsonb_build_object('user_id', 'w' || i, 'provider', 'OURA', 'reference_id', 'p' || i)),
       timestamptz '2026-05-01 00:00Z' + i * interval '1 second'
FROM generate_series(1, 30000) i;
CREATE VIEW state AS
SELECT (SELECT count(*) FROM terra_identity.events)
    || (SELECT md5(string_agg(c::text, '' ORDER BY connection_id)) FROM terra_identity.connections c)
    || (SELECT count(*) || ' ' || count(position) FROM terra_identity.changes)
    || (SELECT count(*) FROM terra_identity.reauths)
    || (SELECT string_agg(e::text, '') FROM terra_identity.environment_settings e) AS state;
"""

# What is done, and what makes it have something to write.
WORK = {
    "rebuild of what is right": ("", "SELECT terra_identity.rebuild()"),
    "rebuild of what is gone": ("DELETE FROM terra_identity.connections; DELETE FROM terra_identity.reauths;",
                                "SELECT terra_identity.rebuild()"),
    "rebuild of what is wrong": ("UPDATE terra_identity.connections SET confirmed = NOT confirmed;",
                                 "SELECT terra_identity.rebuild()"),
    "verify": ("UPDATE terra_identity.connections SET confirmed = NOT confirmed;",
               "SELECT count(*) FROM terra_identity.verify()"),
    "skipping what changed": ("", "SELECT terra_identity.skip_changes('poller')"),
    "import of a list": ("", "SELECT * FROM terra_identity.import_users((SELECT list FROM lists), '2026-06-01Z')"),
    "attach with a backfill": ("", "SELECT terra_identity.attach('webhooks', 'body', backfill => true,"
                               " received_at_column => 'received_at')"),
    "forgetting somebody": ("", "SELECT count(*) FROM terra_identity.forget('p17')"),
    "another account policy": ("", "UPDATE terra_identity.environments SET account_policy = 'replace'"),
}
MOMENTS = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]


def cpu_time(session):
    """In seconds: of the server's process, in user and in system mode."""
    fields = open(f"/proc/{session.pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cancel(session, other, statement, moment, end=""):
    """For how much CPU time the statement, and what ends it, goes on after a cancel; and whether that ended it."""
    session.send(statement)
    time.sleep(moment)
    other.run(f"SELECT pg_cancel_backend({session.pid})")
    had_used = cpu_time(session)
    cancelled = any("canceling statement" in line for line in session.lines())
    session.run(end)
    return cpu_time(session) - had_used, cancelled


def test_cancel(session, other):
    before = session.run("SELECT state FROM state")
    for name, (prepare, statement) in WORK.items():
        session.run(f"BEGIN; {prepare}")
        started = time.monotonic()
        session.run(statement)
        seconds = time.monotonic() - started
        session.run("ROLLBACK")
        longest, ended = 0.0, 0
        for moment in MOMENTS:
            delays = []
            while True:  # on a busy machine one look may be wrong, and is taken again
                session.run(f"BEGIN; {prepare}")
                delay, cancelled = cancel(session, other, statement, moment * seconds, "ROLLBACK")
                delays.append(delay)
                if delay < 0.1 or len(delays) == 4:
                    break
            longest, ended = max(longest, min(delays)), ended + cancelled
        print(f"# {name}: {seconds:.2f} s; {ended} of {len(MOMENTS)} cancels ended it, after {1000 * longest:.0f} ms "
              "of CPU at most")
        check(f"{name}: cancels end it", ended >= 3, ended)
        check(f"{name}: within 100 ms of CPU, its rollback included", longest < 0.1, longest)
    check("nothing has changed", session.run("SELECT state FROM state") == before)
    check("the state is what the ledger says", session.run("SELECT * FROM terra_identity.verify()") == [])


def test_backfill(session, other):
    fed = "SELECT count(*), count(DISTINCT user_id) FROM terra_identity.events WHERE provider = 'OURA'"
    session.run("SELECT terra_identity.attach('webhooks', 'body', received_at_column => 'received_at')")
    delays, ended, counts = [], 0, set()
    for _ in range(6):
        delay, cancelled = cancel(session, other, "CALL terra_identity.backfill('webhooks')", 0.2)
        delays.append(delay)
        ended += cancelled
        counts.add(int(session.run(fed)[0].split("|")[0]))
    print(f"# backfill: {ended} of 6 cancels ended it, after {1000 * max(delays):.0f} ms of CPU at most; fed {counts}")
    check("backfill: cancels end it", ended >= 1, ended)
    check("backfill: within 100 ms of CPU, as a rule", sorted(delays)[3] < 0.1, delays)
    check("whole batches stay", counts - {0, 30000} and not any(count % 1000 for count in counts), counts)
    session.run("CALL terra_identity.backfill('webhooks')")
    check("called again it ends, and every row is there once", session.run(fed) == ["30000|30000"], session.run(fed))


def told(session, other, setting):
    """What rebuild tells. It waits for more than two seconds before it reads, so that a sentence is due at once."""
    other.run("BEGIN; SELECT terra_identity.rebuild()")
    session.send(f"SET terra_identity.progress = {setting}; SET client_min_messages = error; "
                 "SELECT terra_identity.rebuild()")
    time.sleep(2.2)
    other.run("ROLLBACK")
    return session.lines()


def test_telling(session, other):
    lines = told(session, other, "on")
    check("rebuild tells how far it has come",
          len(lines) == 2 and lines[1] == "0"
          and re.fullmatch(r"INFO:  terra_identity: rebuild: 1,000 events read \(1 %\), [\d,]+/s, about \d+ s left",
                           lines[0]), lines)
    check("but not if the setting is off", told(session, other, "off") == ["0"])


subprocess.run(["psql", "-Xqv", "ON_ERROR_STOP=1", "-c", FILL], check=True)
first, second = Session(), Session()
test_telling(first, second)
test_cancel(first, second)
test_backfill(first, second)
first.close()
second.close()
sys.exit(finish())
