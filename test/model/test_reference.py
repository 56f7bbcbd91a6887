"""
Checks of the reference model itself: one small history per sentence of the rules, with literal expectations.

    python3 -m unittest discover -s test/model
"""

import random
import unittest

import histories
from reading import DAY, Event, created_at, ordering_timestamp, read
from reference import state

NOW = 1_714_521_600_000_000   # 2024-05-01T00:00:00Z
MINUTE = 60_000_000


def at(minute):
    return NOW + minute * MINUTE


def event(minute, payload, ordering=None, trace=None):
    """Received at that minute after NOW, with an ordering timestamp of `ordering` minutes after NOW if that is given."""
    headers = {}
    if ordering is not None:
        headers["X-Terra-Ordering-Timestamp"] = str(at(ordering) // 1000)
    if trace is not None:
        headers["X-Terra-Trace-Id"] = trace
    return Event(payload, headers or None, at(minute))


def user(user_id, reference_id="ann", provider="GARMIN", **more):
    return {"user_id": user_id, "reference_id": reference_id, "provider": provider, **more}


def auth(user_id, *args, status="success", **more):
    return {"type": "auth", "status": status, "user": user(user_id, *args, **more)}


def athlete(user_id, account, *args, **more):
    return {"type": "athlete", "athlete": {"provider_user_id": account}, "user": user(user_id, *args, **more)}


def reauth(old, new):
    return {"type": "user_reauth", "status": "warning", "old_user": old, "new_user": new}


def says(type_, user_id, *args, **more):
    return {"type": type_, "user": user(user_id, *args, **more)}


def statuses(result):
    return {user_id: row["status"] for user_id, row in result.connections.items()}


def lineages(result):
    return sorted(sorted(lineage) for lineage in result.lineages)


class Reading(unittest.TestCase):

    def problems(self, *payloads):
        return [read(Event(payload, None, NOW)).problem is not None for payload in payloads]

    def test_payloads_that_are_problems(self):
        payloads = [
            None, [], "auth", 5, {}, {"type": 5, "user": {"user_id": "u"}, "athlete": {}},
            {"type": "auth", "status": "success"},
            {"type": "daily"}, {"type": "daily", "user": {}}, {"type": "daily", "user": "u"}, {"type": "new", "user": []},
            {"type": "daily", "user": {"user_id": 5}}, {"type": "daily", "user": {"user_id": " "}},
            {"type": "daily", "user": {"user_id": "u", "provider": 5}}, {"type": "daily", "user": {"user_id": "u"}, "reference_id": 5},
            {"type": "daily", "user": {"user_id": "é" * 257}}, {"type": "auth", "user": {"user_id": "u"}},
            {"type": "auth", "status": " ", "user": {"user_id": "u"}}, {"type": "auth", "status": 1, "user": {"user_id": "u"}},
            {"type": "user_reauth", "old_user": {"user_id": "u"}}, reauth("u", user("v")), reauth({"user_id": 5}, user("v")),
            athlete("u", True), athlete("u", {}), athlete("u", 2**63), athlete("u", "x" * 513)]
        self.assertEqual(self.problems(*payloads), [True] * len(payloads))

    def test_payloads_that_are_none(self):
        payloads = [
            {"type": "healthcheck"}, {"type": "auth_cancelled", "status": "error"}, {"type": "new", "user": None},
            {"type": "new", "user": {"user_id": "u"}}, {"athlete": {}, "user": {"user_id": "u"}},
            {"type": None, "athlete": {}, "user": {"user_id": "u"}}, reauth(None, user("v")), reauth({}, user("v")),
            {"type": "daily", "user": {"user_id": " " + "é" * 256 + " ", "scopes": ["A"], "created_at": 5}},
            athlete("u", None), athlete("u", -2**63), athlete("u", 2**63 - 1)]
        self.assertEqual(self.problems(*payloads), [False] * len(payloads))

    def test_a_trace_id_may_be_too_long(self):
        self.assertIsNone(read(event(0, auth("u"), trace="t" * 512)).problem)
        self.assertIsNotNone(read(event(0, auth("u"), trace="t" * 513)).problem)

    def test_ids_lose_ascii_white_space_only_and_keep_their_case(self):
        mention, = read(Event(says(" daily\n", "\t\v\f Ü1\r\n", "\u00a0ann", " garminß "), None, NOW)).mentions
        self.assertEqual((mention.type, mention.user_id, mention.reference_id, mention.provider),
                         ("daily", "Ü1", "\u00a0ann", "GARMINß"))

    def test_header_names_have_no_case_and_values_may_be_in_an_array(self):
        for headers, time in [({"x-terra-ORDERING-timestamp": "1714521600000"}, NOW),
                              ({"X-Terra-Ordering-Timestamp": 1714521600000}, NOW),
                              ({"X-Terra-Ordering-Timestamp": ["1714521600000", "5"]}, NOW),
                              ({"X-Terra-Ordering-Timestamp": "0"}, 0),
                              ({"X-Terra-Ordering-Timestamp": "-1"}, None), ({"X-Terra-Ordering-Timestamp": "1.5"}, None),
                              ({"X-Terra-Ordering-Timestamp": "1" * 19}, None), ({"X-Terra-Ordering-Timestamp": True}, None),
                              ({"X-Terra-Ordering-Timestamp": []}, None), (["x"], None), (None, None)]:
            self.assertEqual(ordering_timestamp(headers, NOW), time, headers)

    def test_a_time_more_than_a_day_ahead_is_not_believed(self):
        self.assertEqual(ordering_timestamp({"X-Terra-Ordering-Timestamp": str((NOW + DAY) // 1000)}, NOW), NOW + DAY)
        self.assertIsNone(ordering_timestamp({"X-Terra-Ordering-Timestamp": str((NOW + DAY) // 1000 + 1)}, NOW))
        self.assertEqual(created_at("2024-05-02", NOW), None)
        self.assertEqual(created_at("2024-05-02T00:00Z", NOW), NOW + DAY)
        self.assertIsNone(created_at("2024-05-02T00:00:00.000001Z", NOW))

    def test_created_at_in_many_forms(self):
        for text, time in [("2024-05-01T00:00:00.000000+00:00", NOW), ("2024-05-01 00:00", NOW), ("2024-05-01T02:00+02", NOW),
                           ("2024-05-01T05:30:00+0530", NOW), ("2024-04-30T20:30:00-03:30", NOW),
                           ("2024-05-01T00:00:00.1234569Z", NOW + 123456), ("1969-12-31T23:59:59.5Z", -500000),
                           ("2024-02-30T00:00Z", None), ("2023-02-29T00:00Z", None), ("2024-05-01T24:00Z", None),
                           ("2024-05-01T00:00:60Z", None), ("2024-5-1T00:00Z", None), ("yesterday", None), ("", None), (5, None)]:
            self.assertEqual(created_at(text, NOW), time, text)

    def test_the_account_is_the_athletes_else_the_first_in_data(self):
        def account(payload):
            return read(Event({"type": "athlete", "user": user("u"), **payload}, None, NOW)).mentions[0].provider_user_id
        data = [None, "x", {}, {"provider_user_id": " "}, {"provider_user_id": 7}, {"provider_user_id": "8"}]
        self.assertEqual(account({"athlete": {"provider_user_id": " a "}, "data": data}), "a")
        self.assertEqual(account({"athlete": {"provider_user_id": ""}, "data": data}), "7")
        self.assertEqual(account({"athlete": "x", "data": data}), "7")
        self.assertIsNone(account({"athlete": {}, "data": {"provider_user_id": "a"}}))


class Facts(unittest.TestCase):

    def row(self, *events):
        return state(events).connections["u"]

    def test_times(self):
        row = self.row(event(5, auth("u", created_at="2024-05-01T00:03Z"), ordering=4), event(9, says("daily", "u"), ordering=2))
        self.assertEqual((row["created_at"], row["first_seen_at"], row["connected_at"]), (at(3), at(2), at(3)))
        row = self.row(event(5, auth("u")))
        self.assertEqual((row["created_at"], row["first_seen_at"], row["connected_at"]), (None, at(5), at(5)))

    def test_last_identity_event_wins_else_the_first_passing_one(self):
        self.assertEqual(self.row(event(1, says("daily", "u", "x")), event(2, says("body", "u", "y")))["reference_id"], "x")
        self.assertEqual(self.row(event(1, says("daily", "u", "b")), event(1, says("body", "u", "a")))["reference_id"], "a")
        self.assertEqual(self.row(event(9, says("daily", "u", "x")), event(2, auth("u", "y")), event(1, auth("u", "z")),
                                  event(3, auth("u", "")))["reference_id"], "y")
        self.assertEqual(self.row(event(1, auth("u", "a")), event(1, auth("u", "b")))["reference_id"], "b")
        self.assertEqual(self.row(event(1, {**auth("u", " "), "reference_id": "top"}))["reference_id"], "top")

    def test_confirmed_is_not_only_seen_in_passing(self):
        self.assertFalse(self.row(event(1, says("daily", "u")), event(2, athlete("u", "1")))["confirmed"])
        self.assertTrue(self.row(event(1, reauth(None, user("u"))))["confirmed"])

    def test_endings_and_their_precedence(self):
        events = [event(1, auth("u")), event(2, auth("u", status="error")), event(3, says("access_revoked", "u")),
                  event(4, says("deauth", "u")), event(2, reauth(user("u"), user("v")))]
        for count, expected in [(1, ("active", None)), (2, ("failed", at(2))), (3, ("revoked", at(3))),
                                (4, ("deauthenticated", at(4))), (5, ("replaced", at(2)))]:
            row = self.row(*events[:count])
            self.assertEqual((row["status"], row["ended_at"]), expected)
        self.assertEqual(row["successor_user_id"], "v")

    def test_a_status_other_than_success_is_a_failure_and_case_counts(self):
        self.assertEqual(self.row(event(1, auth("u", status="Success")))["status"], "failed")
        self.assertEqual(self.row(event(1, auth("u", status=" success ")))["status"], "active")

    def test_neither_a_late_retry_nor_data_revives(self):
        for late in (auth("u"), says("daily", "u"), athlete("u", "1"), says("permission_change", "u")):
            row = self.row(event(1, auth("u"), ordering=1), event(3, says("deauth", "u"), ordering=3), event(9, late))
            self.assertEqual(row["status"], "deauthenticated")

    def test_proof_later_than_the_ending_revives(self):
        ended = event(3, says("deauth", "u"), ordering=3)
        self.assertEqual(self.row(ended, event(9, auth("u"), ordering=4))["status"], "active")
        self.assertEqual(self.row(ended, event(9, auth("u"), ordering=3))["status"], "deauthenticated")
        self.assertEqual(self.row(ended, event(9, auth("u", created_at="2024-05-01T00:04Z")))["status"], "active")
        self.assertEqual(self.row(ended, event(9, auth("u", created_at="2024-05-01T00:04Z"), ordering=2))["status"],
                         "deauthenticated")

    def test_degraded_until_anything_else_comes(self):
        error = event(2, says("connection_error", "u"))
        for other, degraded in [(event(1, auth("u")), True), (event(2, auth("u")), True), (event(3, says("daily", "u")), False),
                                (event(3, says("connection_error", "u")), True), (event(3, {"type": "daily", "user": {}}), True)]:
            self.assertEqual([row["degraded"] for row in state([error, other]).current], [degraded])
        self.assertEqual(state([error, event(3, auth("w"))]).current[0]["degraded"], True)


class Consequences(unittest.TestCase):

    def test_reauth_to_itself_or_from_nobody_is_only_proof_of_life(self):
        for old in (None, {}, {"user_id": " "}, user("u", "bob")):
            result = state([event(1, reauth(old, user("u")))])
            self.assertEqual((statuses(result), result.connections["u"]["reference_id"]), ({"u": "active"}, "ann"))

    def test_the_account_is_inherited_through_reauths_newest_predecessor_first(self):
        result = state([event(1, athlete("a", "1")), event(2, athlete("b", "2")),
                        event(3, reauth(user("a"), user("c"))), event(3, reauth(user("b"), user("c"))),
                        event(4, reauth(user("c"), user("d")))])
        self.assertEqual({u: row["provider_user_id"] for u, row in result.connections.items()},
                         {"a": "1", "b": "2", "c": "2", "d": "2"})

    def test_an_sdk_provider_inherits_nothing(self):
        events = [event(1, athlete("a", "1", "ann", "APPLE")), event(2, reauth(user("a"), user("b", provider="apple")))]
        self.assertIsNone(state(events).connections["b"]["provider_user_id"])
        self.assertEqual(state(events, sdk_providers=set()).connections["b"]["provider_user_id"], "1")

    def test_cycles_end_and_everyone_in_them_finds_the_account(self):
        events = [event(0, athlete("x", "7")), event(1, reauth(user("x"), user("a"))), event(1, reauth(user("a"), user("b"))),
                  event(1, reauth(user("b"), user("a")))]
        result = state(events)
        self.assertEqual({row["provider_user_id"] for row in result.connections.values()}, {"7"})
        self.assertEqual(lineages(result), [["a", "b", "x"]])

    def test_keep_ends_nothing_of_another_end_user(self):
        events = [event(1, auth("a")), event(2, athlete("a", "1")), event(3, athlete("b", "1", "bob")), event(3, auth("b", "bob"))]
        result = state(events, "keep")
        self.assertEqual(statuses(result), {"a": "active", "b": "active"})
        self.assertEqual([(row["user_id"], row["newest"], row["connections"]) for row in result.duplicates],
                         [("a", False, 2), ("b", True, 2)])
        self.assertEqual((result.transfers, lineages(result)), ([], [["a"], ["b"]]))

    def test_replace_transfers_and_never_resolves_across_end_users(self):
        events = [event(1, athlete("a", "1")), event(3, athlete("b", "1", "bob"))]
        result = state(events, "replace")
        self.assertEqual((statuses(result), result.duplicates), ({"a": "superseded", "b": "active"}, []))
        self.assertEqual(result.transfers, [dict(
            provider="GARMIN", provider_user_id="1", from_reference_id="ann", from_user_id="a", to_reference_id="bob",
            to_user_id="b", transferred_at=at(3))])
        self.assertEqual(result.resolve, {"a": None, "b": "b"})

    def test_the_same_end_user_again_supersedes_and_resolves(self):
        for policy in ("keep", "replace"):
            result = state([event(1, athlete("a", "1")), event(2, athlete("b", "1")), event(3, athlete("c", "1"))], policy)
            self.assertEqual(statuses(result), {"a": "superseded", "b": "superseded", "c": "active"})
            self.assertEqual(result.connections["a"]["successor_user_id"], "b")   # the oldest of the newer ones
            self.assertEqual(result.connections["a"]["ended_at"], at(2))
            self.assertEqual(result.resolve, {"a": "c", "b": "c", "c": "c"})
            self.assertEqual(result.transfers, [])

    def test_what_becomes_of_the_successor_does_not_matter(self):
        result = state([event(1, athlete("a", "1")), event(2, athlete("b", "1")), event(3, says("deauth", "b"))])
        self.assertEqual(statuses(result), {"a": "superseded", "b": "deauthenticated"})
        self.assertEqual(result.resolve, {"a": None, "b": None})

    def test_one_that_was_never_live_supersedes_nobody(self):
        failed = event(2, {**auth("b", status="error"), "athlete": {"provider_user_id": "1"}})
        result = state([event(1, athlete("a", "1", provider="APPLE")),
                        failed._replace(payload={**failed.payload, "user": user("b", provider="APPLE")})])
        self.assertEqual(statuses(result), {"a": "active", "b": "failed"})

    def test_equal_times_go_to_the_greater_user_id_by_bytes(self):
        result = state([event(1, athlete(user_id, "1")) for user_id in ("u2", "u10", "\uff5e", "\U0001d11e", "Z")])
        self.assertEqual(result.current[0]["user_id"], "\U0001d11e")
        self.assertEqual(result.connections["Z"]["successor_user_id"], "u10")

    def test_a_null_reference_id_equals_a_null(self):
        result = state([event(1, athlete("a", "1", None)), event(2, athlete("b", "1", ""))])
        self.assertEqual((statuses(result), lineages(result)), ({"a": "superseded", "b": "active"}, [["a", "b"]]))
        result = state([event(1, athlete("a", "1", None)), event(2, athlete("b", "1"))])
        self.assertEqual(len(result.duplicates), 2)

    def test_another_device_of_an_sdk_provider_supersedes_under_the_same_reference_id(self):
        result = state([event(1, athlete("a", "1", "ann", "APPLE")), event(2, athlete("b", "2", "ann", "Apple")),
                        event(3, athlete("c", "3", None, "APPLE")), event(4, athlete("d", "4", None, "APPLE"))])
        self.assertEqual(statuses(result), {"a": "superseded", "b": "active", "c": "active", "d": "active"})
        self.assertEqual(lineages(result), [["a", "b"], ["c"], ["d"]])

    def test_two_accounts_of_one_end_user_are_both_kept(self):
        result = state([event(2, athlete("a", "1")), event(1, athlete("b", "2"))])
        self.assertEqual(statuses(result), {"a": "active", "b": "active"})
        self.assertEqual(result.shared_references, [dict(reference_id="ann", provider="GARMIN", user_ids=["b", "a"])])

    def test_accounts_of_two_providers_are_two_accounts(self):
        result = state([event(1, athlete("a", "1")), event(2, athlete("b", "1", "ann", "OURA"))], "replace")
        self.assertEqual((statuses(result), result.shared_references), ({"a": "active", "b": "active"}, []))

    def test_a_late_deauth_of_the_old_never_touches_the_new(self):
        result = state([event(1, auth("a")), event(2, reauth(user("a"), user("b"))), event(3, says("deauth", "a"))])
        self.assertEqual(statuses(result), {"a": "replaced", "b": "active"})
        self.assertEqual(result.resolve, {"a": "b", "b": "b"})

    def test_the_last_reauth_of_a_fork_is_the_successor(self):
        result = state([event(2, reauth(user("a"), user("b"))), event(1, reauth(user("a"), user("c"))),
                        event(2, reauth(user("a"), user("aa")))])
        self.assertEqual(result.connections["a"]["successor_user_id"], "b")
        self.assertEqual(lineages(result), [["a", "aa", "b", "c"]])

    def test_repeats_and_order_do_not_matter(self):
        for index in range(40):
            events = list(histories.history(1, index).events)
            first, shuffled = state(events), events + events[:5]
            random.Random(index).shuffle(shuffled)
            again = state(shuffled)
            self.assertEqual((first.connections, first.lineages, first.resolve),
                             (again.connections, again.lineages, again.resolve))

    def test_a_repeated_trace_id_is_stored_once(self):
        events = [event(1, auth("a"), trace="t"), event(1, auth("a"), trace="t"), event(1, auth("a")), event(1, auth("a"))]
        self.assertEqual(state(events).stored, 3)


class Histories(unittest.TestCase):

    def test_the_same_seed_gives_the_same_history(self):
        self.assertEqual(histories.history(3, 4), histories.history(3, 4))
        self.assertNotEqual(histories.history(3, 4), histories.history(3, 5))

    def test_a_trace_id_is_only_repeated_by_an_exact_copy(self):
        for index in range(200):
            copies = {}
            for e in histories.history(2, index).events:
                trace_id = read(e).trace_id
                if trace_id:
                    self.assertEqual(copies.setdefault(trace_id, e), e)


if __name__ == "__main__":
    unittest.main()
