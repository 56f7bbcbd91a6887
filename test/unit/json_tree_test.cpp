// Tests of JsonTree: what it writes is JSON, and what it reads it writes again.
#include "core/json_tree.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <stdexcept>

namespace terra_identity {
namespace {

TEST(JsonTreeTest, WritesWhatItWasMadeOf) {
    JsonTree tree{
        {"text", "a \"b\"\\\n"}, {"none", std::optional<std::string>()}, {"some", std::optional<std::string>("c")}};
    tree["number"] = std::int64_t{-5};
    tree["yes"] = true;
    tree["inner"]["new"] = JsonTree::array({"x", "y"});
    tree["inner"]["new"].push_back({{"z", false}});
    EXPECT_EQ(tree.dump(), R"({"text":"a \"b\"\\\u000a","none":null,"some":"c","number":-5,"yes":true,)"
                           R"("inner":{"new":["x","y",{"z":false}]}})");
    EXPECT_TRUE(JsonTree().is_null());
    EXPECT_EQ(JsonTree().dump(), "null");
    EXPECT_EQ(JsonTree::array().dump(), "[]");
}

TEST(JsonTreeTest, WritesWhatItHasRead) {
    for (const char* text :
         {R"({"a":[1,-2,18446744073709551615,0.1,1e300,true,false,null,"\u0000ü\ud834\udd1e"],"b":{}})", "[]", "{}",
          "null", "7", R"("x")", R"([[[["deep"]]],{"a":{"b":{}}}])"})
        EXPECT_EQ(nlohmann::json::parse(JsonTree::parse(text).dump(), nullptr, false).dump(),
                  nlohmann::json::parse(text, nullptr, false).dump())
            << text;
    EXPECT_EQ(JsonTree::parse(R"({"number":123456789012345678901234567890.5})").dump(),
              R"({"number":123456789012345678901234567890.5})");
    for (const char* text : {"{", "", "[1e400]", "{}{}"})
        EXPECT_THROW(JsonTree::parse(text), std::invalid_argument) << text;
}

} // namespace
} // namespace terra_identity
