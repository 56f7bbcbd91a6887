// The words of statuses and rules, as tables and messages have them, there and back; and what is no such word.
#include "core/connection.h"
#include "core/nodes.h"
#include "core/rules.h"
#include "core/text.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace terra_identity::test {
namespace {

TEST(WordsTest, ThereAndBack) {
    for (const char* const word : {"active", "superseded", "replaced", "deauthenticated", "revoked", "failed"}) {
        const auto status = status_of(word);
        ASSERT_TRUE(status) << word;
        EXPECT_EQ(to_string(*status), word);
    }
    EXPECT_EQ(status_of("Active"), std::nullopt);
    EXPECT_EQ(account_policy_of("keep"), AccountPolicy::keep);
    EXPECT_EQ(account_policy_of("replace"), AccountPolicy::replace);
    EXPECT_EQ(account_policy_of("keeps"), std::nullopt);
    for (const char* const word : {"report", "disconnect_older", "disconnect_newer"}) {
        const auto rule = on_duplicate_of(word);
        ASSERT_TRUE(rule) << word;
        EXPECT_EQ(to_string(*rule), word);
    }
    EXPECT_EQ(on_duplicate_of(""), std::nullopt);
}

TEST(ExcerptTest, IsCutBetweenTwoCharacters) {
    const std::string long_text = std::string(199, 'x') + "\u4E2D" + std::string(100, 'y');
    EXPECT_EQ(excerpt(long_text), std::string(199, 'x') + "...");
    EXPECT_EQ(excerpt(std::string(200, 'x')), std::string(200, 'x'));
}

TEST(NodesTest, AConnectionThatIsNotThereIsAnError) {
    Nodes nodes;
    EXPECT_THROW(nodes.at("a"), std::out_of_range);
    nodes.add("a");
    EXPECT_EQ(nodes.at("a").now.user_id, "a");
    EXPECT_THROW(nodes.at("b"), std::out_of_range);
}

} // namespace
} // namespace terra_identity::test
