"""
Checks of the reference model itself: one small history per sentence of the rules, with literal expectations.

    python3 -m unittest discover -s test/model
"""

import json
import random
import unittest

import core_states
import histories
import scenarios
from reading import DAY, EARLIEST, Event, created_at, ordering_timestamp, read
from reference import state

NOW = 1_714_521_600_000_000   # 2024-05-01T00:00:00Z
MINUTE = 60_000_000


def at(minute):
    return NOW + minute * MINUTE


def event(minute, payload, ordering=None, trace=None):
    """
    An event received that many minutes after NOW, with an ordering timestamp of `ordering` minutes after NOW if given.
    """
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
            {"type": "daily"}, {"type": "daily", "user": {}}, {"type": "daily", "user": "u"},
            {"type": "new", "user": []},
            {"type": "daily", "user": {"user_id": 5}}, {"type": "daily", "user": {"user_id": " "}},
            {"type": "daily", "user": {"user_id": "u", "provider": 5}},
            {"type": "daily", "user": {"user_id": "u"}, "reference_id": 5.5}, says("daily", "u", True),
            says("daily", "u", 2**64),
            reauth(user("u", 1.0), user("v")), reauth(user("u"), user("v", -2**63 - 1)),
            {"type": "daily", "user": {"user_id": "é" * 257}}, {"type": "auth", "user": {"user_id": "u"}},
            {"type": "auth", "status": " ", "user": {"user_id": "u"}},
            {"type": "auth", "status": 1, "user": {"user_id": "u"}},
            {"type": "user_reauth", "old_user": {"user_id": "u"}}, reauth("u", user("v")),
            reauth({"user_id": 5}, user("v")),
            auth("u", status="authenticated"), auth("u", status="Success"), auth("u", status="Error"),
            athlete("u", True), athlete("u", {}), athlete("u", 2**64), athlete("u", 7.0), athlete("u", "x" * 513),
            {"athlete": [], "user": {"user_id": "u"}}, {"athlete": ["u"], "user": {"user_id": "u"}},
            {"athlete": {}, "user": "u"}, {"data": {"provider_user_id": "1"}, "user": {"user_id": "u"}}]
        self.assertEqual(self.problems(*payloads), [True] * len(payloads))

    def test_payloads_that_are_none(self):
        payloads = [
            {"type": "healthcheck"}, {"type": "auth_cancelled", "status": "error"}, {"type": "new", "user": None},
            {"type": "new", "user": {"user_id": "u"}}, {"athlete": {}, "user": {"user_id": "u"}},
            {"type": None, "athlete": {}, "user": {"user_id": "u"}}, reauth(None, user("v")), reauth({}, user("v")),
            {"type": "daily", "user": {"user_id": " " + "é" * 256 + " ", "scopes": ["A"], "created_at": 5}},
            {"type": "daily", "user": {"user_id": "u"}, "reference_id": 5}, says("daily", "u", 2**64 - 1),
            says("daily", "u", -2**63), reauth(user("u", 1), user("v", 2)), {"type": "new", "reference_id": True},
            {"athlete": ["x", {}], "user": {"user_id": "u"}}, {"type": " ", "athlete": [{}], "user": {"user_id": "u"}},
            auth("u", status="\terror "), athlete("u", None), athlete("u", -2**63), athlete("u", 2**64 - 1)]
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
                              ({"X-Terra-Ordering-Timestamp": "0"}, None),
                              ({"X-Terra-Ordering-Timestamp": "-1"}, None),
                              ({"X-Terra-Ordering-Timestamp": "1.5"}, None),
                              ({"X-Terra-Ordering-Timestamp": "1" * 19}, None),
                              ({"X-Terra-Ordering-Timestamp": True}, None),
                              ({"X-Terra-Ordering-Timestamp": []}, None), (["x"], None), (None, None)]:
            self.assertEqual(ordering_timestamp(headers, NOW), time, headers)

    def test_a_time_more_than_a_day_ahead_is_not_believed(self):
        self.assertEqual(ordering_timestamp({"X-Terra-Ordering-Timestamp": str((NOW + DAY) // 1000)}, NOW), NOW + DAY)
        self.assertIsNone(ordering_timestamp({"X-Terra-Ordering-Timestamp": str((NOW + DAY) // 1000 + 1)}, NOW))
        self.assertEqual(created_at("2024-05-02", NOW), None)
        self.assertEqual(created_at("2024-05-02T00:00Z", NOW), NOW + DAY)
        self.assertIsNone(created_at("2024-05-02T00:00:00.000001Z", NOW))

    def test_a_time_before_2015_is_not_believed(self):
        self.assertEqual(EARLIEST, NOW - 3408 * DAY)   # 2015-01-01 to 2024-05-01: 9 * 365 + 2 + 121 days
        for milliseconds, time in [(1_420_070_400_000, EARLIEST), (1_420_070_399_999, None), (1_714_521_600, None)]:
            self.assertEqual(ordering_timestamp({"X-Terra-Ordering-Timestamp": str(milliseconds)}, NOW), time)
        for text, time in [("2015-01-01T00:00:00Z", EARLIEST), ("2014-12-31T23:59:59.999999Z", None),
                           ("2014-12-31T23:00:00-01:00", EARLIEST), ("2015-01-01T00:30:00+01:00", None),
                           ("0001-01-01T00:00:00Z", None), ("1969-12-31T23:59:59.5Z", None)]:
            self.assertEqual(created_at(text, NOW), time, text)

    def test_an_integer_reference_id_is_its_digits(self):
        def reference_ids(payload):
            return [mention.reference_id for mention in read(Event(payload, None, NOW)).mentions]
        for number in (0, -5, 12345, -2**63, 2**64 - 1):
            self.assertEqual(reference_ids(says("daily", "u", number)), [str(number)])
            self.assertEqual(reference_ids({**says("daily", "u", " "), "reference_id": number}), [str(number)])
        self.assertEqual(reference_ids(reauth(user("u", 1), user("v", "2"))), ["2", "1"])

    def test_created_at_in_many_forms(self):
        for text, time in [("2024-05-01T00:00:00.000000+00:00", NOW), ("2024-05-01 00:00", NOW),
                           ("2024-05-01T02:00+02", NOW),
                           ("2024-05-01T05:30:00+0530", NOW), ("2024-04-30T20:30:00-03:30", NOW),
                           ("2024-05-01T00:00:00.1234569Z", NOW + 123456), ("2024-04-30T23:59:59.5Z", NOW - 500000),
                           ("2024-02-30T00:00Z", None), ("2023-02-29T00:00Z", None), ("2024-05-01T24:00Z", None),
                           ("2024-05-01T00:00:60Z", None), ("2024-5-1T00:00Z", None), ("yesterday", None), ("", None),
                           (5, None)]:
            self.assertEqual(created_at(text, NOW), time, text)

    def test_the_account_is_the_athletes_else_that_of_data(self):
        def account(payload):
            return read(Event({"type": "athlete", "user": user("u"), **payload}, None,
                              NOW)).mentions[0].provider_user_id
        data = [None, "x", {}, {"provider_user_id": " "}, {"provider_user_id": 7}, {"provider_user_id": "8"}]
        self.assertEqual(account({"athlete": {"provider_user_id": " a "}, "data": data}), "a")
        self.assertEqual(account({"athlete": {"provider_user_id": ""}, "data": data}), "7")
        self.assertEqual(account({"athlete": "x", "data": data}), "7")
        self.assertEqual(account({"athlete": [None, {"provider_user_id": 5}, {"provider_user_id": "6"}], "data": data}),
                         "5")
        self.assertEqual(account({"athlete": [{}, {"provider_user_id": "6"}], "data": data}), "7")
        self.assertEqual(account({"athlete": {}, "data": {"provider_user_id": "a"}}), "a")
        self.assertEqual(account({"data": {"provider_user_id": 2**64 - 1}}), "18446744073709551615")
        self.assertEqual(account({"athlete": {"provider_user_id": "b"}, "data": {"provider_user_id": "a"}}), "b")
        for nothing in ({}, {"athlete": []}, {"athlete": [[{"provider_user_id": "a"}]]}, {"athlete": {}, "data": {}},
                        {"data": {"athlete": {"provider_user_id": "a"}}}, {"data": [[{"provider_user_id": "a"}]]}):
            self.assertIsNone(account(nothing))
        mention, = read(Event({"athlete": [{"provider_user_id": "a"}], "user": user("u")}, None, NOW)).mentions
        self.assertEqual((mention.type, mention.identity, mention.provider_user_id), ("athlete", True, "a"))


class Facts(unittest.TestCase):

    def row(self, *events):
        return state(events).connections["u"]

    def test_times(self):
        row = self.row(event(5, auth("u", created_at="2024-05-01T00:03Z"), ordering=4),
                       event(9, says("daily", "u"), ordering=2))
        self.assertEqual((row["created_at"], row["first_seen_at"], row["connected_at"]), (at(3), at(2), at(3)))
        row = self.row(event(5, auth("u")))
        self.assertEqual((row["created_at"], row["first_seen_at"], row["connected_at"]), (None, at(5), at(5)))

    def test_last_identity_event_wins_else_the_first_passing_one(self):
        self.assertEqual(self.row(event(1, says("daily", "u", "x")), event(2, says("body", "u", "y")))["reference_id"],
                         "x")
        self.assertEqual(self.row(event(1, says("daily", "u", "b")), event(1, says("body", "u", "a")))["reference_id"],
                         "a")
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

    def test_an_auth_that_is_neither_success_nor_error_ends_and_proves_nothing(self):
        for status in ("authenticated", "Error", "warning"):
            row = self.row(event(1, auth("u")), event(2, auth("u", "bob", status=status)))
            self.assertEqual((row["status"], row["reference_id"]), ("active", "ann"))
            result = state([event(1, auth("u", status=status))])
            self.assertEqual((result.connections, len(result.problems), result.stored), ({}, 1, 1))
        self.assertEqual(self.row(event(1, auth("u", status=" success ")))["status"], "active")
        self.assertEqual(self.row(event(1, auth("u", status=" error ")))["status"], "failed")

    def test_dated_is_confirmed_or_with_a_created_at(self):
        for payload, dated in [(says("daily", "u"), False), (athlete("u", "1"), False), (says("deauth", "u"), False),
                               (says("daily", "u", created_at="0001-01-01T00:00:00Z"), False), (auth("u"), True),
                               (says("daily", "u", created_at="2024-05-01T00:00Z"), True),
                               (reauth(None, user("u")), True),
                               (reauth(user("u"), user("v")), False)]:
            self.assertEqual(self.row(event(1, payload))["dated"], dated, payload)

    def test_the_year_1_is_no_created_at(self):
        row = self.row(event(2, auth("u", created_at="0001-01-01T00:00:00Z")), event(1, says("deauth", "u")))
        self.assertEqual((row["created_at"], row["connected_at"], row["status"]), (None, at(1), "deauthenticated"))
        row = self.row(event(5, auth("u", created_at="0001-01-01T00:00:00Z")),
                       event(6, auth("u", created_at="2024-05-01T00:03Z")))
        self.assertEqual((row["created_at"], row["connected_at"]), (at(3), at(3)))

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

    def test_degraded_until_data_an_athlete_an_auth_or_a_reauth_comes(self):
        error = event(2, says("connection_error", "u"))
        for other, degraded in [(event(1, auth("u")), True), (event(2, auth("u")), True),
                                (event(3, says("daily", "u")), False),
                                (event(3, says("connection_error", "u")), True),
                                (event(3, {"type": "daily", "user": {}}), True),
                                (event(3, auth("u")), False), (event(3, athlete("u", None)), False),
                                (event(3, reauth(None, user("u"))), False),
                                (event(3, reauth(user("v"), user("u"))), False),
                                (event(3, auth("u", status="authenticated")), True)]:
            self.assertEqual([row["degraded"] for row in state([error, other]).current], [degraded], other)
        self.assertEqual(state([error, event(3, auth("w"))]).current[0]["degraded"], True)

    def test_progress_is_no_cure(self):
        error = event(2, says("connection_error", "u"))
        for type_ in ("large_request_processing", "large_request_sending", "processing", "rate_limit_hit",
                      "google_no_datasource",
                      "permission_change", "a_new_type"):
            self.assertTrue(state([error, event(3, says(type_, "u"))]).current[0]["degraded"], type_)
        for type_ in ("activity", "body", "daily", "sleep", "nutrition", "menstruation", "planned_workout", "hormone",
                      "health_observation"):
            self.assertFalse(state([error, event(3, says("processing", "u")),
                                    event(4, says(type_, "u"))]).current[0]["degraded"])
        # Being replaced is no proof of life. (Only an `auth` with a later ordering timestamp makes the old one
        # current.)
        events = [error, event(3, reauth(user("u"), user("v"))), event(9, auth("u"), ordering=9)]
        self.assertEqual([(row["user_id"], row["degraded"]) for row in state(events).current],
                         [("u", False), ("v", False)])


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
        events = [event(0, athlete("x", "7")), event(1, reauth(user("x"), user("a"))),
                  event(1, reauth(user("a"), user("b"))),
                  event(1, reauth(user("b"), user("a")))]
        result = state(events)
        self.assertEqual({row["provider_user_id"] for row in result.connections.values()}, {"7"})
        self.assertEqual(lineages(result), [["a", "b", "x"]])

    def test_a_cycle_has_the_newest_account_of_its_members_else_that_of_its_newest_predecessor(self):
        cycle = [event(3, reauth(user("a"), user("b"))), event(3, reauth(user("b"), user("c"))),
                 event(3, reauth(user("c"), user("a")))]

        def accounts(*events):
            return {u: row["provider_user_id"] for u, row in state([*cycle, *events]).connections.items()}
        # All three are dated and connected at minute 3, so c is newer than b by its user_id.
        self.assertEqual(accounts(event(4, athlete("b", "B"))), {"a": "B", "b": "B", "c": "B"})
        self.assertEqual(accounts(event(4, athlete("b", "B")), event(4, athlete("c", "C"))),
                         {"a": "C", "b": "B", "c": "C"})
        # Predecessors of the cycle: y is dated, so it is newer than x, though it was seen earlier.
        before = [event(1, athlete("y", "Y")), event(1, auth("y")), event(2, athlete("x", "X")),
                  event(3, reauth(user("x"), user("a"))), event(3, reauth(user("y"), user("b")))]
        self.assertEqual(accounts(*before), {"a": "Y", "b": "Y", "c": "Y", "x": "X", "y": "Y"})
        self.assertEqual(accounts(*before, event(4, athlete("b", "B"))),
                         {"a": "B", "b": "B", "c": "B", "x": "X", "y": "Y"})
        # An SDK member inherits nothing, neither for itself nor for the others. But an account of its own counts for
        # the cycle.
        apple = event(5, auth("b", provider="APPLE"))
        self.assertEqual(accounts(*before, apple), {"a": "X", "b": None, "c": "X", "x": "X", "y": "Y"})
        self.assertEqual(accounts(*before, apple, event(5, athlete("b", "B", "ann", "APPLE"))),
                         {"a": "B", "b": "B", "c": "B", "x": "X", "y": "Y"})

    def test_keep_ends_nothing_of_another_end_user(self):
        events = [event(1, auth("a")), event(2, athlete("a", "1")), event(3, athlete("b", "1", "bob")),
                  event(3, auth("b", "bob"))]
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
            result = state([event(1, athlete("a", "1")), event(2, athlete("b", "1")), event(3, athlete("c", "1"))],
                           policy)
            self.assertEqual(statuses(result), {"a": "superseded", "b": "superseded", "c": "active"})
            self.assertEqual(result.connections["a"]["successor_user_id"], "b")   # the oldest of the newer connections
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

    def test_a_repeated_trace_id_with_the_same_payload_is_stored_once(self):
        events = [event(1, auth("a"), trace="t"), event(1, auth("a"), trace="t"), event(1, auth("a")),
                  event(1, auth("a"))]
        self.assertEqual(state(events).stored, 3)

    def test_a_trace_id_that_is_too_long_makes_no_repeated_delivery(self):
        self.assertEqual(state([event(1, auth("a"), trace="t" * 513)] * 2).stored, 2)

    def test_two_bodies_under_one_trace_id_are_two_events(self):
        events = [event(1, auth("a"), trace="t"), event(1, auth("b"), trace="t"), event(1, auth("a"), trace="t"),
                  event(1, dict(reversed(auth("b").items())), trace="t")]   # the order of keys does not matter
        result = state(events)
        self.assertEqual((result.stored, statuses(result)), (2, {"a": "active", "b": "active"}))


class Newer(unittest.TestCase):
    """Which of two connections in one slot is the older one."""

    def test_a_replaced_connection_is_older_than_its_successor_however_late_its_own_events_come(self):
        events = [event(1, auth("B")), event(2, reauth(user("A"), user("B"))), event(3, athlete("B", "1")),
                  event(8, auth("A")), event(9, athlete("A", "1"))]
        # Without an ordering timestamp, or with one before the reauth, the late auth does not revive it.
        for ordering in (None, 0):
            result = state([*events[:3], event(8, events[3].payload, ordering=ordering), events[4]])
            self.assertEqual(statuses(result), {"A": "replaced", "B": "active"})
            self.assertEqual(result.resolve, {"A": "B", "B": "B"})
        self.assertEqual(result.connections["A"]["connected_at"], at(0))
        self.assertEqual(state(events).connections["A"]["connected_at"], at(1) - 1)
        # With an ordering timestamp after the reauth it is alive again, and still the older one.
        result = state([*events[:3], event(8, events[3].payload, ordering=7), events[4]])
        self.assertEqual(statuses(result), {"A": "superseded", "B": "active"})
        self.assertEqual((result.connections["A"]["ended_at"], result.resolve["A"]), (at(1), "B"))

    def test_data_of_the_old_device_does_not_end_the_new_one(self):
        result = state([event(1, auth("new", provider="APPLE")),
                        event(2, reauth(user("old", provider="APPLE"), user("new", provider="APPLE"))),
                        event(3, says("daily", "old", provider="APPLE"))])
        self.assertEqual(statuses(result), {"new": "active", "old": "replaced"})
        self.assertEqual(result.connections["old"]["connected_at"], at(1) - 1)
        self.assertEqual(result.resolve, {"new": "new", "old": "new"})

    def test_of_two_with_one_created_at_the_replaced_one_is_older_whatever_its_id(self):
        for provider in ("GARMIN", "APPLE"):
            zz, aa = (user(u, provider=provider, created_at="2024-05-01T00:00Z") for u in ("zz", "aa"))
            result = state([event(1, {"type": "auth", "status": "success", "user": zz}),
                            event(1, {"type": "auth", "status": "success", "user": aa}), event(2, reauth(zz, aa))])
            self.assertEqual(statuses(result), {"zz": "replaced", "aa": "active"})
            self.assertEqual({u: row["connected_at"] for u, row in result.connections.items()},
                             {"zz": at(0) - 1, "aa": at(0)})
            self.assertEqual((result.connections["zz"]["created_at"], result.resolve["zz"]), (at(0), "aa"))

    def test_one_only_seen_in_passing_is_older_than_every_dated_one(self):
        result = state([event(1440, auth("new", provider="APPLE", created_at="2024-05-01T00:00Z")),
                        event(2000, says("daily", "old", provider="APPLE"))])
        self.assertEqual(statuses(result), {"new": "active", "old": "superseded"})
        self.assertEqual((result.connections["old"]["connected_at"], result.connections["old"]["ended_at"]),
                         (at(2000), at(0)))
        self.assertEqual(result.resolve, {"new": "new", "old": "new"})

    def test_data_of_a_dead_connection_does_not_end_a_live_one(self):
        result = state([event(1, auth("live", provider="APPLE")), event(2, says("deauth", "dead", provider="APPLE")),
                        event(3, says("daily", "dead", provider="APPLE"))])
        self.assertEqual(statuses(result), {"live": "active", "dead": "deauthenticated"})

    def test_a_chain_is_brought_forward_all_the_way_back_by_every_replacer(self):
        def created(user_id, minute):
            return user(user_id, created_at=f"2024-05-01T00:{minute:02}Z")
        events = [event(60, reauth(created("a", 30), created("b", 20))),
                  event(60, reauth(created("b", 20), created("c", 10))),
                  event(60, reauth(created("d", 5), created("b", 20))),
                  event(60, reauth(created("a", 30), created("e", 7)))]

        def connected_at(events):
            return {u: row["connected_at"] for u, row in state(events).connections.items()}
        self.assertEqual(connected_at(events[:2]), {"a": at(10) - 2, "b": at(10) - 1, "c": at(10)})
        self.assertEqual(connected_at(events), {"a": at(7) - 1, "b": at(10) - 1, "c": at(10), "d": at(5), "e": at(7)})

    def test_members_of_a_cycle_are_bound_by_those_outside_only_and_each_for_itself(self):
        def created(user_id, minute):
            return user(user_id, created_at=f"2024-05-01T00:{minute:02}Z")
        events = [event(60, reauth(created("a", 30), created("b", 20))),
                  event(60, reauth(created("b", 20), created("a", 30))),
                  event(60, reauth(created("x", 40), created("b", 20))),
                  event(60, reauth(created("a", 30), created("y", 10)))]
        self.assertEqual({u: row["connected_at"] for u, row in state(events).connections.items()},
                         {"a": at(10) - 1, "b": at(20), "x": at(20) - 1, "y": at(10)})


class Persons(unittest.TestCase):
    """Nothing of one person becomes that of another."""

    G1, G2 = user("g1", "alice"), user("g2", "bob")

    def test_a_reauth_between_two_people_is_a_transfer_and_no_lineage(self):
        result = state([event(1, auth("g1", "alice")), event(2, athlete("g1", "1", "alice")),
                        event(3, reauth(self.G1, self.G2))])
        self.assertEqual(statuses(result), {"g1": "replaced", "g2": "active"})
        self.assertEqual((lineages(result), result.resolve), ([["g1"], ["g2"]], {"g1": None, "g2": "g2"}))
        self.assertEqual(result.connections["g1"]["successor_user_id"], "g2")
        self.assertEqual(result.connections["g2"]["provider_user_id"], "1")   # the account moved
        self.assertEqual(result.transfers, [dict(
            provider="GARMIN", provider_user_id="1", from_reference_id="alice", from_user_id="g1",
            to_reference_id="bob",
            to_user_id="g2", transferred_at=at(3))])
        result = state([event(1, auth("g1", "alice")),
                        event(3, reauth(self.G1, self.G2))])   # the account is not known
        self.assertEqual([row["provider_user_id"] for row in result.transfers], [None])

    def test_only_if_every_such_event_says_so(self):
        between, nobodys = event(3, reauth(self.G1, self.G2)), user("g1", None)
        for other in (reauth(nobodys, self.G2), reauth(self.G1, user("g2", " ")), reauth(user("g1", "bob"), self.G2),
                      {**reauth(nobodys, user("g2", None)), "reference_id": "alice"}):
            for events in ([between, event(2, other)], [event(4, other), between], [event(2, other)]):
                result = state([event(1, auth("g1", "alice")), *events])
                self.assertEqual((lineages(result), result.transfers, result.resolve["g1"]), ([["g1", "g2"]], [], "g2"))
        # The top-level reference_id replaces the missing one.
        result = state([event(3, {**reauth(nobodys, self.G2), "reference_id": "alice"})])
        self.assertEqual((lineages(result), len(result.transfers)), ([["g1"], ["g2"]], 1))
        # A number and its digits are one reference_id.
        self.assertEqual(lineages(state([event(3, reauth(user("g1", 5), user("g2", "5")))])), [["g1", "g2"]])

    def test_it_is_a_transfer_only_if_the_pair_with_the_successor_is_such_and_the_status_replaced(self):
        fork = [event(3, reauth(self.G1, self.G2)), event(2, reauth(self.G1, user("g3", "alice")))]
        result = state(fork)
        self.assertEqual((result.transfers[0]["to_user_id"], lineages(result)), ("g2", [["g1", "g3"], ["g2"]]))
        self.assertEqual(result.resolve["g1"], "g3")
        result = state([fork[0], event(4, fork[1].payload)])
        self.assertEqual((result.connections["g1"]["successor_user_id"], result.transfers), ("g3", []))
        self.assertEqual(state([fork[0], event(9, auth("g1", "alice"), ordering=9)]).transfers, [])

    def test_an_active_id_resolves_to_itself(self):
        result = state([event(1, athlete("g1", "G1")), event(2, reauth(user("g1"), user("g2"))),
                        event(3, athlete("g2", "G2")),
                        event(4, auth("g3")), event(5, athlete("g3", "G1"))])
        self.assertEqual(statuses(result), {"g1": "replaced", "g2": "active", "g3": "active"})
        self.assertEqual((lineages(result), result.resolve),
                         ([["g1", "g2", "g3"]], {"g1": "g3", "g2": "g2", "g3": "g3"}))

    def test_a_family_may_share_a_device(self):
        events = [event(1, auth("a", "ann", "APPLE")), event(2, athlete("a", "ipad", "ann", "APPLE")),
                  event(3, auth("b", "bob", "APPLE")), event(4, athlete("b", "ipad", "bob", "APPLE")),
                  event(5, athlete("c", "ipad", None, "APPLE"))]
        for policy in ("keep", "replace"):
            result = state(events, policy)
            self.assertEqual(statuses(result), {"a": "active", "b": "active", "c": "active"})
            self.assertEqual((lineages(result), result.transfers, len(result.duplicates)),
                             ([["a"], ["b"], ["c"]], [], 3))
        self.assertEqual(statuses(state(events, "replace", sdk_providers=frozenset())),
                         {"a": "superseded", "b": "active", "c": "superseded"})   # c is known from passing events alone

    def test_the_accounts_of_an_unusable_provider_say_nothing(self):
        events = [event(1, auth("a", "ann", "DASH")), event(2, athlete("a", "-", "ann", "DASH")),
                  event(3, auth("b", "bob", "DASH")), event(4, athlete("b", "-", "bob", "dash")),
                  event(5, auth("c", "bob", "DASH")), event(6, athlete("c", "-", "bob", "DASH"))]
        for policy in ("keep", "replace"):
            result = state(events, policy, unusable_providers=frozenset({"DASH"}))
            self.assertEqual(statuses(result), {"a": "active", "b": "active", "c": "active"})
            self.assertEqual((lineages(result), result.transfers, result.duplicates), ([["a"], ["b"], ["c"]], [], []))
            self.assertEqual(result.connections["a"]["provider_user_id"], "-")
        self.assertEqual(statuses(state(events, "replace")), {"a": "superseded", "b": "superseded", "c": "active"})
        # The reference slot of an SDK provider still counts, and so does a reauth.
        result = state(events, "replace", frozenset({"DASH"}), frozenset({"DASH"}))
        self.assertEqual(statuses(result), {"a": "active", "b": "superseded", "c": "active"})
        result = state([*events, event(7, reauth(user("b", "bob", "DASH"), user("c", "bob", "DASH")))], "replace",
                       unusable_providers=frozenset({"DASH"}))
        self.assertEqual((statuses(result)["b"], lineages(result)), ("replaced", [["a"], ["b", "c"]]))


class Imports(unittest.TestCase):
    """What Terra's own list of users says, at the time at which it was taken."""

    def imported(self, minute, user_id, *args, **more):
        return event(minute, says("import", user_id, *args, **more))._replace(entered=True)

    def test_nobody_is_imported_by_a_webhook(self):
        events = [event(1, auth("u")), event(2, says("deauth", "u")), self.imported(3, "u")]
        self.assertEqual(statuses(state(events)), {"u": "active"})
        self.assertEqual(statuses(state([*events[:2], events[2]._replace(entered=False)])), {"u": "deauthenticated"})

    def test_it_is_true_until_a_later_event_says_otherwise(self):
        events = [event(1, auth("u", "ann")), self.imported(3, "u", "bob"), event(5, says("permission_change", "u")),
                  event(7, says("deauth", "u", "ann"))]
        for order in (events, events[::-1]):
            self.assertEqual([(row["reference_id"], row["status"]) for n in (2, 3, 4)
                              for row in state([e for e in order if e in events[:n]]).connections.values()],
                             [("bob", "active"), ("ann", "active"), ("ann", "deauthenticated")])

    def test_what_the_list_says_of_life(self):
        for more, alone, ended, alive in [
                ({}, "active", "active", "active"),
                ({"active": True}, "active", "active", "active"),
                ({"active": False}, "active", "deauthenticated", "active"),
                ({"state": "active", "active": False}, "active", "active", "active"),
                ({"state": "deauth"}, "deauthenticated", "deauthenticated", "deauthenticated"),
                ({"state": "user_reauth"}, "deauthenticated", "deauthenticated", "deauthenticated"),
                ({"state": "access_revoked"}, "revoked", "deauthenticated", "revoked"),
                ({"state": "paused"}, "active", "deauthenticated", "active")]:
            said = self.imported(5, "u", **more)
            self.assertEqual([statuses(state([*before, said]))["u"] for before in (
                [], [event(2, says("deauth", "u"))], [event(2, auth("u"))])], [alone, ended, alive], more)

    def test_it_makes_connections_confirmed_and_dated(self):
        said = self.imported(5, "u", created_at="2024-04-01T00:00:00Z")
        row = state([event(9, says("daily", "u")), said]).connections["u"]
        self.assertEqual((row["confirmed"], row["dated"], row["created_at"]), (True, True, NOW - 30 * DAY))


class Corrections(unittest.TestCase):
    """What a person decides about a connection."""

    def corrected(self, minute, user_id, what, other_user_id=None):
        said = {"what": what, "note": "as she says"}
        if other_user_id is not None:
            said["other_user_id"] = other_user_id
        payload = {"type": "correction", "user": {"user_id": user_id}, "correction": said}
        return event(minute, payload)._replace(entered=True)

    def test_nobody_is_corrected_by_a_webhook(self):
        ended = [event(1, auth("u")), event(2, says("deauth", "u")), self.corrected(3, "u", "active")]
        self.assertEqual(statuses(state(ended)), {"u": "active"})
        self.assertEqual(statuses(state([*ended[:2], ended[2]._replace(entered=False)])), {"u": "deauthenticated"})

    def test_the_last_one_who_says_so_is_right(self):
        events = [event(1, auth("u")), self.corrected(3, "u", "ended"), self.corrected(5, "u", "active"),
                  event(7, says("access_revoked", "u"))]
        self.assertEqual([statuses(state(events[:n]))["u"] for n in (1, 2, 3, 4)],
                         ["active", "deauthenticated", "active", "deauthenticated"])

    def test_a_person_links_what_may_be_of_one_person(self):
        same = self.corrected(5, "a", "same_person_as", "b")
        taken_back = self.corrected(6, "a", "not_same_person_as", "b")
        for other, linked in [(auth("b"), True), (auth("b", "bob"), False), (auth("b", None), False),
                              (auth("b", "ann", "FITBIT"), False), (auth("b", "ann", None), True)]:
            events = [event(1, auth("a")), event(2, says("deauth", "a")), event(3, other), same]
            self.assertEqual(lineages(state(events)), [["a", "b"]] if linked else [["a"], ["b"]])
            self.assertEqual(lineages(state([*events, taken_back])), [["a"], ["b"]])
        self.assertEqual(state([event(1, auth("a")), event(2, says("deauth", "a")), event(3, auth("b")), same]).resolve,
                         {"a": "b", "b": "b"})

    def test_it_names_both(self):
        result = state([self.corrected(5, "a", "same_person_as", "b")])
        self.assertEqual(result.connections["b"]["first_seen_at"], at(5))


class WhoseItWas(unittest.TestCase):

    def told(self, events, user_id="u"):
        return [(p["reference_id"], p["from"], p["to"]) for p in state(events).histories if p["user_id"] == user_id]

    def test_at_each_time_the_last_writer_and_before_all_the_first(self):
        events = [event(9, auth("u", "ann")), event(1, auth("u", "ann"), ordering=1), event(5, auth("u", "bob")),
                  event(6, says("deauth", "u", None)), event(7, auth("u", "bob")), event(20, auth("v", "eve"))]
        self.assertEqual(self.told(events), [("ann", None, at(5)), ("bob", at(5), at(9)), ("ann", at(9), None)])
        self.assertEqual(self.told(events[1:2]), [("ann", None, None)])

    def test_the_greater_value_at_one_time(self):
        events = [event(1, auth("u", "cid")), event(1, auth("u", "ann")), event(5, says("deauth", "u", "ann")),
                  event(5, auth("u", "bob"))]
        self.assertEqual(self.told(events), [("cid", None, at(5)), ("bob", at(5), None)])

    def test_the_old_user_of_a_reauth_too(self):
        events = [event(1, auth("u", "ann")), event(5, reauth(user("u", "bob"), user("v", "cid")))]
        self.assertEqual(self.told(events), [("ann", None, at(5)), ("bob", at(5), None)])
        self.assertEqual(self.told(events, "v"), [("cid", None, None)])

    def test_passing_events_only_if_there_is_nothing_else(self):
        events = [event(1, says("daily", "u", "ann")), event(2, says("daily", "u", "bob"))]
        self.assertEqual(self.told(events), [("ann", None, None)])
        self.assertEqual(self.told([*events, event(3, auth("u", None))]), [("ann", None, None)])
        self.assertEqual(self.told([*events, event(3, auth("u", "cid"))]), [("cid", None, None)])
        self.assertEqual(self.told([event(3, auth("u", None))]), [])

    def ids(self, events, reference_id, provider=None):
        found, = [p["user_ids"] for p in state(events).user_ids
                  if (p["reference_id"], p["provider"]) == (reference_id, provider)]
        return found

    def test_her_ids_are_hers_and_those_of_nobody_in_her_lineages(self):
        events = [event(1, auth("a", "ann")), event(2, reauth(user("a", None), user("b", None))),
                  event(3, auth("f", "ann", "FITBIT")), event(4, auth("x", "bob")), event(5, auth("y", None))]
        self.assertEqual(self.ids(events, "ann"), ["a", "b", "f"])
        self.assertEqual(self.ids(events, "ann", "FITBIT"), ["f"])
        self.assertEqual(self.ids(events, "bob", "FITBIT"), [])
        # A lineage in which two people are: each has her own, and nobody's belong to neither.
        events.append(event(6, reauth(user("b", None), user("c", None))))
        events.append(event(7, auth("c", "bob")))
        self.assertEqual((self.ids(events, "ann"), self.ids(events, "bob")), (["a", "f"], ["c", "x"]))


class Disconnects(unittest.TestCase):

    def queued(self, *people, on_duplicate="disconnect_older", provider="GARMIN", **rules):
        """Who is to be disconnected after people connect one account, each a minute after the one before."""
        events = [event(i, body) for i, person in enumerate(people)
                  for body in (auth(f"of {person}", person, provider), athlete(f"of {person}", "1", person, provider))]
        return [row["user_id"] for row in state(events, on_duplicate=on_duplicate, **rules).disconnects]

    def test_all_but_the_newest_or_all_but_the_oldest(self):
        self.assertEqual(self.queued("bob", "ann", "cid"), ["of ann", "of bob"])
        self.assertEqual(self.queued("bob", "ann", "cid", on_duplicate="disconnect_newer"), ["of ann", "of cid"])
        self.assertEqual(self.queued("bob", "ann", "cid", on_duplicate="report"), [])
        self.assertEqual(self.queued("bob", "ann", policy="replace"), [])

    def test_who_is_left_alone(self):
        self.assertEqual(self.queued("ann"), [])
        self.assertEqual(self.queued("ann", "bob", accepted={("GARMIN", "1")}), [])
        self.assertEqual(self.queued("ann", "bob", provider="APPLE"), [])
        self.assertEqual(self.queued("ann", "bob", unusable_providers={"GARMIN"}), [])
        self.assertEqual(self.queued("ann", None), [])
        self.assertEqual(self.queued("ann", None, "bob"), ["of ann"])
        self.assertEqual(len(self.queued("a", "b", "c", "d")), 3)
        self.assertEqual(self.queued("a", "b", "c", "d", None), [])
        undated = [event(1, auth("a")), event(2, athlete("a", "1")), event(3, athlete("b", "1", "bob"))]
        self.assertEqual(state(undated, on_duplicate="disconnect_older").disconnects, [])


class Scenarios(unittest.TestCase):
    def test_the_core_derives_the_same_states(self):
        for line in scenarios.lines():
            self.assertEqual(list(core_states.differences(line)), [])


class Histories(unittest.TestCase):

    def test_the_same_seed_gives_the_same_history(self):
        self.assertEqual(histories.history(3, 4), histories.history(3, 4))
        self.assertNotEqual(histories.history(3, 4), histories.history(3, 5))

    def test_a_trace_id_and_payload_are_only_repeated_by_an_exact_copy(self):
        for index in range(200):
            copies = {}
            for e in histories.history(2, index).events:
                trace_id = read(e).trace_id
                if trace_id:
                    self.assertEqual(copies.setdefault((trace_id, json.dumps(e.payload, sort_keys=True)), e), e)


if __name__ == "__main__":
    unittest.main()
