// Derivation: derives how connections change by the news of one statement. It reads these connections and their
// neighbours from a Store. It writes nothing.
#pragma once

#include "core/derived.h"
#include "core/neighbourhood.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace terra_identity {

class Derivation {
public:
    Derivation(Store& store, const Rules& rules, Held held = Held::keys) : neighbourhood_(store, rules, held) {}

    /// Loads these connections, all at once. Must come before `tell` and `link` about them.
    void require(const std::vector<std::string>& user_ids) { neighbourhood_.require(user_ids); }

    /// Adds the facts that an event contributes to a connection.
    void tell(const Contribution& contribution, std::int64_t event_id);

    /// Adds a reauth between two connections, each of which also needs a `tell`.
    void link(const Reauth& reauth);

    /// Derives the new state. Must be called once, after everything else.
    Derived derive();

private:
    void link_told();
    void rely_on_what_is_written();

    Neighbourhood neighbourhood_;
    std::map<std::pair<std::string, std::string>, bool> told_reauths_; ///< old and new user_id; is it a transfer
    Derived derived_;
};

} // namespace terra_identity
