#include "core/nodes.h"

#include <algorithm>
#include <stdexcept>

namespace terra_identity {
namespace {

constexpr std::size_t cache_line = 64;

/// Prefetches a whole node into the processor's cache. Always inline: GCC omits calls of a function that only
/// prefetches.
[[gnu::always_inline]] inline void prefetch(const Node& node) {
    const char* const start = reinterpret_cast<const char*>(&node);
    for (std::size_t offset = 0; offset < sizeof(Node); offset += cache_line)
        __builtin_prefetch(start + offset);
}

} // namespace

Link* Nodes::find_link(const Node& old_node, const Node& new_node) {
    const bool is_shorter = old_node.successors.size() < new_node.predecessors.size();
    for (Link* const link : is_shorter ? old_node.successors : new_node.predecessors)
        if (link->old_node == &old_node && link->new_node == &new_node)
            return link;
    return nullptr;
}

void Nodes::link(Node& old_node, Node& new_node, bool transfer) {
    if (Link* const known = find_link(old_node, new_node)) {
        known->transfer = known->transfer && transfer;
        return;
    }
    Link& added = links_.emplace_back(Link{&old_node, &new_node, transfer});
    old_node.successors.push_back(&added);
    new_node.predecessors.push_back(&added);
}

template <class Matches>
Nodes::Bucket& Nodes::bucket_of(std::size_t hash, const Matches& matches) {
    std::size_t number = hash;
    while (true) {
        Bucket& bucket = buckets_[number++ & (buckets_.size() - 1)];
        if (bucket.node == nullptr || (bucket.hash == hash && matches(*bucket.node)))
            return bucket;
    }
}

Node* Nodes::find(std::string_view user_id) {
    return buckets_.empty() ? nullptr : bucket_of(user_id, hash_of(user_id)).node;
}

Node& Nodes::at(std::string_view user_id) {
    if (Node* const node = find(user_id))
        return *node;
    throw std::out_of_range("no node for connection \"" + std::string(user_id) + "\"");
}

std::pair<Node*, bool> Nodes::add(std::string_view user_id) { return add(user_id, hash_of(user_id)); }

std::vector<Node*> Nodes::add(std::span<const std::string_view> user_ids) {
    std::vector<std::size_t> hashes;
    hashes.reserve(user_ids.size());
    for (const std::string_view user_id : user_ids)
        hashes.push_back(hash_of(user_id));
    if (!buckets_.empty()) {
        for (const std::size_t hash : hashes)
            __builtin_prefetch(&buckets_[hash & (buckets_.size() - 1)]);
        for (const std::size_t hash : hashes)
            if (const Node* const node = bucket_of(hash, [](const Node&) { return true; }).node)
                prefetch(*node);
    }
    std::vector<Node*> result;
    result.reserve(user_ids.size());
    for (std::size_t i = 0; i < user_ids.size(); ++i)
        result.push_back(add(user_ids[i], hashes[i]).first);
    return result;
}

std::pair<Node*, bool> Nodes::add(std::string_view user_id, std::size_t hash) {
    if (nodes_.size() >= buckets_.size() / 4 * 3)
        grow();
    Bucket& bucket = bucket_of(user_id, hash);
    if (bucket.node != nullptr)
        return {bucket.node, false};
    Node& node = nodes_.emplace_back();
    node.number = static_cast<std::uint32_t>(nodes_.size() - 1);
    node.now.user_id = user_id;
    bucket = {hash, &node};
    return {&node, true};
}

Nodes::Bucket& Nodes::bucket_of(std::string_view user_id, std::size_t hash) {
    return bucket_of(hash, [user_id](const Node& node) { return node.now.user_id == user_id; });
}

void Nodes::grow() {
    std::vector<Bucket> buckets(std::max<std::size_t>(16, buckets_.size() * 2));
    buckets.swap(buckets_);
    for (const Bucket& filled : buckets)
        if (filled.node != nullptr)
            bucket_of(filled.hash, [](const Node&) { return false; }) = filled;
}

} // namespace terra_identity
