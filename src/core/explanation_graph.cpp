#include "core/explanation_graph.h"

#include "core/wording.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace terra_identity {
namespace {

/// How many connections are asked for of each status of the lineage, and beside it.
constexpr std::size_t most_of_lineage = 200;
constexpr std::size_t most_beside = 20;

/// GitHub draws at most 50,000 characters and 500 arrows.
constexpr std::size_t most_node_characters = 30'000;
constexpr std::size_t most_edge_characters = 18'000;
constexpr std::size_t most_edges = 450;

/// A line of a label after the first. Mermaid would break longer lines itself, where they look worse.
std::string next_line(const std::string& text) { return "<br/>" + text; }

/// An id longer than this is cut in the middle.
constexpr std::size_t most_shown = 40;

/// A text within a label: ids as in sentences, and every character that Mermaid or HTML gives a meaning as the number
/// of the character.
std::string label(std::string_view text) {
    std::string result;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' ||
                           c == '.' || c == ',' || c == ':' || (static_cast<unsigned char>(c) & 0x80) != 0;
        if (plain)
            result += c;
        else if (c == '-')
            result += "-";
        else
            result += "#" + std::to_string(static_cast<unsigned char>(c)) + ";";
    }
    return result;
}

/// The id in quotes; one that is too long without its middle.
std::string short_id(const std::string& id) {
    const std::string text = escaped(id);
    if (text.size() <= most_shown)
        return "\"" + text + "\"";
    const auto is_inside = [&](std::size_t i) { return (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80; };
    std::size_t head = most_shown / 2, tail = text.size() - most_shown / 2;
    while (head > 0 && is_inside(head))
        --head;
    while (tail < text.size() && is_inside(tail))
        ++tail;
    return "\"" + text.substr(0, head) + "..." + text.substr(tail) + "\"";
}

std::string short_word(const std::string& name) { return word(name) == name ? name : short_id(name); }

/// Minutes are enough for a picture: "2026-03-01 08:00".
std::string minute(Micros time) {
    const std::string text = utc(time);
    return text.substr(0, std::min<std::size_t>(text.size(), 16));
}

class Graph {
public:
    Graph(ExplanationSource& source, Connection asked) : source_(source), asked_(std::move(asked)) {}

    std::string draw() {
        collect();
        place();
        for (const Connection* const connection : drawn_)
            add_edges(*connection);
        return text();
    }

private:
    /// Finds what the picture shows: what was asked for first, then what is newest.
    void collect() {
        consider(asked_);
        std::vector<Connection> beside;
        if (const auto account = asked_.account()) {
            SomeConnections active = source_.active_on(*account, most_beside);
            on_account_ = active.count;
            beside = std::move(active.newest);
        }
        for (Connection& one : source_.taken_over_by(asked_.user_id, most_beside))
            beside.push_back(std::move(one));
        std::vector<std::string> ends;
        if (asked_.successor_user_id)
            ends.push_back(*asked_.successor_user_id);
        for (const Reauth& reauth : source_.reauths_from(asked_.user_id))
            if (ends.size() < most_beside)
                ends.push_back(reauth.new_user_id);
        for (const Reauth& reauth : source_.reauths_to(asked_.user_id))
            if (ends.size() < 2 * most_beside)
                ends.push_back(reauth.old_user_id);
        for (Connection& one : source_.connections(ends))
            beside.push_back(std::move(one));
        for (const Connection& one : beside)
            consider(one);
        const SomeConnections lineage = source_.lineage(asked_.lineage_id, most_of_lineage);
        for (const Connection& one : lineage.newest)
            consider(one);
        // A transfer leads out of the lineage: what took the place of its members is shown, too.
        std::vector<std::string> successors;
        for (const Connection& one : lineage.newest)
            if (successors.size() < most_beside && one.successor_user_id && !known_.contains(*one.successor_user_id))
                successors.push_back(*one.successor_user_id);
        for (const Connection& one : source_.connections(successors))
            consider(one);
        in_lineage_ = lineage.count;
    }

    void consider(const Connection& connection) {
        if (known_.insert(connection.user_id).second)
            found_.push_back(connection);
    }

    /// Decides which connections fit, and gives each a name in the picture: n1, n2, ...
    void place() {
        std::set<std::optional<std::string>> people;
        std::size_t size = 0;
        for (const Connection& connection : found_) {
            std::string node = label_of(connection);
            size += node.size() + 60; // with its name, and its class
            if (people.insert(connection.reference_id()).second)
                size += person_label(connection.reference_id()).size() + 40;
            if (const auto account = connection.account(); account && shows_account(connection))
                size += account_label(*account).size() + 30;
            if (size > most_node_characters)
                break;
            names_.emplace(connection.user_id, "n" + std::to_string(names_.size() + 1));
            labels_.push_back(std::move(node));
            drawn_.push_back(&connection);
        }
        std::int64_t of_lineage = 0, on_account = 0;
        for (const Connection* const connection : drawn_) {
            of_lineage += connection->lineage_id == asked_.lineage_id ? 1 : 0;
            on_account += connection->status == Status::active && connection->account() == asked_.account() ? 1 : 0;
        }
        left_out_ = std::max<std::int64_t>(0, in_lineage_ - of_lineage);
        others_left_out_ = std::max<std::int64_t>(0, on_account_ - on_account);
    }

    bool shows_account(const Connection& connection) const {
        return connection.status == Status::active || connection.user_id == asked_.user_id;
    }

    static std::string person_label(const std::optional<std::string>& reference_id) {
        return label(reference_id ? "end user " + short_id(*reference_id) : "unknown end user");
    }

    static std::string account_label(const Account& account) {
        return label(short_word(account.provider) + " account " + short_id(account.provider_user_id));
    }

    static std::string label_of(const Connection& connection) {
        const Micros since = connection.ended_at.value_or(connection.connected_at);
        return label(short_id(connection.user_id)) + next_line(label(to_string(connection.status))) +
               next_line(label("since " + minute(since)));
    }

    void add_edges(const Connection& connection) {
        const std::string& from = names_.at(connection.user_id);
        std::set<std::string> told;
        for (const Reauth& reauth : source_.reauths_from(connection.user_id)) {
            const bool counts =
                connection.status == Status::replaced && connection.successor_user_id == reauth.new_user_id;
            std::string text = "replaced";
            if (counts)
                text += next_line(label(minute(*connection.ended_at)));
            if (reauth.transfer)
                text += next_line("transferred");
            add_edge(from, "-->", reauth.new_user_id, text);
            told.insert(reauth.new_user_id);
        }
        if (connection.successor_user_id && connection.status == Status::superseded)
            add_edge(from, "-.->", *connection.successor_user_id,
                     "superseded" + next_line(label(minute(*connection.ended_at))));
        else if (connection.successor_user_id && !told.contains(*connection.successor_user_id))
            add_edge(from, "-->", *connection.successor_user_id, "replaced");
        if (const Connection* const same = same_person(connection))
            add_edge(from, "---", same->user_id, "corrected:" + next_line("same person"));
        const auto account = connection.account();
        if (account && shows_account(connection)) {
            const auto [place, is_new] = accounts_.emplace(*account, "a" + std::to_string(accounts_.size() + 1));
            add_edge(from + " --- " + place->second);
        }
    }

    /// The connection in the picture to which a correction links this one.
    const Connection* same_person(const Connection& connection) const {
        const std::string* const named = connection.facts.same_person();
        const auto found = std::find_if(drawn_.begin(), drawn_.end(), [&](const Connection* other) {
            return named != nullptr && other->user_id == *named && may_be_same_person(connection, *other);
        });
        return found == drawn_.end() ? nullptr : *found;
    }

    void add_edge(const std::string& from, std::string_view arrow, const std::string& to, const std::string& text) {
        if (const auto end = names_.find(to); end != names_.end())
            add_edge(from + " " + std::string(arrow) + "|\"" + text + "\"| " + end->second);
    }

    void add_edge(std::string edge) {
        edge_characters_ += edge.size() + 5;
        if (edges_.size() < most_edges && edge_characters_ < most_edge_characters)
            edges_.push_back(std::move(edge));
    }

    std::string text() const {
        std::string result = "flowchart LR\n";
        std::map<std::optional<std::string>, std::vector<std::size_t>> people;
        for (std::size_t i = 0; i < drawn_.size(); ++i)
            people[drawn_[i]->reference_id()].push_back(i);
        std::size_t number = 0;
        for (const auto& [reference_id, members] : people) {
            result += "    subgraph p" + std::to_string(++number) + "[\"" + person_label(reference_id) + "\"]\n";
            for (const std::size_t i : members)
                result += "        n" + std::to_string(i + 1) + "[\"" + labels_[i] + "\"]\n";
            result += "    end\n";
        }
        for (const auto& [account, name] : accounts_)
            result += "    " + name + "([\"" + account_label(account) + "\"])\n";
        for (const std::string& edge : edges_)
            result += "    " + edge + "\n";
        const auto add_left_out = [&](std::string_view name, std::int64_t count, std::int64_t of,
                                      std::string_view what) {
            if (count > 0)
                result += "    " + std::string(name) + "[\"" + std::to_string(count) +
                          (of >= SomeConnections::most_counted ? " or more " : " ") + std::string(what) +
                          " are left out\"]\n";
        };
        add_left_out("older", left_out_, in_lineage_, "older connections of the lineage");
        add_left_out("others", others_left_out_, on_account_, "older connections on the account");
        result += "    classDef active stroke:#2da44e,stroke-width:3px\n"
                  "    classDef asked stroke-dasharray:6 3\n";
        std::string active;
        for (const Connection* const connection : drawn_)
            if (connection->status == Status::active)
                active += (active.empty() ? "" : ",") + names_.at(connection->user_id);
        if (!active.empty())
            result += "    class " + active + " active\n";
        return result + "    class n1 asked\n";
    }

    ExplanationSource& source_;
    const Connection asked_;
    std::vector<Connection> found_;
    std::set<std::string> known_;
    std::int64_t in_lineage_ = 0;              ///< connections
    std::int64_t on_account_ = 0;              ///< active connections
    std::int64_t left_out_ = 0;                ///< of the lineage
    std::int64_t others_left_out_ = 0;         ///< of the account
    std::vector<const Connection*> drawn_;     ///< n1, n2, ...
    std::vector<std::string> labels_;          ///< of the same
    std::map<std::string, std::string> names_; ///< in the picture, by user_id
    std::map<Account, std::string> accounts_;  ///< and their names in the picture
    std::vector<std::string> edges_;
    std::size_t edge_characters_ = 0;
};

} // namespace

std::string explanation_graph(ExplanationSource& source, const std::string& dev_id, const std::string& user_id) {
    std::vector<Connection> found = source.connections({user_id});
    if (found.empty())
        return "flowchart LR\n    n1[\"" +
               label("No webhook that names " + short_id(user_id) + " has come to environment " + short_id(dev_id)) +
               "\"]\n";
    return Graph(source, std::move(found.front())).draw();
}

} // namespace terra_identity
