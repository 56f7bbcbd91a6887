// Derivation: from new facts, or from all facts, to the connections that change by them. This is what one statement
// does between reading and writing.
#pragma once

#include "core/fold.h"
#include "core/neighbourhood.h"

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace terra_identity {

/// What has to be held before the state may be read for a derivation and written after it, in the order in which it
/// has to be taken: connections before slots before lineages.
struct ConnectionKey {
    std::string user_id;
    auto operator<=>(const ConnectionKey&) const = default;
};
struct SlotKey { ///< a provider account, with all its slots, or (no provider_user_id) a reference slot
    std::string provider;
    std::optional<std::string> provider_user_id;
    std::optional<std::string> reference_id;
    auto operator<=>(const SlotKey&) const = default;
};
struct LineageKey {
    std::int64_t lineage_id;
    auto operator<=>(const LineageKey&) const = default;
};
using Key = std::variant<ConnectionKey, SlotKey, LineageKey>;
using Keys = std::set<Key>;

class Derivation {
public:
    /// From new facts, with what the store has of the connections that they name and of their neighbours.
    Derivation(Store& store, const Rules& rules) : neighbourhood_(store, rules, false) {}

    /// From everything that the environment has.
    /// @param stored_reauths the reauths that are stored; `replace_facts` may say otherwise
    static Derivation of_everything(Store& store, const Rules& rules, std::vector<Connection> stored,
                                    const std::vector<Reauth>& stored_reauths);

    /// Loads these connections at once; each may then be told about.
    void require(const std::vector<std::string>& user_ids);

    /// Adds what an event says about a connection.
    void tell(const Contribution& contribution, std::int64_t event_id);

    /// Adds a link between two connections that were told about.
    void link(const Reauth& reauth);

    /// Replaces all facts and reauths by those of a ledger: what it does not name is no more. For `of_everything`.
    void replace_facts(Fold ledger);

    /// Derives what follows. To be called once, last.
    void derive();

    const Nodes& nodes() const { return neighbourhood_.nodes(); }

    /// The reauths that were told and are not stored so.
    const std::set<Reauth>& new_reauths() const { return new_reauths_; }

    /// Old to new lineage_id, for the members that were not loaded.
    const std::map<std::int64_t, std::int64_t>& moved_lineages() const { return moved_lineages_; }

    /// What is stored and `replace_facts` did not have.
    const std::vector<Connection>& vanished() const { return vanished_; }

    /// The reauths that are stored and are not so any more.
    const std::set<Reauth>& vanished_reauths() const { return vanished_reauths_; }

    /// What the derivation relied on: valid only if all of it was held while it read.
    Keys keys() const;

private:
    explicit Derivation(Neighbourhood neighbourhood) : neighbourhood_(std::move(neighbourhood)) {}

    void link_told();

    Neighbourhood neighbourhood_;
    /// By (old_user_id, new_user_id), whether they are a transfer. Of everything: those that are stored.
    std::map<std::pair<std::string, std::string>, bool> told_reauths_;
    std::set<Reauth> new_reauths_;
    std::map<std::int64_t, std::int64_t> moved_lineages_;
    std::vector<Connection> vanished_;
    std::set<Reauth> vanished_reauths_;
};

} // namespace terra_identity
