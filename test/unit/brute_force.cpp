#include "brute_force.h"

#include <algorithm>
#include <tuple>
#include <vector>

namespace terra_identity::test {
namespace {

using Text = std::optional<std::string>;

class BruteForce {
public:
    BruteForce(const std::map<std::string, Facts>& facts, const std::set<Reauth>& reauths, const Rules& rules)
        : facts_(facts), reauths_(reauths), rules_(rules) {}

    Truths truths() {
        for (const auto& [user_id, facts] : facts_) {
            replacements_[user_id] = replacements(user_id);
            truths_[user_id].cyclic = replacements_[user_id].count(user_id) > 0;
            truths_[user_id].connected_at = facts.created_at ? *facts.created_at : *facts.first_seen_at;
        }
        while (bring_forward()) {
        }
        for (const auto& [user_id, facts] : facts_)
            truths_[user_id].provider_user_id = effective(user_id);
        for (const auto& [user_id, facts] : facts_)
            set_status(user_id);
        for (const auto& [user_id, facts] : facts_)
            truths_[user_id].lineage = *component(user_id).begin();
        for (const auto& [user_id, facts] : facts_) {
            truths_[user_id].duplicate = is_duplicate(user_id);
            truths_[user_id].resolved = resolve(user_id);
        }
        return truths_;
    }

private:
    const Facts& of(const std::string& user_id) const { return facts_.at(user_id); }

    static Text value(const Register& written) { return written ? Text(written->value) : std::nullopt; }

    Text provider(const std::string& user_id) const { return value(of(user_id).provider); }
    Text reference(const std::string& user_id) const { return value(of(user_id).reference_id); }
    Text own_account(const std::string& user_id) const { return value(of(user_id).provider_user_id); }

    bool sdk(const std::string& user_id) const {
        const Text name = provider(user_id);
        return name && rules_.sdk_providers.count(*name) > 0;
    }

    /// The connections that replaced this one, that replaced these, and so on; also this one if it is on a cycle.
    std::set<std::string> replacements(const std::string& start) const {
        std::set<std::string> reached;
        std::vector<std::string> todo{start};
        while (!todo.empty()) {
            const std::string user_id = todo.back();
            todo.pop_back();
            for (const Reauth& reauth : reauths_)
                if (reauth.old_user_id == user_id && reached.insert(reauth.new_user_id).second)
                    todo.push_back(reauth.new_user_id);
        }
        return reached;
    }

    bool in_one_cycle(const std::string& a, const std::string& b) const {
        return replacements_.at(a).count(b) > 0 && replacements_.at(b).count(a) > 0;
    }

    /// Moves every `connected_at` that is not before that of a connection that replaced it. @return whether any moved
    bool bring_forward() {
        bool moved = false;
        for (const Reauth& reauth : reauths_) {
            Micros& connected_at = truths_.at(reauth.old_user_id).connected_at;
            const Micros latest = truths_.at(reauth.new_user_id).connected_at - 1;
            if (in_one_cycle(reauth.old_user_id, reauth.new_user_id) || connected_at <= latest)
                continue;
            connected_at = latest;
            moved = true;
        }
        return moved;
    }

    bool newer(const std::string& a, const std::string& b) const {
        const auto place = [this](const std::string& user_id) {
            const bool dated = of(user_id).created_at || of(user_id).confirmed;
            return std::tuple(dated, truths_.at(user_id).connected_at, user_id);
        };
        return place(a) > place(b);
    }

    /// Sets `newest` if `other` is newer, or the first.
    void keep_newest(Text& newest, const std::string& other) const {
        if (!newest || newer(other, *newest))
            newest = other;
    }

    Text effective(const std::string& user_id) const {
        if (own_account(user_id))
            return own_account(user_id);
        if (sdk(user_id))
            return std::nullopt;
        if (truths_.at(user_id).cyclic)
            return effective_in_cycle(user_id);
        Text newest;
        for (const Reauth& reauth : reauths_)
            if (reauth.new_user_id == user_id && effective(reauth.old_user_id))
                keep_newest(newest, reauth.old_user_id);
        return newest ? effective(*newest) : std::nullopt;
    }

    /// The account of those members of a cycle that have none of their own.
    Text effective_in_cycle(const std::string& member) const {
        Text newest;
        for (const auto& [other, facts] : facts_)
            if (in_one_cycle(member, other) && own_account(other))
                keep_newest(newest, other);
        if (newest)
            return own_account(*newest);
        for (const Reauth& reauth : reauths_)
            if (in_one_cycle(member, reauth.new_user_id) && !sdk(reauth.new_user_id) &&
                !in_one_cycle(member, reauth.old_user_id) && effective(reauth.old_user_id))
                keep_newest(newest, reauth.old_user_id);
        return newest ? effective(*newest) : std::nullopt;
    }

    /// Whether both connections are known to have the same provider account.
    bool share_account(const std::string& a, const std::string& b) const {
        return provider(a) && provider(a) == provider(b) && !rules_.unusable_providers.count(*provider(a)) &&
               truths_.at(a).provider_user_id && truths_.at(a).provider_user_id == truths_.at(b).provider_user_id;
    }

    bool share_slot(const std::string& a, const std::string& b) const {
        const bool same_person = reference(a) == reference(b);
        const bool one_for_all = rules_.account_policy == AccountPolicy::replace && !sdk(a);
        if (share_account(a, b) && (same_person || one_for_all))
            return true;
        return sdk(a) && provider(a) == provider(b) && reference(a) && same_person;
    }

    void set_status(const std::string& user_id) {
        const Facts& facts = of(user_id);
        Truth& truth = truths_[user_id];
        const std::vector<std::pair<std::string, std::optional<Micros>>> endings{
            {"replaced", facts.replaced ? std::optional(facts.replaced->at) : std::nullopt},
            {"deauthenticated", facts.deauthenticated_at},
            {"revoked", facts.revoked_at},
            {"failed", facts.failed_at}};
        std::optional<Micros> latest;
        for (const auto& [status, time] : endings)
            latest = std::max(latest, time); // null is less than any time
        if (latest && !(facts.alive_at && *facts.alive_at > *latest)) {
            for (const auto& [status, time] : endings)
                if (time && truth.status.empty()) {
                    truth.status = status;
                    truth.ended_at = time;
                }
            if (truth.status == "replaced")
                truth.successor_user_id = facts.replaced->value;
            return;
        }
        for (const auto& [other, other_facts] : facts_)
            if (other_facts.live && newer(other, user_id) && share_slot(other, user_id))
                if (!truth.successor_user_id || newer(*truth.successor_user_id, other))
                    truth.successor_user_id = other;
        truth.status = truth.successor_user_id ? "superseded" : "active";
        if (truth.successor_user_id)
            truth.ended_at = truths_.at(*truth.successor_user_id).connected_at;
    }

    bool linked(const std::string& a, const std::string& b) const {
        return reauths_.count({a, b, false}) > 0 || reauths_.count({b, a, false}) > 0 ||
               (share_slot(a, b) && reference(a) == reference(b)) || corrected(a, b) || corrected(b, a);
    }

    /// Whether a correction says that both are of one person, and they are of one end user and provider.
    bool corrected(const std::string& a, const std::string& b) const {
        return value(of(a).same_person_as) == b && reference(a) == reference(b) &&
               (!provider(a) || !provider(b) || provider(a) == provider(b));
    }

    std::set<std::string> component(const std::string& start) const {
        std::set<std::string> members{start};
        for (bool grown = true; grown;) {
            grown = false;
            for (const auto& entry : facts_) // no structured binding: Clang before 16 cannot capture one in a lambda
                if (!members.count(entry.first) &&
                    std::any_of(members.begin(), members.end(),
                                [&](const std::string& member) { return linked(member, entry.first); })) {
                    members.insert(entry.first);
                    grown = true;
                }
        }
        return members;
    }

    bool active(const std::string& user_id) const { return truths_.at(user_id).status == "active"; }

    bool is_duplicate(const std::string& user_id) const {
        for (const auto& [other, facts] : facts_)
            if (active(user_id) && active(other) && share_account(user_id, other) &&
                reference(user_id) != reference(other))
                return true;
        return false; // nor do two others differ from each other: one of them would also differ from this one
    }

    Text resolve(const std::string& user_id) const {
        if (active(user_id))
            return user_id;
        Text newest;
        for (const auto& [other, facts] : facts_)
            if (active(other) && truths_.at(other).lineage == truths_.at(user_id).lineage)
                keep_newest(newest, other);
        return newest;
    }

    const std::map<std::string, Facts>& facts_;
    const std::set<Reauth>& reauths_;
    const Rules& rules_;
    std::map<std::string, std::set<std::string>> replacements_;
    Truths truths_;
};

} // namespace

Truths brute_force(const std::map<std::string, Facts>& facts, const std::set<Reauth>& reauths, const Rules& rules) {
    return BruteForce(facts, reauths, rules).truths();
}

} // namespace terra_identity::test
