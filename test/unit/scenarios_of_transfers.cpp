// Scenarios of a user_reauth whose old and new connection are of two end users, by any of the places that can name
// them.
#include "scenarios.h"

namespace terra_identity::test {
namespace {

/// Sets the end user of the old connection to `from`, that of the new one to `to`; an empty name is null.
Delivery reauth_between(const Delivery& reauth, const std::string& from, const std::string& to) {
    Delivery delivery = reauth.reference(from);
    delivery.payload["new_user"]["reference_id"] = to.empty() ? nlohmann::json() : nlohmann::json(to);
    return delivery;
}

Delivery transfer(const std::string& old_user_id, const std::string& new_user_id) {
    return reauth_between(reauth(old_user_id, new_user_id), "anna", "bert");
}

/// A user_reauth whose two user objects have no reference_id, but the payload has one at the top level.
Delivery reauth_with_reference_at_the_top(const std::string& old_user_id, const std::string& new_user_id) {
    Delivery delivery = reauth(old_user_id, new_user_id).reference("");
    delivery.payload["reference_id"] = "bert";
    return delivery;
}

} // namespace

std::vector<Scenario> scenarios_of_transfers() {
    const Outcome transferred{"g1:replaced>g2 g2:active", "- g2", 0, "g1|g2"};
    const Outcome one_lineage{"g1:replaced>g2 g2:active", "g2 g2", 0, "g1 g2"};
    return {
        {"ATransferIsNoLineage", {auth("g1").at(1), transfer("g1", "g2").at(2)}, transferred},

        {"ATransferIsNoLineageOnOneAccountEither",
         {auth("g1").at(1), transfer("g1", "g2").at(3), athlete("g1", "x").at(4)},
         transferred},

        {"ATransferToldTwiceIsOne",
         {auth("g1").at(1), transfer("g1", "g2").at(2), transfer("g1", "g2").received(5)},
         transferred},

        {"AReauthWithoutAReferenceMakesATransferALineage",
         {auth("g1").at(1), transfer("g1", "g2").at(2), reauth_between(reauth("g1", "g2"), "anna", "").at(3)},
         one_lineage},

        {"AReauthWithoutTheOldReferenceMakesATransferALineage",
         {auth("g1").at(1), transfer("g1", "g2").at(2), reauth_between(reauth("g1", "g2"), "", "bert").at(3)},
         one_lineage},

        {"AReauthOfOnePersonMakesATransferALineage",
         {auth("g1").at(1), transfer("g1", "g2").at(2), reauth("g1", "g2").at(3)},
         one_lineage},

        {"OnlyWhatTheReauthItselfSaysMakesATransfer",
         {auth("g1").at(1), reauth_between(reauth("g1", "g2"), "", "").at(2), auth("g2").reference("bert").at(3)},
         one_lineage},

        {"AReferenceAtTheTopIsThatOfBoth",
         {auth("g1").at(1), reauth_with_reference_at_the_top("g1", "g2").at(2)},
         one_lineage},

        {"AReauthBackOfOnePersonMakesATransferALineage",
         {transfer("g1", "g2").at(2), reauth_between(reauth("g2", "g1"), "bert", "").at(3)},
         {"g1:active g2:replaced>g1", "g1 g1", 0, "g1 g2"}},

        {"TransfersToAndFro",
         {transfer("g1", "g2").at(2), reauth_between(reauth("g2", "g1"), "bert", "anna").at(3)},
         {"g1:active g2:replaced>g1", "g1 -", 0, "g1|g2"}},

        {"AnAccountIsInheritedThroughATransfer",
         {athlete("a", "x").at(1), transfer("a", "b").at(2), athlete("c", "x").reference("cleo").at(3).created(3)},
         {"a:replaced>b b:active c:active", "- b c", 2, "a|b|c"},
         Outcome{"a:replaced>b b:superseded>c c:active", "- - c", 0, "a|b|c"}},

        {"WhatATransferReplacedIsOlder",
         {athlete("b", "x").reference("bert").at(1).created(1), transfer("a", "b").at(2), auth("a").at(3),
          athlete("a", "x").at(4)},
         {"a:active b:active", "a b", 2, "a|b"},
         Outcome{"a:superseded>b b:active", "- b", 0, "a|b"}},

        {"TheOldPersonComesBackAfterATransfer",
         {athlete("a", "x").at(1), transfer("a", "b").at(2), auth("c").at(3), athlete("c", "x").at(4)},
         {"a:replaced>b b:active c:active", "c b c", 2, "a c|b"},
         Outcome{"a:replaced>b b:superseded>c c:active", "c - c", 0, "a c|b"}},

        {"AChainGoesOnAfterATransfer",
         {auth("a").at(1), reauth("a", "b").at(2), transfer("b", "c").at(3), reauth("c", "d").reference("bert").at(4)},
         {"a:replaced>b b:replaced>c c:replaced>d d:active", "- - d d", 0, "a b|c d"}},
    };
}

} // namespace terra_identity::test
