"""
Prints docs/personal-data.md: the columns that hold personal data, by the marks in their COMMENTs, and how long their
rows are kept. make reference writes the page, and personal_data.py compares it.
"""

import difflib
from pathlib import Path

from personal_data_marks import AN_ID, A_HASH, A_ROLE, NONE, SECRET, SENT, WRITTEN, columns, psql
from tap import check

PAGE = Path("docs/personal-data.md")

INTRODUCTION = """\
# Personal data

<!-- Made by make reference from the marks in the COMMENTs of sql/install, and test/t/personal_data_page.py. -->

Every column of every table says at the end of its COMMENT whether it holds personal data. These do; no other column of
any table does, which a test finds out by searching them. Views show what the tables hold, and keep nothing.

```sql
SELECT attrelid::regclass AS of_table, attname AS column, col_description(attrelid, attnum) AS comment
FROM pg_attribute WHERE col_description(attrelid, attnum) LIKE '%Personal data: %.' ORDER BY attrelid, attnum;
```
"""

# What each mark means, for people.
MEANING = {
    AN_ID: "Terra's, the provider's or your app's id of a connection, an account or an end user, alone, in a list or in "
           "jsonb; the number of a connection or lineage, which your app may keep; a trace id, which of attached tables "
           "and imports has an id of a row or a connection in it",
    SENT: "bodies, headers and what is quoted from them: health data, names, e-mail addresses and ids",
    WRITTEN: "a note of a person or the error of a worker: whatever they wrote",
    A_HASH: "it shows whether a delivery that somebody has in hand was received, and nothing more",
    A_ROLE: "who works with the database, not an end user",
}

# What becomes of the rows of each table.
KEPT = {
    "events": "for ever",
    "deliveries": "as long as its event",
    "connections": "for ever",
    "reauths": "for ever",
    "changes": "for ever",
    "accepted_duplicates": "until you delete the row",
    "signatures": "for ever",
    "rejected": "until `replay_rejected` can store it, or you delete the row",
    "disconnects": "until you delete the row",
    "tombstones": "until `remember`",
}


def word(mark):
    return mark.removeprefix("Personal data: ").rstrip(".")


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def personal(listed):
    return [(table, column, mark) for table, column, _, mark in listed if mark not in (NONE, SECRET)]


def page(listed):
    lines = [INTRODUCTION, row("what", "meaning"), "|---|---|", *(row(word(m), told) for m, told in MEANING.items()), "",
             row("table", "column", "what", "kept"), "|---|---|---|---|"]
    lines += [row(f"[{table}](reference.md#{table})", f"`{column}`", word(mark), KEPT[table])
              for table, column, mark in personal(listed)]
    return "\n".join(lines) + "\n"


def check_page(listed):
    difference = list(difflib.unified_diff(PAGE.read_text(encoding="utf-8").splitlines(), page(listed).splitlines(),
                                           str(PAGE), "the catalog", "", "", 0, ""))
    check(f"{PAGE} is what the catalog says", not difference, "It is stale. To write it anew: make reference",
          *difference)
    found = psql(INTRODUCTION.partition("```sql\n")[2].partition("```")[0]).splitlines()
    listed_there = [line.rpartition("|")[0] for line in found]
    check("its query finds them",
          listed_there == [f"terra_identity.{table}|{column}" for table, column, _ in personal(listed)], *listed_there)
    tables = {table for table, _, _ in personal(listed)}
    check("it says of no other table how long it is kept", set(KEPT) == tables, set(KEPT) ^ tables)


if __name__ == "__main__":
    psql("SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS terra_identity")
    print(page(columns()), end="")
