#include "core/fold.h"

#include "core/interrupts.h"

#include <algorithm>

namespace terra_identity {
namespace {

/// How many events are added at a time: few enough that their nodes fit into the processor's cache.
constexpr std::size_t block_events = 128;

void add_block(Nodes& nodes, std::span<const Event> events) {
    std::vector<std::string_view> named;
    named.reserve(2 * events.size()); // an event has an old_user or an other_user_id, or neither
    for (const Event& event : events) {
        if (event.kind == EventKind::nothing)
            continue;
        if (event.old_user)
            named.push_back(event.old_user->user_id);
        named.push_back(event.user->user_id);
        if (event.other_user_id)
            named.push_back(*event.other_user_id);
    }
    const std::vector<Node*> found = nodes.add(named);
    auto next = found.begin();
    for (const Event& event : events) {
        if (event.kind == EventKind::nothing)
            continue;
        Node* const old_node = event.old_user ? *next++ : nullptr;
        Node* const node = *next++;
        if (old_node != nullptr) {
            old_node->now.facts.add_old_user(event);
            nodes.link(*old_node, *node, is_transfer(event));
        }
        node->now.facts.add_user(event);
        if (event.other_user_id)
            (*next++)->now.facts.add_other(event);
    }
}

} // namespace

void Fold::add(std::span<const Event> events) {
    for (; !events.empty(); events = events.subspan(std::min(block_events, events.size()))) {
        check_interrupts();
        add_block(nodes, events.first(std::min(block_events, events.size())));
    }
}

} // namespace terra_identity
