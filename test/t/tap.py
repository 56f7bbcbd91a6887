"""What checks.sh is to the shell: TAP on standard output, for prove."""

checks = 0
failures = 0


def check(name, good, *told):
    """What is told is shown if it is not good."""
    global checks, failures
    checks += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {checks} - {name}", flush=True)
    if not good:
        for one in told:
            print("\n".join("# " + line[:500] for line in str(one).split("\n")[:30]), flush=True)


def skip(name, why):
    global checks
    checks += 1
    print(f"ok {checks} - {name} # SKIP {why}", flush=True)


def finish():
    """The last call of every script: the plan. A script that dies before it has failed."""
    print(f"1..{checks}", flush=True)
    return 1 if failures else 0
