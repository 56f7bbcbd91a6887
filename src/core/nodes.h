// Nodes: connections by user_id, each with its stored and its new state, linked by the reauths between them.
#pragma once

#include "core/connection.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace terra_identity {

struct Node;

/// The reauths of a pair of connections.
struct Link {
    Node* old_node;
    Node* new_node;
    bool transfer; ///< each of these reauths names two end users

    Reauth reauth() const;
};

/// A connection that takes part in a derivation.
struct Node {
    std::uint32_t number = 0;           ///< 0, 1, 2, ... in the order in which nodes were added
    std::uint32_t cycle = 0;            ///< the number of its cycle of reauths, once that is known; 0: none, or unknown
    bool knows_reauths = false;         ///< its predecessors and successors are loaded
    bool relinked = false;              ///< it got a predecessor in this derivation
    bool touched = false;               ///< its facts, place or effective account may have changed: it must be derived
    bool queued = false;                ///< it waits to be derived
    bool evaluated = false;             ///< its status has been derived
    bool detached = false;              ///< it leaves its lineage, of which the other members stay together
    std::int64_t event_id = 0;          ///< the event that caused the node to be derived; 0: none
    std::unique_ptr<Connection> stored; ///< the stored state; null for a new connection
    Connection now;
    std::vector<Link*> predecessors; ///< the links in which it is the new one
    std::vector<Link*> successors;   ///< the links in which it is the old one

    /// Notes that this node is derived because `other` changed: by the same event, unless it has one of its own.
    void follows(const Node& other) {
        if (event_id == 0)
            event_id = other.event_id;
    }

    bool changed() const { return !stored || *stored != now; }
};

inline Reauth Link::reauth() const { return {old_node->now.user_id, new_node->now.user_id, transfer}; }

/// A hash table of nodes by user_id. Nodes stay where they are in memory, and iterate in the order in which they were
/// added.
class Nodes {
public:
    Nodes() = default;
    Nodes(Nodes&&) = default;
    Nodes& operator=(Nodes&&) = default;

    auto begin() { return nodes_.begin(); }
    auto end() { return nodes_.end(); }
    auto begin() const { return nodes_.begin(); }
    auto end() const { return nodes_.end(); }
    std::size_t size() const { return nodes_.size(); }
    bool empty() const { return nodes_.empty(); }

    /// The node of a connection; null if there is none.
    Node* find(std::string_view user_id);
    const Node* find(std::string_view user_id) const { return const_cast<Nodes*>(this)->find(user_id); }
    bool contains(std::string_view user_id) const { return find(user_id) != nullptr; }

    /// The node of a connection.
    /// @throws std::out_of_range if there is none
    Node& at(std::string_view user_id);
    const Node& at(std::string_view user_id) const { return const_cast<Nodes*>(this)->at(user_id); }

    /// Returns the node of a connection, which is added if there is none, and whether it was added.
    std::pair<Node*, bool> add(std::string_view user_id);

    /// Returns the nodes of these connections, which are added if there are none. With many nodes this is much faster
    /// than adding one by one, because their memory is prefetched together.
    std::vector<Node*> add(std::span<const std::string_view> user_ids);

    /// Links two nodes by a reauth. A link stays a transfer only as long as each of its reauths is one.
    void link(Node& old_node, Node& new_node, bool transfer);

    /// The link of two nodes; null if they are not linked.
    static Link* find_link(const Node& old_node, const Node& new_node);
    const std::deque<Link>& links() const { return links_; }

private:
    struct Bucket {
        std::size_t hash = 0;
        Node* node = nullptr; ///< null: free
    };

    static std::size_t hash_of(std::string_view user_id) { return std::hash<std::string_view>()(user_id); }

    /// The bucket of the first node with this hash that matches; if there is none, the free bucket for it.
    template <class Matches>
    Bucket& bucket_of(std::size_t hash, const Matches& matches);

    Bucket& bucket_of(std::string_view user_id, std::size_t hash);
    std::pair<Node*, bool> add(std::string_view user_id, std::size_t hash);
    void grow();

    std::deque<Node> nodes_;
    std::deque<Link> links_;
    std::vector<Bucket> buckets_; ///< empty, or a power of two in number, at least a quarter of them free
};

} // namespace terra_identity
