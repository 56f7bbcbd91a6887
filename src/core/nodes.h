// Nodes: connections by user_id, each as it is stored and as it will be, linked by the reauths between them.
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

/// The `user_reauth`s of a pair of connections.
struct Link {
    Node* old_node;
    Node* new_node;
    bool transfer; ///< each of them names two end users

    Reauth reauth() const;
};

struct Node {
    std::uint32_t number = 0;           ///< 0, 1, 2, ... in the order in which nodes were added
    std::uint32_t cycle = 0;            ///< the number of its cycle of reauths, once that is known; 0: none, or unknown
    bool knows_reauths = false;         ///< its predecessors and successors are loaded
    bool relinked = false;              ///< it got a predecessor in this derivation
    bool touched = false;               ///< its facts, place or effective account may have changed: derive it
    bool queued = false;                ///< it waits to be derived
    bool evaluated = false;             ///< its status is derived: touched, or the older neighbour of one that was
    bool detached = false;              ///< it leaves its lineage, which stays whole without it
    std::int64_t event_id = 0;          ///< the event that made it be looked at; 0: none
    std::unique_ptr<Connection> stored; ///< null: a connection that is new
    Connection now;
    std::vector<Link*> predecessors; ///< the links in which it is the new one
    std::vector<Link*> successors;   ///< the links in which it is the old one

    /// What comes of another node's change is brought about by the same event.
    void follows(const Node& other) {
        if (event_id == 0)
            event_id = other.event_id;
    }

    bool changed() const { return !stored || *stored != now; }
};

inline Reauth Link::reauth() const { return {old_node->now.user_id, new_node->now.user_id, transfer}; }

/// A hash table that keeps its nodes where they are, and in the order in which they were added.
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

    /// Null if there is none.
    Node* find(std::string_view user_id);
    const Node* find(std::string_view user_id) const { return const_cast<Nodes*>(this)->find(user_id); }
    bool contains(std::string_view user_id) const { return find(user_id) != nullptr; }

    /// @throws std::out_of_range if there is none
    Node& at(std::string_view user_id);
    const Node& at(std::string_view user_id) const { return const_cast<Nodes*>(this)->at(user_id); }

    /// The node of a connection and whether it is new.
    std::pair<Node*, bool> add(std::string_view user_id);

    /// The nodes of these connections, new for those that have none. Where there are many nodes, this is much faster
    /// than one by one: it waits for the memory of all at once.
    std::vector<Node*> add(std::span<const std::string_view> user_ids);

    /// Links two nodes. They stay a transfer only as long as each of their reauths is one.
    void link(Node& old_node, Node& new_node, bool transfer);

    /// Null if they are not linked.
    static Link* find_link(const Node& old_node, const Node& new_node);
    const std::deque<Link>& links() const { return links_; }

private:
    struct Bucket {
        std::size_t hash = 0;
        Node* node = nullptr; ///< null: free
    };

    static std::size_t hash_of(std::string_view user_id) { return std::hash<std::string_view>()(user_id); }

    /// The bucket of the first node that matches among those with this hash, or the free one for it.
    template <class Matches>
    Bucket& bucket_of(std::size_t hash, const Matches& matches);

    Bucket& bucket_of(std::string_view user_id, std::size_t hash);
    std::pair<Node*, bool> add(std::string_view user_id, std::size_t hash);
    void grow();

    std::deque<Node> nodes_;
    std::deque<Link> links_;
    std::vector<Bucket> buckets_; ///< none, or a power of two, at least a quarter of them free
};

} // namespace terra_identity
