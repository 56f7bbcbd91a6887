// Disjoint sets of keys (union-find by size, with path halving).
#pragma once

#include "core/fence.h"

#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

namespace terra_identity {

template <class Key>
class DisjointSets {
public:
    /// The number of the key, given at first sight: 0, 1, 2, ...
    std::size_t number(const Key& key) {
        const auto [found, added] = numbers_.try_emplace(key, parents_.size());
        if (added) {
            parents_.push_back(found->second);
            sizes_.push_back(1);
        }
        return found->second;
    }

    std::size_t root(std::size_t number) {
        while (parents_[number] != number)
            number = parents_[number] = parents_[parents_[number]];
        return number;
    }

    std::size_t root_of(const Key& key) { return root(number(key)); }

    /// @return whether they were in different sets.
    bool join(const Key& a, const Key& b) {
        std::size_t larger = root_of(a), smaller = root_of(b);
        if (larger == smaller)
            return false;
        if (sizes_[larger] < sizes_[smaller])
            std::swap(larger, smaller);
        parents_[smaller] = larger;
        sizes_[larger] += sizes_[smaller];
        return true;
    }

private:
    std::unordered_map<Key, std::size_t> numbers_;
    std::vector<std::size_t> parents_;
    std::vector<std::size_t> sizes_;
};

} // namespace terra_identity
