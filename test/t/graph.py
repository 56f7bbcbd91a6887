"""
Draws what explain_graph returns as GitHub does, with Mermaid in a headless Chromium: the picture has every connection,
person, account and arrow that the database has, as text that can be read, and nothing of an id becomes a part of the
page. With GRAPHS=FOLDER the pictures are also written there, as SVG.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tap import check, finish, skip

MERMAID = Path("test/mermaid/node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js")

# An id that could break out of a label, of Mermaid's text, of the page, or of a sentence.
HOSTILE = [
    "<script>document.title='hacked'</script>",
    "<img src=x onerror=\"document.title='hacked'\">",
    "\"]; click n1 \"javascript:alert(1)\"; end",
    "`markdown` **bold** 1. list",
    "two\nlines",
    "\u202egnp.exe\u202c",
    "\u05d0\u05d1\u05d2",
    "#quot;#34;&lt;&amp;",
    "%%{init: {'theme': 'dark'}}%%",
    "end",
    "subgraph",
    "x" * 512,
    "\"" * 512,
    "\u4e2d\u6587 \U0001f600 t\u00eate-\u00e0-t\u00eate",
]

PAGE = """<!DOCTYPE html><meta charset="utf-8"><title>good</title><body><script src="{script}"></script><script>
const graphs = {graphs};
function told(value) {{
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const characters = Array.from(bytes, byte => String.fromCharCode(byte)).join("");
    document.body.textContent = "RESULT:" + btoa(characters) + ":END";
}}
(async () => {{
    mermaid.initialize({{startOnLoad: false, securityLevel: "strict", maxTextSize: 50000, maxEdges: 500}});
    const results = [];
    for (let i = 0; i < graphs.length; ++i) {{
        try {{
            await mermaid.parse(graphs[i]);
            const {{svg}} = await mermaid.render("g" + i, graphs[i]);
            const holder = document.createElement("div");
            holder.innerHTML = svg;
            const texts = selector => Array.from(holder.querySelectorAll(selector), e => e.textContent);
            results.push({{svg: svg, nodes: texts(".node .nodeLabel"), people: texts(".cluster-label"),
                          labels: texts("g.edgeLabel"),
                          arrows: holder.querySelectorAll("path.flowchart-link").length,
                          dashed: holder.querySelectorAll("path.edge-pattern-dotted").length,
                          active: holder.querySelectorAll(".node.active").length,
                          scripts: holder.querySelectorAll("script, img, a, iframe").length}});
        }} catch (error) {{
            results.push({{error: String(error)}});
        }}
    }}
    told({{title: document.title, results: results}});
}})();
</script>"""


def value(query, *values):
    """The text that a query returns. $1, $2 ... in it are the values."""
    settings = []
    for n, one in enumerate(values, 1):
        settings += ["-v", f"v{n}={base64.b64encode(one.encode()).decode()}"]
        query = query.replace(f"${n}", f"convert_from(decode(:'v{n}', 'base64'), 'UTF8')")
    run = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *settings], text=True, capture_output=True,
                         input=f"SELECT encode(convert_to(x, 'UTF8'), 'base64') FROM ({query}) s (x);\n")
    if run.returncode != 0:
        raise RuntimeError(run.stderr)
    return base64.b64decode(run.stdout).decode()


def execute(script):
    subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], input=script, text=True, check=True, capture_output=True)


def insert(dev_id, payloads):
    """Inserts events, one minute after the other."""
    told = base64.b64encode(json.dumps(payloads).encode()).decode()
    execute("INSERT INTO terra_identity.events (dev_id, received_at, payload) "
            f"SELECT '{dev_id}', timestamptz '2026-03-01 08:00Z' + n * interval '1 minute', p "
            f"FROM jsonb_array_elements(convert_from(decode('{told}', 'base64'), 'UTF8')::jsonb) "
            "WITH ORDINALITY e (p, n) ORDER BY n;")


def user(user_id, reference_id):
    return {"user_id": user_id, "provider": "GARMIN", "reference_id": reference_id}


def athlete(user_id, reference_id, account):
    return {"type": "athlete", "user": user(user_id, reference_id), "athlete": {"provider_user_id": account}}


def reauth(old, new, old_reference, new_reference):
    return {"type": "user_reauth", "old_user": user(old, old_reference), "new_user": user(new, new_reference)}


def graph_of(user_id, dev_id):
    return value("SELECT terra_identity.explain_graph($1, $2)", user_id, dev_id)


def facts_of(dev_id):
    """What the database has of an environment, all of whose connections are in one picture."""
    return json.loads(value("""
        SELECT jsonb_build_object(
            'connections', count(*), 'active', count(*) FILTER (WHERE status = 'active'),
            'superseded', count(*) FILTER (WHERE status = 'superseded'), 'people', count(DISTINCT reference_id),
            'reauths', (SELECT count(*) FROM terra_identity.reauths WHERE dev_id = $1))::text
        FROM terra_identity.connections WHERE dev_id = $1""", dev_id))


def shown(text):
    """An id as it stands in a label: escaped, and cut if it is long."""
    def as_escape(c):
        return c.encode("unicode_escape").decode().replace("\\n", "\\u000a").replace("\\x", "\\u00")

    escaped = "".join(
        "\\" + c if c in "\"\\" else
        as_escape(c) if ord(c) < 0x20 or c in "\u202e\u202c\u05d0\u05d1\u05d2" else c for c in text)
    return f"\"{escaped}\"" if len(escaped.encode()) <= 40 else f"\"{escaped[:4]}"


def draw(graphs):
    """Renders graphs in a browser. @return what the page tells of them"""
    with tempfile.TemporaryDirectory() as folder:
        texts = json.dumps(graphs).replace("<", "\\u003c")
        page = Path(folder) / "page.html"
        page.write_text(PAGE.format(script=MERMAID.resolve().as_uri(), graphs=texts))
        run = subprocess.run(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-extensions", f"--user-data-dir={folder}/profile", "--virtual-time-budget=600000",
             "--timeout=300000", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, timeout=400, env={**os.environ, "HOME": folder})
        found = re.search("RESULT:([A-Za-z0-9+/=]*):END", run.stdout)
        if found is None:
            raise RuntimeError(f"the browser told nothing: {run.stdout[:500]} {run.stderr[-2000:]}")
        return json.loads(base64.b64decode(found.group(1)))


def main():
    execute("CREATE EXTENSION IF NOT EXISTS terra_identity;"
            "INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('replace', 'replace');")
    insert("keep", [athlete("g1", "anna", "G-42"), reauth("g1", "g2", "anna", "anna"), athlete("b1", "bert", "G-42")])
    insert("replace", [athlete("g1", "anna", "G-42"), athlete("b1", "bert", "G-42")])
    insert("transfer", [athlete("g1", "anna", "G-42"), reauth("g1", "g2", "anna", "bert")])
    insert("long", [reauth(f"l{n}", f"l{n + 1}", "anna", "anna") for n in range(1, 200)])
    insert("hostile", [athlete(id, id, "G-42") for id in HOSTILE])
    insert("huge", [reauth(f"{'<' * 400}{n}", f"{'<' * 400}{n + 1}", "anna", "anna") for n in range(1, 1500)])

    names = ["keep", "replace", "transfer", "long", "hostile", "huge", "never seen", "README.md", "a mistake"]
    graphs = [graph_of("g2", "keep"), graph_of("b1", "replace"), graph_of("g1", "transfer"), graph_of("l200", "long"),
              graph_of(HOSTILE[0], "hostile"), graph_of("<" * 400 + "1500", "huge"), graph_of("<script>", "keep"),
              re.search("```mermaid\n(.*?)```", Path("README.md").read_text(), re.DOTALL).group(1),
              "flowchart LR\n    n1[(\"]\n"]
    told = draw(graphs)
    drawn = dict(zip(names, told["results"]))
    if os.environ.get("GRAPHS"):
        for name, one in drawn.items():
            Path(os.environ["GRAPHS"], f"{name}.svg").write_text(one.get("svg", ""))

    check("what is no graph is found to be none", "error" in drawn.pop("a mistake"))
    for name, one in drawn.items():
        check(f"{name}: Mermaid draws it", "error" not in one and "Syntax error" not in one["svg"], one.get("error"))
        check(f"{name}: nothing of it is a part of the page", one.get("scripts") == 0, one)
    check("no id ran as a script", told["title"] == "good", told["title"])

    for name in ["keep", "replace", "transfer", "long"]:
        one, facts = drawn[name], facts_of(name)
        nodes = [node for node in one["nodes"] if re.search(r"since \d{4}-", node)]
        check(f"{name}: every connection is a node", len(nodes) == facts["connections"], nodes, facts)
        check(f"{name}: every person is a box", len(one["people"]) == facts["people"], one["people"], facts)
        check(f"{name}: active ones are marked", one["active"] == facts["active"], one["active"], facts)
        check(f"{name}: superseded ones have a dashed arrow", one["dashed"] == facts["superseded"], one["dashed"],
              facts)
        replaced = [label for label in one["labels"] if label.startswith("replaced")]
        check(f"{name}: every user_reauth has an arrow", len(replaced) == facts["reauths"] and
              one["arrows"] >= facts["reauths"] + facts["superseded"], one["labels"], one["arrows"], facts)
    check("a transfer says so", any("transferred" in label for label in drawn["transfer"]["labels"]),
          drawn["transfer"]["labels"])
    check("the account is shown", 'GARMIN account "G-42"' in drawn["keep"]["nodes"], drawn["keep"]["nodes"])
    for id in HOSTILE:
        start = shown(id)
        check(f"a hostile id can be read: {start}", any(node.startswith(start) for node in drawn["hostile"]["nodes"]),
              drawn["hostile"]["nodes"])
    check("a huge lineage says what is left out",
          any("older connections of the lineage are left out" in node for node in drawn["huge"]["nodes"]),
          drawn["huge"]["nodes"][-3:])
    check("an id that was never seen says so", drawn["never seen"]["nodes"] ==
          ['No webhook that names "<script>" has come to environment "keep"'], drawn["never seen"]["nodes"])


if shutil.which("chromium") is None or not MERMAID.exists():
    skip("what explain_graph returns is drawn", "no browser or no Mermaid: test/harness/dependencies.sh --browser")
else:
    main()
sys.exit(finish())
