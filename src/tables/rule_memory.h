// Remembers rules, and what follows from them, in this backend until a transaction commits other rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "pg/guard.h"

namespace terra_identity::tables {

using namespace pg;

/// Forgets everything that is remembered if `changed` is a table of rules, or InvalidOid.
void forget_rules(Oid changed);

/// Makes every backend forget it all when this transaction commits.
void forget_rules_everywhere();

/// Lets a rollback be noticed. To be called once, when the module is loaded.
void register_rule_memory();

/// A reading of rules that is to be remembered. Must be constructed before the rules are read.
class RuleReading {
public:
    RuleReading();

    /// Whether what was read since may be remembered: the rules have not changed, and a later change will be noticed.
    bool may_be_remembered() const;

private:
    bool is_told_;
    std::uint64_t changes_;
};

/// How often this backend has forgotten the rules.
std::uint64_t rule_changes();

/// Notices what other transactions have committed.
void notice_rule_changes();

/// Values that follow from the rules, by name, until the rules change. Must be static: its memory is never freed.
template <class Value>
class Remembered {
public:
    /// The value of this name; null if it is not remembered.
    const Value* find(const std::string& name) {
        if (values_ == nullptr)
            return nullptr;
        notice_rule_changes();
        if (as_of_ != rule_changes())
            return nullptr;
        const auto found = values_->find(name);
        return found != values_->end() ? &found->second : nullptr;
    }

    /// Remembers a value, if it may be remembered. @param reading the one during which the value was read
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

    std::map<std::string, Value>* values_ = nullptr; ///< a pointer, because constant initialisation allows no map
    std::uint64_t as_of_ = 0;
};

} // namespace terra_identity::tables
