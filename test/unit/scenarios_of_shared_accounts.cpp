// Scenarios in which several connections share one provider account or one device.
#include "scenarios.h"

namespace terra_identity::test {
namespace {

/// `person` connects an account; an athlete event is the only event about the connection.
Delivery connects(const std::string& user_id, const std::string& account, const std::string& person, int second) {
    return athlete(user_id, account).reference(person).at(second);
}

Delivery athlete_in_data(const std::string& user_id, const nlohmann::json& account) {
    Delivery delivery = athlete(user_id, "");
    delivery.payload["data"] = {{{"provider_user_id", nullptr}}, {{"provider_user_id", account}}};
    return delivery;
}

Delivery athlete_answer(const std::string& user_id, const std::string& account) {
    Delivery delivery = athlete(user_id, account);
    delivery.payload.erase("type");
    return delivery;
}

Delivery athlete_answer_in_array(const std::string& user_id, const std::string& account) {
    Delivery delivery = athlete_answer(user_id, account);
    delivery.payload["athlete"] = nlohmann::json::array({delivery.payload["athlete"]});
    return delivery;
}

Delivery athlete_in_data_object(const std::string& user_id, const std::string& account) {
    Delivery delivery = athlete(user_id, "");
    delivery.payload["data"] = {{"provider_user_id", account}};
    return delivery;
}

} // namespace

std::vector<Scenario> scenarios_of_shared_accounts() {
    const Outcome a_superseded{"a:superseded>b b:active", "b b", 0, "a b"};
    const Outcome two_strangers{"a:active b:active", "a b", 0, "a|b"};
    const Outcome duplicates{"a:active b:active", "a b", 2, "a|b"};
    const Outcome transferred{"a:superseded>b b:active", "- b", 0, "a|b"};
    return {
        {"ReconnectWithoutReauth",
         {auth("a").at(1), athlete("a", "x").at(2), auth("b").at(5), athlete("b", "x").at(6)},
         a_superseded},

        {"AccountInDataOfTheAthleteEvent", {athlete_in_data("a", 7).at(1), athlete("b", "7").at(4)}, a_superseded},

        {"AccountInAnAnswerOfGetAthlete", {athlete_answer("a", "x").at(1), athlete("b", "x").at(4)}, a_superseded},

        {"AccountInAnArrayAndInAnObjectUnderData",
         {athlete_answer_in_array("a", "x").at(1), athlete_in_data_object("b", "x").at(4)},
         a_superseded},

        {"TwoAccountsOfOnePerson", {connects("a", "x", "anna", 1), connects("b", "y", "anna", 5)}, two_strangers},

        {"OneAccountIdAtTwoProviders",
         {connects("a", "x", "anna", 1).provider("FITBIT"), connects("b", "x", "anna", 5)},
         two_strangers},

        {"AnotherPersonConnectsTheAccount",
         {auth("a").at(1), athlete("a", "x").at(2), auth("b").reference("bert").at(5),
          athlete("b", "x").reference("bert").at(6)},
         duplicates,
         transferred},

        {"AThirdPersonConnectsTheAccount",
         {connects("a", "x", "anna", 1), connects("b", "x", "bert", 5), connects("c", "x", "cleo", 9)},
         {"a:active b:active c:active", "a b c", 3, "a|b|c"},
         Outcome{"a:superseded>b b:superseded>c c:active", "- - c", 0, "a|b|c"}},

        {"TheMiddleOneOfThreeLeaves",
         {connects("a", "x", "anna", 1), connects("b", "x", "bert", 5), connects("c", "x", "cleo", 9),
          deauth("b").reference("bert").at(12)},
         {"a:active b:deauthenticated c:active", "a - c", 2, "a|b|c"},
         Outcome{"a:superseded>b b:deauthenticated c:active", "- - c", 0, "a|b|c"}},

        {"ADuplicateIsClosedByADeauth",
         {connects("a", "x", "anna", 1), connects("b", "x", "bert", 2), deauth("b").reference("bert").at(3)},
         {"a:active b:deauthenticated", "a -", 0, "a|b"},
         Outcome{"a:superseded>b b:deauthenticated", "- -", 0, "a|b"}},

        {"TheFirstPersonComesBack",
         {connects("a", "x", "anna", 1), connects("b", "x", "bert", 5), connects("c", "x", "anna", 9)},
         {"a:superseded>c b:active c:active", "c b c", 2, "a c|b"},
         Outcome{"a:superseded>b b:superseded>c c:active", "c - c", 0, "a c|b"}},

        {"NullReferencesAreEqual", {connects("a", "x", "", 1), connects("b", "x", "", 2)}, a_superseded},

        {"ANullReferenceIsAnEndUserOfItsOwn",
         {connects("a", "x", "", 1), connects("b", "x", "anna", 2)},
         duplicates,
         transferred},

        {"SupersessionOutlivesTheSuccessor",
         {connects("a", "x", "anna", 1), connects("b", "x", "anna", 5), deauth("b").at(9)},
         {"a:superseded>b b:deauthenticated", "- -", 0, "a b"}},

        {"TheUserIdDecidesBetweenEqualTimes",
         {connects("a", "x", "anna", 5), connects("b", "x", "anna", 5)},
         a_superseded},

        {"SdkDeviceChange",
         {auth("a").provider("APPLE").at(1), athlete("a", "phone").provider("APPLE").at(2),
          auth("b").provider("APPLE").at(5), athlete("b", "watch").provider("APPLE").at(6)},
         a_superseded},

        {"SdkDeviceChangeWithReauth",
         {auth("a").provider("APPLE").at(1), reauth("a", "b").provider("APPLE").at(5),
          auth("b").provider("APPLE").at(5), body("a").provider("APPLE").at(7)},
         {"a:replaced>b b:active", "b b", 0, "a b"}},

        {"SdkDevicesWithoutReference",
         {auth("a").provider("SAMSUNG").reference("").at(1), auth("b").provider("SAMSUNG").reference("").at(5)},
         two_strangers},

        {"WebConnectionsOfOneReferenceShareNoSlot", {auth("a").at(1), auth("b").at(5)}, two_strangers},

        {"SdkDeviceOfTwoPeople",
         {connects("a", "tablet", "anna", 1).provider("APPLE"), connects("b", "tablet", "bert", 5).provider("APPLE")},
         duplicates},

        {"SdkDeviceOfAFamily",
         {connects("a", "tablet", "anna", 1).provider("APPLE"), connects("b", "tablet", "bert", 2).provider("APPLE"),
          connects("c", "tablet", "cleo", 3).provider("APPLE")},
         {"a:active b:active c:active", "a b c", 3, "a|b|c"}},

        {"SdkDeviceOfAPersonWhoIsNotNamedAndOfOneWhoIs",
         {connects("a", "tablet", "", 1).provider("APPLE"), connects("b", "tablet", "bert", 2).provider("APPLE"),
          connects("c", "tablet", "", 3).provider("APPLE")},
         {"a:superseded>c b:active c:active", "c b c", 2, "a c|b"}},

        {"EverybodyHasTheSameUnusableAccount",
         {connects("a", "0", "anna", 1).provider("DASH"), connects("b", "0", "bert", 2).provider("DASH"),
          connects("c", "0", "anna", 3).provider("DASH")},
         {"a:active b:active c:active", "a b c", 0, "a|b|c"}},

        {"WhatWasNeverLiveSupersedesNothing",
         {auth("a").provider("APPLE").at(1), auth_error("b").provider("APPLE").at(5).created(5)},
         {"a:active b:failed", "a a", 0, "a b"}},

        {"WhatIsDeadSupersedesIfItEverLived",
         {auth("a").provider("APPLE").at(1), auth("b").provider("APPLE").at(5), deauth("b").provider("APPLE").at(6)},
         {"a:superseded>b b:deauthenticated", "- -", 0, "a b"}},

        {"WhatIsKnownByItsEndAndByDataSupersedesNothing",
         {auth("live").provider("APPLE").at(1), deauth("dead").provider("APPLE").at(5),
          body("dead").provider("APPLE").at(6)},
         {"dead:deauthenticated live:active", "live live", 0, "dead live"}},

        {"OldDataComeForTheFirstTimeAfterAReconnect",
         {auth("new").provider("APPLE").at(3).created(-86400), body("old").provider("APPLE").at(5)},
         {"new:active old:superseded>new", "new new", 0, "new old"}},

        {"OldDataComeBeforeTheReconnectIsHeardOf",
         {auth("new").provider("APPLE").at(3), body("old").provider("APPLE").at(1)},
         {"new:active old:superseded>new", "new new", 0, "new old"}},

        {"OfTwoSeenInPassingTheLaterIsNewer",
         {body("a").provider("APPLE").at(1), body("b").provider("APPLE").at(2)},
         a_superseded},
    };
}

} // namespace terra_identity::test
