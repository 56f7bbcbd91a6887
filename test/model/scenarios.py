"""
The scenarios of test/unit, as histories: test/data/scenarios.jsonl has their events. Each is told under both policies,
in another order each time, with one event repeated.
"""

import json
import random
from functools import cache
from pathlib import Path

from batches import iso
from histories import History
from reading import Event

PATH = Path(__file__).resolve().parents[1] / "data" / "scenarios.jsonl"


@cache
def lines():
    return PATH.read_text(encoding="utf-8").splitlines()


def all_of_them():
    """How many histories have every scenario under both policies once."""
    return 2 * len(lines())


def history(seed, index):
    rng = random.Random(f"{seed}:{index}:scenario")
    told = [Event(event["payload"], event["headers"], event["received_at"], event["entered"])
            for event in json.loads(lines()[index // 2 % len(lines())])["events"]]
    events = [event for event in told if not event.entered]
    if events:
        events.append(rng.choice(events))
    return History(seed, index, ["keep", "replace"][index % 2], tuple(events),
                   entered=tuple(step(event) for event in told if event.entered))


def step(event):
    """What makes correct() or import_users() insert the event; a correction is then as of now."""
    if event.payload["type"] == "import":
        return ("import", json.dumps([event.payload["user"]]), iso(event.received_at))
    said = event.payload["correction"]
    return ("correct", event.payload["user"]["user_id"], said["what"], said.get("other_user_id"))
