"""
Plausible stories: what Terra sends when people connect, reconnect, change devices, share accounts and leave.

tell(world) yields events without end, in the order in which they happened. World.deliver() and the caller delay, repeat
and shuffle them.
"""

from datetime import date, timedelta

DATA_TYPES = ["activity", "body", "daily", "sleep", "nutrition", "menstruation", "planned_workout", "hormone",
              "health_observation", "google_no_datasource", "large_request_processing", "large_request_sending",
              "processing", "rate_limit_hit", "a_new_type"]
SDK = ("APPLE", "SAMSUNG", "HEALTH_CONNECT")


class Connected:
    """One connection as Terra stores it."""

    def __init__(self, user_id, person, provider, account, since):
        self.user_id, self.person, self.provider, self.account, self.since = user_id, person, provider, account, since


def tell(world):
    rng = world.rng
    told = Told(world)
    while True:
        yield from rng.choice([
            told.connect, told.connect, told.reconnect, told.reconnect, told.same_account_other_person,
            told.same_account_other_person, told.same_account_other_person, told.other_account, told.reconnect_silently,
            told.leave, told.revoke, told.fail, told.connection_error, told.connection_error, told.permission_change,
            told.data,
            told.data, told.rename, told.chain, told.disorder, told.hand_over])()


class Told:
    def __init__(self, world):
        self.world, self.rng = world, world.rng
        self.now = 0                 # in ticks
        self.connected = []
        self.unused = list(world.user_ids)

    # What happens:

    def connect(self, person=..., provider=..., account=None, old=None):
        """A new connection, of anyone or as given; `old` is what it replaces by user_reauth."""
        rng = self.rng
        self.now = (self.now + rng.randrange(3)) % self.world.ticks
        user_id = self.unused.pop(0) if self.unused else rng.choice(self.world.user_ids)
        new = Connected(user_id, rng.choice(self.world.reference_ids) if person is ... else person,
                        rng.choice(self.world.providers) if provider is ... else provider,
                        account if account is not None else rng.choice(self.world.accounts), self.now)
        sent = [self.auth(new)] * (rng.random() < 0.9)
        if old:
            sent.append(self.replacement(old, new))
        if rng.random() < 0.8:
            sent.append(self.athlete(new))
        if old and rng.random() < 0.4:
            sent.append(self.send({"type": "deauth", "status": "success", "user": self.user(old)}))
            if old in self.connected:
                self.connected.remove(old)
        if old and rng.random() < 0.3:  # an event of the old connection that comes late
            sent.append(rng.choice([self.passing, self.passing, self.auth, self.athlete])(old))
        if rng.random() < 0.3:
            sent.append(self.passing(new))
        self.connected.append(new)
        return sent or [self.passing(new)]

    def reconnect(self):
        old = self.anyone()
        return self.connect(old.person, old.provider, old.account, old) if old else self.connect()

    def chain(self):
        """Several reconnects, of which most get no athlete event."""
        sent = self.connect()
        for _ in range(self.rng.randint(1, 3)):
            last = self.connected[-1]
            following = self.connect(last.person, last.provider, last.account, last)
            sent += [event for event in following if "athlete" not in (event.payload or {}) or self.rng.random() < 0.2]
        return sent

    def disorder(self):
        """Reconnects, one after another or in a circle, whose times are equal or in reverse order."""
        rng, first = self.rng, self.anyone()
        if not first:
            return self.connect()
        since = rng.randrange(self.world.ticks)
        chain = [Connected(rng.choice(self.world.user_ids), first.person, first.provider, first.account,
                           since if rng.random() < 0.5 else rng.randrange(self.world.ticks))
                           for _ in range(rng.randint(2, 5))]
        chain += [chain[0]] * (rng.random() < 0.2)
        sent = [self.replacement(old, new) for old, new in zip(chain, chain[1:])]
        for connection in chain:
            sent += [self.auth(connection)] * (rng.random() < 0.5) + [self.athlete(connection)] * (rng.random() < 0.4)
            sent += [self.passing(connection)] * (rng.random() < 0.4)
        self.connected.append(chain[-1])
        return sent

    def hand_over(self):
        """
        A user_reauth from one person to another. The same may come again without the reference_id of one of the two.
        """
        rng, old = self.rng, self.anyone()
        if not old:
            return self.connect()
        new = Connected(rng.choice(self.world.user_ids), rng.choice(self.world.reference_ids), old.provider,
                        old.account,
                        self.now)
        if rng.random() < 0.7:
            new.person = {"ann": "bob"}.get(old.person, "ann")
        sent = [self.replacement(old, new)]
        if rng.random() < 0.3:
            sent.append(self.replacement(old, new, nameless=rng.choice([["old_user"], ["new_user"],
                                                                        ["old_user", "new_user"]])))
        if rng.random() < 0.7:
            sent += rng.choice([[self.auth(new)], [self.athlete(new)], [self.auth(new), self.athlete(new)],
                                [self.athlete(old)]])
        self.connected.append(new)
        return sent

    def reconnect_silently(self):
        """A new connection after a deauth or a lost user_reauth, which only the account links to the old one."""
        old = self.anyone()
        return self.connect(old.person, old.provider, old.account) if old else self.connect()

    def same_account_other_person(self):
        old = self.anyone()
        if not old:
            return self.connect()
        return self.connect(self.rng.choice(self.world.reference_ids), old.provider, old.account,
                            old if self.rng.random() < 0.1 else None)

    def other_account(self):
        """A second account of one person; for an SDK provider another device, which replaces the first."""
        old = self.anyone()
        if not old:
            return self.connect()
        reauth = old.provider in SDK and self.rng.random() < 0.6
        return self.connect(old.person, old.provider, self.rng.choice(self.world.accounts), old if reauth else None)

    def leave(self):
        return self.ending({"type": "deauth", "status": "success"})

    def revoke(self):
        return self.ending({"type": "access_revoked", "status": "warning"})

    def fail(self):
        return self.ending({"type": "auth", "status": "error", "reason": "failed to authenticate and has been deleted"})

    def ending(self, payload):
        gone = self.anyone()
        if not gone or self.rng.random() < 0.3:
            return self.connect()
        if self.rng.random() < 0.7:
            self.connected.remove(gone)
        return [self.send({**payload, "user": self.user(gone)})]

    def connection_error(self):
        """A connection_error, after which progress notices do not end the degraded state, but data may."""
        someone = self.anyone()
        if not someone:
            return []
        sent = [self.send({"type": "connection_error", "status": "warning", "user": self.user(someone)})]
        if self.rng.random() < 0.5:
            sent.append(self.send({"type": "large_request_processing", "user": self.user(someone), "reference": "r"}))
        if self.rng.random() < 0.2:
            sent.append(self.passing(someone))
        return sent

    def permission_change(self):
        someone = self.anyone()
        if not someone:
            return []
        return [self.send({"type": "permission_change", "status": "warning", "scopes_added": "B", "scopes_removed": "",
                           "user": {**self.user(someone), "scopes": self.rng.choice(["A", "A,B", "B"])}})]

    def data(self):
        someone = self.anyone()
        return [self.passing(someone)] if someone else []

    def rename(self):
        """From now on a user_id comes with another reference_id."""
        someone = self.anyone()
        if not someone or self.rng.random() < 0.5:
            return []
        someone.person = self.rng.choice(self.world.reference_ids)
        return [self.rng.choice([self.passing, self.auth, self.athlete])(someone)]

    # What Terra sends for these:

    def auth(self, connection):
        payload = {"type": "auth", "status": "success", "user": self.user(connection)}
        if self.rng.random() < 0.3:
            payload["reference_id"] = connection.person
            if self.rng.random() < 0.5:
                payload["user"].pop("reference_id", None)
        return self.send(payload)

    def replacement(self, old, new, nameless=()):
        """A user_reauth. `nameless` are the users in it that have no reference_id."""
        payload = {"type": "user_reauth", "status": "warning", "new_user": self.user(new), "old_user": self.user(old)}
        for name in nameless:
            payload[name].pop("reference_id", None)
        if self.rng.random() < 0.05:
            payload["reference_id"] = self.rng.choice([old, new]).person
        return self.send(payload)

    def athlete(self, connection):
        payload = {"type": "athlete", "user": self.user(connection)}
        put_account(self.world, payload, connection.account)
        if isinstance(payload.get("athlete"), (dict, list)) and self.rng.random() < 0.15:
            payload["type"] = None
        return self.send(payload)

    def passing(self, connection):
        return self.send({"type": self.rng.choice(DATA_TYPES), "user": self.user(connection), "data": []})

    def user(self, connection):
        return self.world.user(connection.user_id, connection.provider, connection.person,
                               self.world.tick(connection.since))

    def send(self, payload):
        self.now = (self.now + (self.rng.random() < 0.5)) % self.world.ticks
        return self.world.deliver(payload, self.world.tick(self.now))

    def anyone(self):
        return self.rng.choice(self.connected) if self.connected else None


def put_account(world, payload, account):
    """Adds the provider account in one of the places where Terra sends it."""
    rng = world.rng
    place = rng.choice(["athlete"] * 6 + ["array", "data", "data object", "both", "odd"])
    payload["athlete"] = {"first_name": "Ann"}
    if place in ("athlete", "both"):
        payload["athlete"]["provider_user_id"] = account
    if place == "array":
        payload["athlete"] = rng.choice([[], [None, "Ann"]]) + [{"provider_user_id": account},
                                                                {"provider_user_id": "last"}]
    if place == "both":
        payload["data"] = rng.choice([[{"provider_user_id": rng.choice(world.accounts)}], {"provider_user_id": "last"}])
    if place == "data":
        payload["data"] = [None, {}, {"provider_user_id": " "}, {"provider_user_id": account},
                           {"provider_user_id": "last"}]
        payload["athlete"] = rng.choice([{}, {"provider_user_id": None}, {"provider_user_id": ""}, "Ann", None, [],
                                         [{}, {"provider_user_id": "second"}]])
    if place == "data object":
        payload["data"] = {"first_name": "Ann", "provider_user_id": account}
        payload["athlete"] = rng.choice([None, {}, [], [None, {"provider_user_id": " "}]])
    if place == "odd":
        payload["athlete"] = rng.choice([{}, "Ann", None, [], [account], [[{"provider_user_id": account}]]])
        payload["data"] = rng.choice([{}, "x", None, {"provider_user_id": None},
                                      {"athlete": {"provider_user_id": account}},
                                      [account], [[{"provider_user_id": account}]]])


def date_of(days_since_1970):
    return str(date(1970, 1, 1) + timedelta(days=days_since_1970))
