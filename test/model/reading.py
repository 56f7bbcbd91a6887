"""
Reads one event: the second, independent implementation of "Reading a payload" in docs/rules.md.

read() turns (payload, headers, received_at) into a Reading: either a `problem`, or the mentions that the event makes of
connections. Times are whole microseconds since 1970. Nothing here depends on any other event.
"""

import re
from datetime import datetime
from typing import Any, NamedTuple, Optional

IDENTITY_TYPES = {"auth", "user_reauth", "deauth", "access_revoked", "permission_change", "connection_error", "athlete"}
PASSING_TYPES = {"activity", "body", "daily", "sleep", "nutrition", "menstruation", "planned_workout", "hormone",
                 "health_observation", "google_no_datasource", "large_request_processing", "large_request_sending",
                 "processing", "rate_limit_hit"}
DATA = {"activity", "body", "daily", "sleep", "nutrition", "menstruation", "planned_workout", "hormone",
        "health_observation"}
# The event types that end a degraded state after a connection_error. Progress notices and unknown types do not.
CURES = DATA | {"athlete", "auth", "user_reauth"}
DAY = 24 * 3600 * 1_000_000
EARLIEST = 1_420_070_400 * 1_000_000  # 2015-01-01T00:00:00Z
LONGEST = 512  # bytes, after trimming
INTEGERS = range(-2**63, 2**64)       # of 64 bits, signed or unsigned
WHITE_SPACE = " \t\n\r\v\f"


class Event(NamedTuple):
    payload: Any
    headers: Any  # None: the column is null
    received_at: int
    entered: bool = False         # correct() or import_users() inserted it: nothing in a payload can say so


class Mention(NamedTuple):
    """One mention of a connection by one event, and what the event states about it."""
    user_id: str
    role: str                     # 'user', 'new_user' or 'old_user'; 'corrected' or 'other'; 'imported'
    type: str
    identity: bool                # an identity event, not a passing one
    success: bool                 # an `auth` with status success
    time: int                     # the event time
    ordering: Optional[int]
    created_at: Optional[int]
    provider: Optional[str]
    reference_id: Optional[str]
    scopes: Optional[str]
    provider_user_id: Optional[str]
    replaced_by: Optional[str]    # for 'old_user': the user_id of the new one
    other_person: bool            # for 'old_user': both users have a reference_id, and these differ
    correction: Optional[str] = None      # for 'corrected': what a person says of it
    same_person_as: Optional[str] = None  # for 'corrected': the other user_id, or '' if that is taken back
    listed: Optional[str] = None          # for 'imported': 'alive', 'known', 'deauthenticated' or 'revoked'


class Reading(NamedTuple):
    problem: Optional[str]
    trace_id: Optional[str]
    mentions: tuple


class Problem(Exception):
    """Raised if the payload is not what its type needs."""


def read(event):
    if event.entered:
        return entered(event)
    ordering = ordering_timestamp(event.headers, event.received_at)
    trace_id = header(event.headers, "x-terra-trace-id", str)
    trace_id = None if trace_id is None else trimmed(trace_id)
    if trace_id is not None and len(trace_id.encode()) > LONGEST:
        return Reading("trace id too long", None, ())
    try:
        return Reading(None, trace_id, tuple(mentions(event, ordering)))
    except Problem as problem:
        return Reading(str(problem), trace_id, ())


def entered(event):
    if event.payload["type"] == "correction":
        return Reading(None, None, tuple(correction(event)))
    try:
        return Reading(None, None, (imported(event),))
    except Problem as problem:
        return Reading(str(problem), None, ())


def imported(event):
    """What Terra's list of users says of one, at the time at which it was taken."""
    user = user_object(event.payload, "user")

    def text(name):
        return trimmed(user[name]) if isinstance(user.get(name), str) else None

    if text("state"):
        listed = {"active": "alive", "deauth": "deauthenticated", "user_reauth": "deauthenticated",
                  "access_revoked": "revoked"}.get(text("state"), "known")
    else:
        listed = "known" if False in [user.get("active") is not False,
                                      event.payload.get("is_authenticated") is not False] else "alive"
    return Mention(user_id=identifier(user, "user_id"), role="imported", type="import", identity=True, success=False,
                   time=event.received_at, ordering=None, created_at=created_at(user.get("created_at"),
                                                                                event.received_at),
                   provider=ascii_upper(identifier(user, "provider")),
                   reference_id=text_or_integer(user, "reference_id"), scopes=text("scopes") or text("granted_scopes"),
                   provider_user_id=None, replaced_by=None, other_person=False, listed=listed)


def correction(event):
    said = event.payload["correction"]
    nothing = dict(type="correction", identity=True, success=False, time=event.received_at, ordering=None,
                   created_at=None, provider=None, reference_id=None, scopes=None, provider_user_id=None,
                   replaced_by=None, other_person=False)
    other = said.get("other_user_id")
    yield Mention(user_id=event.payload["user"]["user_id"], role="corrected", correction=said["what"],
                  same_person_as={"same_person_as": other, "not_same_person_as": ""}.get(said["what"]), **nothing)
    if other is not None:
        yield Mention(user_id=other, role="other", **nothing)


def mentions(event, ordering):
    payload = event.payload
    if not isinstance(payload, dict):
        raise Problem("payload is not an object")
    type_ = event_type(payload)
    if type_ not in IDENTITY_TYPES | PASSING_TYPES and payload.get("user") is None:
        return []

    common = dict(type=type_, identity=type_ in IDENTITY_TYPES, ordering=ordering,
                  time=event.received_at if ordering is None else ordering,
                  success=False, provider_user_id=None, replaced_by=None, other_person=False)
    top_reference_id = text_or_integer(payload, "reference_id")

    def mention(role, user):
        return Mention(**{**common,
                          "role": role,
                          "user_id": identifier(user, "user_id"),
                          "provider": ascii_upper(identifier(user, "provider")),
                          "reference_id": text_or_integer(user, "reference_id") or top_reference_id,
                          "scopes": trimmed(user["scopes"]) if isinstance(user.get("scopes"), str) else None,
                          "created_at": created_at(user.get("created_at"), event.received_at)})

    if type_ == "user_reauth":
        new = mention("new_user", user_object(payload, "new_user"))
        if payload.get("old_user") is None:
            return [new]
        if not isinstance(payload["old_user"], dict):
            raise Problem("old_user is neither null nor an object")
        if identifier(payload["old_user"], "user_id") in (None, new.user_id):
            return [new]  # it is only a proof of life for the new user: the rest of old_user is not read
        old = mention("old_user", payload["old_user"])
        return [new, old._replace(replaced_by=new.user_id, other_person=bool(
            old.reference_id and new.reference_id and old.reference_id != new.reference_id))]

    user = mention("user", user_object(payload, "user"))
    if type_ == "auth":
        status = trimmed(payload["status"]) if isinstance(payload.get("status"), str) else None
        if status not in ("success", "error"):
            raise Problem("auth that is neither success nor error")
        user = user._replace(success=status == "success")
    if type_ == "athlete":
        user = user._replace(provider_user_id=athlete_account(payload))
    return [user]


def event_type(payload):
    type_ = payload.get("type")
    if isinstance(type_, str):
        type_ = trimmed(type_)
    elif type_ is not None:
        raise Problem("type is not a string")
    if type_ is not None:
        return type_
    if athlete_object(payload) is not None and isinstance(payload.get("user"), dict):
        return "athlete"
    raise Problem("no type")


def user_object(payload, name):
    user = payload.get(name)
    if not isinstance(user, dict):
        raise Problem(f"{name} is not an object")
    if identifier(user, "user_id") is None:
        raise Problem(f"{name} has no user_id")
    return user


def athlete_object(payload):
    """The member `athlete`; if it is an array, the first object in it."""
    athlete = payload.get("athlete")
    candidates = athlete if isinstance(athlete, list) else [athlete]
    return next((candidate for candidate in candidates if isinstance(candidate, dict)), None)


def athlete_account(payload):
    """
    The provider_user_id of the athlete, else that of `data` if it is an object, else the first non-empty one among the
    objects of the array `data`. The search ends at the first one.
    """
    data = payload.get("data")
    for holder in [athlete_object(payload)] + (data if isinstance(data, list) else [data]):
        if isinstance(holder, dict):
            found = text_or_integer(holder, "provider_user_id")
            if found is not None:
                return found
    return None


def text_or_integer(holder, name):
    """An id that some senders write as a number: an integer is read as its digits."""
    value = holder.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and value in INTEGERS:
        return str(value)
    return identifier(holder, name)


def identifier(holder, name):
    """A string member, trimmed; None if it is empty."""
    value = holder.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Problem(f"{name} is not a string")
    value = trimmed(value)
    if value is not None and len(value.encode()) > LONGEST:
        raise Problem(f"{name} too long")
    return value


def trimmed(value):
    return value.strip(WHITE_SPACE) or None


def ascii_upper(value):
    return value and "".join(c.upper() if "a" <= c <= "z" else c for c in value)


def header(headers, name, types):
    """The value of the header, or None; of an array its first element."""
    if not isinstance(headers, dict):
        return None
    for key, value in headers.items():
        if key.lower() == name:
            if isinstance(value, list):
                value = value[0] if value else None
            return value if isinstance(value, types) and not isinstance(value, bool) else None
    return None


def ordering_timestamp(headers, received_at):
    value = header(headers, "x-terra-ordering-timestamp", (str, int))
    if value is None or not re.fullmatch("[0-9]{1,18}", str(value)):
        return None
    return believed(int(value) * 1000, received_at)


ISO_8601 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?"
                      r"(?:Z|([+-])(\d\d)(?::?(\d\d))?)?", re.ASCII)


def created_at(value, received_at):
    match = ISO_8601.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, offset_hour, offset_minute = match.groups()
    try:
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
    except ValueError:
        return None
    if int(offset_hour or 0) > 23 or int(offset_minute or 0) > 59:
        return None
    since_1970 = local - datetime(1970, 1, 1)
    seconds = since_1970.days * 86400 + since_1970.seconds
    offset = int(offset_hour or 0) * 3600 + int(offset_minute or 0) * 60
    seconds -= -offset if sign == "-" else offset
    return believed(seconds * 1_000_000 + int((fraction or "")[:6].ljust(6, "0")), received_at)


def believed(time, received_at):
    """
    The time, or None if it is before 2015 (Go's year 1, seconds taken for milliseconds) or more than a day after
    receipt.
    """
    return time if EARLIEST <= time <= received_at + DAY else None
