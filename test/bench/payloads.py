"""Webhooks in Terra's shape, as templates in which marks stand for what differs, and files of them for COPY."""

import json
import random
import time
import uuid
from datetime import datetime, timedelta, timezone

# The number of the event's user; another number, if one is needed.
U, V = "@", "~"
# Of the headers: the trace id, the ordering timestamp in milliseconds, and the signature.
TRACE, ORDERING, SIGNATURE = "^", "#", "%"

# The number of the n-th user: twelve digits, all different and scattered. population.sql and pgbench compute the same.
FIRST, FACTOR, MODULUS = 100_000_000_000, 618_033_988_747, 900_000_000_000
KNOWN = "5f1c9a70-0d3e-4f0b-9a51-" + U
# In both the user_id and the reference_id, for sed to make others of them.
NEW_MARK = "e0e0e0e0"
NEW = NEW_MARK + "-91d6-4a58-8c0d-" + U
SCOPES = "ACTIVITY_EXPORT,HEALTH_EXPORT,WORKOUT_IMPORT"


def number(n):
    return FIRST + n * FACTOR % MODULUS


def compact(payload):
    return json.dumps(payload, separators=(",", ":"))


def user(user_id, reference_id, **more):
    return {"user_id": user_id, "provider": "GARMIN", "reference_id": reference_id,
            "scopes": SCOPES, "active": True,
            "last_webhook_update": "2026-02-27T21:14:05.120000+00:00", **more}


def headers(signature):
    """Those by which Terra tells its deliveries apart; a handler passes them on as an object of strings."""
    return compact({
        "content-type": "application/json", "dev-id": "acme-prod-AbCdEf123", "hook-type": "WEBHOOK",
        "terra-reference": "b7c6a1de-52f0-4c1b-8a6e-3f0d9e5b7712", "terra-signature": signature,
        "x-terra-ordering-timestamp": ORDERING, "x-terra-trace-id": TRACE})


# The signature of the first is nobody's: it is for environments that require none.
HEADERS = headers("t=1772442000,v1=dca55eca8f595bd4d80250ab9609c7cbecec8e581c5c3822294f7c2ee1c99377")
SIGNED_HEADERS = headers(SIGNATURE)


def auth(user_id, reference_id, created_at="2026-02-28T08:15:30.250000+00:00"):
    return compact({
        "type": "auth", "status": "success", "message": "connected", "version": "2022-03-16",
        "widget_session_id": "7d0e5c1b-4b1f-4a39-b0a9-c1b9f50f2e11", "reference_id": reference_id,
        "user": user(user_id, reference_id, created_at=created_at)})


def athlete(user_id, reference_id, account):
    return compact({
        "type": "athlete", "version": "2022-03-16", "user": user(user_id, reference_id),
        "athlete": {"first_name": "Mina", "last_name": "Moe", "sex": None, "date_of_birth": None, "email": None,
                    "joined_provider": None, "provider_user_id": account, "devices": []}})


def reauth(old_user_id, new_user_id, reference_id):
    return compact({
        "type": "user_reauth", "status": "warning", "message": "User reauthenticated", "version": "2022-03-16",
        "old_user": user(old_user_id, reference_id), "new_user": user(new_user_id, reference_id)})


def deauth(user_id, reference_id):
    return compact({"type": "deauth", "status": "success", "message": "User has deauthenticated",
                    "version": "2022-03-16", "user": user(user_id, reference_id)})


DAY = {
    "metadata": {"start_time": "2026-02-28T00:00:00.000000+01:00", "end_time": "2026-03-01T00:00:00.000000+01:00",
                 "upload_type": 1, "timestamp_localization": 0},
    "distance_data": {"steps": 9134, "distance_meters": 6922.4, "floors_climbed": 11, "elevation": {
        "gain_actual_meters": 33.5, "loss_actual_meters": None, "min_meters": None, "max_meters": None}},
    "calories_data": {"total_burned_calories": 2311.6, "BMR_calories": 1702, "net_activity_calories": 609.6},
    "active_durations_data": {"activity_seconds": 4260, "rest_seconds": 51180, "low_intensity_seconds": 3120,
                              "moderate_intensity_seconds": 840, "vigorous_intensity_seconds": 300},
    "heart_rate_data": {"summary": {"avg_hr_bpm": 67.2, "max_hr_bpm": 141, "min_hr_bpm": 48, "resting_hr_bpm": 52,
                                    "avg_hrv_rmssd": None, "avg_hrv_sdnn": 58.1}},
    "stress_data": {"avg_stress_level": 27, "max_stress_level": 91, "rest_stress_duration_seconds": 25620},
    "scores": {"activity": 81, "sleep": None, "recovery": 74},
    "device_data": {"name": "fenix 7", "manufacturer": "GARMIN", "serial_number": None, "hardware_version": None}}


def data(kind, user_id, reference_id):
    """About 1.2 kB."""
    return compact({"type": kind, "version": "2022-03-16", "user": user(user_id, reference_id), "data": [DAY]})


KINDS = ("daily", "activity", "body")
KNOWN_AUTH = auth(KNOWN, "member-" + U)
KNOWN_ATHLETE = athlete(KNOWN, "member-" + U, "G-" + U)
KNOWN_DATA = [data(kind, KNOWN, "member-" + U) for kind in KINDS]
NEW_AUTH = auth(NEW, f"member-{NEW_MARK}-{U}")


def of(template, u, v=""):
    return template.replace(U, str(u)).replace(V, str(v))


def known_users(count):
    """Both events of each that make `count` users known, with their accounts."""
    for n in range(1, count + 1):
        u = number(n)
        yield of(KNOWN_AUTH, u)
        yield of(KNOWN_ATHLETE, u)


def new_users(count):
    return (of(NEW_AUTH, number(n)) for n in range(1, count + 1))


def known_data(count, known):
    return (of(KNOWN_DATA[i % len(KNOWN_DATA)], number(i * 7919 % known + 1)) for i in range(count))


def identity_event(k):
    """The k-th of ten: five users connect, three of them are identified, one reconnects and one leaves."""
    place = k % 10

    def person(i):
        u = number(k - place + i + 1)
        return of(NEW, u), of(f"member-{NEW_MARK}-{U}", u)

    if place < 5:
        return auth(*person(place))
    if place < 8:
        user_id, reference_id = person(place - 5)
        return athlete(user_id, reference_id, "G-" + user_id)
    if place == 8:
        user_id, reference_id = person(0)
        return reauth(user_id, person(8)[0], reference_id)
    return deauth(*person(1))


def mixed(count, known, identity_one_in):
    """Data of `known` users, and every so many events an identity event."""
    for i, event in enumerate(known_data(count, known)):
        yield event if i % identity_one_in else identity_event(i // identity_one_in)


def now():
    """In milliseconds since 1970."""
    return round(time.time() * 1000)


def deliveries(payloads, ordering, step=1):
    """Payload, headers and trace id of each. @param ordering: the first ordering timestamp; step: between two"""
    generator = random.Random(1)
    for i, payload in enumerate(payloads):
        trace_id = str(uuid.UUID(int=generator.getrandbits(128), version=4))
        yield payload, HEADERS.replace(TRACE, trace_id).replace(ORDERING, str(ordering + i * step)), trace_id


def timed(payloads, start=datetime(2026, 3, 2, tzinfo=timezone.utc)):
    """received_at, payload and headers of each: one is sent every second, and received a minute later."""
    ordering = round(start.timestamp() * 1000)
    for i, (payload, of_delivery, _) in enumerate(deliveries(payloads, ordering, 1000)):
        yield str(start + timedelta(seconds=i + 60)), payload, of_delivery


def large_data(count, known, size=140_000, bodies=8):
    """Data events of `size` characters: samples of a day's heart rate."""
    templates = []
    for body in range(bodies):
        samples = [{"timestamp": f"2026-02-28T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}.000000+01:00",
                    "bpm": 50 + i * (37 + body) % 101, "timer_duration_seconds": i / 4} for i in range(size // 89)]
        payload = json.loads(KNOWN_DATA[0])
        payload["data"][0]["heart_rate_data"]["detailed"] = {"hr_samples": samples}
        templates.append(compact(payload))
    for i in range(count):
        yield of(templates[i % bodies], number(i % known + 1))


def write(path, lines):
    """A file for COPY: JSON written compactly has neither tabs nor line ends, and these texts no backslash."""
    with open(path, "w", encoding="utf-8", buffering=1 << 20) as file:
        file.writelines(line + "\n" for line in lines)
