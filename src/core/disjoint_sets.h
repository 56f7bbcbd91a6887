// Disjoint sets of the numbers from 0 on, below a limit (union-find by size, with path halving).
#pragma once

#include "core/fence.h"

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace terra_identity {

class DisjointSets {
public:
    explicit DisjointSets(std::size_t numbers) : parents_(numbers), sizes_(numbers, 1) {
        std::iota(parents_.begin(), parents_.end(), 0);
    }

    /// The number that stands for the set of `number`.
    std::uint32_t root(std::uint32_t number) {
        while (parents_[number] != number)
            number = parents_[number] = parents_[parents_[number]];
        return number;
    }

    /// Unites the sets of `a` and `b`. @return whether they were different sets
    bool join(std::uint32_t a, std::uint32_t b) {
        std::uint32_t larger = root(a), smaller = root(b);
        if (larger == smaller)
            return false;
        if (sizes_[larger] < sizes_[smaller])
            std::swap(larger, smaller);
        parents_[smaller] = larger;
        sizes_[larger] += sizes_[smaller];
        return true;
    }

private:
    std::vector<std::uint32_t> parents_;
    std::vector<std::uint32_t> sizes_;
};

} // namespace terra_identity
