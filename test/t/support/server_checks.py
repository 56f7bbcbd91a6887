"""
The page's server: whom it answers and whom not, what row level security leaves, and what an answer costs.
"""

import os
import re
import subprocess

from database import ISOLATED, READER, psql
from services import SERVER, Support
from tap import check


def refusals(support):
    """Whom it answers, and what."""
    for host in ("evil.example", "evil.example:80", f"127.0.0.1.evil.example:{support.port}", "[::1]", ""):
        check(f"host {host!r} is refused",
              support.request("/answer?q=a-monday", host=host or " ")[0] in (400, 421))
    check("a tunnel's port is not", support.request("/answer?q=a-monday", host="localhost:9999")[0] == 200)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        check(f"{method} is refused", support.request("/answer?q=a-monday", method)[0] == 405)
    for path in ("/page.html", "/../server.js", "/package.json", "/answer/", "//evil.example/",
                 "/%2e%2e/server.js"):
        check(f"there is no {path}", support.request(path)[0] == 404)
    check("a NUL is refused", support.request("/answer?q=%00")[0] == 400)
    check("what is too long is refused", support.request("/answer?q=" + "x" * 3000)[0] == 400)
    check("bytes that are no text are an id that nobody has",
          support.request("/answer?q=%ff%fe")[0] == 200)
    status, headers, _ = support.request("/")
    policy = headers.get("Content-Security-Policy", "")
    check("the page may run its own script only", status == 200 and "default-src 'none'" in policy
          and "unsafe" not in policy and "frame-ancestors 'none'" in policy, policy)
    check("no cache keeps it", headers.get("Cache-Control") == "no-store")
    with open("/proc/net/tcp", encoding="ascii") as table:
        listening = [line.split()[1] for line in table if f":{support.port:04X}" in line.split()[1]
                     and line.split()[3] == "0A"]
    check("it listens on the loopback address only", listening == [f"0100007F:{support.port:04X}"], listening)
    refused = subprocess.run(["node", SERVER], check=False, capture_output=True, text=True,
                             env={**os.environ, "PGUSER": "postgres", "PORT": "0"}, timeout=30)
    check("a role that could write is refused", refused.returncode == 1 and "can write" in refused.stderr,
          refused.stdout, refused.stderr)


def isolated(work):
    """Row level security holds for what the page shows."""
    support = Support(work, ISOLATED)
    check("a reader of one environment finds what is in it",
          support.answer(q="8b2d-tour")["view"]["connection"]["rows"][0]["dev_id"] == "tour")
    for typed in ("a-monday", "alice", "G-42"):
        found = support.answer(q=typed)
        check(f"and not {typed}, which is in another",
              not found["found"]["rows"] and "connection" not in found["view"], found)
    check("nor by a link", "connection" not in support.answer(user_id="a-monday", dev_id="default")["view"])
    support.stop()


def cost(support):
    """What the page asks is found by index."""
    psql("""INSERT INTO terra_identity.events (payload)
        SELECT jsonb_build_object('type', 'user_reauth',
            'old_user', jsonb_build_object('user_id', 'old-' || n, 'provider', 'P' || n % 20),
            'new_user', jsonb_build_object('user_id', 'new-' || n, 'provider', 'P' || n % 20,
                'reference_id', 'one-of-many-' || n))
        FROM generate_series(1, 10000) n;
        INSERT INTO terra_identity.events (payload)
        SELECT jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', 'new-' || n,
            'provider', 'P' || n % 20), 'athlete', jsonb_build_object('provider_user_id', 'account-' || n))
        FROM generate_series(1, 10000) n;
        ANALYZE;""")
    answer = support.answer(q="long-60")
    texts = [answer["found"]["sql"], answer["view"]["connection"]["sql"], answer["view"]["graph"]["sql"],
             answer["view"]["duplicates"]["sql"], answer["view"]["contradictions"]["sql"]]
    statements = [one for text in texts for one in re.sub(r"^--.*\n", "", text, flags=re.M).split(";")
                  if one.strip()]
    for reader in (READER, ISOLATED):
        scans = [(line, one) for one in statements
                 for line in psql(f"EXPLAIN (COSTS off) {one};", user=reader).splitlines()
                 if re.search(r"Seq Scan on (connections|events|reauths|changes|deliveries)", line)]
        check(f"no table is read as a whole: {len(statements)} statements as {reader}", not scans, *scans)
