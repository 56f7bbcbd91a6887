#include "history.h"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <utility>

namespace terra_identity::test {
namespace {

/// Generates a history about few connections, accounts and end users, so that their events interact.
class Histories {
public:
    explicit Histories(std::uint64_t seed) : random_(seed) {
        for (int i = 0, count = between(2, 7); i < count; ++i)
            user_ids_.push_back(std::string(1, static_cast<char>('a' + i)));
        if (chance(50))
            std::shuffle(user_ids_.begin(), user_ids_.end(), random_);
        providers_ = one_of<Names>({{"OURA"},
                                    {"OURA"},
                                    {"APPLE"},
                                    {"DASH"},
                                    {"OURA", "APPLE"},
                                    {"OURA", "DASH"},
                                    {"OURA", "APPLE", ""},
                                    {"OURA", "APPLE", "DASH"}});
        references_ = one_of<Names>({{"anna"}, {"anna", "bert"}, {"anna", ""}, {"anna", "bert", "cleo", ""}});
        accounts_ = one_of<Names>({{"x"}, {"x", ""}, {"x", "y"}, {"x", "y", ""}});
        seconds_ = one_of<int>({1, 3, 8, 40});
        settled_ = chance(50);
        narrow_ = chance(25);
        chained_ = one_of<int>({0, 0, 50, 90});
        transfers_ = one_of<int>({0, 10, 60});
        dated_ = one_of<int>({0, 30, 30, 60, 100});
        weight_of_passing_ = one_of<int>({2, 2, 8});
        weight_of_reauth_ = one_of<int>({0, 2, 5, 20});
        weight_of_athlete_ = one_of<int>({1, 3, 8});
        weight_of_end_ = one_of<int>({0, 1, 4});
        corrections_ = one_of<int>({0, 0, 5, 20});
        imports_ = one_of<int>({0, 0, 5, 30});
    }

    History tell() {
        History history;
        const int longest_batch = one_of<int>({1, 2, 4, 12});
        for (int left = between(3, 20); left > 0;) {
            std::vector<Delivery> batch;
            for (int i = between(1, std::min(left, longest_batch)); i > 0; --i, --left)
                batch.push_back(told_ && chance(10) ? *told_ : delivery());
            history.push_back(std::move(batch));
        }
        return history;
    }

private:
    using Names = std::vector<std::string>;

    int between(int least, int most) { return std::uniform_int_distribution(least, most)(random_); }
    bool chance(int percent) { return between(1, 100) <= percent; }

    template <class T>
    T one_of(const std::vector<T>& values) {
        return values[static_cast<std::size_t>(between(0, static_cast<int>(values.size()) - 1))];
    }

    /// A name for an attribute of a connection; if attributes are settled, mostly the same one for the same connection.
    std::string said(const Names& names, const std::string& user_id) {
        if (settled_ && !chance(10))
            return names[static_cast<std::size_t>(user_id.front() * 7 + user_id.front() / 3) % names.size()];
        return one_of(names);
    }

    void describe(nlohmann::json& user) {
        const std::string user_id = user["user_id"];
        const auto put = [&](const char* key, const std::string& value) {
            user[key] = value.empty() ? nlohmann::json() : nlohmann::json(value);
        };
        put("provider", chance(10) ? "" : said(providers_, user_id));
        put("reference_id", chance(10) ? "" : said(references_, user_id));
        if (chance(20))
            put("scopes", one_of<std::string>({"read", "write"}));
        if (chance(dated_))
            put("created_at", format_iso8601(second(between(1, seconds_))));
    }

    /// An event of one heir that has no account of its own, or of one of its several predecessors.
    Delivery heir_or_predecessor() {
        const std::string predecessor =
            user_ids_[static_cast<std::size_t>(between(1, static_cast<int>(user_ids_.size()) - 1))];
        return chance(40)   ? reauth(predecessor, user_ids_.front())
               : chance(50) ? athlete(predecessor, one_of(accounts_))
                            : body(predecessor);
    }

    /// A reauth of a pair that had one before, of two neighbours in the chain of all connections, or of any two.
    Delivery any_reauth() {
        std::pair<std::string, std::string> pair(one_of(user_ids_), one_of(user_ids_));
        const auto next = std::find(user_ids_.begin(), user_ids_.end(), pair.first) + 1;
        if (!pairs_.empty() && chance(20))
            pair = one_of(pairs_);
        else if (next != user_ids_.end() && chance(chained_))
            pair.second = *next;
        else if (chance(5))
            pair.first = "";
        pairs_.push_back(pair);
        return reauth(pair.first, pair.second);
    }

    /// Makes a reauth name another end user as the new one, or leave out one of the two.
    void transfer(nlohmann::json& reauth) {
        reauth["old_user"]["reference_id"] = "anna";
        reauth["new_user"]["reference_id"] = "bert";
        if (chance(20))
            reauth[chance(50) ? "old_user" : "new_user"].erase("reference_id");
    }

    Delivery undescribed() {
        const std::string user_id = one_of(user_ids_);
        int dice = between(1, 6 + weight_of_passing_ + weight_of_reauth_ + weight_of_athlete_ + 4 * weight_of_end_);
        if (narrow_ && chance(40))
            return heir_or_predecessor();
        if ((dice -= weight_of_reauth_) <= 0)
            return any_reauth();
        if ((dice -= weight_of_passing_) <= 0)
            return body(user_id);
        if ((dice -= weight_of_athlete_) <= 0)
            return athlete(user_id, said(accounts_, user_id));
        if ((dice -= 4 * weight_of_end_) <= 0)
            return between(0, 2) == 0   ? auth_error(user_id)
                   : between(0, 1) == 0 ? access_revoked(user_id)
                                        : deauth(user_id);
        if (dice <= 4)
            return auth(user_id);
        return dice == 5 ? permission_change(user_id) : connection_error(user_id);
    }

    Delivery any_correction() {
        const std::string user_id = one_of(user_ids_), other = one_of(user_ids_);
        const int dice = between(1, 10);
        if (dice <= 2 || user_id == other)
            return correction(user_id, dice == 1 ? "ended" : "active");
        return correction(user_id, dice <= 4 ? "not_same_person_as" : "same_person_as", other);
    }

    Delivery any_import() {
        const std::string user_id = one_of(user_ids_);
        const int dice = between(1, 10);
        if (dice <= 6)
            return import(user_id);
        return import_state(user_id, one_of<std::string>({"active", "deauth", "user_reauth", "access_revoked", "new"}));
    }

    Delivery delivery() {
        if (chance(corrections_)) {
            told_ = any_correction().received(between(1, seconds_));
            return *told_;
        }
        const bool is_import = chance(imports_);
        Delivery result = is_import ? any_import() : undescribed();
        for (const char* user : {"user", "new_user", "old_user"})
            if (result.payload.contains(user) && result.payload[user].is_object())
                describe(result.payload[user]);
        if (result.payload.contains("old_user") && result.payload["old_user"].is_object() && chance(transfers_))
            transfer(result.payload);
        const int time = between(1, seconds_);
        told_ = chance(60) && !is_import ? result.at(time) : result.received(time);
        return *told_;
    }

    std::mt19937_64 random_;
    Names user_ids_, providers_, references_, accounts_;
    int seconds_ = 1;
    bool settled_ = false; ///< attributes of a connection mostly stay the same
    bool narrow_ = false;  ///< reauths mostly lead to one connection
    int chained_ = 0;      ///< percentage of the reauths that are between neighbours in the chain of all connections
    int transfers_ = 0;    ///< percentage of the reauths that are between two end users, or do not name one of them
    int dated_ = 0;        ///< percentage of the user objects that have a created_at
    int corrections_ = 0;  ///< percentage of the events that are corrections
    int imports_ = 0;      ///< percentage of the others that are imports
    int weight_of_passing_ = 0, weight_of_reauth_ = 0, weight_of_athlete_ = 0, weight_of_end_ = 0;
    std::vector<std::pair<std::string, std::string>> pairs_; ///< the pairs of user_ids of all reauths
    std::optional<Delivery> told_;
};

/// Applies the change to the history if it then still fails.
template <class Change>
bool try_change(History& history, const std::function<bool(const History&)>& fails, const Change& change) {
    History changed = history;
    change(changed);
    if (!fails(changed))
        return false;
    history = std::move(changed);
    return true;
}

bool shrink_once(History& history, const std::function<bool(const History&)>& fails) {
    for (std::size_t i = 0; i < history.size(); ++i)
        if (try_change(history, fails, [&](History& h) { h.erase(h.begin() + static_cast<std::ptrdiff_t>(i)); }))
            return true;
    for (std::size_t i = 0; i < history.size(); ++i) {
        if (history[i].size() < 2)
            continue;
        for (std::size_t j = 0; j < history[i].size(); ++j)
            if (try_change(history, fails,
                           [&](History& h) { h[i].erase(h[i].begin() + static_cast<std::ptrdiff_t>(j)); }))
                return true;
        for (std::size_t j = 1; j < history[i].size(); ++j)
            if (try_change(history, fails, [&](History& h) {
                    const auto split = h[i].begin() + static_cast<std::ptrdiff_t>(j);
                    std::vector<Delivery> rest(split, h[i].end());
                    h[i].erase(split, h[i].end());
                    h.insert(h.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::move(rest));
                }))
                return true;
    }
    return false;
}

} // namespace

History random_history(std::uint64_t seed) { return Histories(seed).tell(); }

History shrunk(History history, const std::function<bool(const History&)>& fails) {
    while (shrink_once(history, fails)) {
    }
    return history;
}

std::string to_text(const History& history) {
    std::string result;
    int number = 1;
    for (const std::vector<Delivery>& batch : history) {
        result += "batch " + std::to_string(number++) + ":\n";
        for (const Delivery& delivery : batch)
            result += "  received " + format_iso8601(delivery.received_at) + " " + delivery.headers.dump() + " " +
                      delivery.payload.dump() + (delivery.is_entered ? " entered\n" : "\n");
    }
    return result;
}

std::uint64_t number_in(const char* variable, std::uint64_t fallback) {
    const char* number = std::getenv(variable);
    return number != nullptr ? std::strtoull(number, nullptr, 10) : fallback;
}

std::uint64_t first_seed() { return number_in("TEST_SEED", 1); }

std::uint64_t histories(std::uint64_t fallback) { return number_in("TEST_HISTORIES", fallback); }

} // namespace terra_identity::test
