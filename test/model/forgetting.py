"""
forget() in the middle of a history: what must hold then, by the reference model and by what was there before.

1. The state is what the reference model makes of the ledger that is left.
2. What others have is as it was: connections, lineages, resolve, histories; and their duplicates without hers. Not
   compared where only ids decided between connections that are equally old: there, names decide now.
3. No id of hers is in the ledger, or in the state.
4. Everything once more changes nothing, and brings nothing of hers back.

Ids as short as the histories' are parts of many texts. So 3 asks for the values of columns, and for what the model
reads.
"""

import random

import batches
import comparison
from reading import read

FORGOTTEN = "!forgotten:"
LEDGER = ("SELECT dev_id, payload, headers, entered_by IS NOT NULL AS entered,"
          " (extract(epoch FROM received_at) * 1000000)::bigint AS received_at"
          " FROM terra_identity.events WHERE dev_id = ANY (%s)")
# The relations whose rows are of a connection each, with the columns that may name others.
OF_OTHERS = ("connections", "resolve", "histories")


def person(trial, found):
    """Whom to forget; None if the history has no end user."""
    people = sorted({row["reference_id"] for row in found["user_ids"]})
    return random.Random(f"{trial.dev_id}:forget").choice(people) if people else None


def ids_of(reference_id, found):
    return {user_id for row in found["user_ids"] if row["reference_id"] == reference_id and row["provider"] is None
            for user_id in row["user_ids"]}


def script(trial, reference_id):
    return (f"SELECT FROM terra_identity.forget({batches.literal(reference_id)}, {batches.literal(trial.dev_id)})"
            " \\g /dev/null\n")


def once_more(trial):
    """Every event of the history, but those that only correct() and import_users() can insert."""
    return batches.insert("values", trial.events, trial.dev_id) + "\n" if trial.events else ""


def has_ties(found):
    """Whether two connections are equally old, so that their ids decide."""
    ages = [(row["dated"], row["connected_at"]) for row in found["connections"]]
    return len(set(ages)) < len(ages)


def disputed_at_one_time(events):
    """The user_ids to which events of one time give several people, or several successors: the greater id counts."""
    given = {}
    for event in events:
        for mention in read(event).mentions:
            for what, value in ("person", mention.reference_id), ("successor", mention.replaced_by):
                if value is not None:
                    given.setdefault((mention.user_id, what, mention.time), set()).add(value)
    return {user_id for (user_id, _, _), several in given.items() if len(several) > 1}


def anonymous(value, hers):
    """A value, with one word for all that were forgotten, before and after."""
    if isinstance(value, dict):
        return {key: anonymous(one, hers) for key, one in value.items()}
    if isinstance(value, list):
        return sorted((anonymous(one, hers) for one in value), key=comparison.canonical)
    return "forgotten" if isinstance(value, str) and (value in hers or value.startswith(FORGOTTEN)) else value


def of_others(found, user_ids, reference_id, led_to_her):
    """What is of others, as relation -> rows. @param led_to_her the user_ids that resolved to hers"""
    hers = user_ids | {reference_id}

    def is_others(row):
        return row["user_id"] not in user_ids and not row["user_id"].startswith(FORGOTTEN)

    result = {relation: [anonymous(row, hers) for row in found[relation] if is_others(row)] for relation in OF_OTHERS}
    # What resolved to one of hers resolves elsewhere, or nowhere: she is not active any more.
    result["resolve"] = [row for row in result["resolve"] if row["user_id"] not in led_to_her]
    result["lineages"] = [sorted(others) for others in (
        [user_id for user_id in row["user_ids"] if is_others({"user_id": user_id})] for row in found["lineages"])
        if others]
    result["duplicate_connections"] = duplicates([row for row in found["duplicate_connections"] if is_others(row)])
    return result


def duplicates(rows):
    """Those who are left on each account, if they are still several people."""
    accounts = {}
    for row in rows:
        accounts.setdefault((row["provider"], row["provider_user_id"]), []).append(row)
    return [{column: row[column] for column in ("provider", "provider_user_id", "user_id", "reference_id")}
            for account in accounts.values() if len({row["reference_id"] for row in account}) > 1 for row in account]


def traces(events, found, user_ids, reference_id):
    """Where an id of hers still is."""
    for event in events:
        named = {mention.user_id for mention in read(event).mentions}
        named_people = {mention.reference_id for mention in read(event).mentions}
        if named & user_ids or reference_id in named_people:
            yield f"the ledger has {event.payload}"
    for row in found["connections"]:
        if row["user_id"] in user_ids or reference_id == row["reference_id"]:
            yield f"the state has {row}"


def differences(trial, before, after, again, events, expected):
    """
    Lines; none if all holds. @param before, after, again the state before forget(), after it, and after everything once
    more @param events the ledger after forget() @param expected what the model makes of it
    """
    reference_id = person(trial, before)
    user_ids = ids_of(reference_id, before)
    lines = comparison.differences({relation: rows for relation, rows in expected.items() if relation != "problems"},
                                   after)
    if not has_ties(before) and not disputed_at_one_time([*trial.events, *trial.entered]):
        led_to_her = {row["user_id"] for row in before["resolve"] if row["resolves_to"] in user_ids}
        lines += comparison.differences(of_others(before, user_ids, reference_id, led_to_her),
                                        of_others(after, user_ids, reference_id, led_to_her))
    lines += traces(events, after, user_ids, reference_id)
    same = ("connections", "lineages", "resolve", "duplicate_connections", "transferred_accounts", "verify")
    changed = comparison.differences({relation: after[relation] for relation in same}, again)
    lines += ["everything once more:", *changed] if changed else []
    return [f"after forget({reference_id!r}):", *lines] if lines else []
