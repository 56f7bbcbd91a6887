// Derivation: from news to the connections that change by them, with what the store has of these connections and of
// their neighbours. This is what one statement does between reading and writing.
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

    /// Loads these connections at once; each may then be told about.
    void require(const std::vector<std::string>& user_ids) { neighbourhood_.require(user_ids); }

    /// Adds what an event says about a connection.
    void tell(const Contribution& contribution, std::int64_t event_id);

    /// Adds a link between two connections that were told about.
    void link(const Reauth& reauth);

    /// Derives what follows. To be called once, last.
    Derived derive();

private:
    void link_told();
    void rely_on_what_is_written();

    Neighbourhood neighbourhood_;
    std::map<std::pair<std::string, std::string>, bool> told_reauths_; ///< old and new user_id, whether a transfer
    Derived derived_;
};

} // namespace terra_identity
