// Scenarios of the life of one connection, and of its successors that no reauth or account links to it.
#include "scenarios.h"

namespace terra_identity::test {

std::vector<Scenario> scenarios_of_one_connection() {
    const Outcome active{"a:active", "a", 0, "a"};
    const Outcome deauthenticated{"a:deauthenticated", "-", 0, "a"};
    return {
        {"Connect", {auth("a").at(1)}, active},

        {"ConnectWithAthleteAndData",
         {auth("a").at(1), athlete("a", "x").at(2), body("a").at(3), permission_change("a").at(4)},
         active},

        {"SeenOnlyInPassing", {body("a").at(1)}, active},

        {"SeenInPassingAndConfirmedLater", {body("a").at(1), auth("a").at(3)}, active},

        {"SeenOnlyByAPermissionChange", {permission_change("a").at(1)}, active},

        {"DeauthIsAllThatEverCame", {deauth("a").at(5)}, deauthenticated},

        {"Deauth", {auth("a").at(1), body("a").at(3), deauth("a").at(5)}, deauthenticated},

        {"OldAuthIsRetriedAfterTheDeauth",
         {auth("a").at(1), deauth("a").at(5), auth("a").at(1).received(8)},
         deauthenticated},

        {"DataAfterTheDeauthReviveNothing",
         {auth("a").at(1), deauth("a").at(5), body("a").at(9), permission_change("a").at(10)},
         deauthenticated},

        {"RevivedByALaterOrderingTimestamp", {auth("a").at(1), deauth("a").at(5), auth("a").at(9)}, active},

        {"RevivedByALaterCreatedAt", {deauth("a").at(5), auth("a").received(9).created(6)}, active},

        {"AnOrderingTimestampIsTakenBeforeCreatedAt", {deauth("a").at(5), auth("a").at(3).created(6)}, deauthenticated},

        {"NotRevivedWithoutProof",
         {auth("a").received(1), deauth("a").received(5), auth("a").received(9)},
         deauthenticated},

        {"ProofAtTheTimeOfTheEndIsNone", {auth("a").at(5), deauth("a").at(5)}, deauthenticated},

        {"ProofBetweenTwoEndsIsNone", {deauth("a").at(3), auth("a").at(5), access_revoked("a").at(7)}, deauthenticated},

        {"AuthError", {auth_error("a").at(1)}, {"a:failed", "-", 0, "a"}},

        {"AuthErrorThenSuccess", {auth_error("a").at(1), auth("a").at(2)}, active},

        {"AuthErrorAfterSuccess", {auth("a").at(1), auth_error("a").at(2)}, {"a:failed", "-", 0, "a"}},

        {"Revoked", {auth("a").at(1), access_revoked("a").at(2)}, {"a:revoked", "-", 0, "a"}},

        {"RevokedThenDeauthenticated",
         {auth("a").at(1), access_revoked("a").at(3), deauth("a").at(5)},
         deauthenticated},

        {"RevokedThenFailed", {access_revoked("a").at(3), auth_error("a").at(5)}, {"a:revoked", "-", 0, "a"}},

        {"ConnectionErrorEndsNothing", {auth("a").at(1), connection_error("a").at(4)}, active},

        {"ReconnectAfterADeauthIsNotLinked",
         {auth("a").at(1), deauth("a").at(5), auth("b").at(10)},
         {"a:deauthenticated b:active", "- b", 0, "a|b"}},

        {"ReconnectAfterADeauthIsLinkedByTheAccount",
         {auth("a").at(1), athlete("a", "x").at(2), deauth("a").at(5), auth("b").at(10), athlete("b", "x").at(11)},
         {"a:deauthenticated b:active", "b b", 0, "a b"}},
    };
}

} // namespace terra_identity::test
