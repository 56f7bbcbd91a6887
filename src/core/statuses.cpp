// Slots: who is superseded by whom, and which accounts several end users hold.
#include "core/neighbourhood.h"

#include <algorithm>

namespace terra_identity {
namespace {

using LiveMembers = std::map<Slot, std::set<Place>>;

/// Whether a connection takes part in the order of its slots in the same way as before.
bool stays_put(const Node& node) {
    return node.stored && node.stored->facts.live == node.now.facts.live && node.stored->place() == node.now.place() &&
           node.stored->slots() == node.now.slots();
}

void add_live(LiveMembers& members, const Connection& connection) {
    if (connection.facts.live)
        for (Slot& slot : connection.slots())
            members[std::move(slot)].insert(connection.place());
}

/// The derivation of statuses: first the neighbours that the touched connections leave or come upon, then what is
/// newer than each of all these.
class Statuses {
public:
    explicit Statuses(Neighbourhood& neighbourhood) : neighbourhood_(neighbourhood) {
        for (auto& [user_id, node] : neighbourhood_.nodes()) {
            add_live(members_, node.now);
            if (node.touched)
                evaluate_.push_back(&node);
            if (node.stored && !stays_put(node))
                moved_.push_back(user_id);
        }
    }

    void derive() {
        find_older();
        if (!neighbourhood_.complete())
            load_newer();
        for (Node* node : evaluate_) {
            node->evaluated = true;
            derive_status(node->now, successor_of(node->now));
        }
    }

private:
    /// The live connection next older than each place that a touched connection left or took may have another
    /// successor.
    void find_older() {
        if (neighbourhood_.complete())
            return;
        std::vector<NeighbourQuery> queries;
        std::map<std::string, std::int64_t> event_ids;
        std::vector<std::string> older;
        for (const Node* node : evaluate_) {
            if (stays_put(*node))
                continue;
            for (const Connection* side : {node->stored ? &*node->stored : nullptr, &node->now}) {
                if (side == nullptr || !side->facts.live)
                    continue;
                for (Slot& slot : side->slots()) {
                    queries.push_back({std::move(slot), side->place(), Direction::older});
                    causes_.emplace(queries.back().slot, node->event_id);
                }
            }
        }
        for (const Connection& neighbour : load(queries)) {
            older.push_back(neighbour.user_id);
            for (const Slot& slot : neighbour.slots())
                if (const auto cause = causes_.find(slot); cause != causes_.end())
                    event_ids.emplace(neighbour.user_id, cause->second);
        }
        std::sort(older.begin(), older.end());
        older.erase(std::unique(older.begin(), older.end()), older.end());
        for (const std::string& user_id : older) {
            Node& node = neighbourhood_.at(user_id);
            if (node.touched)
                continue;
            node.event_id = event_ids[user_id];
            evaluate_.push_back(&node);
        }
    }

    /// What is newer and not loaded.
    void load_newer() {
        std::vector<NeighbourQuery> queries;
        for (const Node* node : evaluate_)
            if (!node->now.facts.ended())
                for (Slot& slot : node->now.slots())
                    queries.push_back({std::move(slot), node->now.place(), Direction::newer});
        load(queries);
    }

    std::vector<Connection> load(const std::vector<NeighbourQuery>& queries) {
        if (queries.empty())
            return {};
        std::vector<Connection> found = neighbourhood_.store().neighbours(queries, moved_);
        neighbourhood_.adopt(found);
        for (const Connection& connection : found)
            add_live(members_, neighbourhood_.at(connection.user_id).now);
        return found;
    }

    const Connection* successor_of(const Connection& connection) const {
        const Place* oldest = nullptr;
        for (const Slot& slot : connection.slots()) {
            const auto members = members_.find(slot);
            if (members == members_.end())
                continue;
            const auto newer = members->second.upper_bound(connection.place());
            if (newer != members->second.end() && (oldest == nullptr || *newer < *oldest))
                oldest = &*newer;
        }
        return oldest == nullptr ? nullptr : &neighbourhood_.at(oldest->user_id).now;
    }

    Neighbourhood& neighbourhood_;
    LiveMembers members_; ///< of the loaded connections, as they will be
    std::vector<Node*> evaluate_;
    std::vector<std::string> moved_; ///< stored in places where they no longer are
    std::map<Slot, std::int64_t> causes_;
};

std::optional<Account> active_account(const Connection& connection) {
    return connection.status == Status::active ? connection.account() : std::nullopt;
}

} // namespace

void derive_statuses(Neighbourhood& neighbourhood) { Statuses(neighbourhood).derive(); }

void derive_duplicates(Neighbourhood& neighbourhood) {
    std::map<Account, std::int64_t> accounts; // with the event that changed it
    for (auto& [user_id, node] : neighbourhood.nodes()) {
        if (!node.evaluated)
            continue;
        const auto before = node.stored ? active_account(*node.stored) : std::nullopt;
        const auto after = active_account(node.now);
        if (!neighbourhood.complete() && node.stored && before == after &&
            node.stored->reference_id() == node.now.reference_id())
            continue;
        for (const auto& account : {before, after})
            if (account)
                accounts.emplace(*account, node.event_id);
        if (!after)
            node.now.duplicate = false;
    }
    if (accounts.empty())
        return;

    if (!neighbourhood.complete()) {
        std::map<Account, std::int64_t> loaded;
        for (const auto& [user_id, node] : neighbourhood.nodes())
            if (const auto account = node.stored ? active_account(*node.stored) : std::nullopt)
                ++loaded[*account];
        std::vector<AccountQuery> queries;
        queries.reserve(accounts.size());
        for (const auto& [account, event_id] : accounts)
            queries.push_back({account, loaded[account] + 2});
        neighbourhood.adopt(neighbourhood.store().active_connections(queries));
    }

    std::map<Account, std::vector<Node*>> holders;
    for (auto& [user_id, node] : neighbourhood.nodes())
        if (const auto account = active_account(node.now); account && accounts.contains(*account))
            holders[*account].push_back(&node);
    for (const auto& [account, nodes] : holders) {
        std::set<std::optional<std::string>> end_users;
        for (const Node* node : nodes)
            end_users.insert(node->now.reference_id());
        for (Node* node : nodes) {
            node->now.duplicate = end_users.size() > 1;
            if (node->event_id == 0)
                node->event_id = accounts.at(account);
        }
    }
}

} // namespace terra_identity
