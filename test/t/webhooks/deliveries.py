"""
What is sent: random histories of the model as Terra would send them, and beside them what is no good.
"""

import hashlib
import hmac
import json
import random
import time

from histories import history
from reading import Event, header

WEBHOOKS = 700
FORGERIES = ("unsigned", "of another secret", "of another body", "of another time", "too old", "malformed")


class Delivery:
    """One webhook, the same on every retry. `forgery`: what is wrong with its signature, if anything."""

    def __init__(self, trace_id, body, ordering=None, forgery=None):
        self.trace_id, self.body, self.forgery = trace_id, body, forgery
        self.headers = {"X-Terra-Trace-Id": trace_id, "terra-reference": "the same for every chunk"}
        if ordering is not None:
            self.headers["X-Terra-Ordering-Timestamp"] = ordering
        self.answers = []          # (status, outcome), of every attempt that was answered
        self.signed_at = None

    def signature(self, secret, rng):
        """Of now or of the first attempt: whether Terra signs a retry anew is not known."""
        if self.signed_at is None or rng.random() < 0.5:
            self.signed_at = int(time.time())
        at = self.signed_at - 30 * 3600 * (self.forgery == "too old")
        key = "not " + secret if self.forgery == "of another secret" else secret
        body = self.body + b" " if self.forgery == "of another body" else self.body
        v1 = sign(key, at, body)
        if self.forgery == "unsigned":
            return None
        if self.forgery == "of another time":
            return f"t={at + 1},v1={v1}"
        if self.forgery == "malformed":
            return rng.choice(["", "v1=" + v1, f"t={at}", f"t={at},v0={v1}", f"t=now,v1={v1}", f"t={at},v1={v1[:-2]}",
                               v1])
        return rng.choice([f"t={at},v1={v1}", f"t={at},v1={v1}", f"v1={v1},t={at}", f"t={at},v0={'0' * 64},v1={v1}",
                           f"t={at},v1={'0' * 64},v1={v1}"])


def sign(secret, at, body):
    return hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhooks:
    """All that is sent: `good` from the model's histories, and what is to be refused."""

    def __init__(self, seed, count=WEBHOOKS):
        self.rng = random.Random(seed)
        self.good = []             # Deliveries, each once
        self.told = []             # (Delivery, payload, headers), one for each event of the histories: repeats too
        number = 0
        while len(self.told) < count:
            self.add_history(history(seed, number), number)
            number += 1
        self.garbage = [Delivery(f"garbage-{i}", body) for i, body in enumerate(self.garbage_bodies())]
        # Some under the trace id of a good one, which must not suffer for it.
        self.forged = [Delivery(self.rng.choice([f"forged-{i}", self.rng.choice(self.good).trace_id]),
                                self.forged_body(i),
                                forgery=FORGERIES[i % len(FORGERIES)]) for i in range(20 * len(FORGERIES))]

    def add_history(self, told, number):
        """The histories go into one environment: with connections of their own, but end users and accounts in
        common."""
        by_trace, payloads, firsts = {}, {}, {}
        for i, event in enumerate(told.events):
            payload = with_prefix(event.payload, f"{number}/")
            trace_id = header(event.headers, "x-terra-trace-id", str) or ""
            trace_id = f"{number}-{trace_id}" if 0 < len(trace_id) < 100 else f"{number}-event-{i}"
            ordering = header(event.headers, "x-terra-ordering-timestamp", (str, int))
            ordering = None if ordering is None else str(ordering)
            # Another payload under a trace id is another delivery; here each is told by a trace id of its own.
            same = payloads.setdefault((trace_id, json.dumps(payload, sort_keys=True)), i)
            trace_id = trace_id if firsts.setdefault(trace_id, same) == same else f"{trace_id}-{same}"
            if trace_id not in by_trace:
                body = json.dumps(payload, ensure_ascii=self.rng.random() < 0.5,
                                  indent=self.rng.choice([None, None, 2]))
                # No two alike: the same bytes signed in the same second are one delivery.
                by_trace[trace_id] = Delivery(trace_id, b" " * len(self.good) + body.encode(), ordering)
                self.good.append(by_trace[trace_id])
            headers = {"x-terra-trace-id": trace_id, "x-terra-ordering-timestamp": ordering}
            self.told.append((by_trace[trace_id], payload, headers))

    def garbage_bodies(self):
        some = self.rng.choice(self.good).body
        yield from (b"", b" ", b"{", b"nonsense", b"{'type': 'auth'}", some[:-1], some + b"}", b"\0" + some,
                    some + b"\0",
                    b"\xff\xfe" + some, b'{"type": "\xe9"}', b'{"type": "\\u0000"}', b'{"type": "\\ud800"}',
                    bytes(range(256)),
                    b"[" * 100_000, b'{"type": NaN}', b"type=auth&status=success", b"a\r\nb\\x00\\\\",
                    b'{"type": 1e999999}')
        for _ in range(20):
            yield self.rng.randbytes(self.rng.randint(1, 300)) + b"\xff"

    def forged_body(self, i):
        victim = {"user_id": f"{i % 7}/u1", "provider": "GARMIN", "reference_id": "forged"}
        return json.dumps(self.rng.choice([{"type": "deauth", "status": "success", "user": victim},
                                           {"type": "auth", "status": "success", "user": victim}])).encode()

    def events(self, received_at):
        return [Event(payload, headers, received_at[delivery.trace_id])
                for delivery, payload, headers in self.told if delivery.trace_id in received_at]


def with_prefix(payload, prefix):
    """The payload with other user_ids; what is no id stays as it is."""
    if not isinstance(payload, dict):
        return payload

    def renamed(user):
        found = user.get("user_id")
        if isinstance(found, str) and found.strip():
            return dict(user, user_id=found.replace(found.strip(), prefix + found.strip()))
        return user

    return {name: renamed(value) if name in ("user", "new_user", "old_user") and isinstance(value, dict) else value
            for name, value in payload.items()}
