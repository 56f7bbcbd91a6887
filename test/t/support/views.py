"""
Opening the page, and what must hold for every view of it: that it shows what the database says, and that nobody is
excluded or attacked.
"""

import json
import re
import subprocess
from pathlib import Path

from browser import Browser, Page
from database import READER, clear, psql, rows, utc, visible
from services import Support
from tap import check

PROBES = (Path(__file__).resolve().parent / "probes.js").read_text(encoding="utf-8")
# Connections, people, accounts, arrows of reauths, arrows of supersessions, lines of corrections and lines to accounts:
# in the page, and in the text of explain_graph.
DRAWN = """['a', '.person', '.pill', '.edge.replaced', '.edge.superseded', '.edge.corrected',
     '.edge.has, .graph .edge.holds']
    .map((selector) => document.querySelectorAll(`.graph ${selector}`).length)"""
MERMAID = [r"^ +n\d+\[", r"^ +subgraph ", r"^ +a\d+\(\[", r"-->", r"-\.->", r"---\|.corrected:", r" --- a\d+"]


class Views:
    """Opens views, and checks what must hold for each."""

    def __init__(self, work, screenshots):
        self.work, self.screenshots = work, Path(screenshots)
        self.screenshots.mkdir(parents=True, exist_ok=True)
        self.support, self.browser = Support(work), Browser(work)

    def end(self):
        self.browser.stop()
        check("the server ends when it is told to", self.support.stop() == 0)

    def open(self, name, width=1100, dark=False, errors=0, **parameters):
        """Opens a view, keeps what it looks like, and checks what must hold for each."""
        page = Page(self.browser, width=width, dark=dark)
        page.open(self.support.of(**parameters))
        page.run(PROBES)
        self.check_view(name, page, errors)
        return page

    def check_view(self, name, page, errors=0):
        page.screenshot(self.screenshots / f"{name}.png")
        requests, wrong = page.happened()
        foreign = [one for one in requests if not one.startswith((self.support.address, "data:,"))]
        check(f"{name}: nothing is asked of anybody else", requests and not foreign, *foreign)
        check(f"{name}: no errors, messages or dialogs", len(wrong) == errors, *wrong)
        check(f"{name}: no script of a webhook ran", page.run("typeof window.hostile") == "undefined")
        overflow = page.run("probes.overflow()")
        check(f"{name}: the page is not wider than the window", overflow == [0], *overflow)
        faint = page.run("probes.faint()")
        check(f"{name}: every text has enough contrast", not faint, *faint)
        self.check_names(name, page)

    def check_names(self, name, page):
        """What a screen reader is told."""
        nodes = [node for node in page.call("Accessibility.getFullAXTree")["nodes"] if not node.get("ignored")]
        found = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
        silent = [role for role, label in found if not label and role in
                  ("link", "button", "searchbox", "textbox", "region", "DisclosureTriangle", "heading", "table")]
        check(f"{name}: everything that one can use or go to has a name", not silent, *silent)
        roles = {role for role, _ in found}
        missing = {"banner", "search", "main", "contentinfo"} - roles
        check(f"{name}: it has landmarks", not missing, *missing)

    # --- What is shown

    def check_connection(self, name, page, user_id, dev_id="default"):
        """The boxes of a connection have what the database says."""
        key = {"user_id": user_id, "dev_id": dev_id}
        told = rows("SELECT * FROM terra_identity.explain(:'user_id', :'dev_id')", **key)
        self.same(f"{name}: the state is the conclusion", page.run("probes.texts('.sentence')"),
                  [clear(row["sentence"]) for row in told if row["kind"] == "conclusion"])
        events = [row for row in told if row["kind"] != "conclusion"]
        self.same(f"{name}: the timeline is what explain says",
                  [page.run("probes.texts('.timeline time')"),
                   page.run("probes.texts('.timeline .when span')"),
                   page.run("probes.texts('.timeline li > span:last-child')")],
                  [[utc(row["at"]) for row in events],
                   [row["kind"] + (f", event {row['event_id']}" if row["event_id"] is not None else "")
                    for row in events],
                   [clear(row["sentence"]) for row in events]])
        lineage = rows("SELECT * FROM terra_identity.lineage(:'user_id', :'dev_id')", **key)
        [asked] = [row for row in lineage if row["user_id"] == user_id]
        facts = dict(zip(page.run("probes.texts('[aria-labelledby=box-state] dt')"),
                         page.run("probes.texts('[aria-labelledby=box-state] dd')")))
        resolved = rows("SELECT terra_identity.resolve(:'user_id', :'dev_id') AS id", **key)[0]["id"]
        wanted = {
            "user_id": visible(user_id), "status": asked["status"], "environment": visible(dev_id),
            "current user_id": "itself" if resolved == user_id else "none: no connection of its lineage is active"
                               if resolved is None else visible(resolved),
            "reference_id (end user)": visible(asked["reference_id"] or "not known"),
            "provider": visible(asked["provider"] or "not known"),
            "provider_user_id (account)": visible(asked["provider_user_id"] or "not known"),
            "lineage_id": str(asked["lineage_id"]), "connected": utc(asked["connected_at"]),
            **({"ended": utc(asked["ended_at"])} if asked["ended_at"] else {}),
        }
        self.same(f"{name}: the facts are the connection's", facts, wanted)
        table = page.run("probes.table('table[aria-label=\"Connections, oldest first\"]')")
        listed = [row[0] for row in table]
        absent = [row["user_id"] for row in lineage if visible(row["user_id"]) not in listed]
        check(f"{name}: the table has the whole lineage", not absent, *absent)
        duplicates = rows("""SELECT d.user_id, d.reference_id, d.connected_at, d.newest
            FROM terra_identity.duplicate_connections d
            JOIN terra_identity.connections c ON c.dev_id = d.dev_id AND c.provider = d.provider
                                             AND c.provider_user_id = d.provider_user_id
            WHERE c.user_id = :'user_id' AND c.dev_id = :'dev_id' ORDER BY d.newest DESC, d.connected_at DESC""", **key)
        self.same(f"{name}: the duplicates are the view's",
                  page.run("probes.table('table[aria-label=\"Active connections of this account\"]')"),
                  [[visible(row["user_id"]), visible(row["reference_id"] or "not known"), utc(row["connected_at"]),
                    "newest: the dashboard shows it" if row["newest"] else ""] for row in duplicates])
        doubts = rows("""SELECT * FROM terra_identity.contradictions
            WHERE user_id = :'user_id' AND dev_id = :'dev_id' ORDER BY last_at, kind""", **key)
        self.same(f"{name}: the contradictions are the view's",
                  [page.run("probes.texts('.warning p')"), page.run("probes.texts('.warning pre')")],
                  [[text for row in doubts for text in (
                      clear(row["sentence"]), f"{row['kind']}, {row['count']} time{'s' if row['count'] != 1 else ''}, "
                                       f"last {utc(row['last_at'])}")],
                   ["\n".join(map(clear, row["settled_by"].split("\n"))) for row in doubts]])
        flags = (["Different end users share its account"] if duplicates else []) + (
            [f"{len(doubts)} contradiction{'s' if len(doubts) > 1 else ''}"] if doubts else [])
        self.same(f"{name}: the state points to them", page.run("probes.texts('.flags a')"), flags)
        self.check_sql(name, page)
        mermaid = rows("SELECT terra_identity.explain_graph(:'user_id', :'dev_id') AS text", **key)[0]["text"]
        if "are left out" not in mermaid:  # that text is limited
            self.same(f"{name}: the graph has what explain_graph has",
                      page.run(DRAWN), [len(re.findall(pattern, mermaid, re.M)) for pattern in MERMAID])

    def same(self, name, got, wanted):
        check(name, got == wanted, f"got:    {json.dumps(got, ensure_ascii=False)}",
              f"wanted: {json.dumps(wanted, ensure_ascii=False)}")

    def check_sql(self, name, page):
        """What is there to copy runs as it is, as a reader."""
        texts = page.run("probes.texts('pre[aria-label^=\"SQL of\"]')")
        failed = []
        for text in texts:
            try:
                psql("BEGIN READ ONLY;\n" + text, user=READER)
            except subprocess.CalledProcessError:
                failed.append(text)
        check(f"{name}: the SQL to copy runs", texts and not failed, *failed)
