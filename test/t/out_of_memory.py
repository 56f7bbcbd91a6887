"""
The memory of a session is limited, a little less narrowly each time, while ingest reads a body that is deeply nested.
So it runs out at every step: reading, copying the error that tells so, keeping the body. Wherever it does, the answer
is an error or a row, and the session goes on. (The stack has grown as far as the server lets it before: the kernel
kills a process that has no room for more of it.)
"""

import re
import resource
import subprocess
import sys

from tap import check, finish

STEP = 16 << 10
STEPS = 300

# In another session: what installing frees, this one would live on.
subprocess.run(["psql", "-Xqc", "CREATE EXTENSION terra_identity"], check=True)
psql = subprocess.Popen(["psql", "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                        text=True)


def run(statement):
    """The first line of the answer."""
    psql.stdin.write(statement + ";\n\\echo end of the answer\n")
    psql.stdin.flush()
    lines = []
    while True:
        line = psql.stdout.readline()
        if not line or line == "end of the answer\n":
            return lines[0].strip() if lines else ""
        lines.append(line)


def memory(pid):
    return int(re.search(r"VmSize:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1)) * 1024


run("\\set VERBOSITY sqlstate\n\\set SHOW_CONTEXT never\nSET client_min_messages = error")
run("LOAD 'terra_identity'")
ingest = "SELECT outcome FROM terra_identity.ingest(repeat('[', 5000)::bytea)"
run("SELECT repeat('[', 200000)::json")
run("TRUNCATE terra_identity.rejected")
pid = int(run("SELECT pg_backend_pid()"))
answers = {}
wedged = []
for step in range(STEPS):
    resource.prlimit(pid, resource.RLIMIT_AS, (memory(pid) + step * STEP, resource.RLIM_INFINITY))
    answer = run(ingest)
    answers[answer] = answers.get(answer, 0) + 1
    alive = run("SELECT pg_backend_pid()")
    if alive != str(pid):
        wedged.append(f"{step * STEP // 1024} kB more: {answer}, then {alive}")
        if not alive.startswith("ERROR"):
            break  # the session is gone
        run("ROLLBACK")
    resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    run("TRUNCATE terra_identity.rejected")
psql.communicate()

print("# " + ", ".join(f"{answer}: {count}" for answer, count in sorted(answers.items())))
results = [("a session goes on wherever memory runs out in ingest", not wedged, wedged),
           ("it is an error of its own class, or a row", set(answers) <= {"ERROR:  53200", "rejected"},
            sorted(answers)),
           ("it ran out at several steps, and not at all in the end",
            len(answers) == 2 and answers["ERROR:  53200"] > 3, answers)]
for name, good, told in results:
    check(name, good, told)
sys.exit(finish())
