// Longer scenarios, of seven and eight events: what happens to people over the years, as the pages of docs/questions
// tell it. They are played in some orders, the shorter ones of the other topics in all.
#include "scenarios.h"

namespace terra_identity::test {
namespace {

Delivery reauth_between(const std::string& old_user_id, const std::string& from, const std::string& new_user_id,
                        const std::string& to) {
    Delivery delivery = reauth(old_user_id, new_user_id).reference(from);
    delivery.payload["new_user"]["reference_id"] = to;
    return delivery;
}

Delivery of_bert(const Delivery& delivery) { return delivery.reference("bert"); }

Delivery of_cleo(const Delivery& delivery) { return delivery.reference("cleo"); }

Delivery on_a_phone(const Delivery& delivery) { return delivery.provider("APPLE"); }

Delivery at_dash(const Delivery& delivery) { return delivery.provider("DASH"); }

} // namespace

std::vector<Scenario> scenarios_of_stories() {
    return {
        {"SheReconnectsAndTheOldIdFallsSilent",
         {auth("a").at(1), athlete("a", "x").at(2), reauth("a", "b").at(10), auth("b").at(10), deauth("a").at(12),
          body("b").at(13), athlete("b", "x").at(14)},
         {"a:replaced>b b:active", "b b", 0, "a b"}},

        {"AChainOfReconnectsWhoseLastOneLeaves",
         {auth("a").at(1), athlete("a", "x").at(1), reauth("a", "b").at(2), reauth("b", "c").at(3),
          reauth("c", "d").at(4), body("a").at(5), body("b").at(6), deauth("d").at(9)},
         {"a:replaced>b b:replaced>c c:replaced>d d:deauthenticated", "- - - -", 0, "a b c d"}},

        {"TheProviderRevokesAndSheConnectsAgain",
         {auth("a").at(1), athlete("a", "x").at(2), access_revoked("a").at(5), auth_error("b").at(6), auth("c").at(8),
          athlete("c", "x").at(9), body("a").at(10)},
         {"a:revoked b:failed c:active", "c - c", 0, "a c|b"}},

        {"OneScaleThreePeopleAndOneLeaves",
         {auth("a").at(1), athlete("a", "x").at(2), of_bert(auth("b")).at(3), of_bert(athlete("b", "x")).at(4),
          of_cleo(auth("c")).at(5), of_cleo(athlete("c", "x")).at(6), of_bert(deauth("b")).at(8),
          of_bert(auth("d")).at(9)},
         {"a:active b:deauthenticated c:active d:active", "a - c d", 2, "a|b|c|d"},
         Outcome{"a:superseded>b b:deauthenticated c:active d:active", "- - c d", 0, "a|b|c|d"}},

        {"HeBorrowsTheWatchAndSheTakesItBack",
         {auth("a").at(1), athlete("a", "x").at(2), of_bert(auth("b")).at(5), of_bert(athlete("b", "x")).at(6),
          auth("c").at(9), athlete("c", "x").at(10), of_bert(body("b")).at(11), body("a").at(12)},
         {"a:superseded>c b:active c:active", "c b c", 2, "a c|b"},
         Outcome{"a:superseded>b b:superseded>c c:active", "c - c", 0, "a c|b"}},

        {"TwoPeopleShareTwoWatches",
         {auth("a").at(1), athlete("a", "x").at(1), auth("b").at(2), athlete("b", "y").at(2), of_bert(auth("c")).at(3),
          of_bert(athlete("c", "x")).at(3), of_bert(auth("d")).at(4), of_bert(athlete("d", "y")).at(4)},
         {"a:active b:active c:active d:active", "a b c d", 4, "a|b|c|d"},
         Outcome{"a:superseded>c b:superseded>d c:active d:active", "- - c d", 0, "a|b|c|d"}},

        {"SheSellsTheWatchAndTerraSaysSo",
         {auth("a").at(1), athlete("a", "x").at(2), reauth_between("a", "anna", "b", "bert").at(5),
          of_bert(auth("b")).at(5), body("a").at(6), of_bert(athlete("b", "x")).at(7),
          of_bert(permission_change("b")).at(8)},
         {"a:replaced>b b:active", "- b", 0, "a|b"}},

        {"TheWatchGoesToAndFroBetweenTwoPeople",
         {athlete("a", "x").at(1), reauth_between("a", "anna", "b", "bert").at(2), of_bert(auth("b")).at(3),
          reauth_between("b", "bert", "c", "anna").at(4), auth("c").at(5), body("a").at(6), of_bert(body("b")).at(7)},
         {"a:replaced>b b:replaced>c c:active", "c - c", 0, "a c|b"}},

        {"TwoNewPhonesAndOneReauth",
         {on_a_phone(auth("a")).at(1), on_a_phone(athlete("a", "first")).at(2), on_a_phone(reauth("a", "b")).at(5),
          on_a_phone(athlete("b", "second")).at(6), on_a_phone(auth("c")).at(9), on_a_phone(body("a")).at(10),
          on_a_phone(body("b")).at(11)},
         {"a:replaced>b b:superseded>c c:active", "c c c", 0, "a b c"}},

        {"AFamilyTabletAndAPhoneOfHerOwn",
         {on_a_phone(athlete("a", "tablet")).at(1), on_a_phone(of_bert(athlete("b", "tablet"))).at(2),
          on_a_phone(athlete("c", "phone")).at(3), on_a_phone(auth("c")).at(3), on_a_phone(body("a")).at(4),
          on_a_phone(of_bert(deauth("b"))).at(5), on_a_phone(of_bert(auth("d"))).at(6),
          on_a_phone(of_bert(athlete("d", "tablet"))).at(7)},
         {"a:superseded>c b:deauthenticated c:active d:active", "c d c d", 0, "a c|b d"}},

        {"EverybodyHasOneAccountAndOneReconnects",
         {at_dash(auth("a")).at(1), at_dash(athlete("a", "0")).at(2), at_dash(of_bert(auth("b"))).at(3),
          at_dash(of_bert(athlete("b", "0"))).at(4), at_dash(auth("c")).at(5), at_dash(athlete("c", "0")).at(6),
          at_dash(reauth("a", "c")).at(7)},
         {"a:replaced>c b:active c:active", "c b c", 0, "a c|b"}},

        {"TheAppRenamesHerAndBack",
         {auth("a").at(1), athlete("a", "x").at(2), of_bert(auth("a")).at(3), of_bert(athlete("b", "x")).at(5),
          permission_change("a").at(6), of_cleo(body("a")).at(7), auth("b").at(8), deauth("a").at(9)},
         {"a:deauthenticated b:active", "b b", 0, "a b"}},

        {"SupportLinksWhatTerraDidNot",
         {auth("a").at(1), deauth("a").at(5), auth("b").at(10), correction("a", "same_person_as", "b").received(15),
          body("a").at(16), correction("b", "ended").received(20), auth("b").at(25)},
         {"a:deauthenticated b:active", "b b", 0, "a b"}},

        {"SupportEndsAMemberOfACycle",
         {reauth("a", "b").at(1), reauth("b", "c").at(2), reauth("c", "a").at(3), auth("a").at(4), deauth("b").at(5),
          athlete("a", "x").at(6), correction("c", "ended").received(9)},
         {"a:superseded>b b:replaced>c c:replaced>a", "- - -", 0, "a b c"}},

        {"AListIsImportedAndHistoryGoesOn",
         {import("a").created(1).received(9), of_bert(import("b").created(2)).received(9), reauth("a", "c").at(12),
          auth("c").at(12), athlete("c", "x").at(13), of_bert(athlete("b", "x")).at(14), deauth("a").at(15),
          import_state("c", "active").received(16)},
         {"a:replaced>c b:active c:active", "c b c", 2, "a c|b"},
         Outcome{"a:replaced>c b:superseded>c c:active", "c - c", 0, "a c|b"}},

        {"AListOfDeadOnesIsImportedLate",
         {auth("a").at(1), athlete("a", "x").at(2), auth("b").at(5), athlete("b", "x").at(6),
          import_state("a", "user_reauth").received(20), import_state("b", "active").received(20), deauth("b").at(7),
          body("a").at(21)},
         {"a:deauthenticated b:active", "b b", 0, "a b"}},
    };
}

} // namespace terra_identity::test
