"""
What the database says, by psql, and how the page writes it.
"""

import json
import os
import subprocess
import unicodedata

READER, ISOLATED = "support_page", "support_page_of_tour"  # who reads everything; who reads environment "tour"


def psql(text, *options, user="postgres", **values):
    """What psql prints; values are for :'name' in the text."""
    settings = [part for name, value in values.items() for part in ("-v", f"{name}={value}")]
    return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *settings, *options],
                          input=text, check=True, stdout=subprocess.PIPE, encoding="utf-8",
                          env={**os.environ, "PGUSER": user, "PGTZ": "UTC"}).stdout


def rows(query, **values):
    lines = psql(f"SELECT row_to_json(q) FROM ({query}) AS q;", **values).split("\n")
    return [json.loads(line) for line in lines if line]


def visible(text):
    """As the page shows an id, whose own backslashes are doubled."""
    return clear(text.replace("\\", "\\\\"))


def clear(text):
    """As the page shows a sentence: what cannot be seen, or turns the direction of writing, as an escape."""
    def show(character):
        category = unicodedata.category(character)
        if category in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp") or (category == "Zs" and character != " ") or \
                character in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0" or "\ufe00" <= character <= "\ufe0f":
            return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
        return character
    return "".join(map(show, text))


def utc(time):
    """As psql prints it, +00 being UTC."""
    return "" if time is None else time.replace("T", " ").replace("+00:00", " UTC")


def prepare():
    """The demo's story, and who reads it."""
    subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "test/demo/demo.sql"], check=True,
                   stdout=subprocess.DEVNULL)
    psql(f"""CREATE ROLE {READER} LOGIN; CREATE ROLE {ISOLATED} LOGIN;
        DO $$BEGIN
            PERFORM terra_identity.grant_support('{READER}'), terra_identity.grant_support('{ISOLATED}', 'tour');
        END$$;""")


def drop_readers():
    psql(f"DROP OWNED BY {READER}, {ISOLATED}; DROP ROLE {READER}, {ISOLATED}")
