// Scenarios: connections that a user_reauth replaces, in chains, forks, fan-ins and cycles.
#include "scenarios.h"

namespace terra_identity::test {
namespace {

Delivery reauth_to_another_person(const std::string& old_user_id, const std::string& new_user_id) {
    Delivery delivery = reauth(old_user_id, new_user_id);
    delivery.payload["new_user"]["reference_id"] = "bert";
    return delivery;
}

} // namespace

std::vector<Scenario> scenarios_of_reauths() {
    const Outcome one_active{"a:active", "a", 0, "a"};
    const Outcome replaced{"a:replaced>b b:active", "b", 0, "a b"};
    return {
        {"Reconnect",
         {auth("a").at(1), athlete("a", "x").at(2), reauth("a", "b").at(10), auth("b").at(10), deauth("a").at(12)},
         replaced},

        {"ReconnectOfAnUnknownConnection", {reauth("a", "b").at(10)}, replaced},

        {"ReconnectWithoutOrderingTimestamps",
         {auth("a").received(1), reauth("a", "b").received(5), auth("a").received(7), body("a").received(9)},
         replaced},

        {"ReconnectThenDeauth",
         {reauth("a", "b").at(3), deauth("b").at(9)},
         {"a:replaced>b b:deauthenticated", "", 0, "a b"}},

        {"ReconnectUnderAnotherReference",
         {auth("a").at(1), reauth_to_another_person("a", "b").at(3), athlete("a", "x").at(4)},
         replaced},

        {"OldUserIsNull", {reauth("", "a").at(3)}, one_active},

        {"OldUserIsTheNewUser", {auth("a").at(1), reauth("a", "a").at(3), body("a").at(5)}, one_active},

        {"ProofOfLifeByAReauthWithoutOldUser", {deauth("a").at(2), reauth("", "a").at(3)}, one_active},

        {"AReplacedConnectionIsRevived",
         {auth("a").at(1), reauth("a", "b").at(5), auth("a").at(9)},
         {"a:active b:active", "b", 0, "a b"}},

        {"AReplacedConnectionIsRevivedOnTheSameAccount",
         {athlete("a", "x").at(1), reauth("a", "b").at(5), auth("a").at(9)},
         {"a:superseded>b b:active", "b", 0, "a b"}},

        {"Chain",
         {reauth("a", "b").at(2), reauth("b", "c").at(3), reauth("c", "d").at(4)},
         {"a:replaced>b b:replaced>c c:replaced>d d:active", "d", 0, "a b c d"}},

        {"AnAccountIsInheritedThroughAChain",
         {athlete("a", "x").at(1), reauth("a", "b").at(2), reauth("b", "c").at(3),
          athlete("d", "x").reference("bert").at(5)},
         {"a:replaced>b b:replaced>c c:active d:active", "c", 2, "a b c|d"},
         Outcome{"a:replaced>b b:replaced>c c:superseded>d d:active", "", 0, "a b c|d"}},

        {"AnSdkConnectionInheritsNoAccount",
         {athlete("a", "x").provider("APPLE").at(1), reauth("a", "b").provider("APPLE").at(5),
          athlete("c", "x").provider("APPLE").reference("bert").at(9)},
         {"a:replaced>b b:active c:active", "b", 0, "a b|c"}},

        {"Fork", {reauth("a", "b").at(3), reauth("a", "c").at(5)}, {"a:replaced>c b:active c:active", "c", 0, "a b c"}},

        {"ForkAtTheSameTime",
         {reauth("a", "b").at(3), reauth("a", "c").at(3), athlete("a", "x").at(1)},
         {"a:replaced>c b:superseded>c c:active", "c", 0, "a b c"}},

        {"TheNewestPredecessorGivesTheAccount",
         {athlete("a", "x").at(1), athlete("b", "y").at(2), reauth("a", "c").at(5), reauth("b", "c").at(6),
          athlete("d", "y").reference("bert").at(8)},
         {"a:replaced>c b:replaced>c c:active d:active", "c", 2, "a b c|d"},
         Outcome{"a:replaced>c b:replaced>c c:superseded>d d:active", "", 0, "a b c|d"}},

        {"TheNewestPredecessorThatHasAnAccountGivesIt",
         {athlete("a", "x").at(1), auth("b").at(2), reauth("a", "c").at(5), reauth("b", "c").at(6),
          athlete("d", "x").reference("bert").at(8)},
         {"a:replaced>c b:replaced>c c:active d:active", "c", 2, "a b c|d"},
         Outcome{"a:replaced>c b:replaced>c c:superseded>d d:active", "", 0, "a b c|d"}},

        {"CycleOfTwo", {reauth("a", "b").at(3), reauth("b", "a").at(5)}, {"a:active b:replaced>a", "a", 0, "a b"}},

        {"CycleOfTwoWithAnAccount",
         {athlete("a", "x").at(1), reauth("a", "b").at(2), reauth("b", "a").at(3),
          athlete("c", "x").reference("bert").at(9)},
         {"a:superseded>b b:replaced>a c:active", "", 0, "a b|c"}},

        {"CycleOfThreeWithoutProof",
         {reauth("a", "b").received(3), reauth("b", "c").received(3), reauth("c", "a").received(3)},
         {"a:replaced>b b:replaced>c c:replaced>a", "", 0, "a b c"}},

        {"CycleOfThreeWithAnAccountFromOutside",
         {athlete("o", "x").at(1), reauth("o", "a").at(2), reauth("a", "b").at(3), reauth("b", "c").at(4),
          reauth("c", "a").at(5), athlete("z", "x").reference("bert").at(9)},
         {"a:superseded>b b:replaced>c c:replaced>a o:replaced>a z:active", "", 0, "a b c o|z"}},

        {"CycleOfThreeIsEnteredByTheNewestAndNotTwice",
         {athlete("d", "y").at(1), athlete("e", "x").at(2), reauth("e", "c").at(3), reauth("d", "a").at(4),
          reauth("a", "c").at(5), reauth("c", "a").at(6)},
         {"a:active c:replaced>a d:replaced>a e:replaced>c", "a", 0, "a c d e"}},
    };
}

} // namespace terra_identity::test
