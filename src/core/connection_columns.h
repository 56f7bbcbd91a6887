// The columns of the table `connections`, in their order in sql/install/03_connections.sql, each with the member of
// Connection or Facts that it holds. This is the only list of them: merging facts, reading and writing rows, and
// verify() all use it. A new column comes last.
#pragma once

#include "core/connection.h"

#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace terra_identity {

namespace column {

struct DevId { ///< the environment, which is no member of Connection
    const char* name;
};

struct Id {
    const char* name;
    std::int64_t Connection::*member;
};

/// The user_id, or a value that is derived from the facts.
template <class T>
struct Derived {
    const char* name;
    T Connection::*member;
};
template <class T>
Derived(const char*, T Connection::*) -> Derived<T>; // for Clang before 17

/// A fact that is a time; the earliest counts.
struct Least {
    const char* name;
    std::optional<Micros> Facts::*fact;
};

/// A fact that is a time; the latest counts.
struct Greatest {
    const char* name;
    std::optional<Micros> Facts::*fact;
};

/// A fact that is true once any event makes it true.
struct Any {
    const char* name;
    bool Facts::*fact;
};

/// A fact whose last writer wins: its value, when that was written, and whether a passing event wrote it.
struct Value {
    const char* name;
    Register Facts::*fact;
};
struct WrittenAt {
    const char* name;
    Register Facts::*fact;
};
struct WrittenInPassing {
    const char* name;
    Register Facts::*fact;
};

/// A value that a function of Facts computes.
struct Computed {
    const char* name;
    bool (Facts::*compute)() const;
};

/// An id as a uuid; null if it is none.
struct AsUuid {
    const char* name;
    std::string Connection::*id;
};

} // namespace column

inline constexpr std::tuple connection_columns{
    column::Id{"connection_id", &Connection::connection_id},
    column::DevId{"dev_id"},
    column::Derived{"user_id", &Connection::user_id},
    column::Id{"lineage_id", &Connection::lineage_id},
    column::Value{"reference_id", &Facts::reference_id},
    column::Value{"provider", &Facts::provider},
    column::Derived{"provider_user_id", &Connection::provider_user_id},
    column::Derived{"status", &Connection::status},
    column::Derived{"successor_user_id", &Connection::successor_user_id},
    column::Any{"confirmed", &Facts::confirmed},
    column::Value{"scopes", &Facts::scopes},
    column::Least{"created_at", &Facts::created_at},
    column::Least{"first_seen_at", &Facts::first_seen_at},
    column::Derived{"connected_at", &Connection::connected_at},
    column::Derived{"ended_at", &Connection::ended_at},
    column::Any{"live", &Facts::live},
    column::Greatest{"alive_at", &Facts::alive_at},
    column::WrittenAt{"replaced_at", &Facts::replaced},
    column::Value{"replaced_by", &Facts::replaced},
    column::Greatest{"deauthenticated_at", &Facts::deauthenticated_at},
    column::Greatest{"revoked_at", &Facts::revoked_at},
    column::Greatest{"failed_at", &Facts::failed_at},
    column::Greatest{"degraded_at", &Facts::degraded_at},
    column::Value{"own_provider_user_id", &Facts::provider_user_id},
    column::WrittenAt{"own_provider_user_id_at", &Facts::provider_user_id},
    column::WrittenAt{"provider_at", &Facts::provider},
    column::WrittenInPassing{"provider_passing", &Facts::provider},
    column::WrittenAt{"reference_id_at", &Facts::reference_id},
    column::WrittenInPassing{"reference_id_passing", &Facts::reference_id},
    column::WrittenAt{"scopes_at", &Facts::scopes},
    column::WrittenInPassing{"scopes_passing", &Facts::scopes},
    column::Derived{"sdk", &Connection::sdk},
    column::Derived{"account_exclusive", &Connection::account_exclusive},
    column::Derived{"duplicate", &Connection::duplicate},
    column::Derived{"cyclic", &Connection::cyclic},
    column::Computed{"dated", &Facts::dated},
    column::Derived{"account_unusable", &Connection::account_unusable},
    column::AsUuid{"user_uuid", &Connection::user_id},
    column::Value{"same_person_as", &Facts::same_person_as},
    column::WrittenAt{"same_person_as_at", &Facts::same_person_as},
};

/// Whether the type of a member is that of a time. Ids have the same type, but are columns of the kind `Id`.
template <class T>
inline constexpr bool is_time = std::is_same_v<T, Micros> || std::is_same_v<T, std::optional<Micros>>;

inline constexpr std::size_t connection_column_count = std::tuple_size_v<decltype(connection_columns)>;

/// One function for each kind of column. A call picks the one that takes the kind of its argument.
template <class... Functions>
struct ByKind : Functions... {
    using Functions::operator()...;
};
template <class... Functions>
ByKind(Functions...) -> ByKind<Functions...>;

/// Calls `visit(column, number)` for every column, in order. The number is counted from 1.
template <class Visit>
constexpr void for_each_connection_column(Visit&& visit) {
    std::apply([&, number = 0](const auto&... columns) mutable { (visit(columns, ++number), ...); },
               connection_columns);
}

/// The number of the column of this name, counted from 1. An unknown name does not compile.
consteval int connection_column(std::string_view name) {
    int found = 0;
    for_each_connection_column([&](const auto& column, int number) {
        if (column.name == name)
            found = number;
    });
    return found != 0 ? found : throw "no such column of connections";
}

} // namespace terra_identity
