"""
Runs the recipes of docs/joins.md on the tables that are named there, with 1,000,000 rows of 100,000 people. Their rows
are compared with what follows from a table of this test: whose each id is, and from when to when. All events are made
from that table. Prints the plan and the time of each recipe, and checks how it reads the app's table.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Optional

from tap import check, finish

PAGE = Path("docs/joins.md")
PEOPLE, ROWS = 100_000, 1_000_000
FEW_PAGES = 200

# Each person has two ids at GARMIN, one after the other, and one at FITBIT; each id stands for one of now.
SETUP = f"""
CREATE EXTENSION terra_identity;
CREATE SCHEMA app;
CREATE FUNCTION app.id(person int, number int) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN md5(person || '-' || number)::uuid;

CREATE TABLE app.truth (user_id uuid, number int, person int, reference_id text, "from" timestamptz, "to" timestamptz,
                        current_id uuid);
INSERT INTO app.truth
SELECT app.id(p, n), n, p, 'p' || p, '-infinity', 'infinity', app.id(p, greatest(n, 2))
FROM generate_series(1, {PEOPLE}) p, generate_series(1, 3) n;
-- No event names the person of the first one.
UPDATE app.truth SET reference_id = NULL WHERE number = 1 AND person % 20 = 13;
-- The third one belonged to the person before until March 15.
UPDATE app.truth SET "from" = '2026-03-15Z' WHERE number = 3 AND person % 100 = 77;
INSERT INTO app.truth
SELECT user_id, number, person - 1, 'p' || person - 1, '-infinity', "from", current_id FROM app.truth
WHERE "from" > '-infinity';
-- The third one is disconnected.
UPDATE app.truth SET current_id = NULL WHERE number = 3 AND person % 50 = 1;
-- The third one is of the account that the first one was of; the second one is of another, and goes on.
UPDATE app.truth SET current_id = app.id(person, 3) WHERE number = 1 AND person % 1000 = 500;
"""

EVENTS = """
CREATE FUNCTION app.event(type text, user_id uuid, provider text, reference_id text, account text = NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE
    RETURN jsonb_build_object('type', type, 'status', 'success',
        'athlete', jsonb_build_object('provider_user_id', account),
        'user', jsonb_build_object('user_id', user_id, 'provider', provider, 'reference_id', reference_id));
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2026-02-01Z', jsonb_build_object('type', 'user_reauth',
    'old_user', app.event('', user_id, 'GARMIN', reference_id) -> 'user',
    'new_user', app.event('', app.id(person, 2), 'GARMIN', 'p' || person) -> 'user')
FROM app.truth WHERE number = 1;
INSERT INTO terra_identity.events (received_at, payload)
SELECT greatest("from", '2026-02-02Z'),
       app.event('auth', user_id, CASE person % 1000 WHEN 500 THEN 'GARMIN' ELSE 'FITBIT' END, reference_id)
FROM app.truth WHERE number = 3;
INSERT INTO terra_identity.events (received_at, payload)
SELECT timestamptz '2026-03-01Z', app.event('deauth', user_id, 'FITBIT', reference_id) FROM app.truth
WHERE number = 3 AND person % 50 = 1
UNION ALL
SELECT '2026-03-01Z', app.event('athlete', user_id, 'GARMIN', reference_id, 'account ' || person || '-' || number % 2)
FROM app.truth WHERE person % 1000 = 500;
"""

APP = f"""
CREATE UNLOGGED TABLE app.health (user_id text, at timestamptz, steps int);
INSERT INTO app.health
SELECT app.id(n / 3 % {PEOPLE} + 1, n % 3 + 1), timestamptz '2026-01-01Z' + n % 181 * interval '16 hours', n % 9000
FROM generate_series(0, {ROWS - 1}) n;
CREATE INDEX health_user_id_at ON app.health (user_id, at);
CREATE UNLOGGED TABLE app.workouts (user_id uuid, at timestamptz, minutes int);
INSERT INTO app.workouts SELECT user_id::uuid, at, steps % 90 FROM app.health WHERE at < '2026-02-05Z';
CREATE INDEX workouts_user_id ON app.workouts (user_id);
"""


class Recipe(NamedTuple):
    """The rows of a recipe by the test's own table, for one person; and by which index it reads the app's table."""
    truth: str
    index: Optional[str]   # null: it reads the whole table, once
    persons: tuple = (77,)


HER_IDS = """(SELECT user_id FROM app.truth WHERE person = {person} AND "to" = 'infinity')"""
RECIPES = {
    "her data": Recipe(
        f"SELECT user_id, at, steps FROM app.health WHERE user_id::uuid IN {HER_IDS}",
        "health_user_id_at", (77, 73)),
    "whose it was": Recipe(
        """SELECT h.at, h.steps, t.reference_id FROM app.truth t
           JOIN app.health h ON h.user_id = t.user_id::text AND h.at >= t."from" AND h.at < t."to"
           WHERE t.user_id = app.id({person}, 3) AND h.at >= '2026-02-01' AND h.at < '2026-04-01'""",
        "health_user_id_at"),
    "whose they were": Recipe(
        """SELECT t.reference_id, count(*), min(h.at), max(h.at) FROM app.truth t
           JOIN app.health h ON h.user_id = t.user_id::text AND h.at >= t."from" AND h.at < t."to"
           WHERE t.user_id = app.id({person}, 3) GROUP BY 1""",
        "health_user_id_at"),
    "while it was hers": Recipe(
        f"""SELECT h.user_id, h.at, h.steps FROM app.truth t
            JOIN app.health h ON h.user_id = t.user_id::text AND h.at >= t."from" AND h.at < t."to"
            WHERE t.reference_id = 'p{{person}}' AND t.user_id IN {HER_IDS}""",
        "health_user_id_at", (77, 73)),
    "everybody's rows": Recipe(
        """SELECT h.user_id, h.at, h.steps, t.reference_id, t.current_id::text
           FROM app.health h JOIN app.truth t ON t.user_id = h.user_id::uuid AND t."to" = 'infinity'""",
        None),
    "everybody's totals": Recipe(
        """SELECT t.reference_id, (array_agg(t.current_id ORDER BY number DESC))[1]::text, sum(h.steps), max(h.at)
           FROM app.health h JOIN app.truth t ON t.user_id = h.user_id::uuid AND t."to" = 'infinity'
           GROUP BY person, t.reference_id, number = 3 AND person % 1000 <> 500""",
        None),
    "her workouts": Recipe(
        f"SELECT at, minutes FROM app.workouts WHERE user_id IN {HER_IDS}",
        "workouts_user_id", (77, 73)),
    "whose workouts they are": Recipe(
        """SELECT t.reference_id, w.at, w.minutes FROM app.truth t JOIN app.workouts w USING (user_id)
           WHERE t.user_id = app.id({person}, 3) AND t."to" = 'infinity'""",
        "workouts_user_id"),
}


def psql(script):
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], capture_output=True, text=True,
                          input="SET client_min_messages = warning;" + script)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def recipes():
    """{name: SQL}, from the page."""
    block = r"^<!-- recipe: (.*?) -->\n```sql\n(.*?);\n```$"
    return dict(re.findall(block, PAGE.read_text(), re.DOTALL | re.MULTILINE))


def rows(query):
    """How often each row is there."""
    return Counter(psql(query + ";").splitlines())


def digest(query):
    """How many rows there are, and the sum of their hashes: for many."""
    return Counter(psql(f"SELECT count(*), sum(hashtextextended(q::text, 0)::numeric) FROM ({query}) q;").splitlines())


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def explain(options, query, recipe, setting=""):
    """The plan. What takes milliseconds has run before in the same session: the first run also reads the catalogs."""
    before = "" if recipe.index is None else f"\\o /dev/null\n{query};\n\\o\n"
    return psql(f"{setting}\n{before}EXPLAIN (ANALYZE, {options}) {query};")


def tell(name, query, recipe, setting=""):
    plan = explain("TIMING OFF, COSTS OFF", query, recipe, setting)
    print(f"# {name}: {setting}", *plan.splitlines(), sep="\n#   ", flush=True)


def check_rows(name, query, recipe):
    for person in recipe.persons:
        of = rows if recipe.index else digest
        found, wanted = of(query.replace("'p77'", f"'p{person}'")), of(recipe.truth.format(person=person))
        check(f"{name}: the rows are right ({person})", found == wanted and wanted,
              "missing:", *list(wanted - found)[:5], "too much:", *list(found - wanted)[:5])


def check_plan(name, query, recipe):
    told = json.loads(explain("BUFFERS, FORMAT JSON", query, recipe))[0]["Plan"]
    plan = list(nodes(told))
    tables = [node for node in plan if node.get("Relation Name") in ("health", "workouts")]
    if "user_ids" in query:
        called = {node.get("Function Name") for node in plan}
        check(f"{name}: user_ids is a part of the query, and not called", "user_ids" not in called)
    if recipe.index is None:
        check(f"{name}: it reads the app's table once", [node["Node Type"] for node in tables] == ["Seq Scan"]
              and tables[0]["Actual Rows"] * tables[0]["Actual Loops"] > 0.99 * ROWS, json.dumps(tables))
        return
    check(f"{name}: it reads the app's table by its index",
          tables and {node["Node Type"] for node in tables} <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
          and recipe.index in {node.get("Index Name") for node in plan}, json.dumps(tables))
    read = told["Shared Hit Blocks"] + told["Shared Read Blocks"]
    check(f"{name}: it reads few pages", read < FEW_PAGES, f"{read} pages")


psql(SETUP)
with ThreadPoolExecutor(2) as pool:
    list(pool.map(psql, [EVENTS, APP]))
psql("VACUUM ANALYZE;")
pages = int(psql("SELECT relpages FROM pg_class WHERE oid = 'app.health'::regclass;"))
check("the app's table has many pages", pages > 40 * FEW_PAGES, f"{pages} pages")
found = recipes()
check(f"the recipes of {PAGE} are those of this test", list(found) == list(RECIPES), list(found), list(RECIPES))
for name, query in found.items():
    check_rows(name, query, RECIPES[name])
    check_plan(name, query, RECIPES[name])
    tell(name, query, RECIPES[name])
    if RECIPES[name].index is None:
        tell(name, query, RECIPES[name], "SET work_mem = '64MB';")
sys.exit(finish())
