// A list of users as Terra gives it: an answer of its REST API of any shape, several of these in an array, or rows of
// its SQL destination's terra_users in an array.
#pragma once

#include "core/interrupts.h"
#include "core/json.h"

#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace terra_identity {

/// A user as Terra lists it. It may be anything: whether it can be read, `read_listed` says.
template <JsonValue J>
struct ListedUser {
    J user;
    J is_authenticated; ///< of an answer about one user; else absent
};

/// Reads the list. The users are its own, and good as long as it is.
template <JsonValue J>
class UserList {
public:
    explicit UserList(const J& list) {
        if (list.is_array())
            each(list, [this](const J& element) { add_answer_or_user(element); });
        else
            is_list_ = is_user(list) ? (add(list), true) : add_answer(list);
    }

    /// Whether it is of any shape that Terra uses.
    bool is_list() const { return is_list_; }

    const std::vector<ListedUser<J>>& users() const { return users_; }

    /// Why the list cannot have every user of the environment, in words; empty if it says nothing of the kind.
    std::string gap() const {
        if (is_about_one_)
            return "it is, or contains, the answer about one user_id";
        if (pages_ > 0 && !has_last_page_)
            return "every page of it says that there is a next one";
        if (pages_ < most_pages_)
            return "it has " + std::to_string(pages_) + " of " + std::to_string(most_pages_) + " pages";
        return "";
    }

private:
    template <class Visit>
    static void each(const J& array, const Visit& visit) {
        array.find_member([&](std::string_view, const J& element) {
            check_interrupts();
            visit(element);
            return false;
        });
    }

    static bool is_user(const J& value) { return value.is_object() && !value.member("user_id").is_null(); }

    void add(const J& user) { users_.push_back({user, J()}); }

    /// A user, perhaps in an answer about one.
    void add_user(const J& value) {
        if (!is_user(value) && value.is_object() && value.member("user").is_object())
            users_.push_back({value.member("user"), value.member("is_authenticated")});
        else
            add(value);
    }

    void add_answer_or_user(const J& value) {
        if (value.is_array())
            each(value, [this](const J& element) { add_user(element); });
        else if (is_user(value) || !add_answer(value))
            add(value);
    }

    /// @return false if the value is no answer that has users
    bool add_answer(const J& answer) {
        if (!answer.is_object())
            return false;
        const J users = answer.member("users"), data = answer.member("data");
        const J results = data.is_object() ? data.member("results") : J();
        if (users.is_array()) {
            each(users, [this](const J& element) { add_user(element); });
        } else if (results.is_array()) {
            each(results, [this](const J& element) { add_user(element); });
            add_page(data);
        } else if (answer.member("user").is_object()) {
            is_about_one_ = true;
            add_user(answer);
        } else {
            return false;
        }
        return true;
    }

    void add_page(const J& data) {
        ++pages_;
        const J next = data.member("next"), max_page = data.member("max_page");
        if (next.is_null() || next.is_false() || (next.is_string() && std::string_view(next.text()).empty()))
            has_last_page_ = true;
        if (!max_page.is_integer())
            return;
        const std::string digits = max_page.integer();
        std::size_t most = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), most);
        if (most > most_pages_)
            most_pages_ = most;
    }

    std::vector<ListedUser<J>> users_;
    bool is_list_ = true;
    bool is_about_one_ = false;
    std::size_t pages_ = 0;
    std::size_t most_pages_ = 0; ///< how many the pages say that there are
    bool has_last_page_ = false;
};

} // namespace terra_identity
