// What this backend remembers of the rules, and of what follows from them, until somebody commits others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "pg/guard.h"

namespace terra_identity::tables {

using namespace pg;

/// Forgets what is remembered if this is one of the tables of rules, or InvalidOid.
void forget_rules(Oid changed);

/// Has every backend do so, once this transaction is committed.
void forget_rules_everywhere();

/// Made before something is read that is to be remembered.
class RuleReading {
public:
    RuleReading();

    /// Whether what was read meanwhile may be remembered: the rules are still the same, and their changes will be told.
    bool may_be_remembered() const;

private:
    bool is_told_;
    std::uint64_t changes_;
};

/// How often the rules were forgotten in this backend.
std::uint64_t rule_changes();

/// What follows from the rules, by a name. Made once, for the life of the backend.
template <class Value>
class Remembered {
public:
    /// Null if it is not remembered.
    const Value* find(const std::string& name) {
        if (values_ == nullptr || as_of_ != rule_changes())
            return nullptr;
        const auto found = values_->find(name);
        return found != values_->end() ? &found->second : nullptr;
    }

    /// @param reading the one in which it was read
    void remember(const RuleReading& reading, const std::string& name, const Value& value) {
        if (!reading.may_be_remembered())
            return;
        if (values_ == nullptr)
            values_ = new std::map<std::string, Value>;
        if (as_of_ != rule_changes() || values_->size() == max_values)
            values_->clear();
        as_of_ = rule_changes();
        values_->insert_or_assign(name, value);
    }

private:
    static constexpr std::size_t max_values = 100;

    std::map<std::string, Value>* values_ = nullptr; ///< static initialisation allows no map
    std::uint64_t as_of_ = 0;
};

} // namespace terra_identity::tables
