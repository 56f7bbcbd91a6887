// Effective provider_user_id: a connection's own, else that of the connection it replaced, and so on back.
#include "core/neighbourhood.h"

#include <algorithm>
#include <functional>

namespace terra_identity {
namespace {

using UserIds = Neighbourhood::UserIds;

/// Derives the effective accounts of a set of connections, taking those of all others as given. The connections are
/// visited by Tarjan's algorithm, predecessors first, without recursion: a chain of reauths may be long.
class EffectiveAccounts {
public:
    EffectiveAccounts(Neighbourhood& neighbourhood, const UserIds& dirty)
        : neighbourhood_(neighbourhood), dirty_(dirty) {}

    void derive() {
        for (const std::string& user_id : dirty_)
            if (!visits_.contains(user_id))
                visit(user_id);
    }

private:
    struct Visit {
        std::size_t index = 0;
        std::size_t low = 0;
        bool on_stack = false;
    };

    struct Frame {
        const std::string* user_id;
        UserIds::const_iterator next;
        UserIds::const_iterator end;
    };

    void enter(const std::string& user_id) {
        const auto [visit, added] = visits_.try_emplace(user_id);
        visit->second = {visits_.size(), visits_.size(), true};
        component_stack_.push_back(&visit->first);
        const UserIds& predecessors = neighbourhood_.predecessors(user_id);
        frames_.push_back({&visit->first, predecessors.begin(), predecessors.end()});
    }

    void visit(const std::string& root) {
        enter(root);
        while (!frames_.empty()) {
            Frame& frame = frames_.back();
            Visit& mine = visits_.at(*frame.user_id);
            if (frame.next != frame.end) {
                const std::string& predecessor = *frame.next++;
                if (!dirty_.contains(predecessor))
                    continue;
                const auto known = visits_.find(predecessor);
                if (known == visits_.end())
                    enter(predecessor);
                else if (known->second.on_stack)
                    mine.low = std::min(mine.low, known->second.index);
                continue;
            }
            const std::string& user_id = *frame.user_id;
            frames_.pop_back();
            if (!frames_.empty()) {
                Visit& parent = visits_.at(*frames_.back().user_id);
                parent.low = std::min(parent.low, mine.low);
            }
            if (mine.low == mine.index)
                finish_component(user_id);
        }
    }

    void finish_component(const std::string& root) {
        UserIds component;
        while (true) {
            const std::string& member = *component_stack_.back();
            component_stack_.pop_back();
            visits_.at(member).on_stack = false;
            component.insert(member);
            if (member == root)
                break;
        }
        for (const std::string& member : component) {
            Node& node = neighbourhood_.at(member);
            node.now.cyclic = component.size() > 1;
            node.now.provider_user_id = search(member, component);
        }
    }

    /// Depth first, newest predecessor first, no member of the cycle entered twice; what lies outside is given.
    std::optional<std::string> search(const std::string& start, const UserIds& component) {
        UserIds visited;
        std::vector<std::string> to_visit{start};
        while (!to_visit.empty()) {
            const std::string user_id = to_visit.back();
            to_visit.pop_back();
            const Node& node = neighbourhood_.at(user_id);
            if (!component.contains(user_id)) {
                if (node.now.provider_user_id)
                    return node.now.provider_user_id;
                continue;
            }
            if (!visited.insert(user_id).second)
                continue;
            if (node.now.facts.provider_user_id)
                return node.now.facts.provider_user_id->value;
            if (node.now.sdk)
                continue;
            for (const std::string& predecessor : oldest_first(user_id))
                to_visit.push_back(predecessor);
        }
        return std::nullopt;
    }

    /// The last is the first to be taken from the stack: the newest.
    std::vector<std::string> oldest_first(const std::string& user_id) {
        std::vector<Place> places;
        for (const std::string& predecessor : neighbourhood_.predecessors(user_id))
            places.push_back(neighbourhood_.at(predecessor).now.place());
        std::sort(places.begin(), places.end());
        std::vector<std::string> result;
        result.reserve(places.size());
        for (Place& place : places)
            result.push_back(std::move(place.user_id));
        return result;
    }

    Neighbourhood& neighbourhood_;
    const UserIds& dirty_;
    std::unordered_map<std::string, Visit> visits_;
    std::vector<Frame> frames_;
    std::vector<const std::string*> component_stack_;
};

/// The connections that take their account from these, because it or their order of newness has changed.
UserIds heirs_of(Neighbourhood& neighbourhood, const UserIds& changed) {
    neighbourhood.require_reauths(changed);
    UserIds heirs;
    for (const std::string& user_id : changed)
        for (const std::string& heir : neighbourhood.successors(user_id)) {
            const Connection& connection = neighbourhood.at(heir).now;
            if (!connection.facts.provider_user_id && !connection.sdk)
                heirs.insert(heir);
        }
    return heirs;
}

/// Reauth cycles are derived as a whole: where one is met, so is everything that is linked to it.
void complete_cycles(Neighbourhood& neighbourhood, UserIds& dirty) {
    std::set<std::int64_t> cyclic;
    bool met = false;
    for (const std::string& user_id : dirty) {
        const Node& node = neighbourhood.at(user_id);
        met = met || node.now.cyclic; // stored so, or found in an earlier round
        if (!node.stored)
            continue;
        if (node.stored->cyclic)
            cyclic.insert(node.stored->lineage_id);
        met = met || neighbourhood.dissolved().contains(node.stored->lineage_id);
    }
    neighbourhood.dissolve(cyclic);
    if (!met && cyclic.empty())
        return;
    for (const auto& [user_id, node] : neighbourhood.nodes())
        if (neighbourhood.knows_reauths_of(user_id))
            dirty.insert(user_id);
}

void apply_settings(const Rules& rules, Connection& connection) {
    connection.account_exclusive = rules.account_policy == AccountPolicy::replace;
    connection.sdk = connection.facts.provider && rules.sdk_providers.contains(connection.facts.provider->value);
}

} // namespace

void derive_effective_accounts(Neighbourhood& neighbourhood) {
    UserIds dirty;
    UserIds displaced; // their newness has changed since they were stored
    for (auto& [user_id, node] : neighbourhood.nodes()) {
        if (!node.touched)
            continue;
        apply_settings(neighbourhood.rules(), node.now);
        dirty.insert(user_id);
        if (node.stored && node.stored->place() != node.now.place())
            displaced.insert(user_id);
    }
    while (!dirty.empty()) {
        neighbourhood.require_reauths(dirty);
        complete_cycles(neighbourhood, dirty);
        std::unordered_map<std::string, std::optional<std::string>> before;
        for (const std::string& user_id : dirty)
            before.emplace(user_id, neighbourhood.at(user_id).now.provider_user_id);
        EffectiveAccounts(neighbourhood, dirty).derive();
        UserIds changed = std::move(displaced);
        displaced.clear();
        for (const auto& [user_id, account] : before) {
            Node& node = neighbourhood.at(user_id);
            node.touched = true;
            if (node.now.provider_user_id != account)
                changed.insert(user_id);
        }
        if (neighbourhood.complete())
            break;
        dirty = changed.empty() ? UserIds() : heirs_of(neighbourhood, changed);
    }
}

} // namespace terra_identity
