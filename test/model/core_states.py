"""
Compares states that the core's tests have written (test/unit/exported.h) with those of the reference model.

    python3 test/model/core_states.py FILE...
"""

import json
import sys

from reading import Event
from reference import state

COLUMNS = ("status", "successor_user_id", "ended_at", "connected_at", "provider_user_id")


def differences(line):
    """Of one line of such a file: what differs, one line each."""
    told = json.loads(line)
    events = [Event(event["payload"], event["headers"], event["received_at"], event["entered"])
              for event in told["events"]]
    for policy, rows in told["states"].items():
        wanted = rows_of(state(events, policy, frozenset(told["sdk_providers"]),
                               frozenset(told["unusable_providers"])))
        for user_id in sorted({*wanted, *(rows or {})}):
            if wanted.get(user_id) != rows.get(user_id):
                yield (f"{told['name']}, {policy}, {user_id}: the core has {rows.get(user_id)}, "
                       f"the model {wanted.get(user_id)}")


def rows_of(state_):
    duplicates = {row["user_id"] for row in state_.duplicates}
    return {user_id: {**{column: row[column] for column in COLUMNS},
                      "duplicate": user_id in duplicates,
                      "lineage": min(next(lineage for lineage in state_.lineages if user_id in lineage)),
                      "resolved": state_.resolve[user_id]}
            for user_id, row in state_.connections.items()}


def main():
    passed = failed = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for line in file:
                lines = list(differences(line))
                print("\n".join(lines), end="\n" * bool(lines))
                passed, failed = passed + (not lines), failed + bool(lines)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
