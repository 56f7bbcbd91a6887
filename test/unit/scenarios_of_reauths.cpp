// Scenarios of connections that a user_reauth replaces, in chains, forks, fan-ins and cycles. Transfers are in
// scenarios_of_transfers.cpp.
#include "scenarios.h"

namespace terra_identity::test {

std::vector<Scenario> scenarios_of_reauths() {
    const Outcome one_active{"a:active", "a", 0, "a"};
    const Outcome replaced{"a:replaced>b b:active", "b b", 0, "a b"};
    return {
        {"Reconnect",
         {auth("a").at(1), athlete("a", "x").at(2), reauth("a", "b").at(10), auth("b").at(10), deauth("a").at(12)},
         replaced},

        {"ReconnectOfAnUnknownConnection", {reauth("a", "b").at(10)}, replaced},

        {"ReconnectWithoutOrderingTimestamps",
         {auth("a").received(1), reauth("a", "b").received(5), auth("a").received(7), body("a").received(9)},
         replaced},

        {"ReconnectWithoutOrderingTimestampsInAnyOrder",
         {auth("b").received(1), reauth("a", "b").received(2), athlete("b", "x").received(3), auth("a").received(4),
          athlete("a", "x").received(5)},
         replaced},

        {"ReconnectThenDeauth",
         {reauth("a", "b").at(3), deauth("b").at(9)},
         {"a:replaced>b b:deauthenticated", "- -", 0, "a b"}},

        {"OldUserIsNull", {reauth("", "a").at(3)}, one_active},

        {"OldUserIsTheNewUser", {auth("a").at(1), reauth("a", "a").at(3), body("a").at(5)}, one_active},

        {"ProofOfLifeByAReauthWithoutOldUser", {deauth("a").at(2), reauth("", "a").at(3)}, one_active},

        {"AReplacedConnectionIsRevived",
         {auth("a").at(1), reauth("a", "b").at(5), auth("a").at(9)},
         {"a:active b:active", "a b", 0, "a b"}},

        {"AReplacedConnectionIsRevivedOnTheSameAccount",
         {athlete("a", "x").at(1), reauth("a", "b").at(5), auth("a").at(9)},
         {"a:superseded>b b:active", "b b", 0, "a b"}},

        {"DataOfTheOldConnectionCanBeAllThatIsHeardOfIt",
         {auth("new").provider("APPLE").at(1), reauth("old", "new").provider("APPLE").at(2),
          body("old").provider("APPLE").at(3)},
         {"new:active old:replaced>new", "new new", 0, "new old"}},

        {"WhatReplacedItIsNewerThoughBothWereCreatedAtOnce",
         {auth("zz").provider("APPLE").at(1).created(1), auth("aa").provider("APPLE").at(1).created(1),
          reauth("zz", "aa").provider("APPLE").at(2)},
         {"aa:active zz:replaced>aa", "aa aa", 0, "aa zz"}},

        {"ARevivedConnectionIsStillOlderThanWhatReplacedIt",
         {auth("b").provider("APPLE").at(1), reauth("a", "b").provider("APPLE").at(5),
          auth("a").provider("APPLE").at(9).created(8)},
         {"a:superseded>b b:active", "b b", 0, "a b"}},

        {"Chain",
         {reauth("a", "b").at(2), reauth("b", "c").at(3), reauth("c", "d").at(4)},
         {"a:replaced>b b:replaced>c c:replaced>d d:active", "d d d d", 0, "a b c d"}},

        {"AChainIsInTheOrderOfItsReauthsWhateverTheirTimes",
         {auth("a").provider("APPLE").received(9), reauth("a", "b").provider("APPLE").received(8),
          reauth("b", "c").provider("APPLE").received(7), auth("d").provider("APPLE").received(10)},
         {"a:replaced>b b:replaced>c c:superseded>d d:active", "d d d d", 0, "a b c d"}},

        {"AChainIsOlderThanItsNewestEnd",
         {auth("c").provider("APPLE").at(1), reauth("b", "c").provider("APPLE").at(5),
          reauth("a", "b").provider("APPLE").at(6), body("a").provider("APPLE").at(7)},
         {"a:replaced>b b:superseded>c c:active", "c c c", 0, "a b c"}},

        {"AnAccountIsInheritedThroughAChain",
         {athlete("a", "x").at(1), reauth("a", "b").at(2), reauth("b", "c").at(3),
          athlete("d", "x").reference("bert").at(5).created(5)},
         {"a:replaced>b b:replaced>c c:active d:active", "c c c d", 2, "a b c|d"},
         Outcome{"a:replaced>b b:replaced>c c:superseded>d d:active", "- - - d", 0, "a b c|d"}},

        {"TheHeirHasAnAccountOfItsOwnAndTheOldOneIsConnectedAgain",
         {athlete("g1", "G1").at(1), reauth("g1", "g2").at(2), athlete("g2", "G2").at(3),
          athlete("g3", "G1").at(4).created(4)},
         {"g1:replaced>g2 g2:active g3:active", "g3 g2 g3", 0, "g1 g2 g3"}},

        {"AnSdkConnectionInheritsNoAccount",
         {athlete("a", "x").provider("APPLE").at(1), reauth("a", "b").provider("APPLE").at(5),
          athlete("c", "x").provider("APPLE").reference("bert").at(9)},
         {"a:replaced>b b:active c:active", "b b c", 0, "a b|c"}},

        {"Fork",
         {reauth("a", "b").at(3), reauth("a", "c").at(5)},
         {"a:replaced>c b:active c:active", "c b c", 0, "a b c"}},

        {"ForkAtTheSameTime",
         {reauth("a", "b").at(3), reauth("a", "c").at(3), athlete("a", "x").at(1)},
         {"a:replaced>c b:superseded>c c:active", "c c c", 0, "a b c"}},

        {"TheNewestPredecessorGivesTheAccount",
         {athlete("a", "x").at(1), athlete("b", "y").at(2), reauth("a", "c").at(5), reauth("b", "c").at(6),
          athlete("d", "y").reference("bert").at(8).created(8)},
         {"a:replaced>c b:replaced>c c:active d:active", "c c c d", 2, "a b c|d"},
         Outcome{"a:replaced>c b:replaced>c c:superseded>d d:active", "- - - d", 0, "a b c|d"}},

        {"TheNewestPredecessorThatHasAnAccountGivesIt",
         {athlete("a", "x").at(1), auth("b").at(2), reauth("a", "c").at(5), reauth("b", "c").at(6),
          athlete("d", "x").reference("bert").at(8).created(8)},
         {"a:replaced>c b:replaced>c c:active d:active", "c c c d", 2, "a b c|d"},
         Outcome{"a:replaced>c b:replaced>c c:superseded>d d:active", "- - - d", 0, "a b c|d"}},

        {"ADatedPredecessorIsTheNewest",
         {auth("a").at(1), athlete("a", "x").at(2), athlete("b", "y").at(3), reauth("a", "c").at(5),
          reauth("b", "c").at(6), athlete("d", "x").at(8).created(8)},
         {"a:replaced>c b:replaced>c c:superseded>d d:active", "d d d d", 0, "a b c d"}},

        {"CycleOfTwo", {reauth("a", "b").at(3), reauth("b", "a").at(5)}, {"a:active b:replaced>a", "a a", 0, "a b"}},

        {"CycleOfTwoWithAnAccount",
         {athlete("a", "x").at(1), reauth("a", "b").at(2), reauth("b", "a").at(3),
          athlete("c", "x").reference("bert").at(9).created(9)},
         {"a:superseded>b b:replaced>a c:active", "- - c", 0, "a b|c"}},

        {"CycleOfThreeWithoutProof",
         {reauth("a", "b").received(3), reauth("b", "c").received(3), reauth("c", "a").received(3)},
         {"a:replaced>b b:replaced>c c:replaced>a", "- - -", 0, "a b c"}},

        {"CycleOfThreeWithAnAccountFromOutside",
         {athlete("o", "x").at(1), reauth("o", "a").at(2), reauth("a", "b").at(3), reauth("b", "c").at(4),
          reauth("c", "a").at(5), athlete("z", "x").reference("bert").at(9).created(9)},
         {"a:superseded>b b:replaced>c c:replaced>a o:replaced>a z:active", "- - - - z", 0, "a b c o|z"}},

        {"ACycleTakesTheAccountOfTheNewestOutside",
         {athlete("d", "y").at(1), athlete("e", "x").at(2), reauth("e", "c").at(3), reauth("d", "a").at(4),
          reauth("a", "c").at(5), reauth("c", "a").at(6)},
         {"a:active c:replaced>a d:replaced>a e:replaced>c", "a a a a", 0, "a c d e"}},

        {"TheNewestMemberOfACycleGivesTheAccount",
         {athlete("a", "x").at(1), athlete("b", "y").at(2), reauth("a", "b").at(3), reauth("b", "c").at(4),
          reauth("c", "a").at(5), auth("c").at(6)},
         {"a:active b:replaced>c c:active", "a c c", 0, "a b c"}},

        {"OnlyTheReplacedMemberOfACycleIsOlderThanWhatReplacedIt",
         {auth("o").provider("APPLE").at(1), reauth("a", "b").provider("APPLE").at(3),
          reauth("b", "a").provider("APPLE").at(4), reauth("b", "o").provider("APPLE").at(5)},
         {"a:active b:replaced>o o:superseded>a", "a a a", 0, "a b o"}},
    };
}

} // namespace terra_identity::test
