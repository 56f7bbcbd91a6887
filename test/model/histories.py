"""
Random histories from a seed: lists of events for which the rules conflict often.

history(seed, index) always returns the same list. It mixes plausible stories (stories.py) with chaos (any event type on
any of a few ids), and sometimes spoils a payload. Run with --statistics to see how often each rule applies.
"""

import argparse
import collections
import copy
import json
import random
from typing import NamedTuple, Optional

import stories
from reading import DAY, EARLIEST, Event, read
from reference import CROWD, state

SECOND = 1_000_000
HOUR = 3600 * SECOND
DECADES = 30 * 365 * DAY
START = 1_714_521_600 * SECOND  # 2024-05-01T00:00:00Z

# Byte order, letter case and language order sort these differently. With spaces around them they are the same ids.
USER_IDS = ["u1", "u2", "u10", "U2", "u-2", "u 3", "ü1", "_u", "\U0001d11e", "\uff5e", "é", "zz", "v1", "v2", "w", "W"]
REFERENCE_IDS = ["ann", "bob", "Ann", "zoë", "100", 100, 7]
WEB_PROVIDERS = ["GARMIN", "FITBIT", "OURA", "DASH"]
UNUSABLE_PROVIDERS = frozenset({"DASH"})   # reports the same account for everyone
SDK_PROVIDERS = ["APPLE", "SAMSUNG", "HEALTH_CONNECT"]
ACCOUNTS = ["100", 100, "200", 200, "a", "A", " 100 ", "9223372036854775807", 9223372036854775807, -5]

CHAOS_TYPES = (["auth"] * 5 + ["user_reauth"] * 6 + ["athlete"] * 5 + ["deauth"] * 2 + ["access_revoked"]
               + ["connection_error"] * 2 + ["permission_change"] * 2 + ["daily"] * 3 + ["processing", "a_new_type"])


class History(NamedTuple):
    seed: int
    index: int
    policy: str      # the final policy
    events: tuple    # in the order in which they happened, repeats included; not in the order of arrival
    on_duplicate: str = "report"          # the final one
    accepted: frozenset = frozenset()     # the accounts that may be shared in the end: (provider, provider_user_id)
    keeps: str = "everything"             # or "no data", or "few events": what the ledger has of it in the end
    entered: Optional[tuple] = None       # steps of the plan that correct() and import_users() take; null: by chance


class World:
    """The ids, the times and the frequencies from which one history is made."""

    def __init__(self, rng):
        self.rng = rng
        self.user_ids = rng.sample(USER_IDS, rng.randint(3, 16))
        self.reference_ids = (rng.sample(REFERENCE_IDS, rng.choice([0, 1, 2, 2, 2, 3, 3, 7]))
                              + rng.choice([[], [], [None], ["", None]]) or [None])
        self.providers = rng.sample(WEB_PROVIDERS, rng.randint(0, 2)) + rng.sample(SDK_PROVIDERS, rng.randint(0, 2)) \
            or ["GARMIN"]
        self.providers += rng.choice([[], [], [], [None, None]])
        self.accounts = rng.sample(ACCOUNTS, rng.randint(1, 4))
        self.ticks = rng.choice([4, 12, 40])
        self.ordering = rng.choice([0, 0.5, 0.9, 1])      # share of the deliveries with an ordering timestamp
        self.created = rng.choice([0, 0.3, 0.6, 1])       # share of the user objects with a created_at
        self.traced = rng.choice([0, 0.5, 1])
        self.year_1 = rng.choice([0, 0, 0.1])             # share of the created_at that are Go's zero time
        self.again = rng.choice([0, 0, 0.05])             # share of the trace ids that come again with another payload
        self.odd = rng.choice([0, 0, 0.05, 0.25])         # share of what is unusual, but legal
        self.spoiled = rng.choice([0, 0, 0.05, 0.2])      # share of what is wrong
        # Share of the deliveries from far in the future: after the corrections, which happen when the test runs.
        self.later = rng.choice([0, 0, 0.1, 0.3])
        self.traces = 0

    def tick(self, number=None):
        """A coarse time, so that equal times are common."""
        return START + HOUR * (self.rng.randrange(self.ticks) if number is None else number)

    def maybe(self, probability):
        return self.rng.random() < probability

    def user(self, user_id, provider=None, reference_id=None, created=None):
        """A user object as Terra sends it, with keys missing now and then."""
        rng = self.rng
        user = {"user_id": user_id, "provider": provider, "reference_id": reference_id,
                "active": rng.choice([True, False]),
                "scopes": rng.choice([None, "", "A", "A,B", "b", "B"])}
        if self.maybe(self.created):
            user["created_at"] = iso_8601(rng, self.tick() if created is None else created)
        if self.maybe(self.year_1):
            user["created_at"] = "0001-01-01T00:00:00Z"
        for key in ("provider", "reference_id", "scopes", "active"):
            if user[key] is None and self.maybe(0.5) or self.maybe(self.odd / 3):
                del user[key]
        if self.maybe(self.odd):
            for key in ("user_id", "provider", "reference_id", "scopes"):
                if isinstance(user.get(key), str) and self.maybe(0.5):
                    user[key] = rng.choice(["", " ", "\t", "\r\n", "\v \f"]) + user[key] + rng.choice(["", " ", "\n"])
        if isinstance(user.get("provider"), str) and self.maybe(0.2):
            user["provider"] = user["provider"].lower()
        if self.maybe(self.odd):
            user[rng.choice(["provider", "reference_id", "scopes"])] = rng.choice([None, "", "  ", "100"])
        if self.maybe(self.odd):
            user["created_at"] = rng.choice([None, 17, "", "yesterday", "2024-02-30T00:00:00Z", "2024-05-01",
                                             "2024-05-01T24:00",
                                             "2024-05-01T10:00:60Z", "2199-01-01T00:00:00Z", "2024-5-1T00:00:00Z",
                                             "2024-05-01T00:00:00.Z", "1969-12-31T23:59:59.5Z", "2024-02-29 12:00",
                                             "2014-12-31T23:59:59.999999Z", "2015-01-01T00:00:00Z",
                                             "2015-01-01T01:00+02:00"])
        if self.maybe(self.odd):
            user["scopes"] = rng.choice([["A"], {"A": 1}, 5, " ", "A"])
        return user

    def deliver(self, payload, at):
        """The event as it is received: with or without headers, perhaps late."""
        rng = self.rng
        if self.maybe(self.later):
            at += DECADES
        received_at = at + HOUR * rng.choice([0, 0, 0, 1, 3, rng.randrange(72)]) + rng.choice([0, 0, 0, 1, 999, 1500])
        headers = {}
        if self.maybe(self.ordering):
            stamp = at // 1000
            if self.maybe(self.odd):
                stamp = rng.choice(["", "soon", "-5", "12.5", "1234567890123456789", 999_999_999_999_999_999, True,
                                    None, {}, 0,
                                    EARLIEST // 1000, EARLIEST // 1000 - 1, at // SECOND,
                                    (received_at + DAY) // 1000, (received_at + DAY) // 1000 + 1,
                                    received_at // 1000 + 10**9])
            if type(stamp) is int and self.maybe(0.8):
                stamp = str(stamp)
            headers[any_case(rng, "X-Terra-Ordering-Timestamp")] = in_array(rng, stamp)
        if self.maybe(self.traced):
            self.traces += 1
            headers[any_case(rng, "X-Terra-Trace-Id")] = in_array(rng, f"trace-{self.traces}")
        if self.maybe(0.3):
            headers["terra-reference"] = "the same for every chunk"
        if self.maybe(self.odd / 4):
            headers = rng.choice([[], "x", 5, {"X-Terra-Trace-Id": ""}, {"X-Terra-Trace-Id": 7}])
        return Event(payload, headers or None, received_at)


def iso_8601(rng, time):
    """The time in one of the many ways to write it."""
    hours, minutes = rng.choice([(0, 0), (0, 0), (2, 0), (-5, 0), (5, 30), (-3, -30)])
    shifted = time // SECOND + hours * 3600 + minutes * 60
    date, clock = divmod(shifted, 86400)
    text = stories.date_of(date) + rng.choice("TT ") + f"{clock // 3600:02}:{clock // 60 % 60:02}"
    text += rng.choice(["", ":00", ":00", ":00.0", ":00.000000", ":00.0000009", ":00.5", ":00.123456789"])
    if hours == minutes == 0:
        return text + rng.choice(["", "Z", "+00", "+0000", "+00:00", "-00:00"])
    sign = "+" if hours > 0 else "-"
    return text + sign + rng.choice([f"{abs(hours):02}{abs(minutes):02}", f"{abs(hours):02}:{abs(minutes):02}"]
                                    + [f"{abs(hours):02}"] * (minutes == 0))


def any_case(rng, name):
    return rng.choice([name, name, name.lower(), name.upper(), name.swapcase()])


def in_array(rng, value):
    return [value, "another"] if rng.random() < 0.1 else value


def chaos(world):
    """Any event type on any ids."""
    rng = world.rng
    type_ = rng.choice(CHAOS_TYPES)

    def anyone():
        return world.user(rng.choice(world.user_ids), rng.choice(world.providers + [None]),
                          rng.choice(world.reference_ids))

    if type_ == "user_reauth":
        payload = {"type": type_, "status": "warning", "new_user": anyone(), "old_user": anyone()}
        if world.maybe(0.1):
            payload["old_user"] = rng.choice([None, {}, {"user_id": None}, {"user_id": " "}, {"provider": "OURA"}])
        elif world.maybe(0.1):
            payload["old_user"]["user_id"] = payload["new_user"]["user_id"]
        elif world.maybe(0.05):
            del payload["old_user"]
    else:
        payload = {"type": type_, "user": anyone()}
    if type_ == "auth":
        payload["status"] = rng.choice(["success"] * 8
                                       + ["error", "error", " success\n", " error", "authenticated", "Success"])
    if type_ == "athlete":
        stories.put_account(world, payload, rng.choice(world.accounts + [None, ""]))
        if world.maybe(0.2):
            payload["type"] = None
        elif world.maybe(0.2):
            del payload["type"]
    if world.maybe(0.1):
        payload["reference_id"] = rng.choice(world.reference_ids)
    return world.deliver(payload, world.tick())


def spoil(world, event):
    """Makes something about the payload wrong, or at least unusual."""
    rng = world.rng
    payload = copy.deepcopy(event.payload)
    if not isinstance(payload, dict):
        return event
    users = [name for name in ("user", "new_user", "old_user") if isinstance(payload.get(name), dict)]
    long_text = rng.choice(["x" * 513, "é" * 257, "  " + "x" * 512 + " ", "é" * 256])
    kind = rng.randrange(9)
    if kind == 0:
        payload = rng.choice([None, [], [payload], "auth", 5, True, {}, {"type": "auth"}])
    elif kind == 1:
        payload["type"] = rng.choice([5, None, "", " ", "Auth", ["auth"], " auth "])
    elif kind == 2:
        payload["status"] = rng.choice([None, "", " ", 5, True, "error"])
    elif kind == 3:
        payload[rng.choice(["user", "new_user", "old_user"])] = rng.choice([None, [], "u1", 5, False, {}])
    elif kind == 4 and users:
        user = payload[rng.choice(users)]
        user[rng.choice(["user_id", "reference_id", "provider"])] = rng.choice([5, 2**64 - 1, 2**64, 1.5, True, [], {},
                                                                                      long_text])
    elif kind == 5 and users:
        payload[rng.choice(users)]["user_id"] = rng.choice([None, "", " \t"])
    elif kind == 6:
        payload["reference_id"] = rng.choice([5, -2**63, -2**63 - 1, 2.5, False, long_text, " ann ", ""])
    elif kind == 7 and isinstance(payload.get("athlete"), dict):
        payload["athlete"]["provider_user_id"] = rng.choice([True, [], {}, 1.5, 2**70, 2**64, 2**64 - 1, 2**63, -2**63,
                                                             -2**63 - 1, long_text])
    elif kind == 8 and isinstance(event.headers, dict):
        world.traces += 1
        return event._replace(headers={"x-terra-trace-id": f"{world.traces}" + "t" * 512})
    return event._replace(payload=payload)


def without_user(world):
    """An event that names no connection."""
    rng = world.rng
    return world.deliver(rng.choice([
        {"type": "auth_cancelled", "status": "error", "flow_id": None, "reference_id": "ann"},
        {"type": "s3_payload", "url": "https://example.com/x", "expires_in": 5},
        {"type": "healthcheck", "user": None},
        {"type": "something_new", "users": ["u1"], "reference_id": 5}]), world.tick())


def history(seed, index):
    rng = random.Random(f"{seed}:{index}")
    world = World(rng)
    wanted = rng.randint(5, 60)
    chaotic = rng.choice([0, 0, 0.15, 0.5, 1])
    told = stories.tell(world)
    events = []
    while len(events) < wanted:
        if world.maybe(0.03):
            event = without_user(world)
        elif world.maybe(chaotic):
            event = chaos(world)
        else:
            event = next(told)
        if world.maybe(world.spoiled):
            event = spoil(world, event)
        events.append(event)
        # Terra delivers at least once: the same delivery again, or (without a trace id) the same payload at another
        # time. An event with a trace id is repeated unchanged, so that it does not matter which copy comes first.
        # Another payload under the same trace id is another event.
        trace_id = read(event).trace_id
        if trace_id is not None and world.maybe(world.again):
            events.append(event._replace(payload=next(told).payload))
        while len(events) < wanted and world.maybe(0.1):
            again = event
            if trace_id is None and world.maybe(0.5):
                again = event._replace(received_at=world.tick(rng.randrange(72)))
            events.append(again)
    policy = rng.choice(["keep", "replace"])
    accepted = {(provider, str(account).strip()) for provider in world.providers for account in world.accounts
                if provider and world.maybe(0.1)}
    return History(seed, index, policy, tuple(events),
                   rng.choice(["report", "disconnect_older", "disconnect_older", "disconnect_newer"]),
                   frozenset(accepted), rng.choice(["everything", "everything", "no data", "few events"]))


def met_in(history):
    """The names of the interesting cases that occur in the final state of a history."""
    result = state(history.events, history.policy, unusable_providers=UNUSABLE_PROVIDERS,
                   on_duplicate=history.on_duplicate, accepted=history.accepted)
    readings = [read(event) for event in history.events]
    replacements = [m for r in readings for m in r.mentions if m.role == "old_user"]
    reauths = {(m.user_id, m.replaced_by) for m in replacements}
    said = collections.defaultdict(set)
    for m in replacements:
        said[m.user_id, m.replaced_by].add(m.other_person)
    payloads = [json.dumps([event.payload]) for event in history.events]
    olds, news = collections.Counter(old for old, _ in reauths), collections.Counter(new for _, new in reauths)

    def leads_to(start):
        reached, grown = set(), {new for old, new in reauths if old == start}
        while not grown <= reached:
            reached |= grown
            grown = {new for old, new in reauths if old in reached}
        return reached

    rows = result.connections.values()
    mentions = [m for r in readings for m in r.mentions]
    own = {m.user_id for m in mentions if m.provider_user_id}
    ends = {m.user_id for m in mentions if m.role == "old_user" or m.type in ("deauth", "access_revoked")
            or m.type == "auth" and not m.success}
    met = {f"status {row['status']}" for row in rows} | {f"problem: {why}" for _, why in result.problems}
    checks = {
        f"policy {history.policy}": True,
        "duplicates": result.duplicates,
        f"on_duplicate {history.on_duplicate}": True,
        "disconnects": result.disconnects,
        "a crowd": any(row["connections"] >= CROWD for row in result.duplicates),
        "an accepted duplicate": any((row["provider"], row["provider_user_id"]) in history.accepted
                                     for row in result.duplicates),
        "transfers": result.transfers,
        "shared references": result.shared_references,
        "degraded": any(row["degraded"] for row in result.current),
        "not confirmed": any(not row["confirmed"] for row in rows),
        "reauth": reauths,
        "reauth cycle": any(old in leads_to(old) for old, _ in reauths),
        "reauth fork": any(count > 1 for count in olds.values()),
        "reauth fan-in": any(count > 1 for count in news.values()),
        "reauth to oneself or from nobody": any(r.mentions and r.mentions[0].type == "user_reauth"
                                                and len(r.mentions) == 1
                                                for r in readings),
        "inherited provider_user_id": any(row["provider_user_id"] and row["user_id"] not in own for row in rows),
        "revived": any(row["user_id"] in ends and row["status"] in ("active", "superseded") for row in rows),
        "superseded by one that is not active": any(
            row["status"] == "superseded" and result.connections[row["successor_user_id"]]["status"] != "active"
            for row in rows),
        "superseded by the reference slot": any(
            row["status"] == "superseded" and result.connections[row["successor_user_id"]]["provider_user_id"]
            != row["provider_user_id"] for row in rows),
        "lineage of three or more": any(len(lineage) > 2 for lineage in result.lineages),
        "lineage with several active": any(
            sum(result.connections[u]["status"] == "active" for u in lineage) > 1 for lineage in result.lineages),
        "lineage across end users": any(
            len({result.connections[u]["reference_id"] for u in lineage}) > 1 for lineage in result.lineages),
        "resolves to nothing": any(found is None for found in result.resolve.values()),
        "resolves to another": any(found not in (None, asked) for asked, found in result.resolve.items()),
        "equal connected_at": len({row["connected_at"] for row in rows}) < len(rows),
        "no provider": any(row["provider"] is None for row in rows),
        "no reference_id": any(row["reference_id"] is None for row in rows),
        "repeated trace id": result.stored < len(history.events),
        "another payload under one trace id": result.stored > len({r.trace_id for r in readings if r.trace_id})
        + sum(r.trace_id is None for r in readings),
        "reauth between two people": {True} in said.values(),
        "reauth between two people, or not": {True, False} in said.values(),
        "transfer by reauth": any(result.connections[row["from_user_id"]]["status"] == "replaced"
                                  for row in result.transfers),
        "not dated": any(not row["dated"] for row in rows),
        "connected_at brought forward": any(
            row["connected_at"] != (row["created_at"] or row["first_seen_at"]) for row in rows),
        "active, but not the newest of its lineage": any(
            len({result.resolve[user_id] for user_id in lineage}) > 1 for lineage in result.lineages),
        "transfer by the account": any(result.connections[row["from_user_id"]]["status"] == "superseded"
                                       for row in result.transfers),
        "account of an unusable provider": any(row["provider"] in UNUSABLE_PROVIDERS and row["provider_user_id"]
                                               for row in rows),
        "integer reference_id": any('"reference_id": 100' in payload for payload in payloads),
        "year 1": any('"0001-01-01' in payload for payload in payloads),
        "athlete in an array": any('"athlete": [' in payload for payload in payloads),
        "data is an object": any('"data": {' in payload for payload in payloads),
        "the account changes": any(
            len({m.provider_user_id for m in mentions if m.user_id == u and m.provider_user_id}) > 1 for u in own),
        "the reference_id changes": any(
            len({m.reference_id for m in mentions if m.user_id == u and m.reference_id}) > 1
            for u in result.connections),
        "the provider changes": any(
            len({m.provider for m in mentions if m.user_id == u and m.provider}) > 1 for u in result.connections),
    }
    return met | {name for name, found in checks.items() if found}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--statistics", action="store_true", required=True)
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    histories = [history(options.seed, index) for index in range(options.histories)]
    met = collections.Counter(name for h in histories for name in met_in(h))
    events = sum(len(h.events) for h in histories)
    print(f"{len(histories)} histories, {events / len(histories):.1f} events each; share of them in which there is:")
    for name, count in sorted(met.items()):
        print(f"{100 * count / len(histories):5.1f} %  {name}")


if __name__ == "__main__":
    main()
