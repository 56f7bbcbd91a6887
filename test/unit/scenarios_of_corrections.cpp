// Scenarios of corrections: what a person decides about a connection, and what comes after or contradicts it.
#include "scenarios.h"

namespace terra_identity::test {

std::vector<Scenario> scenarios_of_corrections() {
    const Outcome active{"a:active", "a", 0, "a"};
    const Outcome deauthenticated{"a:deauthenticated", "-", 0, "a"};
    const Outcome apart{"a:deauthenticated b:active", "- b", 0, "a|b"};
    const Outcome together{"a:deauthenticated b:active", "b b", 0, "a b"};
    return {
        {"ActiveRevives", {auth("a").at(1), deauth("a").at(5), correction("a", "active").received(9)}, active},

        {"ActiveIsNoProofForLater",
         {auth("a").at(1), correction("a", "active").received(5), access_revoked("a").at(9)},
         {"a:revoked", "-", 0, "a"}},

        {"ActiveProtectsAgainstALateRetryOfAnEnd",
         {auth("a").at(1), correction("a", "active").received(5), deauth("a").at(3).received(9)},
         active},

        {"ActiveOfOneThatOnlyEnded", {deauth("a").at(5), correction("a", "active").received(9)}, active},

        {"Ended", {auth("a").at(1), body("a").at(3), correction("a", "ended").received(5)}, deauthenticated},

        {"EndedThenConnectedAgain", {auth("a").at(1), correction("a", "ended").received(5), auth("a").at(9)}, active},

        {"EndedThenActive",
         {auth("a").at(1), correction("a", "ended").received(5), correction("a", "active").received(9)},
         active},

        {"ActiveDoesNotTakeTheSlotOfANewerOne",
         {athlete("a", "x").at(1), athlete("b", "x").at(5), correction("a", "active").received(9)},
         {"a:superseded>b b:active", "b b", 0, "a b"}},

        {"SamePerson",
         {auth("a").at(1), deauth("a").at(5), auth("b").at(10), correction("a", "same_person_as", "b").received(15)},
         together},

        {"SamePersonTheOtherWayRound",
         {auth("a").at(1), deauth("a").at(5), auth("b").at(10), correction("b", "same_person_as", "a").received(15)},
         together},

        {"SamePersonTakenBack",
         {deauth("a").at(5), auth("b").at(10), correction("a", "same_person_as", "b").received(15),
          correction("a", "not_same_person_as", "b").received(16)},
         apart},

        {"SamePersonSaidAgain",
         {deauth("a").at(5), auth("b").at(10), correction("a", "same_person_as", "b").received(15),
          correction("a", "not_same_person_as", "b").received(16), correction("a", "same_person_as", "b").received(17)},
         together},

        {"AnotherSamePerson",
         {auth("a").at(1), auth("b").at(2), auth("c").at(3), correction("a", "same_person_as", "b").received(15),
          correction("a", "same_person_as", "c").received(16)},
         {"a:active b:active c:active", "a b c", 0, "a c|b"}},

        {"TwoPersonsAreNotOne",
         {deauth("a").at(5), auth("b").at(10).reference("bert"), correction("a", "same_person_as", "b").received(15)},
         apart},

        {"SomebodyAndNobodyAreNotOne",
         {deauth("a").at(5), auth("b").at(10).reference(""), correction("a", "same_person_as", "b").received(15)},
         apart},

        {"NobodyAndNobodyAreOne",
         {deauth("a").at(5).reference(""), auth("b").at(10).reference(""),
          correction("a", "same_person_as", "b").received(15)},
         together},

        {"WhoeverTurnsOutToBeAnotherPersonIsNotTheSame",
         {deauth("a").at(5), auth("b").at(10), correction("a", "same_person_as", "b").received(15),
          auth("b").at(20).reference("bert")},
         apart},

        {"WhoeverTurnsOutToBeThePersonIsTheSame",
         {deauth("a").at(5), auth("b").at(10).reference("bert"), correction("a", "same_person_as", "b").received(15),
          permission_change("b").at(20)},
         together},

        {"TwoProvidersAreNotOneLineage",
         {deauth("a").at(5), auth("b").at(10).provider("FITBIT"), correction("a", "same_person_as", "b").received(15)},
         apart},

        {"NobodyLeadsFromOnePersonToAnother",
         {deauth("a").at(5), auth("b").at(10).reference(""), auth("c").at(11).reference("bert"),
          correction("a", "same_person_as", "b").received(15), correction("b", "same_person_as", "c").received(16)},
         {"a:deauthenticated b:active c:active", "- b c", 0, "a|b|c"}},

        {"ACorrectionNamesConnections",
         {correction("a", "same_person_as", "b").received(5)},
         {"a:active b:active", "a b", 0, "a b"}},

        {"AChainOfCorrectionsBreaksInTheMiddle",
         {auth("a").at(1), auth("b").at(2), auth("c").at(3), correction("a", "same_person_as", "b").received(15),
          correction("b", "same_person_as", "c").received(16), correction("b", "not_same_person_as", "c").received(17)},
         {"a:active b:active c:active", "a b c", 0, "a b|c"}},

        {"TakenBackWhereTheAccountStillLinks",
         {athlete("a", "x").at(1), deauth("a").at(5), athlete("b", "x").at(10),
          correction("a", "same_person_as", "b").received(15), correction("a", "not_same_person_as", "b").received(16)},
         together},

        {"TheAccountLeavesAndTheCorrectionStays",
         {athlete("a", "x").at(1), athlete("b", "x").at(2), athlete("c", "x").at(3),
          correction("c", "same_person_as", "b").received(15), athlete("b", "y").at(20)},
         {"a:superseded>c b:active c:active", "c b c", 0, "a b c"}},
    };
}

} // namespace terra_identity::test
