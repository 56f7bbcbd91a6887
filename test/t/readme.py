"""
Runs the transcript of README.md and compares every statement's output with what stands there; then each other SQL
block of the pages, after the transcript alone: what a block does is rolled back. The pages of docs/questions have more
people to ask about.
"""

import re
import subprocess
import sys
from pathlib import Path

from tap import check, finish

MARK = "-- next statement --"

# Pages with SQL blocks, and what their reader has beside them. docs/dumps-and-replication.md has a test of its own.
PAGES = {
    "README.md": "CREATE TABLE health_data (user_id text, day date, steps int);"
                 "INSERT INTO health_data VALUES ('id-1', '2026-01-01', 9000), ('id-2', '2026-01-02', 8000);",
    "docs/rules.md": "INSERT INTO terra_identity.events (payload) SELECT jsonb_build_object('type', 'auth', 'status',"
                     " 'success', 'user', jsonb_build_object('user_id', u, 'provider', 'GARMIN', 'reference_id', 'r'))"
                     " FROM unnest(ARRAY['b3f1', '77ac']) u;",
    "docs/handler.md": "CREATE ROLE anon;",
    "docs/roles.md": "CREATE ROLE app_owner; CREATE ROLE loader; CREATE ROLE support; CREATE ROLE disconnector;",
}

# Beside the transcript's people: data of theirs; what Terra lists, and what its SQL destination wrote; an account that
# moved from anna to bert, and goes on sending data for anna; and paula, who installed the app on her iPhone again. Then
# a webhook table of the reader's, another one that is attached, and a delivery whose content lies behind a URL. Roles
# of customer acme, and of an operator.
QUESTIONS = """
CREATE ROLE acme_analyst;
CREATE ROLE acme_support;
CREATE ROLE acme_mailer;
CREATE ROLE operator;
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('replace', 'replace');
CREATE FUNCTION pg_temp.event(type text, user_id text, provider text, reference_id text, rest jsonb = '{}')
RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', type, 'status', 'success', 'user', jsonb_build_object(
        'user_id', user_id, 'provider', provider, 'reference_id', reference_id)) || rest
$$;
INSERT INTO terra_identity.events (payload) VALUES
    (pg_temp.event('daily', 'id-1', 'GARMIN', 'alice')), (pg_temp.event('daily', 'id-2', 'GARMIN', 'alice')),
    (pg_temp.event('sleep', 'id-3', 'GARMIN', 'bob'));
INSERT INTO terra_identity.events (dev_id, received_at, payload) VALUES
    ('replace', '2026-03-01 08:00Z',
     pg_temp.event('athlete', 'r-1', 'GARMIN', 'anna', '{"athlete": {"provider_user_id": "G-7"}}')),
    ('replace', '2026-03-02 08:00Z',
     pg_temp.event('athlete', 'r-2', 'GARMIN', 'bert', '{"athlete": {"provider_user_id": "G-7"}}')),
    ('replace', '2026-03-05 08:00Z', pg_temp.event('daily', 'r-1', 'GARMIN', 'anna')),
    ('default', '2026-03-01 08:00Z', pg_temp.event('auth', 'phone-1', 'APPLE', 'paula')),
    ('default', '2026-03-02 08:00Z', pg_temp.event('auth', 'phone-2', 'APPLE', 'paula')),
    ('default', '2026-03-03 08:00Z', pg_temp.event('daily', 'phone-1', 'APPLE', 'paula'));
CREATE TABLE terra_lists (taken_at timestamptz PRIMARY KEY, answer jsonb NOT NULL);
INSERT INTO terra_lists
SELECT clock_timestamp(), jsonb_build_object('users', jsonb_agg(jsonb_build_object(
    'user_id', user_id, 'provider', provider, 'reference_id', reference_id)) || '[{"user_id": "unheard-of"}]')
FROM terra_identity.current_connections WHERE dev_id = 'default' AND user_id <> 'phone-2';
CREATE SCHEMA terra;
CREATE TABLE terra.terra_users (user_id text, reference_id text, created_at timestamptz, granted_scopes text,
                                provider text, state text);
INSERT INTO terra.terra_users VALUES ('id-9', 'nina', '2026-02-01Z', 'ACTIVITY', 'GARMIN', 'active'),
                                     ('id-8', 'nina', '2026-01-01Z', NULL, 'GARMIN', 'user_reauth');
CREATE TABLE terra.terra_data_payloads (user_id text, data_type text, created_at timestamptz, payload_id text,
                                        start_time timestamptz, end_time timestamptz);
INSERT INTO terra.terra_data_payloads VALUES ('id-1', 'daily', '2026-01-02Z', 'p-1', '2026-01-01Z', '2026-01-02Z');
CREATE TABLE webhooks (id bigserial PRIMARY KEY, body jsonb, headers jsonb, received_at timestamptz);
INSERT INTO webhooks (body, received_at) VALUES (pg_temp.event('auth', 'w-1', 'OURA', 'wendy'), '2026-03-01');
CREATE TABLE inbox (id bigserial PRIMARY KEY, raw text, headers json);
SELECT terra_identity.attach('inbox', 'raw', 'headers');
INSERT INTO inbox (raw, headers) VALUES
    ('{"type": "s3_payload", "status": "success", "url": "https://example.com/p", "expires_in": 300}',
     '{"X-Terra-Trace-Id": "behind-a-url"}');
"""


def psql(script):
    return subprocess.run(["psql", "-X", "-v", "ON_ERROR_STOP=1"], input=script, capture_output=True, text=True)


def transcript(path):
    """[(statement, output)] of the block after the transcript's comment."""
    block = re.search(r"<!-- transcript: .*?-->\n```\n(.*?)```", open(path).read(), re.DOTALL).group(1)
    steps = []
    for line in block.split("\n"):
        prompt = re.match(r"app([=\-'])> ", line)
        if prompt and (prompt.group(1) == "=" or not steps):
            steps.append(([line[6:]], []))
        elif prompt:
            steps[-1][0].append(line[6:])
        elif steps:
            steps[-1][1].append(line)
    return [("\n".join(statement), "\n".join(output).strip("\n")) for statement, output in steps]


def run_transcript():
    steps = transcript("README.md")
    run = psql("".join(f"{statement}\n\\echo '{MARK}'\n" for statement, _ in steps))
    outputs = [output.strip("\n") for output in run.stdout.split(MARK + "\n")]
    for number, (statement, expected) in enumerate(steps):
        actual = outputs[number] if number < len(outputs) else run.stderr
        check(f"README.md, statement {number + 1}: {statement.splitlines()[0][:60]}", actual == expected,
              "expected:", expected, "actual:", actual, run.stderr)
    check(f"README.md has a transcript ({len(steps)} statements)", len(steps) >= 10)


def check_graph():
    """README.md shows what explain_graph returns after the transcript; only the times are others."""
    shown = re.search(r"`explain_graph\('([^']*)'\)`.*?```mermaid\n(.*?)```", open("README.md").read(), re.DOTALL)
    drawn = psql("\\pset tuples_only on\n\\pset format unaligned\n"
                 f"SELECT terra_identity.explain_graph('{shown.group(1)}');")
    graph = drawn.stdout[drawn.stdout.index("flowchart"):].strip()
    minute = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    check("README.md: its picture is that of explain_graph",
          re.sub(minute, "", shown.group(2)).strip() == re.sub(minute, "", graph) and re.search(minute, graph), graph)


def runnable(block):
    """A block with parameters is only prepared: psql has no values for them."""
    return f"PREPARE s AS {block} DEALLOCATE s;" if "$1::" in block else block


def run_blocks(page, before):
    blocks = re.findall(r"^```sql\n(.*?)^```$", open(page).read(), re.DOTALL | re.MULTILINE)
    run = psql("".join(f"BEGIN;\n{before}\n{runnable(block)}\nROLLBACK;\n\\echo '{MARK}'\n" for block in blocks))
    ran = run.stdout.count(MARK)
    check(f"{page}: all of {len(blocks)} SQL blocks run", ran == len(blocks) > 0,
          "this one does not:", *blocks[ran:ran + 1], run.stderr)
    if page == "README.md" or page.startswith("docs/questions/"):
        check(f"{page}: no query of its blocks is without rows", "(0 rows)" not in run.stdout, run.stdout)


def check_question(page):
    """A page of docs/questions begins with the question, and then the query to paste."""
    lines = Path(page).read_text().split("\n")
    check(f"{page} begins with a query", re.match("# [A-Z]", lines[0]) and lines[1:3] == ["", "```sql"] and
          lines[3].startswith("SELECT "), *lines[:4])


run_transcript()
check_graph()
for page, before in PAGES.items():
    run_blocks(page, before)
for page in sorted(Path("docs/questions").glob("*.md")):
    check_question(str(page))
    run_blocks(str(page), QUESTIONS)
sys.exit(finish())
