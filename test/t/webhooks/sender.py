"""
What Terra does, as far as a handler sees it: several senders at once, and everything again until it is answered for
good.
"""

import http.client
import json
import random
import threading
import time
from collections import deque

SENDERS = 12


class Terra:
    """Sends to the handlers, to any of them. `attempts`: (time sent, time answered, status or the exception)."""

    def __init__(self, ports, secret, seed):
        self.ports, self.secret, self.seed = ports, secret, seed
        self.connection = threading.local()
        self.attempts = []
        self.forgeries_sent = 0
        self.lock = threading.Lock()

    def post(self, delivery, rng):
        """One attempt: status, outcome and headers of the answer. Raises if there is none."""
        headers = {rng.choice([name, name.lower(), name.upper()]): value for name, value in delivery.headers.items()}
        signature = delivery.signature(self.secret, rng)
        if signature is not None:
            headers[rng.choice(["X-Terra-Signature", "terra-signature"])] = signature
        connection = getattr(self.connection, "open", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", rng.choice(self.ports), timeout=60)
        self.connection.open = None
        with self.lock:
            self.forgeries_sent += delivery.forgery is not None
        sent = time.monotonic()
        try:
            connection.request("POST", "/terra", delivery.body, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            with self.lock:
                self.attempts.append((sent, time.monotonic(), error))
            raise ConnectionError(repr(error)) from error
        if rng.random() < 0.5 and response.getheader("Connection") != "close":
            self.connection.open = connection
        else:
            connection.close()
        with self.lock:
            delivery.answers.append((response.status, answer["outcome"]))
            self.attempts.append((sent, time.monotonic(), response.status))
        return response.status, answer["outcome"], response.headers

    def deliver(self, deliveries, meanwhile=None, patience=60):
        """
        Sends all, each until it is answered by less than 500, while `meanwhile` runs: it is given a function that waits
        until a share of them is answered. Returns how many are left when patience ends.
        """
        queue, waiting = deque(deliveries), []
        total, answered = len(queue), 0
        over = time.monotonic() + patience
        lock = threading.Lock()

        def sender(number):
            nonlocal answered
            rng = random.Random(f"{self.seed}:{number}:{total}")
            while answered < total and time.monotonic() < over:
                with lock:
                    for entry in [entry for entry in waiting if entry[0] < time.monotonic()]:
                        waiting.remove(entry)
                        queue.append(entry[1])
                    delivery = queue.popleft() if queue else None
                if delivery is None:
                    time.sleep(0.01)
                    continue
                try:
                    done = self.post(delivery, rng)[0] < 500
                except ConnectionError:
                    done = False
                with lock:
                    answered += done
                    if not done:
                        waiting.append((time.monotonic() + rng.uniform(0.05, 0.3), delivery))

        def wait_for(share):
            while answered < share * total and time.monotonic() < over:
                time.sleep(0.002)

        senders = [threading.Thread(target=sender, args=(i,), daemon=True) for i in range(SENDERS)]
        for thread in senders:
            thread.start()
        if meanwhile:
            meanwhile(wait_for)
        for thread in senders:
            thread.join()
        return total - answered

    def deliver_at_once(self, deliveries):
        """Each over a connection of its own, all at the same moment. Returns the (started) threads and the list of
        answers."""
        barrier, answers = threading.Barrier(len(deliveries)), []

        def sender(delivery):
            rng = random.Random(f"{self.seed}:{delivery.trace_id}")
            barrier.wait()
            try:
                answers.append(self.post(delivery, rng))
            except ConnectionError as error:
                answers.append((None, str(error), {}))

        threads = [threading.Thread(target=sender, args=(delivery,), daemon=True) for delivery in deliveries]
        for thread in threads:
            thread.start()
        return threads, answers
