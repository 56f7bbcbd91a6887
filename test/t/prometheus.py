"""
The files of examples/prometheus. The collector's queries run as a role that grant_reader was called for, and give each
metric the samples that it needs, with the figures of a story; the alerts name metrics, labels and values that there
are. promtool, if it is installed, checks them as Prometheus reads them, and lets each fire.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from tap import check, finish, skip

FOLDER = Path("examples/prometheus")
TESTS_OF_ALERTS = Path("test/t/prometheus_alerts.yml")
METRIC_KEYS = {"metric_name", "type", "help", "key_labels", "value_label", "values", "query_ref"}
FUNCTIONS = {"sum", "max", "delta", "increase", "time", "absent", "by", "and", "on"}

STORY = """
CREATE EXTENSION terra_identity;
CREATE ROLE prometheus_reader;
SELECT terra_identity.grant_reader('prometheus_reader');
CREATE FUNCTION pg_temp.connects(user_id text, provider text, reference_id text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'auth', 'status', 'success',
                              'user', jsonb_build_object('user_id', $1, 'provider', $2, 'reference_id', $3))
$$;
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT now() - interval '10 minutes', payload, CASE WHEN timed THEN jsonb_build_object(
           'X-Terra-Ordering-Timestamp', (extract(epoch FROM now() - interval '11 minutes') * 1000)::bigint) END
FROM (VALUES
    (pg_temp.connects('a', 'GARMIN', 'ann'), true),
    ('{"type": "athlete", "user": {"user_id": "a", "provider": "GARMIN"}, "athlete": {"provider_user_id": "x"}}',
     false),
    (pg_temp.connects('b', 'GARMIN', 'bob'), false),
    ('{"type": "athlete", "user": {"user_id": "b", "provider": "GARMIN"}, "athlete": {"provider_user_id": "x"}}',
     false),
    (pg_temp.connects('c', 'OURA', 'cid'), false),
    ('{"type": "user_reauth", "old_user": {"user_id": "c"}, "new_user": {"user_id": "d", "provider": "OURA"}}', false),
    ('[]', false)) t (payload, timed);
SELECT terra_identity.ingest('not json'::text);
INSERT INTO terra_identity.refusal_counters (dev_id, reason, refused, first_at, last_at, logged_at)
VALUES ('default', 'wrong', 5, now(), now(), now());
"""
# Samples of the story: metric, provider, what the value label says.
EXPECTED = {
    ("terra_identity_connections", "GARMIN", "active"): 2,
    ("terra_identity_connections", "OURA", "active"): 1,
    ("terra_identity_connections", "OURA", "replaced"): 1,
    ("terra_identity_connections", "OURA", "failed"): 0,
    ("terra_identity_duplicate_connections", "GARMIN", None): 2,
    ("terra_identity_duplicate_connections", "OURA", None): 0,
    ("terra_identity_unidentified_connections", "OURA", None): 1,
    ("terra_identity_problems", "", None): 1,
    ("terra_identity_rejected_deliveries", "", None): 1,
    ("terra_identity_refused_deliveries_total", "", None): 5,
    ("terra_identity_events_last_hour", "GARMIN", None): 4,
    ("terra_identity_events_last_day", "OURA", None): 2,
    ("terra_identity_reauths_last_hour", "OURA", None): 1,
    ("terra_identity_reauths_last_day", "GARMIN", None): 0,
}


def psql(script):
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"],
                          input="SET client_min_messages = warning;\n" + script, capture_output=True, text=True,
                          encoding="utf-8", check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def rows(query):
    """As a role that only reads. JSON has no NaN: to_json writes it as a string."""
    output = psql(f"SET ROLE prometheus_reader;\nSELECT to_json(q) FROM ({query.strip().rstrip(';')}) q;\n")
    return [json.loads(line) for line in output.splitlines()]


def shape_faults(collector, queries):
    """What sql_exporter would refuse."""
    for metric in collector["metrics"]:
        name = metric["metric_name"]
        if not re.fullmatch("terra_identity_[a-z_]+", name):
            yield f"{name}: not a name"
        if set(metric) - METRIC_KEYS:
            yield f"{name}: unknown {set(metric) - METRIC_KEYS}"
        if metric["type"] not in ("gauge", "counter") or (metric["type"] == "counter") != name.endswith("_total"):
            yield f"{name}: a counter, and nothing else, ends in _total"
        if not metric["help"].endswith("."):
            yield f"{name}: no sentence of help"
        if (len(metric["values"]) > 1) != ("value_label" in metric):
            yield f"{name}: several values need a value_label"
        if metric["query_ref"] not in queries:
            yield f"{name}: no query {metric['query_ref']}"
    names = [metric["metric_name"] for metric in collector["metrics"]]
    yield from (f"{name}: twice" for name in set(names) if names.count(name) > 1)


def samples(collector, found, faults):
    """By metric, labels and what the value label says; as sql_exporter makes them of the rows."""
    result = {}
    for metric in collector["metrics"]:
        for row in found[metric["query_ref"]]:
            labels = tuple(row.get(label) for label in metric["key_labels"])
            if not all(isinstance(label, str) for label in labels):
                faults.append(f"{metric['metric_name']}: labels {labels}")
            for value in metric["values"]:
                key = (metric["metric_name"], labels, value if "value_label" in metric else None)
                if key in result:
                    faults.append(f"{key}: twice")
                try:
                    result[key] = float(row[value])
                except (KeyError, TypeError, ValueError):
                    faults.append(f"{key}: {row.get(value, 'no such column')!r} is no number")
    return result


def alert_faults(rules, metrics):
    """What an alert names that no metric has."""
    for rule in rules:
        expression, name = rule["expr"], rule["alert"]
        used = set(re.findall(r"\bterra_identity_\w+", expression))
        if not used:
            yield f"{name}: no metric"
        yield from (f"{name}: no metric {metric}" for metric in used - metrics.keys())
        labels = {label for metric in used & metrics.keys()
                  for label in (*metrics[metric]["key_labels"], metrics[metric].get("value_label"))}
        for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
            yield from (f"{name}: no label {label}" for label in grouped.split(", ") if label not in labels)
        for label, value in re.findall(r'(\w+)!?="([^"]*)"', expression):
            of_values = [metric["values"] for metric in metrics.values() if metric.get("value_label") == label]
            if label not in labels or (of_values and not any(value in values for values in of_values)):
                yield f"{name}: no {label} {value}"
        words = set(re.findall(r"\b([a-z]+)\b(?= *\()", expression))
        yield from (f"{name}: {word} is not expected" for word in words - FUNCTIONS)
        for template in re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])):
            if template not in labels:
                yield f"{name}: its text has no label {template}"
        if not {"summary", "description"} <= rule["annotations"].keys() or "severity" not in rule["labels"]:
            yield f"{name}: summary, description or severity is missing"


def check_by_promtool(*arguments):
    name = f"promtool {' '.join(arguments)}"
    if not shutil.which("promtool"):
        skip(name, "promtool is not installed")
        return
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    check(name, done.returncode == 0, done.stdout, done.stderr)


psql(STORY)
collector = yaml.safe_load((FOLDER / "terra_identity.collector.yml").read_text(encoding="utf-8"))
alerts = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
queries = {query["query_name"]: query["query"] for query in collector["queries"]}
metrics = {metric["metric_name"]: metric for metric in collector["metrics"]}
rules = [rule for group in alerts["groups"] for rule in group["rules"]]

faults = list(shape_faults(collector, queries))
check("the collector is one of sql_exporter", not faults, *faults)
unused = queries.keys() - {metric["query_ref"] for metric in collector["metrics"]}
check("each query is used", not unused, *unused)

faults = []
made = samples(collector, {name: rows(query) for name, query in queries.items()}, faults)
check("each row gives a number for each metric, under labels of its own", not faults, *faults)
wrong = [f"{key}: {made.get((key[0], ('default', key[1]), key[2]))}, not {value}" for key, value in EXPECTED.items()
         if made.get((key[0], ("default", key[1]), key[2])) != value]
check("the figures are those of the story", not wrong, *wrong)
delay = made[("terra_identity_delivery_delay_seconds", ("default", "GARMIN"), "0.95")]
check("the delay is in seconds", 59 < delay < 61, delay)
unknown = made[("terra_identity_delivery_delay_seconds", ("default", "OURA"), "0.95")]
check("what is not known is NaN", unknown != unknown, unknown)
age = float(psql("SELECT extract(epoch FROM now())")) - made[("terra_identity_last_delivery_timestamp_seconds",
                                                               ("default", "OURA"), None)]
check("times are seconds since 1970", 590 < age < 900, age)

faults = list(alert_faults(rules, metrics))
check("alerts name metrics, labels and values that there are", not faults, *faults)
check("problems, rejected, duplicates and silence raise an alert",
      {"TerraIdentityProblems", "TerraIdentityRejected", "TerraIdentityDuplicates", "TerraIdentitySilence"}
      <= {rule["alert"] for rule in rules}, *(rule["alert"] for rule in rules))
check_by_promtool("check", "rules", str(FOLDER / "alerts.yml"))
played = TESTS_OF_ALERTS.read_text(encoding="utf-8")
untested = [rule["alert"] for rule in rules if f'alertname="{rule["alert"]}"' not in played]
check("each alert is one that is made to fire", not untested, *untested)
check_by_promtool("test", "rules", str(TESTS_OF_ALERTS))
psql("DROP OWNED BY prometheus_reader; DROP ROLE prometheus_reader")
sys.exit(finish())
