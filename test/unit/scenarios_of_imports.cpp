// Scenarios of imports: what Terra's list of users says at the time at which it was taken, among what webhooks say.
#include "scenarios.h"

namespace terra_identity::test {

std::vector<Scenario> scenarios_of_imports() {
    const Outcome active{"a:active", "a", 0, "a"};
    const Outcome deauthenticated{"a:deauthenticated", "-", 0, "a"};
    return {
        {"ImportedAlone", {import("a").received(5)}, active},

        {"ImportedTwice", {import("a").received(5), import("a").received(9)}, active},

        {"ALaterDeauthWins", {import("a").received(5), deauth("a").at(9)}, deauthenticated},

        {"AnImportRevivesWhatEndedBefore", {auth("a").at(1), deauth("a").at(3), import("a").received(5)}, active},

        {"ALateRetryOfAnOldDeauthDoesNotEndIt", {import("a").received(5), deauth("a").at(3).received(9)}, active},

        {"NothingIsBothInOneMoment",
         {import("a").received(5), import_state("a", "deauth").received(5)},
         deauthenticated},

        {"NotActiveIsNoProofOfLife",
         {auth("a").at(1), deauth("a").at(3), import_state("a", "a new word").received(5)},
         deauthenticated},

        {"NotActiveIsNoEnd", {auth("a").at(1), import_state("a", "a new word").received(5)}, active},

        {"NotActiveAndNeverSeen", {import_state("a", "a new word").received(5)}, active},

        {"StateActiveIsProofOfLife", {deauth("a").at(3), import_state("a", "active").received(5)}, active},

        {"StateDeauthEnds", {auth("a").at(1), import_state("a", "deauth").received(5)}, deauthenticated},

        {"StateDeauthOfOneNeverSeen", {import_state("a", "deauth").received(5)}, deauthenticated},

        {"StateAccessRevokedEnds",
         {auth("a").at(1), import_state("a", "access_revoked").received(5)},
         {"a:revoked", "-", 0, "a"}},

        {"ConnectedAgainAfterAnImportedEnd", {import_state("a", "deauth").received(5), auth("a").at(9)}, active},

        {"AnAuthBeforeAnImportedEnd", {import_state("a", "deauth").received(5), auth("a").at(3)}, deauthenticated},

        {"AReplacedOneWhoseSuccessorTheListDoesNotTell",
         {import_state("a", "user_reauth").created(1).received(9), import_state("b", "active").created(4).received(9)},
         {"a:deauthenticated b:active", "- b", 0, "a|b"}},

        {"TheReauthComesLate",
         {import_state("a", "user_reauth").created(1).received(9), import_state("b", "active").created(4).received(9),
          reauth("a", "b").at(4).received(12)},
         {"a:replaced>b b:active", "b b", 0, "a b"}},

        {"TwoPersonsOnOneAccount",
         {import("a").created(1).received(9), import("b").created(2).reference("bert").received(9),
          athlete("a", "x").at(10), athlete("b", "x").reference("bert").at(11)},
         {"a:active b:active", "a b", 2, "a|b"},
         Outcome{"a:superseded>b b:active", "- b", 0, "a|b"}},

        {"TwoDevicesOfOnePerson",
         {import("a").provider("APPLE").created(1).received(9), import("b").provider("APPLE").created(2).received(9)},
         {"a:superseded>b b:active", "b b", 0, "a b"}},

        {"AnImportNamesAnotherPersonThanBefore",
         {auth("a").at(1), auth("b").at(2).reference("bert"), athlete("a", "x").at(3),
          athlete("b", "x").at(4).reference("bert"), import("a").reference("bert").created(1).received(9)},
         {"a:superseded>b b:active", "b b", 0, "a b"}},

        {"AnImportDoesNotOverrideWhatALaterEventSays",
         {import("a").reference("bert").received(5), permission_change("a").at(9), athlete("a", "x").at(10),
          athlete("b", "x").at(11)},
         {"a:active b:superseded>a", "a a", 0, "a b"}},

        {"DataAfterAnImport", {import("a").received(5), body("a").at(9).reference("bert")}, active},

        {"DataAfterAnImportedEnd", {import_state("a", "deauth").received(5), body("a").at(9)}, deauthenticated},

        {"AReauthAfterAnImport",
         {import("a").created(1).received(5), reauth("a", "b").at(9)},
         {"a:replaced>b b:active", "b b", 0, "a b"}},
    };
}

} // namespace terra_identity::test
