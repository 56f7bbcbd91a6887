// Scenarios in which the facts of a connection change, and links appear or disappear with them.
#include "scenarios.h"

namespace terra_identity::test {

std::vector<Scenario> scenarios_of_changed_facts() {
    const Outcome a_superseded{"a:superseded>b b:active", "b b", 0, "a b"};
    const Outcome two_strangers{"a:active b:active", "a b", 0, "a|b"};
    const Outcome duplicates{"a:active b:active", "a b", 2, "a|b"};
    const Outcome transferred{"a:superseded>b b:active", "- b", 0, "a|b"};
    return {
        {"TheAccountIsCorrectedAway",
         {athlete("a", "x").at(1), athlete("b", "x").reference("bert").at(2), athlete("a", "y").at(3)},
         two_strangers},

        {"TheAccountIsCorrectedToOneThatIsHeld",
         {athlete("a", "y").at(1), athlete("b", "x").at(2), athlete("a", "x").at(3)},
         a_superseded},

        {"AnEmptyAccountCorrectsNothing",
         {athlete("a", "x").at(1), athlete("b", "x").at(2), athlete("b", "").at(3)},
         a_superseded},

        {"ALineageIsMergedByALateAthlete",
         {auth("a").at(1), auth("b").at(5), athlete("a", "x").at(2), reauth("b", "c").at(7), athlete("b", "x").at(9)},
         {"a:superseded>b b:replaced>c c:active", "c c c", 0, "a b c"}},

        {"AnOldAccountIsTakenFromTheHeirs",
         {athlete("a", "x").at(1), athlete("b", "z").at(2), reauth("b", "c").at(3), athlete("b", "x").at(4)},
         {"a:superseded>b b:replaced>c c:active", "c c c", 0, "a b c"}},

        {"TheReferenceChangesAndTheLineageSplits",
         {athlete("a", "x").at(1), athlete("b", "x").at(2), auth("b").reference("bert").at(3)},
         duplicates,
         transferred},

        {"TheReferenceChangesAndOneOfThreeLeavesTheLineage",
         {athlete("a", "x").at(1), athlete("b", "x").at(2), athlete("c", "x").at(3), auth("c").reference("bert").at(4)},
         {"a:superseded>b b:active c:active", "b b c", 2, "a b|c"},
         Outcome{"a:superseded>b b:superseded>c c:active", "- - c", 0, "a b|c"}},

        {"TheReferenceChangesInTheMiddleOfAnSdkLineage",
         {athlete("a", "x").provider("APPLE").at(1), athlete("b", "x").provider("APPLE").at(2),
          athlete("c", "y").provider("APPLE").at(3), permission_change("b").provider("APPLE").reference("bert").at(4)},
         {"a:superseded>c b:active c:active", "c b c", 0, "a c|b"}},

        {"AReauthHoldsALineageWhoseReferenceChanges",
         {athlete("a", "x").at(1), reauth("a", "b").at(3), auth("b").reference("bert").at(5)},
         {"a:replaced>b b:active", "b b", 0, "a b"}},

        {"AReferenceSeenInPassingLosesToAnIdentityEvent",
         {body("a").reference("bert").at(9), auth("a").at(3), athlete("a", "x").at(4),
          athlete("b", "x").reference("bert").at(5)},
         duplicates,
         Outcome{"a:active b:superseded>a", "a -", 0, "a|b"}}, // only a is confirmed

        {"TheFirstReferenceSeenInPassingStays",
         {body("a").reference("bert").at(9), body("a").at(3), deauth("a").reference("").at(10), athlete("b", "x").at(4),
          athlete("a", "x").reference("").at(5)},
         {"a:deauthenticated b:active", "b b", 0, "a b"}},

        {"TheProviderChanges",
         {athlete("a", "x").at(1), athlete("b", "x").at(2), auth("b").provider("FITBIT").at(3)},
         two_strangers},

        {"AWebConnectionTurnsOutToBeOfAnSdk",
         {athlete("a", "x").at(1), reauth("a", "b").at(2), auth("b").provider("APPLE").at(3),
          athlete("c", "x").reference("bert").at(4), auth("d").provider("APPLE").at(5)},
         {"a:replaced>b b:superseded>d c:active d:active", "d d c d", 0, "a b d|c"}},

        {"CreatedAtComesLateAndTurnsTheOrder",
         {athlete("a", "x").at(5).created(5), athlete("b", "x").at(8).created(8), auth("b").at(9).created(2)},
         {"a:active b:superseded>a", "a a", 0, "a b"}},

        {"CreatedAtTakesASuccessorAway",
         {athlete("a", "x").at(5).created(5), athlete("b", "x").at(8).created(8), athlete("c", "x").at(9).created(9),
          auth("b").at(9).created(2)},
         {"a:superseded>c b:superseded>a c:active", "c c c", 0, "a b c"}},

        {"CreatedAtMakesItNewerThanAllThatWereOnlySeenInPassing",
         {athlete("a", "x").at(5), athlete("b", "x").at(8), athlete("c", "x").at(9), body("b").at(10).created(2)},
         {"a:superseded>c b:active c:superseded>b", "b b b", 0, "a b c"}},

        {"AuthMakesItNewerThanAllThatWereOnlySeenInPassing",
         {athlete("a", "x").at(5), athlete("b", "x").at(8), auth("a").at(5)},
         {"a:active b:superseded>a", "a a", 0, "a b"}},

        {"CreatedAtOfThePredecessorGivesTheHeirAnotherAccount",
         {athlete("a", "x").at(5).created(5), athlete("b", "y").at(4).created(4), reauth("a", "c").at(6),
          reauth("b", "c").at(7), body("a").at(8).created(1), athlete("d", "y").reference("bert").at(9).created(9)},
         {"a:replaced>c b:replaced>c c:active d:active", "c c c d", 2, "a b c|d"},
         Outcome{"a:replaced>c b:replaced>c c:superseded>d d:active", "- - - d", 0, "a b c|d"}},

        {"CreatedAtOfTheNewestComesLateAndAgesAllThatItReplaced",
         {auth("a").provider("APPLE").at(4), reauth("a", "b").provider("APPLE").at(5),
          reauth("b", "c").provider("APPLE").at(6), auth("d").provider("APPLE").at(3),
          body("c").provider("APPLE").at(7).created(2)},
         {"a:replaced>b b:replaced>c c:superseded>d d:active", "d d d d", 0, "a b c d"}},

        {"ADuplicateIsClosedByALaterReference",
         {athlete("a", "x").at(1), athlete("b", "x").reference("bert").at(2),
          permission_change("a").reference("bert").at(3)},
         a_superseded},

        {"TheProviderTurnsOutToHaveUnusableAccountIds",
         {athlete("a", "x").at(1), athlete("b", "x").at(2), auth("a").provider("DASH").at(3),
          auth("b").provider("DASH").at(4)},
         two_strangers},
    };
}

} // namespace terra_identity::test
