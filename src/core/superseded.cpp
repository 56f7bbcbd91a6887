#include "core/superseded.h"

#include "core/interrupts.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <map>
#include <span>
#include <utility>

namespace terra_identity {
namespace {

/// Whether a connection is stored with the slots and the place in the order of newness that it has now, and as live or
/// not as it is now.
bool stays_put(const Node& node) {
    return node.stored && node.stored->facts.live == node.now.facts.live && node.stored->place() == node.now.place() &&
           node.stored->slots() == node.now.slots();
}

bool is_older_node(const Node* a, const Node* b) { return is_older(a->now, b->now); }

/// For each node, by its number, the oldest of the newer live nodes that share a slot with it; null if none does.
using Successors = std::vector<const Node*>;

/// Notes in `successors` the successor of each member in this slot, unless an older one is known from another slot.
/// @param slot the loaded members of one slot, the oldest first
void find_successors(std::span<Node* const> slot, Successors& successors) {
    const Node* newer = nullptr;
    for (auto member = slot.rbegin(); member != slot.rend(); ++member) {
        check_interrupts();
        const Node*& successor = successors[(*member)->number];
        if (successor == nullptr || (newer != nullptr && is_older_node(newer, successor)))
            successor = newer;
        if ((*member)->now.facts.live)
            newer = *member;
    }
}

Successors find_successors(const SharedSlots& shared, std::size_t nodes) {
    Successors successors(nodes);
    for (Sharers sharers : interruptible(shared.accounts)) {
        const bool exclusive = sharers.front()->now.account_exclusive;
        if (exclusive)
            std::sort(sharers.begin(), sharers.end(), is_older_node);
        for (auto last = sharers.end(); last != sharers.begin();) {
            auto first = last - 1;
            while (first != sharers.begin() && (exclusive || has_same_reference((*(first - 1))->now, (*first)->now)))
                --first;
            find_successors({first, last}, successors);
            last = first;
        }
    }
    for (const Sharers& sharers : interruptible(shared.references))
        find_successors(sharers, successors);
    return successors;
}

void derive_status(Node& node, const Successors& successors) {
    const Node* const successor = successors[node.number];
    node.evaluated = true;
    derive_status(node.now, successor == nullptr ? nullptr : &successor->now);
}

/// Derives the statuses of the touched connections and of their older neighbours. It first loads the older neighbours
/// in the slots that touched connections leave or enter, then what is newer than each of all these.
class Statuses {
public:
    explicit Statuses(Neighbourhood& neighbourhood) : neighbourhood_(neighbourhood) {
        for (Node& node : interruptible(neighbourhood_.nodes())) {
            if (node.touched)
                evaluate_.push_back(&node);
            if (node.stored && !stays_put(node))
                moved_.insert(node.now.user_id);
        }
    }

    void derive() {
        find_older();
        load_newer();
        const Successors successors = find_successors(neighbourhood_.shared_slots(), neighbourhood_.nodes().size());
        for (Node* const node : interruptible(evaluate_)) {
            if (node->stored)
                neighbourhood_.rely_on_slots(*node->stored);
            neighbourhood_.rely_on_slots(node->now);
            derive_status(*node, successors);
        }
    }

private:
    /// Adds the neighbours that may have another successor now: in each slot that a touched connection leaves or
    /// enters, the next older live connection.
    void find_older() {
        std::vector<NeighbourQuery> queries;
        std::map<std::string, std::int64_t> event_ids;
        std::vector<std::string> older;
        for (const Node* node : interruptible(evaluate_)) {
            if (stays_put(*node))
                continue;
            for (const Connection* side : std::initializer_list<const Connection*>{node->stored.get(), &node->now}) {
                if (side == nullptr || !side->facts.live)
                    continue;
                for (Slot& slot : side->slots()) {
                    queries.push_back({std::move(slot), side->place(), Direction::older});
                    causes_.emplace(queries.back().slot, node->event_id);
                }
            }
        }
        for (const Connection& neighbour : load(std::move(queries))) {
            older.push_back(neighbour.user_id);
            for (const Slot& slot : neighbour.slots())
                if (const auto cause = causes_.find(slot); cause != causes_.end())
                    event_ids.emplace(neighbour.user_id, cause->second);
        }
        std::sort(older.begin(), older.end());
        older.erase(std::unique(older.begin(), older.end()), older.end());
        for (const std::string& user_id : interruptible(older)) {
            Node& node = neighbourhood_.at(user_id);
            if (node.touched)
                continue;
            node.event_id = event_ids[user_id];
            evaluate_.push_back(&node);
        }
    }

    /// Loads the next newer live connection in each slot of the connections whose status is derived.
    void load_newer() {
        std::vector<NeighbourQuery> queries;
        for (const Node* node : interruptible(evaluate_))
            if (!node->now.facts.ended())
                for (Slot& slot : node->now.slots())
                    queries.push_back({std::move(slot), node->now.place(), Direction::newer});
        load(std::move(queries));
    }

    /// Loads the nearest neighbours of places. All queries for one slot must have the same direction. A look-up in a
    /// slot has to skip the stored rows of connections that moved away. To skip them once, a neighbour that is found
    /// also answers the following queries of the slot that it lies beyond.
    std::vector<Connection> load(std::vector<NeighbourQuery> queries) {
        std::sort(queries.begin(), queries.end(), [](const NeighbourQuery& a, const NeighbourQuery& b) {
            if (a.slot != b.slot)
                return a.slot < b.slot;
            return a.direction == Direction::older ? a.place > b.place : a.place < b.place;
        });
        std::vector<Asked> slots;
        for (std::size_t i = 0; i < queries.size(); ++i)
            if (i == 0 || queries[i - 1].slot != queries[i].slot)
                slots.push_back({i, i + 1});
            else
                slots.back().end = i + 1;
        std::vector<Connection> result;
        while (!slots.empty()) {
            check_interrupts();
            std::vector<NeighbourQuery> next;
            next.reserve(slots.size());
            for (const Asked& asked : slots)
                next.push_back(queries[asked.next]);
            std::vector<Connection> found = neighbourhood_.load_neighbours(next, moved_);
            const std::map<Slot, Place> nearest = nearest_in_slots(next, found);
            for (Asked& asked : slots) {
                const auto place = nearest.find(queries[asked.next].slot);
                if (place == nearest.end())
                    asked.next = asked.end;
                while (asked.next < asked.end && is_beyond(queries[asked.next], place->second))
                    ++asked.next;
            }
            std::erase_if(slots, [](const Asked& asked) { return asked.next == asked.end; });
            result.insert(result.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
        }
        return result;
    }

    /// The range of the queries of one slot that have no answer yet.
    struct Asked {
        std::size_t next;
        std::size_t end;
    };

    /// Whether a place lies on the side of a query's place that the query asks for.
    static bool is_beyond(const NeighbourQuery& query, const Place& place) {
        return query.direction == Direction::older ? place < query.place : query.place < place;
    }

    static std::map<Slot, Place> nearest_in_slots(const std::vector<NeighbourQuery>& queries,
                                                  const std::vector<Connection>& found) {
        std::map<Slot, Place> result;
        for (const Connection& connection : interruptible(found))
            for (Slot& slot : connection.slots()) {
                const Place place = connection.place();
                const auto query =
                    std::lower_bound(queries.begin(), queries.end(), slot,
                                     [](const NeighbourQuery& one, const Slot& wanted) { return one.slot < wanted; });
                if (query == queries.end() || query->slot != slot || !is_beyond(*query, place))
                    continue;
                const auto [nearest, is_first] = result.emplace(std::move(slot), place);
                if (!is_first &&
                    (query->direction == Direction::older ? nearest->second < place : place < nearest->second))
                    nearest->second = place;
            }
        return result;
    }

    Neighbourhood& neighbourhood_;
    std::vector<Node*> evaluate_;
    UserIds moved_; ///< the connections whose stored place or slots are out of date
    std::map<Slot, std::int64_t> causes_;
};

} // namespace

void derive_statuses(Everything& everything) {
    const Successors successors = find_successors(everything.shared_slots, everything.nodes.size());
    for (Node& node : interruptible(everything.nodes))
        derive_status(node, successors);
}

void derive_statuses(Neighbourhood& neighbourhood) { Statuses(neighbourhood).derive(); }

} // namespace terra_identity
