"""
The marks with which the COMMENT of every column of every table says whether it holds personal data: the last sentence.
Where a column of a plain type says nothing, it holds none.
"""

import json
import subprocess

AN_ID = "Personal data: an id."
SENT = "Personal data: what Terra sent."
WRITTEN = "Personal data: what somebody wrote."
A_HASH = "Personal data: a hash."
A_ROLE = "Personal data: the name of a role."
SECRET = "A secret."
NONE = "No personal data."
MARKS = [AN_ID, SENT, WRITTEN, A_HASH, A_ROLE, SECRET, NONE]
PLAIN_TYPES = {"boolean", "smallint", "integer", "bigint", "timestamp with time zone", "interval"}

COLUMNS = """
SELECT json_agg(json_build_array(c.relname, a.attname, format_type(a.atttypid, NULL), col_description(c.oid, a.attnum))
                ORDER BY c.oid, a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
    AND NOT a.attisdropped;
"""


def psql(script):
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"], input=script, capture_output=True,
                          encoding="utf-8", check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def mark_of(type_name, comment):
    """Null if it is missing."""
    for mark in MARKS:
        if (comment or "").endswith(" " + mark):
            return mark
    return NONE if type_name in PLAIN_TYPES else None


def columns():
    """[(table, column, type, mark)] of all tables of the extension."""
    return [(table, column, type_name, mark_of(type_name, comment))
            for table, column, type_name, comment in json.loads(psql(COLUMNS))]
