"""A psql that is kept, whose statement another session can cancel or terminate."""

import subprocess


class Session:
    def __init__(self, *options):
        self.psql = subprocess.Popen(["psql", "-XqAt", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
        self.pid = int(self.run("SELECT pg_backend_pid()")[0])

    def send(self, statements):
        self.psql.stdin.write(statements + ";\n\\echo the end\n")
        self.psql.stdin.flush()

    def lines(self):
        """What is printed until the end of what was sent."""
        lines = []
        while (line := self.psql.stdout.readline()) not in ("the end\n", ""):
            lines.append(line.strip())
        return lines

    def run(self, statements):
        self.send(statements)
        return self.lines()

    def close(self):
        """Waits until it has ended, as it does by itself when its server process was terminated."""
        self.psql.communicate(timeout=30)
