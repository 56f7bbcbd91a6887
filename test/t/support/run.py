"""
Opens examples/support in headless Chromium and checks what a person would see, and that nothing that webhooks bring can
do anything there. Keeps a screenshot of each view.

    run.py WORK SCREENSHOTS    PGDATABASE: an empty database, in which test/demo/demo.sql runs.
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import server_checks                                         # noqa: E402
from browser import Page                                     # noqa: E402
from database import drop_readers, prepare, psql, rows, utc  # noqa: E402
from tap import check, finish                                # noqa: E402
from views import PROBES, Views                              # noqa: E402

# Each is a user_id, a reference_id and an account at once.
MARK = "window.hostile = true"
HOSTILE = {
    "script": f"<script>{MARK}</script>",
    "attribute": f"\"><img src=x onerror=\"{MARK}\"><svg onload='{MARK}'>",
    "link": f"javascript:{MARK}",
    "right-to-left": "\u202eecila\u2066 \u05d0\u05dc\u05d9\u05e1\u05d4 \u0627\u0644\u064a\u0633",
    "512-bytes": "long-" + "x" * 507,
    "quote-and-newline": "o'hara\nDROP TABLE \\ '; SELECT 1; --",
    "nothing-to-see": "a\u200b\u00a0\u2028b\u3164\ufe0f\U000e0041",
    "template": "${" + MARK + "} $1 {{7*7}} &lt;b&gt;",
}


class Test(Views):
    def story(self):
        page = self.open("story", q="a-monday")
        self.check_connection("story", page, "a-monday")
        self.same("story: it says how it was found",
                  "Found by user_id." in page.run("probes.texts('section .note')"), True)
        page.close()
        page = self.open("story-360", width=360, q="b-friday")
        self.check_connection("story-360", page, "b-friday")
        page.close()
        psql("""INSERT INTO terra_identity.events (received_at, payload)
            SELECT '2026-03-07 12:00Z'::timestamptz + n * interval '12 hours', '{"type": "daily", "data": [{}],
                "user": {"user_id": "a-tuesday", "provider": "GARMIN", "reference_id": "alice"}}'
            FROM generate_series(1, 12) n""")
        page = self.open("contradiction-360", width=360, q="a-tuesday")
        self.check_connection("contradiction-360", page, "a-tuesday")
        check("contradiction-360: data that goes on is one", page.run("probes.texts('.warning')"))
        page.close()
        psql("UPDATE terra_identity.environments SET account_policy = 'keep' WHERE dev_id = 'default'")
        page = self.open("duplicate-dark", dark=True, q="G-42", user_id="a-tuesday", dev_id="default")
        self.check_connection("duplicate-dark", page, "a-tuesday")
        [drawn] = rows("""SELECT count(*) AS nodes, count(*) FILTER (WHERE status = 'active') AS active,
                (SELECT count(*) FROM terra_identity.reauths WHERE old_user_id = 'a-monday') AS replaced
            FROM terra_identity.connections WHERE provider_user_id = 'G-42'""")
        self.same("duplicate-dark: the graph has every connection, reauth and holder of the account",
                  page.run("""({nodes: document.querySelectorAll('.graph a').length,
                               replaced: document.querySelectorAll('.graph .edge.replaced').length,
                               active: document.querySelectorAll('.graph .edge.holds').length})"""), drawn)
        page.close()
        psql("INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id, note) "
             "VALUES ('GARMIN', 'G-42', 'one bicycle computer, <b>two</b> riders')")
        page = self.open("accepted", q="b-friday")
        self.check_connection("accepted", page, "b-friday")
        accepted = rows("SELECT accepted_at FROM terra_identity.accepted_duplicates")[0]["accepted_at"]
        self.same("accepted: it says who accepted the account, when and why",
                  page.run("probes.texts('[aria-labelledby=box-duplicates] p')"),
                  [f"None: several end users may share this account. That was accepted by postgres at {utc(accepted)}.",
                   "Note: one bicycle computer, <b>two</b> riders"])
        page.close()
        psql("DELETE FROM terra_identity.accepted_duplicates")
        page = self.open("environment", q="8b2d-tour")
        self.check_connection("environment", page, "8b2d-tour", "tour")
        page.close()

    def correction(self):
        psql("""INSERT INTO terra_identity.events (received_at, payload)
            SELECT '2026-01-01Z'::timestamptz + n * interval '1 day', jsonb_build_object('type', 'auth',
                'status', 'success', 'user', jsonb_build_object('user_id', 'corrected-' || n, 'provider', 'POLAR',
                    'reference_id', 'cora'))
            FROM generate_series(1, 3) n;
            SELECT terra_identity.correct('corrected-1', 'same_person_as', 'she wrote to us', 'corrected-3')""")
        page = self.open("correction", q="corrected-1")
        self.check_connection("correction", page, "corrected-1")
        self.same("correction: the link is drawn",
                  page.run("document.querySelectorAll('.graph .edge.corrected').length"), 1)
        page.close()

    def choice(self):
        psql("""INSERT INTO terra_identity.events (payload) VALUES
            ('{"type": "auth", "status": "success", "user": {"user_id": "a-ring", "provider": "OURA",
               "reference_id": "alice"}}')""")
        page = self.open("choice-360", width=360, q="alice")
        wanted = rows("""SELECT DISTINCT lineage_id FROM terra_identity.connections WHERE reference_id = 'alice'""")
        self.same("choice: each of her accounts is there to choose",
                  page.run("document.querySelectorAll('.choices a').length"), len(wanted))
        page.run("document.querySelector('.choices a[href*=\"a-ring\"]').click()")
        page.settle("document.querySelector('.timeline')")
        page.run(PROBES)
        self.check_connection("chosen", page, "a-ring")
        self.same("chosen: what was typed stays", page.run("document.getElementById('q').value"), "alice")
        page.close()
        page = self.open("choice-dark", dark=True, q="G-42")
        wanted = rows("SELECT DISTINCT lineage_id FROM terra_identity.connections WHERE provider_user_id = 'G-42'")
        self.same("choice: each person on an account is there to choose",
                  page.run("document.querySelectorAll('.choices a').length"), len(wanted))
        self.check_sql("choice", page)
        page.close()

    def never_seen(self):
        page = self.open("never-seen", q="nobody-knows-me")
        self.same("never seen: the one row of explain says so", page.run("probes.texts('.sentence')"),
                  [row["sentence"] for row in rows("SELECT sentence FROM terra_identity.explain('nobody-knows-me')")])
        self.same("never seen: there is nothing else", page.run("document.querySelectorAll('section').length"), 1)
        self.check_sql("never seen", page)
        page.close()

    def lineage_of_200(self):
        psql("""INSERT INTO terra_identity.events (received_at, payload)
            SELECT '2026-01-01Z'::timestamptz + n * interval '1 day', jsonb_build_object('type', 'user_reauth',
                'old_user', '{"provider": "GARMIN", "reference_id": "lena"}'::jsonb
                    || jsonb_build_object('user_id', 'long-' || n),
                'new_user', '{"provider": "GARMIN", "reference_id": "lena"}'::jsonb
                    || jsonb_build_object('user_id', 'long-' || n + 1))
            FROM generate_series(1, 199) n;
            INSERT INTO terra_identity.events (payload) VALUES ('{"type": "athlete",
                "user": {"user_id": "long-1", "provider": "GARMIN"}, "athlete": {"provider_user_id": "G-long"}}')""")
        for name, width in (("lineage", 1100), ("lineage-360", 360)):
            page = self.open(name, width=width, q="long-60")
            drawn = page.run("document.querySelectorAll('.graph a').length")
            check(f"{name}: a part of it is drawn at first", 10 < drawn < 50, drawn)
            self.same(f"{name}: the one that was asked for is drawn", page.run(
                "document.querySelector('.graph [aria-current]').querySelector('title').textContent"), "long-60")
            page.run("probes.click('Draw all 200')")
            page.settle("document.querySelectorAll('.graph a').length > 100")
            self.same(f"{name}: then all of it, with every reauth",
                      page.run("[document.querySelectorAll('.graph a').length, "
                               "document.querySelectorAll('.graph .edge.replaced').length]"), [200, 199])
            self.check_connection(name, page, "long-60")
            self.check_view(f"{name}-all", page)
            page.run("document.querySelectorAll('details').forEach((one) => one.open = true)")
            self.check_view(f"{name}-open", page)
            page.close()

    def crowd(self):
        psql("""INSERT INTO terra_identity.events (received_at, payload)
            SELECT '2026-01-01Z'::timestamptz + n * interval '1 day', jsonb_build_object(
                'type', type, 'status', 'success', 'athlete', '{"provider_user_id": "G-crowd"}'::jsonb,
                'user', jsonb_build_object('user_id', 'crowd-' || n, 'provider', 'GARMIN',
                    'reference_id', 'person-' || n))
            FROM generate_series(1, 40) n, unnest('{auth, athlete}'::text[]) type""")
        for name, width in (("crowd", 1100), ("crowd-360", 360)):
            page = self.open(name, width=width, q="crowd-7")
            self.same(f"{name}: it is told how many they are", "This account has 40 active connections of different "
                      "end users." in page.run("probes.texts('section p')"), True)
            drawn = page.run("document.querySelectorAll('.graph a').length")
            check(f"{name}: some of them are drawn at first", 5 < drawn < 40, drawn)
            page.run("probes.click('Draw all 40')")
            page.settle("document.querySelectorAll('.graph a').length === 40")
            self.check_view(f"{name}-all", page)
            page.close()

    def hostile(self):
        for name, text in HOSTILE.items():
            psql("""INSERT INTO terra_identity.events (payload) VALUES
                (jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object(
                    'user_id', :'id', 'provider', 'GARMIN', 'reference_id', :'id'))),
                (jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', :'id',
                    'provider', 'GARMIN'), 'athlete', jsonb_build_object('provider_user_id', :'id'))),
                (jsonb_build_object('type', 'user_reauth', 'old_user', jsonb_build_object('user_id', :'id',
                    'reference_id', :'id'), 'new_user', jsonb_build_object('user_id', left(:'id', 400) || '-2',
                    'provider', 'GARMIN', 'reference_id', :'id'))),
                (jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object(
                    'user_id', 'other-' || md5(:'id'), 'provider', 'GARMIN', 'reference_id', 'somebody else'))),
                (jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', 'other-' || md5(:'id'),
                    'provider', 'GARMIN'), 'athlete', jsonb_build_object('provider_user_id', :'id')));
                INSERT INTO terra_identity.events (received_at, payload) VALUES (now() + interval '3 days',
                    jsonb_build_object('type', 'daily', 'data', '[{}]'::jsonb, 'user', jsonb_build_object(
                        'user_id', :'id', 'provider', 'GARMIN', 'reference_id', :'id')))""", id=text)
            for suffix, width in (("", 1100), ("-360", 360)):
                label = f"hostile-{name}{suffix}"
                page = self.open(label, width=width, q=text, user_id=text, dev_id="default")
                self.check_connection(label, page, text)
                check(f"{label}: it has a contradiction, too", page.run("probes.texts('.warning')"))
                page.run("document.querySelectorAll('details').forEach((one) => one.open = true)")
                self.check_view(f"{label}-open", page)
                page.close()
            page = self.open(f"hostile-{name}-choice", width=360, q=text)
            check(f"hostile-{name}: it is found in all three ways", {"user_id", "reference_id", "provider_user_id"} <=
                  {word for one in page.run("probes.texts('.choices a > :last-child')") for word in one.split()},
                  page.run("probes.texts('.choices a')"))
            self.check_sql(f"hostile-{name}-choice", page)
            page.close()

    def too_slow(self):
        """While somebody holds a lock."""
        lock = subprocess.Popen(["psql", "-X", "-q", "-A", "-t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True)
        lock.stdin.write("BEGIN; LOCK TABLE terra_identity.connections;\n\\echo locked\n")
        lock.stdin.flush()
        assert lock.stdout.readline() == "locked\n"
        page = self.open("too-slow", width=360, q="a-monday", errors=1)  # a 500
        self.same("a database that does not answer in time is told", page.run("probes.texts('[role=alert]')"),
                  ["The database took too long to answer."])
        page.close()
        lock.communicate("COMMIT;\n")

    def keyboard(self):
        page = Page(self.browser)
        page.open(self.support.address + "?q=")  # a page to come from
        page.call("Page.navigate", url=self.support.address)
        page.settle("document.activeElement.id === 'q'")
        page.run(PROBES)
        self.check_view("start", page)
        page.type("a-monday")
        page.press("Enter")
        page.settle("document.querySelector('.timeline')")
        page.run(PROBES)
        self.same("keyboard: Enter looks it up, and the answer has the focus",
                  page.run("[location.search, document.activeElement.id]"), ["?q=a-monday", "answer"])
        wanted = page.run("probes.tabbable()")
        answer = wanted[3:]  # after the skip link, the field and its button
        got, unseen = [], []
        for _ in answer:
            page.press("Tab")
            got.append(page.run("probes.focused()"))
            if not page.run("probes.focusIsSeen()"):
                unseen.append(got[-1])
        self.same("keyboard: Tab goes through the answer in the order in which one reads", got, answer)
        check("keyboard: one always sees where the focus is", not unseen, *unseen)
        # back to the top
        for _ in answer:
            page.press("Tab", shift=True)
        back = []
        for _ in range(4):
            if page.run("document.activeElement.id") != "answer":
                back.append(page.run("probes.focused()"))
            page.press("Tab", shift=True)
            if page.run("probes.focused()").startswith("a Skip"):
                break
        check("keyboard: the skip link comes first", page.run("probes.focused()") == wanted[0], back)
        check("keyboard: it can be seen when it has the focus",
              page.run("document.activeElement.getBoundingClientRect().left >= 0 && probes.focusIsSeen()"))
        page.screenshot(self.screenshots / "keyboard.png")
        page.press("Enter")
        self.same("keyboard: it leads to the answer", page.run("document.activeElement.id"), "answer")
        while not page.run("probes.focused()").startswith("summary SQL"):
            page.press("Tab")
        page.press("Enter")
        check("keyboard: Enter opens the SQL", page.run("document.activeElement.parentElement.open"))
        page.press("Tab")
        page.press("Tab")
        self.browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        page.press(" ")
        page.settle("document.activeElement.nextSibling.textContent")
        self.same("keyboard: the space bar copies it",
                  page.run("navigator.clipboard.readText()"),
                  page.run("document.activeElement.parentElement.querySelector('pre').textContent"))
        page.close()


def main(work, screenshots):
    prepare()
    test = Test(work, screenshots)
    try:
        server_checks.refusals(test.support)
        test.story()
        test.correction()
        test.choice()
        test.never_seen()
        test.lineage_of_200()
        test.crowd()
        test.hostile()
        test.too_slow()
        test.keyboard()
        server_checks.isolated(work)
        server_checks.cost(test.support)
    finally:
        test.end()
        drop_readers()
    return finish()


sys.exit(main(*sys.argv[1:]))
