"""
Makes docs/reference.md from the catalog: from the COMMENTs of the extension's schema and from pg_settings. Names that
begin with _ are left out. Nothing in it depends on the version of PostgreSQL.

    reference_page.py            compares it with docs/reference.md
    reference_page.py --print    prints it
"""

import difflib
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from tap import check, finish

PAGE = Path("docs/reference.md")
SCHEMA = "terra_identity"

INTRODUCTION = """\
# Reference

<!-- Made by make reference from the COMMENTs in sql/install. Edit those, not this page. -->

All names are in the schema `terra_identity`, which `CREATE EXTENSION terra_identity` creates.
[rules.md](rules.md#words) explains the words, [roles.md](roles.md) who may use what. psql shows the same texts:
`\\d+ terra_identity.events`, `\\df+ terra_identity.*`.

Arguments in brackets may be left out. `dev_id` is the environment; left out, it is the one that the setting
`terra_identity.dev_id` names. Only `INSERT`, `ingest` and `webhook` look at the header `dev-id` first.
"""

ERRORS = """\
## Errors

| SQLSTATE | raised when | what to do |
|---|---|---|
| `TI001` | an event with a problem is inserted under `terra_identity.strict` (`ingest` answers 400 instead) | correct \
the event, or store it with its problem: set `terra_identity.strict` to off |
| `TI002` | `UPDATE`, `DELETE` or `TRUNCATE` of the ledger `events` | insert another event |
| `TI003` | the environment requires signatures, and none of its signing secrets is valid | `set_signing_secret`, \
or set `environments.signature_required` to false |
| `TI004` | `correct` is asked to say what an event cannot say, or what would not become true | the message says why |
| `TI005` | somebody of the environment was forgotten, and the key of the tombstones is missing, which no dump has | \
`set_tombstone_key` |
| `40001` | at REPEATABLE READ and above, another transaction was faster; or a delivery was deleted while it was sent \
again; or what `correct` is about changed meanwhile | try again |

All other errors are PostgreSQL's own, with its own codes.
"""

CATALOG = """
LOAD 'terra_identity';
SET search_path = pg_catalog;
SELECT json_build_object(
    'relations', (
        SELECT json_agg(json_build_object(
            'name', c.relname, 'kind', c.relkind, 'comment', obj_description(c.oid, 'pg_class'),
            'columns', (
                SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                                                  'comment', col_description(c.oid, a.attnum)) ORDER BY a.attnum)
                FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)) ORDER BY c.oid)
        FROM pg_class c
        WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'c')),
    'types', (
        SELECT json_agg(json_build_object(
            'name', t.typname, 'comment', obj_description(t.oid, 'pg_type'),
            'values', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
            'base', CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) END) ORDER BY t.oid)
        FROM pg_type t WHERE t.typnamespace = 'terra_identity'::regnamespace AND t.typtype IN ('e', 'd')),
    'functions', (
        SELECT json_agg(json_build_object(
            'name', p.proname, 'comment', obj_description(p.oid, 'pg_proc'),
            'result', format_type(p.prorettype, NULL), 'set', p.proretset, 'optional', p.pronargdefaults,
            'arguments', (
                SELECT json_agg(json_build_object('name', p.proargnames[n], 'mode', coalesce(p.proargmodes[n], 'i'),
                                                  'type', format_type(t, NULL)) ORDER BY n)
                FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY u (t, n))) ORDER BY p.oid)
        FROM pg_proc p WHERE p.pronamespace = 'terra_identity'::regnamespace AND p.prorettype <> 'trigger'::regtype),
    'settings', (
        SELECT json_agg(json_build_object('name', s.name, 'type', s.vartype, 'default', s.boot_val,
                                          'short', s.short_desc, 'more', s.extra_desc) ORDER BY s.name COLLATE "C")
        FROM pg_settings s WHERE s.name LIKE 'terra\\_identity.%'));
"""


def catalog():
    """{kind of object: [object]}, public ones only, in the order in which the install script creates them."""
    subprocess.run(["psql", "-Xq", "-c", f"SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS {SCHEMA}"],
                   check=True)
    found = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], input=CATALOG, check=True, capture_output=True,
                           encoding="utf-8").stdout
    return {kind: [o for o in objects or [] if not o["name"].startswith("_")]
            for kind, objects in json.loads(found).items()}


# What can only be a name: of a header, of a function with (), with a dot or an underscore in it.
NAMES = (r"(?<![\w./-])(?:X-Terra-[\w-]*\w|terra-signature|dev-id"
         r"|[a-z]\w*(?:\.[a-z]\w*)+(?:\(\))?|[a-z]\w*\(\)|[a-z]\w*_\w*)(?![\w/])")


def marked(text):
    """A COMMENT as Markdown: nothing in it is markup, and names become code."""
    text = re.sub(r"([\\*<>|`\[\]])", r"\\\1", text or "")
    return re.sub(NAMES, r"`\g<0>`", text)


def paragraph(text):
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False) + "\n"


def short(type_name):
    return type_name.removeprefix(SCHEMA + ".").replace("timestamp with time zone", "timestamptz")


def columns(relation):
    rows = [f"| `{c['name']}` | {short(c['type'])} | {marked(c['comment'])} |"
            for c in relation["columns"] if not c["name"].startswith("_")]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows]) + "\n"


def signature(function):
    """name(argument type [, optional type]) → result"""
    given = [a for a in function["arguments"] or [] if a["mode"] in "ibv"]
    returned = [a for a in function["arguments"] or [] if a["mode"] in "obt"]
    required = len(given) - function["optional"]
    text = ""
    for number, argument in enumerate(given):
        one = (", " if number else "") + f"{argument['name'] or ''} {short(argument['type'])}".strip()
        text += one if number < required else (" " if number else "") + f"[{one}]"
    result = ", ".join(f"{a['name']} {short(a['type'])}" for a in returned)
    result = f"({result})" if result else short(function["result"])
    call, result = f"{function['name']}({text})", f"→ {'setof ' if function['set'] else ''}{result}"
    return f"{call} {result}" if len(call + result) < 100 else f"{call}\n    {result}"


def functions(found):
    """One heading for all functions of a name."""
    by_name = {}
    for function in found:
        by_name.setdefault(function["name"], []).append(function)
    for name, overloads in by_name.items():
        yield f"### {name}\n"
        for function in overloads:
            yield f"```\n{signature(function)}\n```\n"
            yield paragraph(marked(function["comment"]))


def settings(found):
    rows = [f"| `{s['name']}` | {s['type']} | `{s['default']}` | "
            f"{marked(' '.join(filter(None, (s['short'], s['more']))))} |"
            for s in found]
    return "\n".join(["| setting | type | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def contents(title, names):
    """Links to what follows, which has headings of these names."""
    return paragraph(f"**{title}**: " + " · ".join(f"[{name}](#{name})" for name in dict.fromkeys(names)))


def reference(found):
    kinds = {"Tables": "rp", "Views": "vm", "Types": "c"}
    relations = {title: [r for r in found["relations"] if r["kind"] in kind] for title, kind in kinds.items()}
    types = relations.pop("Types") + found["types"]
    parts = [INTRODUCTION]
    for title, listed in [*relations.items(), ("Types", types), ("Functions", found["functions"])]:
        if listed:
            parts.append(contents(title, [o["name"] for o in listed]))
    parts.append("[Settings](#settings) · [Errors](#errors)\n")
    for title, listed in relations.items():
        parts.append(f"## {title}\n")
        for relation in listed:
            parts += [f"### {relation['name']}\n", paragraph(marked(relation["comment"])), columns(relation)]
    if types:
        parts.append("## Types\n")
        for one in types:
            parts += [f"### {one['name']}\n", paragraph(marked(one["comment"]))]
            if one.get("columns"):
                parts.append(columns(one))
            elif one.get("values"):
                parts.append(paragraph("Values: " + ", ".join(f"`{value}`" for value in one["values"])))
            else:
                parts.append(f"A domain over {short(one['base'])}.\n")
    parts += ["## Functions\n", *functions(found["functions"])]
    parts += ["## Settings\n", settings(found["settings"]), ERRORS]
    return "\n".join(parts)


def main():
    found = catalog()
    made = reference(found)
    if sys.argv[1:] == ["--print"]:
        sys.stdout.reconfigure(encoding="utf-8")
        print(made, end="")
        return 0
    written = PAGE.read_text(encoding="utf-8")
    difference = list(difflib.unified_diff(written.splitlines(), made.splitlines(), str(PAGE), "the catalog",
                                           "", "", 0, ""))
    if difference:
        difference = [f"{PAGE} is stale. To write it anew: make reference", *difference[:60]]
    silent = [f"{o['name']} has no COMMENT" for kind in ("relations", "types", "functions") for o in found[kind]
              if not o["comment"]]
    silent += [f"{r['name']}.{c['name']} has no COMMENT"
               for r in found["relations"] for c in r["columns"] if not c["comment"]]
    codes = {code for source in Path("src").rglob("*.[ch]*") for code in re.findall(r'"(TI\d{3})"', source.read_text())}
    check(f"{PAGE} is what the catalog says", not difference, "\n".join(difference))
    check("every public object and column has a COMMENT", not silent, "\n".join(silent))
    check(f"{PAGE} has the extension's {len(codes)} error codes",
          codes and codes == set(re.findall(r"`(TI\d{3})`", ERRORS)), sorted(codes))
    return finish()


sys.exit(main())
