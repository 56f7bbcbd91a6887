"""
The comparison: one query for each relation, for many environments at once, and the same rows from the reference model.

Rows are dicts. Times are whole microseconds since 1970. Every row of a query has its dev_id.
"""

import json

CONNECTION_COLUMNS = ("user_id", "reference_id", "provider", "provider_user_id", "status", "successor_user_id",
                      "confirmed",
                      "dated", "scopes", "created_at", "first_seen_at", "connected_at", "ended_at")
TIMES = {"created_at", "first_seen_at", "connected_at", "ended_at", "transferred_at", "received_at", "last_event_at",
         "last_data_at"}


def select(relation, columns):
    return "SELECT dev_id, " + ", ".join(
        f"(extract(epoch FROM {c}) * 1000000)::bigint AS {c}" if c in TIMES else c for c in columns) \
        + f" FROM terra_identity.{relation} WHERE dev_id = ANY (%s)"


QUERIES = {
    "connections": select("connections", (*CONNECTION_COLUMNS, "connection_id", "lineage_id")),
    "resolve": "SELECT dev_id, user_id, terra_identity.resolve(user_id, dev_id) AS resolves_to"
               " FROM terra_identity.connections WHERE dev_id = ANY (%s)",
    "histories": "SELECT c.dev_id, c.user_id, h.reference_id,"
                 " (extract(epoch FROM nullif(h.\"from\", '-infinity')) * 1000000)::bigint AS \"from\","
                 " (extract(epoch FROM nullif(h.\"to\", 'infinity')) * 1000000)::bigint AS \"to\""
                 " FROM terra_identity.connections c, LATERAL terra_identity.reference_history(c.user_id, c.dev_id) h"
                 " WHERE c.dev_id = ANY (%s)",
    # The last period is what the connection says, and reference_at of a period's first and last moment the period.
    "histories that end otherwise":
        "SELECT c.dev_id, c.user_id, c.reference_id, h.reference_id AS last FROM terra_identity.connections c LEFT JOIN"
        " LATERAL terra_identity.reference_history(c.user_id, c.dev_id) h ON h.\"to\" = 'infinity'"
        " WHERE c.dev_id = ANY (%s) AND h.reference_id IS DISTINCT FROM c.reference_id",
    "moments of others":
        "SELECT c.dev_id, c.user_id, h.reference_id, at, found FROM terra_identity.connections c, LATERAL"
        " terra_identity.reference_history(c.user_id, c.dev_id) h, LATERAL"
        " (VALUES (h.\"from\"), (h.\"to\" - interval '1 microsecond')) m (at), LATERAL"
        " terra_identity.reference_at(c.user_id, at, c.dev_id) found"
        " WHERE c.dev_id = ANY (%s) AND found IS DISTINCT FROM h.reference_id",
    "user_ids": "SELECT p.dev_id, p.reference_id, p.provider, array("
                "   SELECT u.user_id FROM terra_identity.user_ids("
                "       p.reference_id, lower(p.provider COLLATE \"C\"), p.dev_id) u"
                "   ORDER BY u.user_id COLLATE \"C\") AS user_ids"
                " FROM (SELECT DISTINCT c.dev_id, c.reference_id, o.provider FROM terra_identity.connections c"
                "       JOIN (SELECT DISTINCT dev_id, provider FROM terra_identity.connections"
                "             UNION SELECT DISTINCT dev_id, NULL FROM terra_identity.connections) o USING (dev_id)"
                "       WHERE c.dev_id = ANY (%s) AND c.reference_id IS NOT NULL) p",
    "current_connections": select("current_connections", (
        "user_id", "reference_id", "provider", "provider_user_id", "connected_at", "scopes", "confirmed", "degraded")),
    "duplicate_connections": select("duplicate_connections", (
        "provider", "provider_user_id", "user_id", "reference_id", "connected_at", "newest", "connections")),
    # What is queued or taken follows from the state, whatever was queued, done or closed on the way.
    "disconnects": select("disconnects", ("user_id", "provider", "provider_user_id"))
                   + " AND state IN ('queued', 'taken')",
    "transferred_accounts": select("transferred_accounts", (
        "provider", "provider_user_id", "from_reference_id", "from_user_id", "to_reference_id", "to_user_id",
        "transferred_at")),
    "shared_references": select("shared_references", ("reference_id", "provider", "user_ids")),
    "unidentified_connections": select("unidentified_connections", ("user_id", "reference_id", "provider", "sdk")),
    "freshness": select("freshness", ("user_id", "reference_id", "last_event_at", "last_data_at")),
    "problems": select("problems", ("payload", "received_at")),
    # What correct() and import_users() have inserted: the events that the model has to add to those of the history.
    "entered": "SELECT dev_id, payload, (extract(epoch FROM received_at) * 1000000)::bigint AS received_at"
                   " FROM terra_identity.events WHERE entered_by IS NOT NULL AND dev_id = ANY (%s)",
    "ledger": "SELECT dev_id, count(*) AS events FROM terra_identity.events WHERE dev_id = ANY (%s) GROUP BY dev_id",
    "verify": "SELECT d.dev_id, to_jsonb(v) AS difference"
              " FROM unnest(%s) AS d (dev_id), LATERAL terra_identity.verify(d.dev_id) AS v",
}


def queries(dev_ids, left_out=()):
    """A psql script that prints each relation after a line with its name, one JSON object per row."""
    array = "ARRAY[" + ", ".join("'" + dev_id.replace("'", "''") + "'" for dev_id in dev_ids) + "]::text[]"
    return "".join(f"\\echo == {relation}\nSELECT row_to_json(q) FROM ({query % array}) AS q;\n"
                   for relation, query in QUERIES.items() if relation not in left_out)


def actual(output, dev_ids):
    """The rows that the script printed, as dev_id -> relation -> rows."""
    result = {dev_id: {relation: [] for relation in QUERIES} for dev_id in dev_ids}
    relation = None
    for line in output.split("\n"):
        if line.startswith("== "):
            relation = line[3:]
        elif relation in QUERIES and line:
            row = json.loads(line)
            result[row.pop("dev_id")][relation].append(row)
    for relations in result.values():
        relations["ids"] = [{column: row[column] for column in ("user_id", "connection_id", "lineage_id")}
                            for row in relations["connections"]]
        relations["lineages"] = lineages(relations["connections"])
        relations["connections"] = [{column: row[column] for column in CONNECTION_COLUMNS}
                                    for row in relations["connections"]]
        relations["problems"] = distinct(relations["problems"])
    return result


def lineages(connections):
    members = {}
    for row in connections:
        members.setdefault(row["lineage_id"], []).append(row)
    return [{"user_ids": sorted(row["user_id"] for row in rows),
             "lineage_id is the least connection_id": lineage_id == min(row["connection_id"] for row in rows)}
            for lineage_id, rows in members.items()]


def expected(state, accepted=frozenset()):
    return {
        "connections": list(state.connections.values()),
        "lineages": [{"user_ids": sorted(lineage), "lineage_id is the least connection_id": True}
                     for lineage in state.lineages],
        "resolve": [{"user_id": asked, "resolves_to": found} for asked, found in state.resolve.items()],
        "histories": state.histories,
        "histories that end otherwise": [],
        "moments of others": [],
        "user_ids": state.user_ids,
        "current_connections": state.current,
        "duplicate_connections": [row for row in state.duplicates
                                  if (row["provider"], row["provider_user_id"]) not in accepted],
        "disconnects": state.disconnects,
        "transferred_accounts": state.transfers,
        "shared_references": state.shared_references,
        "unidentified_connections": state.unidentified,
        "freshness": state.freshness,
        "problems": distinct({"payload": event.payload, "received_at": event.received_at}
                             for event, _ in state.problems),
        "ledger": [{"events": state.stored}] if state.stored else [],
        "verify": [],
    }


def differences(wanted, found):
    """Lines that name missing and superfluous rows, relation by relation; none if all rows are equal."""
    lines = []
    for relation, rows in wanted.items():
        missing, extra = sorted(map(canonical, rows)), sorted(map(canonical, found[relation]))
        for row in list(missing):
            if row in extra:
                missing.remove(row)
                extra.remove(row)
        if missing or extra:
            lines += [f"{relation}:", *changed_columns(missing, extra)]
            lines += [f"  - expected {row}" for row in missing] + [f"  + actual   {row}" for row in extra]
    return lines


def changed_columns(missing, extra):
    """The columns that differ, for user_ids that have a row on both sides."""
    for wanted in map(json.loads, missing):
        for found in map(json.loads, extra):
            if "user_id" in wanted and wanted["user_id"] == found["user_id"]:
                yield f"  {wanted['user_id']}: " + ", ".join(
                    f"{column} is {found[column]!r}, not {value!r}" for column, value in wanted.items()
                    if found[column] != value)


def canonical(row):
    return json.dumps(row, sort_keys=True, ensure_ascii=False)


def distinct(rows):
    return list({canonical(row): row for row in rows}.values())
