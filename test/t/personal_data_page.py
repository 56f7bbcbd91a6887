"""
Prints docs/personal-data.md: the columns that hold personal data, by the marks in their COMMENTs, what forget() does to
them, and how long their rows are kept. make reference writes the page, and personal_data.py compares it.
"""

import difflib
from collections import defaultdict
from itertools import groupby
from operator import itemgetter
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
    AN_ID: "Terra's, the provider's or your app's id of a connection, an account or an end user; the number of a "
           "connection or lineage, which your app may keep; a trace id, which may have the key of an attached table's "
           "row or the id of an imported user in it",
    SENT: "bodies, headers and what is quoted from them: health data, names, e-mail addresses and ids",
    WRITTEN: "a note of a person or the error of a worker: whatever they wrote",
    A_HASH: "who has the delivery, or of a tombstone the id and the key, can tell that it was here; nobody can go back",
    A_ROLE: "who works with the database, not an end user",
}

# What becomes of the rows of each table: by forget(), and without it.
REMOVED = "removed"
OTHERS = "removed; in rows of others her ids are replaced"
STUB = "removed; where connections of others follow from hers, kept with names in the place of her ids"
FORGOTTEN_AND_KEPT = {
    "events": (STUB + ", and with nothing but what the rules read",
               "data and headers until `prune`, or not at all (`store_data`); the rest of passing events for ever, or "
               "as `events_older_than` says; identity events for ever"),
    "deliveries": (REMOVED, "as long as its event"),
    "connections": (STUB, "for ever"),
    "reauths": (STUB, "for ever"),
    "changes": (OTHERS, "for ever, or as `changes_older_than` says"),
    "accepted_duplicates": ("her ids are replaced in the note; a row of an account that nobody else is on is removed",
                            "until you delete the row"),
    "signatures": (REMOVED, "until `prune`, if that comes a day after the `signature_tolerance` or later"),
    "rejected": (REMOVED, "until `replay_rejected` can store it, or as `rejected_older_than` says"),
    "disconnects": (OTHERS, "for ever, or once it is done as `disconnects_older_than` says"),
    "tombstones": ("written by it", "until `remember`"),
    "readers": ("left", "until `revoke_reader`"),
}


ELSEWHERE = """
What `forget` does is in [A user wants to be deleted](questions/a-user-wants-to-be-deleted.md), which also says where
else such data is: in free space and statistics until `VACUUM` and `ANALYZE`, in WAL, backups, standbys and the server's
log, and in tables of your own. What `prune` does, and its arguments, are in
[How long do we keep what?](questions/how-long-do-we-keep-what.md).
"""


def word(mark):
    return mark.removeprefix("Personal data: ").rstrip(".")


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def personal(listed):
    return [(table, column, mark) for table, column, _, mark in listed if mark not in (NONE, SECRET)]


def page(listed):
    lines = [INTRODUCTION, row("what", "meaning"), "|---|---|"]
    lines += [row(word(mark), meaning) for mark, meaning in MEANING.items()]
    lines += ["", row("table", "columns", "`forget`", "kept"), "|---|---|---|---|"]
    for table, columns_of in groupby(personal(listed), key=itemgetter(0)):
        of_mark = defaultdict(list)
        for _, column, mark in columns_of:
            of_mark[mark].append(f"`{column}`")
        told = "; ".join(f"{word(mark)}: {', '.join(its)}" for mark, its in of_mark.items())
        lines.append(row(f"[{table}](reference.md#{table})", told, *FORGOTTEN_AND_KEPT[table]))
    return "\n".join(lines) + "\n" + ELSEWHERE


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
    check("it speaks of no other table", set(FORGOTTEN_AND_KEPT) == tables, set(FORGOTTEN_AND_KEPT) ^ tables)


if __name__ == "__main__":
    psql("SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS terra_identity")
    print(page(columns()), end="")
