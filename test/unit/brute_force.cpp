#include "brute_force.h"

#include <algorithm>
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
            std::set<std::string> visited;
            truths_[user_id].provider_user_id = effective(user_id, visited);
            truths_[user_id].cyclic = reaches_itself(user_id);
        }
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

    bool sdk(const std::string& user_id) const {
        const Text name = provider(user_id);
        return name && rules_.sdk_providers.count(*name) > 0;
    }

    Micros connected_at(const std::string& user_id) const {
        const Facts& facts = of(user_id);
        return facts.created_at ? *facts.created_at : *facts.first_seen_at;
    }

    bool newer(const std::string& a, const std::string& b) const {
        return std::pair(connected_at(a), a) > std::pair(connected_at(b), b);
    }

    /// Depth first, newest predecessor first, nothing entered twice.
    Text effective(const std::string& user_id, std::set<std::string>& visited) const {
        if (!visited.insert(user_id).second)
            return std::nullopt;
        if (of(user_id).provider_user_id)
            return of(user_id).provider_user_id->value;
        if (sdk(user_id))
            return std::nullopt;
        std::vector<std::string> predecessors;
        for (const Reauth& reauth : reauths_)
            if (reauth.new_user_id == user_id)
                predecessors.push_back(reauth.old_user_id);
        std::sort(predecessors.begin(), predecessors.end(),
                  [this](const std::string& a, const std::string& b) { return newer(a, b); });
        for (const std::string& predecessor : predecessors)
            if (Text found = effective(predecessor, visited))
                return found;
        return std::nullopt;
    }

    bool reaches_itself(const std::string& start) const {
        std::set<std::string> reached;
        std::vector<std::string> todo{start};
        while (!todo.empty()) {
            const std::string user_id = todo.back();
            todo.pop_back();
            for (const Reauth& reauth : reauths_)
                if (reauth.old_user_id == user_id && reached.insert(reauth.new_user_id).second)
                    todo.push_back(reauth.new_user_id);
        }
        return reached.count(start) > 0;
    }

    bool share_account(const std::string& a, const std::string& b) const {
        return provider(a) && provider(a) == provider(b) && truths_.at(a).provider_user_id &&
               truths_.at(a).provider_user_id == truths_.at(b).provider_user_id;
    }

    bool share_slot(const std::string& a, const std::string& b) const {
        const bool same_person = reference(a) == reference(b);
        if (share_account(a, b) && (same_person || rules_.account_policy == AccountPolicy::replace))
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
            truth.ended_at = connected_at(*truth.successor_user_id);
    }

    bool linked(const std::string& a, const std::string& b) const {
        return reauths_.count({a, b}) > 0 || reauths_.count({b, a}) > 0 ||
               (share_slot(a, b) && reference(a) == reference(b));
    }

    std::set<std::string> component(const std::string& start) const {
        std::set<std::string> members{start};
        for (bool grown = true; grown;) {
            grown = false;
            for (const auto& entry : facts_) // not by name: clang has it in no lambda before its version 16
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
        return false; // and no two others differ: one of the two would differ from this one
    }

    Text resolve(const std::string& user_id) const {
        Text newest;
        for (const auto& [other, facts] : facts_)
            if (active(other) && truths_.at(other).lineage == truths_.at(user_id).lineage)
                if (!newest || newer(other, *newest))
                    newest = other;
        return newest;
    }

    const std::map<std::string, Facts>& facts_;
    const std::set<Reauth>& reauths_;
    const Rules& rules_;
    Truths truths_;
};

} // namespace

Truths brute_force(const std::map<std::string, Facts>& facts, const std::set<Reauth>& reauths, const Rules& rules) {
    return BruteForce(facts, reauths, rules).truths();
}

} // namespace terra_identity::test
