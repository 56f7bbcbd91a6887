// Counts the data members of an aggregate, by how many initializers it takes.
#pragma once

#include <cstddef>
#include <utility>

namespace terra_identity {

namespace detail {

struct Anything {
    template <class T>
    operator T() const; // NOLINT(google-explicit-constructor): this is its purpose; never called
};

template <class T, std::size_t... I>
consteval bool takes(std::index_sequence<I...>) {
    return requires { T{(static_cast<void>(I), Anything{})...}; };
}

} // namespace detail

template <class T, std::size_t Count = 0>
consteval std::size_t field_count() {
    if constexpr (detail::takes<T>(std::make_index_sequence<Count + 1>()))
        return field_count<T, Count + 1>();
    else
        return Count;
}

} // namespace terra_identity
