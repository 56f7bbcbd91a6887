"""
An app's own table is joined with the tables and views of the extension, by every column of theirs that has ids, from
either side: from a row of the app to its connection, and from a person to her rows. In databases of every kind of
collation, both sides are found by index, and the rows are right. There the extension's own look-ups use indexes, too,
and the same events lead to the same state. joins.sql has the data.

Columns and functions are those of the catalogs: what is new there is asked for without being named here.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tap import check, finish, skip

DATA = Path(__file__).with_suffix(".sql")
LOCALES = {
    "C": "LOCALE 'C'",
    "C.UTF-8": "LOCALE 'C.UTF-8'",
    "en_US.UTF-8": "LOCALE 'en_US.UTF-8'",
    "ICU": "LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
}
# What the server says of a locale that it does not have.
NO_LOCALE = re.compile("invalid locale name|invalid LC_COLLATE|ICU is not supported|could not open collator")

# The app's columns for each kind of id.
APP = {
    "user_id": ["user_id", "user_varchar"],
    "reference_id": ["reference_id", "reference_varchar"],
    "user_uuid": ["user_uuid"],
}
# A join of one person, a function or a delivery reads less. Every index that has an entry of each connection has more.
FEW_PAGES = 120
# It looks up the last data of each of nine types, twice, for each of her connections; explain() asks it.
MORE_PAGES = {"contradictions": 80, "terra_identity.explain(user_id)": 80}
# Columns that no index leads to: the rows are found by another column.
NOT_FOUND_BY = {
    ("account_neighbours", "newer_user_id"): "it is computed for each row",
    ("account_neighbours", "newer_reference_id"): "it is computed for each row",
    ("changes", "reference_id"): "the feed is read in its order, or of one connection",
    ("connections", "successor_user_id"): "lineage() has what came before, transferred_accounts who had the account",
    ("disconnects", "reference_id"): "her connections lead to her rows",
    ("events", "reference_id"): "it is what the event says; her connections lead to her events",
    ("reauths", "old_user_id"): "connections have what follows from it",
    ("reauths", "new_user_id"): "connections have what follows from it",
    ("stale_events", "resolved_user_id"): "it is computed for each row",
}
# PostgreSQL looks into a GROUP BY for a value, not for what a join finds: from a row of the app, her id is asked first.
GROUPED = {"shared_references"}
# Indexes of the few rows that a view is about. It may read these all, where it counts them, or computes what is joined.
OF_FEW = {"connections_duplicate_idx", "events_problem_idx"}

# What functions are asked about a person, by the names of their arguments.
ARGUMENTS = {
    "user_id": "md5('first {0}')::uuid::text",
    "lineage_id": "{0}",
    "reference_id": "'p{0}'",
    "provider": "'GARMIN'",
    "provider_user_id": "'account {0}'",
    "at": "'2026-01-08 00:00Z'",
}
# What is delivered, of a connection that is known and of one that is not.
KINDS = ["auth", "athlete", "daily", "permission_change", "connection_error", "user_reauth", "deauth"]
DELIVER = """
    CREATE FUNCTION pg_temp.deliver(kind text, user_id text) RETURNS void LANGUAGE sql AS $$
        INSERT INTO terra_identity.events (payload)
        SELECT jsonb_build_object('type', kind, 'status', 'success', 'user', person, 'new_user', person, 'old_user',
                                  person || jsonb_build_object('user_id', 'old ' || user_id),
                                  'athlete', '{"provider_user_id": "another"}')
        FROM jsonb_build_object('user_id', user_id, 'provider', 'GARMIN', 'reference_id', 'p77') person
    $$"""


class Failed(Exception):
    """psql failed; its message says why."""


def psql(database, script):
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database],
                          input="SET client_min_messages = warning;\nSET jit = off;\nSET timezone = 'UTC';\n" + script,
                          capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    return done.stdout


def rows(database, query):
    """Each row as a list of its columns, which have different names."""
    lines = psql(database, f"SELECT to_json(q) FROM ({query}) q").splitlines()
    return [list(json.loads(line).values()) for line in lines]


def answers(database, queries):
    """The output of each query, in one session."""
    end = "== end of the answer =="
    return psql(database, "".join(f"{query};\n\\echo {end}\n" for query in queries)).split(end + "\n")[:-1]


@dataclass(frozen=True)
class Column:
    """A column of the extension that has ids, or arrays of them."""
    relation: str
    name: str
    kind: str
    array: bool

    def joined(self, app):
        return f"h.{app} = ANY (v.{self.name})" if self.array else f"h.{app} = v.{self.name}"

    def joined_by_bytes(self, app):
        """The same, by no index and no collation of the database."""
        value = f"v.{self.name}::text[]" if self.array else f"v.{self.name}::text"
        return f"h.{app}::text COLLATE \"C\" = " + (f"ANY ({value})" if self.array else value)


@dataclass(frozen=True)
class Question:
    """One join. `found_by` is the column that the person is found by; None if it starts from a row of the app."""
    column: Column
    app: str
    found_by: str
    value: str

    def starts_from_row(self):
        return not self.found_by and self.column.relation not in GROUPED

    def where(self):
        if self.starts_from_row():
            return f"h.id = {self.value}"
        if self.found_by:
            return f"v.{self.found_by} = {literal(self.value)}"
        return f"v.{self.column.name} = (SELECT own.{self.app} FROM app.health own WHERE own.id = {self.value})"

    def query(self, selected, schema, joined):
        return f"SELECT {selected} FROM app.health h JOIN {schema}.{self.column.relation} v ON {joined}\n" \
            f"WHERE {self.where()}"

    def text(self):
        return self.query("h.*, v.*", "terra_identity", self.column.joined(self.app))

    def ids(self, schema, joined):
        """The rows as one text, without the columns that may depend on the time of day."""
        columns = ["h.id", "v.dev_id", f"v.{self.column.name} AS joined"]
        columns += [f"v.{self.found_by} AS found_by"] if self.found_by else []
        return f"SELECT count(*), string_agg(q::text, ' ' ORDER BY q::text COLLATE \"C\")\n" \
            f"FROM ({self.query(', '.join(columns), schema, joined)}) q"

    def found(self):
        return self.ids("terra_identity", self.column.joined(self.app))

    def right(self):
        """The same for all of the app's columns of this kind: they have the same ids."""
        return self.ids("copies", self.column.joined_by_bytes(APP[self.column.kind][0]))


def literal(value):
    return "'" + str(value).replace("'", "''") + "'"


def make(locale, database):
    """Returns why this server does not have the locale, else nothing. Under CI it must have it."""
    try:
        psql("postgres", f"CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8' {LOCALES[locale]}")
    except Failed as failed:
        if os.environ.get("CI") != "true" and NO_LOCALE.search(str(failed)):
            return str(failed)
        raise
    psql(database, DATA.read_text(encoding="utf-8"))
    return None


def id_columns(database):
    """By relation."""
    found = defaultdict(list)
    for relation, name, kind, array in rows(database, r"""
            SELECT relname, attname, substring(attname FROM '(user_id|reference_id|user_uuid)s?$') AS kind,
                   format_type(atttypid, NULL) LIKE '%[]' AS is_array
            FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid
            WHERE relnamespace = 'terra_identity'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0
                  AND NOT attisdropped AND attname ~ '(^|_)(user_id|reference_id|user_uuid)s?$'
                  AND attname !~ 'provider_user_id' ORDER BY relkind, relname, attnum"""):
        found[relation].append(Column(relation, name, kind, array))
    return found


def questions(database, columns):
    """About rows of one relation that have all its ids, and health data; and its columns without such a row."""
    ids = [column.name for column in columns if not column.array]
    asked, missing = [], []
    for column in columns:
        sample = rows(database, f"""
            SELECT h.id, {', '.join('v.' + name for name in ids)}
            FROM (SELECT * FROM copies.{column.relation}
                  WHERE dev_id !~ '^order: ' AND num_nulls({', '.join(ids)}) = 0 AND {column.name}::text <> '{{}}'
                  ORDER BY {column.name}::text COLLATE "C" LIMIT 100) v
            JOIN app.health h ON {column.joined_by_bytes(APP[column.kind][0])} ORDER BY 1 LIMIT 1""")
        if not sample:
            missing.append(f"{column.relation}.{column.name}")
            continue
        row, *values = sample[0]
        for app in APP[column.kind]:
            if not column.array and (column.relation, column.name) not in NOT_FOUND_BY:
                asked.append(Question(column, app, None, row))
            asked += [Question(column, app, name, value) for name, value in zip(ids, values)
                      if (column.relation, name) not in NOT_FOUND_BY]
    return asked, missing


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def shown(plan, depth=0):
    """A plan in few words, a node per line."""
    words = [plan["Node Type"]] + [f"{label} {plan[key]}" for key, label in (
        ("Index Name", "of"), ("Relation Name", "of"), ("Index Cond", "by"), ("Hash Cond", "by"), ("Filter", "filter"),
        ("Actual Rows", "rows"), ("Actual Loops", "times")) if key in plan]
    return "\n".join(["  " * depth + ", ".join(words)] + [shown(child, depth + 1) for child in plan.get("Plans", [])])


def pages(node):
    """How many it read, and the nodes and functions below it."""
    return node["Shared Hit Blocks"] + node["Shared Read Blocks"]


def wrong_with(plan, question):
    """What a plan reads that it should not."""
    wrong, into_health, into_ours, of_few = [], False, False, 0
    for node in nodes(plan):
        if node["Node Type"].endswith("Seq Scan") and node["Relation Name"] in ("health", "connections", "events"):
            wrong.append(f"it reads all of {node['Relation Name']}")
        index, condition = node.get("Index Name", ""), node.get("Index Cond", "")
        into_health |= index.startswith("health_") and re.search(rf"\b{question.app}\b", condition) is not None
        into_ours |= not index.startswith("health_") and re.search(rf"\bh\.{question.app}\b", condition) is not None
        if OF_FEW & {index, *(child.get("Index Name") for child in node.get("Plans", []))} and "Relation Name" in node:
            of_few += pages(node)
    if pages(plan) - of_few > FEW_PAGES + MORE_PAGES.get(question.column.relation, 0):
        wrong.append(f"it reads {pages(plan)} pages")
    if question.found_by and not into_health:
        wrong.append(f"it does not look up {question.app} in an index of health")
    if question.starts_from_row() and not into_ours and not of_few:
        wrong.append(f"it does not look up h.{question.app} in an index of the extension")
    return wrong


def check_joins(locale, database, asked, right):
    plans = answers(database, [f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {question.text()}" for question in asked])
    found = answers(database, [question.found() for question in asked])
    not_by_index, not_right = defaultdict(list), defaultdict(list)
    for question, plan, got in zip(asked, plans, found):
        plan, wanted = json.loads(plan)[0]["Plan"], right[question.right()]
        wrong = wrong_with(plan, question)
        relation = question.column.relation
        not_by_index[relation] += ["\n".join([question.text(), *wrong, shown(plan)])] if wrong else []
        not_right[relation] += ["\n".join([question.text(), got, "but right is", wanted])] if got != wanted else []
    for relation in not_right:
        check(f"{locale}: joins with {relation} go by index on both sides", not not_by_index[relation],
              *not_by_index[relation])
        check(f"{locale}: joins with {relation} find the right rows", not not_right[relation], *not_right[relation])


def calls(database):
    """
    By name, a call of each function that is asked about somebody, and deliveries; {0} or {} is the number of the
    person. It is None if a function has an argument that ARGUMENTS does not have.
    """
    found = {}
    for name, arguments in rows(database, """
            SELECT oid::regproc AS name, proargnames[:pronargs - pronargdefaults] AS arguments
            FROM pg_proc WHERE pronamespace = 'terra_identity'::regnamespace AND provolatile = 's'
            AND proargnames[:pronargs] && '{user_id,reference_id,lineage_id,provider_user_id}' ORDER BY 1"""):
        values = [ARGUMENTS.get(argument) for argument in arguments]
        found[f"{name}({', '.join(arguments)})"] = None if None in values else f"{name}({', '.join(values)})"
    for kind in KINDS:
        found[f"the delivery of {kind}"] = f"pg_temp.deliver('{kind}', {ARGUMENTS['user_id']})"
        found[f"the delivery of {kind} of a new connection"] = f"pg_temp.deliver('{kind}', 'new {{}}')"
    return found


def check_look_ups(locale, database):
    """Asked about the second person: what a session reads first are catalogs."""
    asked = calls(database)
    unknown = [name for name, call in asked.items() if not call]
    check(f"{locale}: ARGUMENTS has what functions are asked", not unknown, *unknown)
    asked = {name: call for name, call in asked.items() if call}
    explained = [f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT count(*) FROM {call.format(person)}"
                 for person in (79, 77) for call in asked.values()]
    plans = answers(database, ["BEGIN", DELIVER, *explained])[-len(asked):]
    read = {name: pages(json.loads(plan)[0]["Plan"]) for name, plan in zip(asked, plans)}
    wrong = [f"{name} reads {number} pages" for name, number in read.items()
             if not 0 < number <= FEW_PAGES + MORE_PAGES.get(name, 0)]
    check(f"{locale}: functions and deliveries find by index", not wrong, *wrong)


def check_stories(locale, database):
    """
    The stories of joins.sql are about the same user_ids, all of which were connected at once. In a question, $ is the
    environment.
    """
    ids = sorted(json.loads(psql(database, """
        SELECT json_agg(user_id) FROM terra_identity.connections WHERE dev_id = 'order: an account each 1'""")),
                 key=lambda user_id: user_id.encode())
    successors = ("json_object_agg(user_id, successor_user_id) FROM terra_identity.connections WHERE dev_id = $",
                  dict(zip(ids, [*ids[1:], None])))
    told = [
        ("one account, one person", *successors),
        ("an account moves", *successors),
        ("phones of one person", *successors),
        ("one account, a person each",
         "to_json(user_id || other_user_ids) FROM terra_identity.dashboard_connections WHERE dev_id = $", ids[::-1]),
        ("one account, a person each",
         "to_json(user_id) FROM terra_identity.duplicate_connections WHERE newest AND dev_id = $", ids[-1]),
        ("an account each", "to_json(user_ids) FROM terra_identity.shared_references WHERE dev_id = $", ids),
        ("a fork", "to_json(ARRAY(SELECT user_id FROM terra_identity.lineage('root', $)))", ["root", *ids]),
        ("a fork", "to_json(terra_identity.resolve('root', $))", ids[-1]),
        ("a fork", "to_json(resolved_user_id) FROM terra_identity.stale_events WHERE dev_id = $", ids[-1]),
    ]
    asked = [(f"order: {story} {n}", question, wanted) for story, question, wanted in told for n in (1, 2, 3)]
    found = answers(database, ["SELECT " + question.replace("$", literal(dev_id)) for dev_id, question, _ in asked])
    wrong = [f"{dev_id}: {question}: {got}but right is {json.dumps(wanted)}"
             for (dev_id, question, wanted), got in zip(asked, found) if not got.strip() or json.loads(got) != wanted]
    check(f"{locale}: what is newer follows from the bytes of a user_id", len(ids) > 30 and not wrong, *wrong)


def check_positions(locale, database):
    """As after logical replication: the sequence is behind the rows of environments, of any names."""
    connect = """INSERT INTO terra_identity.events (dev_id, payload)
        SELECT '{0}', jsonb_build_object('type', 'auth', 'status', 'success',
                                         'user', jsonb_build_object('user_id', n::text))
        FROM generate_series(1, {1}) n;
        SELECT count(*) FROM terra_identity.read_changes('mailer', 100, '{0}');\n"""
    psql(database, connect.format("Positions", 1) + connect.format("positions", 9))
    psql(database, """SELECT setval('terra_identity.changes_position_seq', max(position))
        FROM terra_identity.changes WHERE dev_id = 'Positions'""")
    found = psql(database, connect.format("positions", 10)).split()
    check(f"{locale}: a position is given once, whatever the order of the environments' names", found == ["10"], *found)


def state(database):
    """Of each relation and each story of joins.sql, a digest of the rows, but for what the clock says."""
    relations = rows(database, """
        SELECT relname AS name FROM pg_class c JOIN pg_attribute ON attrelid = c.oid
        WHERE relnamespace = 'terra_identity'::regnamespace AND relkind IN ('r', 'v') AND attname = 'dev_id'""")
    return {(name, dev_id): digest for name, in relations for dev_id, digest in rows(database, f"""
        SELECT dev_id, md5(string_agg(line, ' ' ORDER BY line COLLATE "C")) AS digest
        FROM (SELECT dev_id, (to_jsonb(r) - '{{changed_at,silence}}'::text[])::text AS line FROM terra_identity.{name} r
              WHERE dev_id ~ '^order: ') r
        GROUP BY dev_id""")}


def main():
    databases = {locale: f"joins_{number}" for number, locale in enumerate(LOCALES)}
    with ThreadPoolExecutor(2) as pool:
        missing = dict(zip(databases, pool.map(make, databases, databases.values())))
    for locale, why in missing.items():
        if why:
            skip(f"{locale}: joins go by index on both sides", why)
            del databases[locale]
    first = next(iter(databases.values()))

    columns = id_columns(first)
    psql(first, "CREATE SCHEMA copies;\n" + "".join(
        f"CREATE TABLE copies.{relation} AS TABLE terra_identity.{relation};\n" for relation in columns) + "ANALYZE;")
    asked, not_asked = [], []
    for of_relation in columns.values():
        more, none = questions(first, of_relation)
        asked += more
        not_asked += none
    check("joins.sql has rows with every kind of id, and health data of them", not not_asked, *not_asked)
    queries = sorted({question.right() for question in asked})
    right = dict(zip(queries, answers(first, queries)))
    check("every join finds rows", not any(answer.startswith("0|") for answer in right.values()))

    with ThreadPoolExecutor(2) as pool:
        states = dict(zip(databases, pool.map(state, databases.values())))
    for locale, database in databases.items():
        check_joins(locale, database, asked, right)
        check_look_ups(locale, database)
        check_stories(locale, database)
        check_positions(locale, database)
        differing = {key for key, _ in states[locale].items() ^ states[next(iter(databases))].items()}
        check(f"{locale}: the state is that of {next(iter(databases))}", not differing, *sorted(differing))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
