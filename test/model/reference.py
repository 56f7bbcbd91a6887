"""
The reference model: the final state of one environment, computed at once from the whole set of its events.

state() follows docs/rules.md sentence by sentence, by brute force. The extension computes the same state step by step,
and the tests compare the two. reading.py reads the single events.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple, Optional

from reading import CURES, DATA, Event, read  # noqa: F401  (Event is part of this module's face)

SDK_PROVIDERS = frozenset({"APPLE", "SAMSUNG", "HEALTH_CONNECT", "GOOGLEFIT", "FREESTYLELIBRESDK"})
CROWD = 5  # from so many active connections on, nobody of an account is disconnected
ENDINGS = ("replaced", "deauthenticated", "revoked", "failed")  # the first that applies is the status


class Connection(NamedTuple):
    """The facts of one connection, from its own events alone."""
    user_id: str
    provider: Optional[str]
    reference_id: Optional[str]
    scopes: Optional[str]
    own_provider_user_id: Optional[str]
    created_at: Optional[int]
    first_seen_at: int
    connected_at: int             # from its own events, without regard to the connections that replaced it
    live: bool
    confirmed: bool
    ended_facts: dict             # ending -> time, for the endings that it has
    replaced_by: Optional[str]
    ended: bool
    degraded: bool
    last_event_at: Optional[int]
    last_data_at: Optional[int]
    same_person_as: Optional[str]  # what corrections say; '' if that was taken back

    @property
    def dated(self):
        """Whether it is known since when the connection exists: passing events alone do not state it."""
        return self.created_at is not None or self.confirmed

    @property
    def age(self):
        """Its place in the order of newness: the newer connection has the greater tuple."""
        return (self.dated, self.connected_at, self.user_id)


@dataclass
class State:
    connections: dict = field(default_factory=dict)   # user_id -> the columns of `connections`
    lineages: set = field(default_factory=set)        # frozensets of user_ids
    resolve: dict = field(default_factory=dict)       # user_id -> user_id or None
    histories: list = field(default_factory=list)     # whose each connection was, from when to when
    user_ids: list = field(default_factory=list)      # (reference_id, provider or None for all) -> user_ids
    current: list = field(default_factory=list)
    duplicates: list = field(default_factory=list)
    disconnects: list = field(default_factory=list)
    transfers: list = field(default_factory=list)
    shared_references: list = field(default_factory=list)
    unidentified: list = field(default_factory=list)
    freshness: list = field(default_factory=list)
    problems: list = field(default_factory=list)      # (event, problem)
    stored: int = 0                                   # rows in the ledger


def state(events, policy="keep", sdk_providers=SDK_PROVIDERS, unusable_providers=frozenset(), on_duplicate="report",
          accepted=frozenset()):
    readings = [read(event) for event in events]
    mentions = {mention for reading in readings for mention in reading.mentions}
    facts = {user_id: facts_of(user_id, mentions) for user_id in sorted({m.user_id for m in mentions})}
    replacements = [m for m in mentions if m.role == "old_user"]
    reauths = {(m.user_id, m.replaced_by) for m in replacements}
    of_one_person = {(m.user_id, m.replaced_by) for m in replacements if not m.other_person}
    cycles = {user_id: cycle_of(user_id, reauths) for user_id in facts}
    facts = brought_forward(facts, reauths, cycles)

    accounts = effective_provider_user_ids(facts, reauths, cycles, sdk_providers)
    account_slots = {c.user_id: account_slot(c, accounts[c.user_id], policy, sdk_providers, unusable_providers)
                     for c in facts.values()}
    slots = {c.user_id: account_slots[c.user_id] | reference_slot(c, sdk_providers) for c in facts.values()}

    def superseders(c):
        return [d for d in facts.values() if d.live and d.age > c.age and slots[c.user_id] & slots[d.user_id]]

    superseded_by = {c.user_id: min(superseders(c), key=lambda d: d.age) for c in facts.values() if superseders(c)}

    def status(c):
        if c.ended:
            return next(ending for ending in ENDINGS if ending in c.ended_facts)
        return "superseded" if c.user_id in superseded_by else "active"

    def successor(c):
        return {"replaced": c.replaced_by,
                "superseded": superseded_by[c.user_id].user_id if c.user_id in superseded_by else None,
                }.get(status(c))

    def ended_at(c):
        if status(c) == "active":
            return None
        return superseded_by[c.user_id].connected_at if status(c) == "superseded" else c.ended_facts[status(c)]

    def may_be_one(a, b):
        return a.reference_id == b.reference_id and (None in (a.provider, b.provider) or a.provider == b.provider)

    corrected = {(c.user_id, c.same_person_as) for c in facts.values()
                 if c.same_person_as and may_be_one(c, facts[c.same_person_as])}
    linked = of_one_person | corrected | {(c.user_id, d.user_id) for c in facts.values() for d in facts.values()
                        if c.reference_id == d.reference_id and slots[c.user_id] & slots[d.user_id]}
    lineages = components(facts, linked)
    active = [c for c in facts.values() if status(c) == "active"]

    def newest(connections):
        return max(connections, key=lambda c: c.age, default=None)

    def resolved(user_id, lineage):
        """The user_id itself if it is active, else the newest active one of its lineage."""
        if facts[user_id] in active:
            return user_id
        found = newest(c for c in active if c.user_id in lineage)
        return found and found.user_id

    def actives_of_account(c):
        """The active connections of c's provider account, under any reference_id."""
        return [d for d in active if d.provider == c.provider and accounts[d.user_id] == accounts[c.user_id]]

    def several_end_users(c):
        return (c.provider is not None and c.provider not in unusable_providers and accounts[c.user_id] is not None
                and len({d.reference_id for d in actives_of_account(c)}) > 1)

    def is_disconnected(c):
        """Whether somebody else's newer (older) connection of the account is the one that stays."""
        there = actives_of_account(c)
        known = [d for d in there if d.reference_id is not None and d.dated]
        if (on_duplicate == "report" or not several_end_users(c) or len(there) >= CROWD or c not in known
                or c.provider in sdk_providers or (c.provider, accounts[c.user_id]) in accepted):
            return False
        stays = (max if on_duplicate == "disconnect_older" else min)(known, key=lambda d: d.age)
        return c.reference_id != stays.reference_id

    def actives_of_reference(reference_id, provider):
        return sorted((c for c in active if (c.reference_id, c.provider) == (reference_id, provider)),
                      key=lambda c: c.age)

    def ids_of(reference_id, provider):
        """Her own connections, and those without a person in lineages that have no other person."""
        return sorted(
            c.user_id for lineage in lineages for c in map(facts.get, lineage)
            if reference_id in {facts[member].reference_id for member in lineage}
            and (c.reference_id == reference_id or c.reference_id is None
                 and {facts[member].reference_id for member in lineage} == {reference_id, None})
            and provider in (None, c.provider))

    def transferred_to(c):
        """The connection of another person to which the account moved, or None."""
        if status(c) == "replaced" and (c.user_id, c.replaced_by) not in of_one_person:
            return facts[c.replaced_by]
        if status(c) == "superseded":
            to = superseded_by[c.user_id]
            if account_slots[c.user_id] & account_slots[to.user_id] and c.reference_id != to.reference_id:
                return to
        return None

    return State(
        connections={c.user_id: dict(
            user_id=c.user_id, reference_id=c.reference_id, provider=c.provider,
            provider_user_id=accounts[c.user_id], status=status(c), successor_user_id=successor(c),
            confirmed=c.confirmed, dated=c.dated, scopes=c.scopes, created_at=c.created_at,
            first_seen_at=c.first_seen_at,
            connected_at=c.connected_at, ended_at=ended_at(c)) for c in facts.values()},
        lineages=lineages,
        resolve={user_id: resolved(user_id, lineage) for lineage in lineages for user_id in lineage},
        histories=[dict(user_id=user_id, **period) for user_id in facts
                   for period in history_of(user_id, mentions, facts[user_id].reference_id)],
        user_ids=[dict(reference_id=reference_id, provider=provider, user_ids=ids_of(reference_id, provider))
                  for reference_id in {c.reference_id for c in facts.values()} - {None}
                  for provider in {c.provider for c in facts.values()} | {None}],
        current=[dict(
            user_id=c.user_id, reference_id=c.reference_id, provider=c.provider,
            provider_user_id=accounts[c.user_id], connected_at=c.connected_at, scopes=c.scopes,
            confirmed=c.confirmed, degraded=c.degraded) for c in active],
        duplicates=[dict(
            provider=c.provider, provider_user_id=accounts[c.user_id], user_id=c.user_id,
            reference_id=c.reference_id, connected_at=c.connected_at,
            newest=c is newest(actives_of_account(c)),
            connections=len(actives_of_account(c))) for c in active if several_end_users(c)],
        disconnects=[dict(user_id=c.user_id, provider=c.provider, provider_user_id=accounts[c.user_id])
                     for c in active if is_disconnected(c)],
        transfers=[dict(
            provider=c.provider, provider_user_id=accounts[c.user_id],
            from_reference_id=c.reference_id, from_user_id=c.user_id,
            to_reference_id=transferred_to(c).reference_id, to_user_id=transferred_to(c).user_id,
            transferred_at=ended_at(c)) for c in facts.values() if transferred_to(c)],
        shared_references=[dict(
            reference_id=reference_id, provider=provider,
            user_ids=[c.user_id for c in actives_of_reference(reference_id, provider)])
            for reference_id, provider in {(c.reference_id, c.provider) for c in active}
            if reference_id is not None and provider is not None
            and len(actives_of_reference(reference_id, provider)) > 1],
        unidentified=[dict(user_id=c.user_id, reference_id=c.reference_id, provider=c.provider,
                           sdk=c.provider in sdk_providers)
                      for c in active if accounts[c.user_id] is None and c.provider not in unusable_providers],
        freshness=[dict(user_id=c.user_id, reference_id=c.reference_id, last_event_at=c.last_event_at,
                        last_data_at=c.last_data_at) for c in active],
        problems=[(event, reading.problem) for event, reading in zip(events, readings) if reading.problem],
        stored=len({(reading.trace_id, json.dumps(event.payload, sort_keys=True))
                    for event, reading in zip(events, readings) if reading.trace_id})
        + sum(reading.trace_id is None for reading in readings))


def facts_of(user_id, all_mentions):
    mine = [m for m in all_mentions if m.user_id == user_id]
    connected = [m for m in mine if m.success or m.role == "new_user"]
    said_active = [m for m in mine if m.correction == "active" or m.listed == "alive"]
    endings = {
        "replaced": [m.time for m in mine if m.role == "old_user"],
        "deauthenticated": [m.time for m in mine if m.type == "deauth" or m.correction == "ended"
                            or m.listed == "deauthenticated"],
        "revoked": [m.time for m in mine if m.type == "access_revoked" or m.listed == "revoked"],
        "failed": [m.time for m in mine if m.type == "auth" and not m.success]}
    ended_facts = {ending: max(times) for ending, times in endings.items() if times}
    alive_at = latest([m.created_at if m.ordering is None else m.ordering for m in connected]
                      + [m.time for m in said_active])
    created_at = earliest(m.created_at for m in mine)
    first_seen_at = min(m.time for m in mine)
    degraded_at = latest(m.time for m in mine if m.type == "connection_error")

    def writer(column):
        identity = [(m.time, getattr(m, column)) for m in mine if m.identity and getattr(m, column)]
        passing = [(m.time, getattr(m, column)) for m in mine if not m.identity and getattr(m, column)]
        return max(identity)[1] if identity else min(passing)[1] if passing else None

    return Connection(
        user_id=user_id,
        provider=writer("provider"),
        reference_id=writer("reference_id"),
        scopes=writer("scopes"),
        own_provider_user_id=writer("provider_user_id"),
        created_at=created_at,
        first_seen_at=first_seen_at,
        connected_at=first_seen_at if created_at is None else created_at,
        live=bool(said_active) or any(m.success or m.role == "new_user" or m.listed == "known"
                 or m.role == "user" and m.type not in {"auth", "deauth", "access_revoked"} for m in mine),
        confirmed=bool(connected) or any(m.listed for m in mine),
        ended_facts=ended_facts,
        replaced_by=max(((m.time, m.replaced_by) for m in mine if m.role == "old_user"), default=(0, None))[1],
        ended=bool(ended_facts) and (alive_at is None or alive_at <= max(ended_facts.values())),
        degraded=degraded_at is not None and not any(
            m.time > degraded_at for m in mine if m.role != "old_user" and m.type in CURES),
        last_event_at=latest(m.time for m in mine if m.role in ("user", "new_user")),
        last_data_at=latest(m.time for m in mine if m.role != "old_user" and m.type in DATA),
        same_person_as=max(((m.time, m.same_person_as) for m in mine if m.same_person_as is not None),
                           default=(0, None))[1])


def history_of(user_id, mentions, known):
    """
    Whose the connection was: at each time the last writer among its identity events, and before them the first; at
    equal times the greater value. `known` is its reference_id, for a connection that no identity event gives one.
    """
    written = {(m.time, m.reference_id) for m in mentions if m.user_id == user_id and m.identity and m.reference_id}
    if not written:
        return [{"reference_id": known, "from": None, "to": None}] if known else []

    def at(time):
        return max(w for w in written if w[0] <= time)[1]

    times = sorted({time for time, _ in written})
    changes = [time for before, time in zip(times, times[1:]) if at(before) != at(time)]
    return [{"reference_id": at(times[0] if begin is None else begin), "from": begin, "to": end}
            for begin, end in zip([None, *changes], [*changes, None])]


def cycle_of(user_id, reauths):
    """The members of the cycle that the connection is on; only itself if it is on none."""
    def reached(start, arrows):
        grown = start | {b for a, b in arrows if a in start}
        return start if grown == start else reached(grown, arrows)
    start = frozenset({user_id})
    return reached(start, reauths) & reached(start, {(new, old) for old, new in reauths})


def brought_forward(facts, reauths, cycles):
    """
    connected_at of every connection: before that of each connection that replaced it, except between members of a
    cycle.
    """
    connected_at = {c.user_id: c.connected_at for c in facts.values()}
    bound = {(old, new) for old, new in reauths if old not in cycles[new]}
    while any(connected_at[old] >= connected_at[new] for old, new in bound):
        for old, new in bound:
            connected_at[old] = min(connected_at[old], connected_at[new] - 1)
    return {c.user_id: c._replace(connected_at=connected_at[c.user_id]) for c in facts.values()}


def effective_provider_user_ids(facts, reauths, cycles, sdk_providers):
    """
    The effective provider_user_id: a connection's own; else, if its provider is no SDK provider, that of the newest
    predecessor that has one. The members of a cycle share one: the own one of the newest member that has one, else that
    of the newest predecessor of any member; predecessors of an SDK member do not count. (A connection that is on no
    cycle is treated as the only member of one.)
    """
    @cache
    def effective(user_id):
        if facts[user_id].own_provider_user_id is not None or facts[user_id].provider in sdk_providers:
            return facts[user_id].own_provider_user_id
        cycle = cycles[user_id]
        owners = [facts[member] for member in cycle if facts[member].own_provider_user_id is not None]
        if owners:
            return max(owners, key=lambda c: c.age).own_provider_user_id
        heirs = {member for member in cycle if facts[member].provider not in sdk_providers}
        predecessors = [facts[old] for old, new in reauths if new in heirs and old not in cycle
                        and effective(old) is not None]
        return effective(max(predecessors, key=lambda c: c.age).user_id) if predecessors else None

    return {user_id: effective(user_id) for user_id in facts}


def account_slot(c, provider_user_id, policy, sdk_providers, unusable_providers):
    """
    The account slot, if any. An SDK provider's account is a device, which a family may share: its slot always has the
    reference_id.
    """
    if provider_user_id is None or c.provider is None or c.provider in unusable_providers:
        return frozenset()
    owner = () if policy == "replace" and c.provider not in sdk_providers else (c.reference_id,)
    return frozenset({("account", c.provider, provider_user_id) + owner})


def reference_slot(c, sdk_providers):
    if c.provider not in sdk_providers or c.reference_id is None:
        return frozenset()
    return frozenset({("reference", c.provider, c.reference_id)})


def components(nodes, links):
    """The connected components of an undirected graph, as frozensets."""
    def grow(component):
        grown = component | {b for a, b in links if a in component} | {a for a, b in links if b in component}
        return component if grown == component else grow(grown)
    return {grow(frozenset({node})) for node in nodes}


def latest(times):
    return max((time for time in times if time is not None), default=None)


def earliest(times):
    return min((time for time in times if time is not None), default=None)
