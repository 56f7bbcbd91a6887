#include "core/connection_columns.h"

#include "core/field_count.h"

#include <type_traits>

namespace terra_identity {
namespace {

template <template <class...> class Kind, class T>
inline constexpr bool is_derived = false;
template <class T>
inline constexpr bool is_derived<column::Derived, column::Derived<T>> = true;

/// How many columns hold a fact, and how many hold an id or a derived value.
struct Listed {
    std::size_t facts = 0;
    std::size_t derived = 0;
};

consteval Listed listed() {
    Listed result;
    for_each_connection_column([&]<class Column>(const Column&, int) {
        result.facts += std::is_same_v<Column, column::Least> || std::is_same_v<Column, column::Greatest> ||
                        std::is_same_v<Column, column::Any> || std::is_same_v<Column, column::Value>;
        result.derived += std::is_same_v<Column, column::Id> || is_derived<column::Derived, Column>;
    });
    return result;
}

// A member without a column would be neither merged nor stored nor verified.
static_assert(listed().facts == field_count<Facts>(), "a member of Facts is missing from connection_columns");
static_assert(listed().derived + 2 == field_count<Connection>(),
              "a member of Connection (but `facts` and `consistent`) is missing from connection_columns");

} // namespace
} // namespace terra_identity
