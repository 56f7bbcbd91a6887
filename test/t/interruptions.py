"""
A bulk statement, and a transaction of many single ones, are cancelled, terminated, or run into a timeout, at random
points. Each leaves everything or nothing; the error is that of the interruption; and the session, or the next one, goes
on from the state that is there. In the end every environment has the state of one in which nothing was interrupted.

POINTS=N for N of them, SEED=N for others.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter

from psql_session import Session
from tap import check, finish

EVENTS = 900                   # of one statement
SINGLES = 60                   # of one transaction
KINDS = {"cancel": {"57014"}, "terminate": {"57P01"}, "statement_timeout": {"57014"}, "lock_timeout": {"55P03"}}
ROUNDS = 5                     # statements that an environment is made of

PREPARE = f"""
CREATE EXTENSION terra_identity;
-- Events of one of the rounds: people who share accounts, connect again, and go.
CREATE FUNCTION deliveries(round int) RETURNS TABLE (n int, payload jsonb, headers jsonb, received_at timestamptz)
    LANGUAGE sql AS $$
    SELECT i, jsonb_build_object('type', type, 'status', 'success', 'user', u, 'new_user', u, 'old_user',
                              jsonb_build_object('user_id', 'u' || (k * 7 + i) % 500, 'provider', provider),
                              'athlete', jsonb_build_object('provider_user_id', 'a' || k % 97)),
           jsonb_build_object('X-Terra-Trace-Id', 'trace ' || i),
           timestamptz '2026-01-01Z' + i * interval '1 second'
    FROM generate_series(round * {EVENTS}, round * {EVENTS} + {EVENTS} - 1) i,
         LATERAL (SELECT i * 31 % 500) x (k),
         LATERAL (SELECT (ARRAY['GARMIN', 'OURA', 'APPLE'])[1 + k % 3],
                         (ARRAY['auth', 'athlete', 'daily', 'auth', 'user_reauth', 'deauth', 'athlete'])[1 + i % 7])
             y (provider, type),
         LATERAL (SELECT jsonb_build_object('user_id', 'u' || k, 'provider', provider,
                                            'reference_id', 'r' || k % 113)) z (u) $$;
CREATE PROCEDURE one_by_one(dev_id text, round int) LANGUAGE plpgsql AS $$
DECLARE d record;
BEGIN
    FOR d IN SELECT * FROM deliveries(round) LIMIT {SINGLES} LOOP
        INSERT INTO terra_identity.events (dev_id, payload, headers, received_at)
            VALUES (dev_id, d.payload, d.headers, d.received_at);
    END LOOP;
END $$;
"""


def session_with_sqlstates():
    return Session("-v", "VERBOSITY=sqlstate", "-v", "SHOW_CONTEXT=never")


def bulk(dev_id, number):
    return f"""INSERT INTO terra_identity.events (dev_id, payload, headers, received_at)
               SELECT '{dev_id}', payload, headers, received_at FROM deliveries({number})"""


def single(dev_id, number):
    return f"CALL one_by_one('{dev_id}', {number})"


def codes(lines):
    return {line.split(":")[1].strip() for line in lines if line.startswith(("ERROR:", "FATAL:"))}


class Test:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.session, self.other = session_with_sqlstates(), session_with_sqlstates()
        self.wrong, self.seen, self.took = [], Counter(), {}

    def state(self, dev_id):
        """Everything of an environment, but for ids and times that differ from one to the next."""
        return self.other.run(f"""
            SELECT count(*) FROM terra_identity.events WHERE dev_id = '{dev_id}';
            SELECT count(*) FROM terra_identity.deliveries WHERE dev_id = '{dev_id}';
            SELECT md5(string_agg(r::text, '' ORDER BY old_user_id, new_user_id)) FROM
                (SELECT old_user_id, new_user_id, transfer FROM terra_identity.reauths WHERE dev_id = '{dev_id}') r;
            SELECT md5(string_agg(c::text, '' ORDER BY user_id)) FROM (
                SELECT user_id, reference_id, provider, provider_user_id, status, successor_user_id, confirmed, scopes,
                       created_at, first_seen_at, connected_at, ended_at, duplicate,
                       (SELECT min(l.user_id COLLATE "C") FROM terra_identity.connections l
                        WHERE (l.dev_id, l.lineage_id) = (c.dev_id, c.lineage_id)) AS lineage
                FROM terra_identity.connections c WHERE dev_id = '{dev_id}') c""")

    def changes(self, dev_id):
        return self.other.run(f"SELECT count(*) FROM terra_identity.changes WHERE dev_id = '{dev_id}'")

    def measure(self):
        """How long each kind of work takes, in an environment in which nothing is interrupted."""
        for number in range(ROUNDS):
            for name, work in (("single", single), ("bulk", bulk)):
                started = time.monotonic()
                found = self.session.run(work("whole", number))
                assert not found, found
                self.took[name, number] = time.monotonic() - started
        return self.state("whole")

    def interrupt(self, dev_id, kind, name, number):
        """@return whether the work went through nevertheless"""
        statement = {"bulk": bulk, "single": single}[name](dev_id, number)
        before, changes = self.state(dev_id), self.changes(dev_id)
        moment = self.rng.random() * self.took[name, number] * 1.1
        if kind == "statement_timeout":
            lines = self.session.run(f"SET statement_timeout = '{1 + int(moment * 1000)}ms'; {statement}")
            self.session.run("RESET statement_timeout")
        elif kind == "lock_timeout":
            # The other one has delivered something of the same round, and does not commit.
            self.other.run(f"""BEGIN; INSERT INTO terra_identity.events (dev_id, payload, headers, received_at)
                SELECT '{dev_id}', payload, headers, received_at FROM deliveries({number})
                WHERE n = {number * EVENTS + self.rng.randrange(SINGLES)}""")
            lines = self.session.run(f"SET lock_timeout = '{self.rng.choice([1, 10, 50])}ms'; {statement}")
            self.session.run("RESET lock_timeout")
            self.other.run("ROLLBACK")
        else:
            self.session.send(statement)
            time.sleep(moment)
            self.other.run(f"SELECT pg_{'terminate' if kind == 'terminate' else 'cancel'}_backend({self.session.pid})")
            lines = self.session.lines()
            if kind == "terminate":
                self.session.close()
                self.session = session_with_sqlstates()
            else:
                self.session.run("SELECT pg_sleep(0)")  # a cancel that came late may end this instead
        found = codes(lines)
        self.seen[kind, "interrupted" if found else "done"] += 1
        what = f"{kind} of {name} after {moment:.3f} s of {self.took[name, number]:.3f}: {lines}"
        if found - KINDS[kind]:
            self.wrong.append(f"{what}: another error")
        after = self.state(dev_id)
        if found and (after != before or self.changes(dev_id) != changes):
            self.wrong.append(f"{what}: something is left: {before} became {after}")
        if differences := self.other.run(f"SELECT * FROM terra_identity.verify('{dev_id}') LIMIT 3"):
            self.wrong.append(f"{what}: verify: {differences}")
        return not found and after != before

    def interrupted(self):
        return sum(n for (_, what), n in self.seen.items() if what == "interrupted")

    def environment(self, dev_id, points):
        """Interrupts the work of all rounds, as often as there are points; and then does it."""
        done = 0
        for number in range(ROUNDS):
            for name, work in (("single", single), ("bulk", bulk)):
                through = False
                for _ in range(points // (2 * ROUNDS) + (2 * number + (name == "bulk") < points % (2 * ROUNDS))):
                    if through:  # it came through: so that it can be interrupted once more it goes elsewhere
                        self.interrupt(f"{dev_id}, again {done}", next(self.kinds), name, number)
                    else:
                        through = self.interrupt(dev_id, next(self.kinds), name, number)
                    done += 1
                found = self.session.run(work(dev_id, number))
                if found:
                    self.wrong.append(f"{name} after all: {found}")
        return self.state(dev_id)

    def run(self, points):
        whole = self.measure()
        order = [kind for kind in KINDS for _ in range(points // len(KINDS) + 1)]
        self.rng.shuffle(order)
        self.kinds = iter(order)
        for number, share in enumerate(split(points, 40)):
            if self.environment(f"interrupted {number}", share) != whole:
                self.wrong.append(f"environment {number} is not as the one in which nothing was interrupted")
        # In so few points as make check has, all of one kind may come too late, or most of all.
        for again in range(50):
            late = [kind for kind in KINDS if not self.seen[kind, "interrupted"]]
            if late or self.interrupted() <= points / 3:
                self.interrupt(f"again {again}", late[0] if late else "cancel", "bulk", 0)
        print(f"# {dict(self.seen)}", flush=True)
        check(f"{points} interruptions leave everything or nothing, and tell what they are", not self.wrong,
              *self.wrong[:9])
        check(f"{self.interrupted()} of them came before the end, some of each kind",
              self.interrupted() > points / 3 and all(self.seen[kind, "interrupted"] for kind in KINDS))
        check("the state is what the ledger says", not self.other.run("""
            SELECT d, v FROM (SELECT DISTINCT dev_id FROM terra_identity.events) d (d), terra_identity.verify(d) v"""))


def split(points, most):
    while points > 0:
        yield min(points, most)
        points -= most


def main():
    seed = os.environ.get("SEED") or str(int(time.time()))
    points = int(os.environ.get("POINTS") or 12)
    print(f"# seed {seed}", flush=True)
    subprocess.run(["psql", "-Xqv", "ON_ERROR_STOP=1", "-c", PREPARE], check=True)
    test = Test(seed)
    test.run(points)
    status = finish()
    print(f"# {sum(test.seen.values())} interruptions, {len(test.wrong)} wrong", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
