"""Row 13: memory of the backend that does a COPY."""

import subprocess
import time

import databases
import payloads
import rows_copy
import server
from measure import Line, figure, progress, spread

EVERY = 0.05


def repeated(target, path, times):
    """A COPY of the same file several times, the new users being others each time."""
    mark = payloads.NEW_MARK
    return (f"COPY {target} FROM PROGRAM "
            f"'for i in $(seq {times}); do sed \"s/{mark}/{mark[:-1]}$i/g\" {path}; done'")


def private_memory(pid):
    """In MB, of a process; 0 when it is gone. What it shares with others is not counted."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))
    except (OSError, StopIteration):
        return 0


def peak(template, statement):
    """The most private memory that the statement's backend had at any of the samples."""
    with databases.Fresh(template) as database:
        session = subprocess.Popen(["psql", "-X", "-q", "-d", f"dbname={database} application_name=measured", "-v",
                                    "ON_ERROR_STOP=1", "-c", statement], stderr=subprocess.PIPE, text=True)
        most, pid = 0, ""
        while session.poll() is None:
            pid = pid or server.psql("postgres", "SELECT pid FROM pg_stat_activity WHERE application_name = 'measured'")
            most = max(most, private_memory(pid)) if pid else most
            time.sleep(EVERY)
        if session.returncode != 0:
            raise server.Failed(f"COPY failed\n{session.stderr.read()}")
    return most


def row_13(scale):
    count, known = scale.size(1_000_000), scale.size(databases.KNOWN)
    template = databases.known(known)
    path = rows_copy.file_of("mixed.json", payloads.mixed(count, known, 50))
    peaks = {}
    for name, variant, times in (("bare", "bare", 1), ("ours", "ours", 1), ("ours, four times the rows", "ours", 4)):
        peaks[name] = peak(template, repeated(databases.TABLES[variant], path, times))
        progress(f"  {name} {figure(peaks[name])} MB")
    path.unlink()
    figures = ", ".join(f"{name} {figure(megabytes)} MB" for name, megabytes in peaks.items())
    what = f"peak private memory of the backend, COPY of {count:,} events, MB:"
    return [Line(13, f"{what} ours - bare", "≤ 150", spread([peaks["ours"] - peaks["bare"]]), figures),
            Line(13, f"{what} four times the rows - once", "not growing",
                 spread([peaks["ours, four times the rows"] - peaks["ours"]]), "")]
