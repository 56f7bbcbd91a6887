// Memory that runs out: every allocation that the core makes fails in turn, alone and with all that follow. The work
// then throws std::bad_alloc, or does without and comes to the same; nothing leaks, nothing is called twice, and done
// again it comes to what it came to before. TEST_ALLOCATIONS=1 tries each of them, not every few of those of long work.
#include "history.h"
#include "memory_source.h"
#include "scenarios.h"

#include "core/changes.h"
#include "core/collisions.h"
#include "core/differences.h"
#include "core/disconnects.h"
#include "core/envelope.h"
#include "core/explanation.h"
#include "core/explanation_graph.h"
#include "core/import.h"
#include "core/minimal_payload.h"
#include "core/named_ids.h"
#include "core/needless.h"
#include "core/reference_history.h"
#include "core/renaming.h"
#include "core/signature.h"
#include "core/user_list.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {

std::size_t allocations = 0; // since they were last counted
std::size_t fail_from = 0;   // the first that fails; 0: none does
std::size_t fail_to = 0;     // the last
std::size_t failed = 0;
std::ptrdiff_t alive = 0;

void* allocate(std::size_t size, std::size_t alignment) noexcept {
    ++allocations;
    if (allocations >= fail_from && allocations <= fail_to) {
        ++failed;
        return nullptr;
    }
    void* const result = alignment == 0 ? std::malloc(size)
                                        : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    alive += result != nullptr ? 1 : 0;
    return result;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment = 0) {
    void* const result = allocate(size == 0 ? 1 : size, alignment);
    if (result == nullptr)
        throw std::bad_alloc();
    return result;
}

void release(void* memory) noexcept {
    alive -= memory != nullptr ? 1 : 0;
    std::free(memory);
}

} // namespace

// In all of this program; the other forms of the standard library call these.
void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size == 0 ? 1 : size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace terra_identity::test {
namespace {

/// While there is one of these, the n-th allocation fails, or that and all that follow.
class Failing {
public:
    Failing(std::size_t n, bool for_good) {
        allocations = failed = 0;
        fail_from = n;
        fail_to = for_good ? SIZE_MAX : n;
    }
    ~Failing() { fail_from = fail_to = 0; }
    Failing(const Failing&) = delete;
    Failing& operator=(const Failing&) = delete;
};

/// What is done, and what it comes to. It changes nothing that is there before.
using Work = std::function<std::string()>;

struct Tried {
    std::size_t works = 0, failures = 0, thrown = 0;
};

std::size_t allocations_of(const Work& work) {
    const Failing none(0, false);
    work();
    return allocations;
}

/// @param most how many of its allocations are tried, spread over all
void let_fail(const Work& work, std::size_t most, Tried& tried) {
    if (std::getenv("TEST_ALLOCATIONS") != nullptr)
        most = SIZE_MAX;
    const std::string wanted = work(); // which also makes what is made once
    const std::size_t all = allocations_of(work);
    ++tried.works;
    for (const bool for_good : {false, true})
        for (std::size_t n = 1; n <= all; n += all / most + 1) {
            const std::ptrdiff_t before = alive;
            bool thrown = false;
            {
                std::string got;
                {
                    const Failing failing(n, for_good);
                    try {
                        got = work();
                    } catch (const std::bad_alloc&) {
                        thrown = true;
                    }
                }
                ASSERT_TRUE(thrown || got == wanted) << "allocation " << n << " of " << all << ": " << got;
            }
            ASSERT_GT(failed, 0u);
            ASSERT_EQ(alive, before) << "allocation " << n << " of " << all << " left something behind";
            ++tried.failures;
            tried.thrown += thrown ? 1 : 0;
        }
    EXPECT_EQ(work(), wanted);
}

std::string told(const Derived& derived) {
    std::string result;
    for (const Node& node : derived.nodes)
        result += node.now.user_id + " " + std::string(to_string(node.now.status)) + " " +
                  std::to_string(node.now.lineage_id) + " " + node.now.successor_user_id.value_or("") + " " +
                  node.now.provider_user_id.value_or("") + (node.now.duplicate ? " duplicate\n" : "\n");
    for (const Reauth& reauth : derived.new_reauths)
        result += reauth.old_user_id + " -> " + reauth.new_user_id + "\n";
    for (const auto& [from, to] : derived.moved_lineages)
        result += std::to_string(from) + " -> " + std::to_string(to) + "\n";
    return result;
}

std::string told(const std::vector<Change>& changes) {
    std::string result;
    for (const Change& change : changes)
        result += change.kind + " " + change.user_id + " " + change.detail.dump() + "\n";
    return result;
}

std::string told(const Disconnects& disconnects) {
    std::string result(disconnects.why_not);
    for (const std::string& user_id : disconnects.user_ids)
        result += " " + user_id;
    return result;
}

/// The scenarios, and histories in which everything happens at once.
std::vector<std::vector<Delivery>> stories() {
    std::vector<std::vector<Delivery>> result;
    for (const Scenario& scenario : all_scenarios())
        result.push_back(scenario.deliveries);
    for (std::uint64_t seed = first_seed(); seed < first_seed() + 10; ++seed) {
        std::vector<Delivery>& all = result.emplace_back();
        for (const auto& batch : random_history(seed))
            all.insert(all.end(), batch.begin(), batch.end());
    }
    return result;
}

constexpr AccountPolicy policies[] = {AccountPolicy::keep, AccountPolicy::replace};

/// What stories have come to but for their last third, which is the news.
struct Half {
    Half(const std::vector<Delivery>& story, AccountPolicy policy) : world(rules_under(policy)) {
        const std::vector<Event> events = read_all(story);
        const auto middle = events.begin() + static_cast<std::ptrdiff_t>(events.size() * 2 / 3);
        world.insert({events.begin(), middle});
        news.assign(middle, events.end());
    }

    World world;
    std::vector<Event> news;
};

void report(const char* what, const Tried& tried) {
    testing::Test::RecordProperty("failures", static_cast<int>(tried.failures));
    EXPECT_GT(tried.failures, tried.works) << what;
    EXPECT_GT(tried.thrown, tried.failures / 2) << what;
    std::cout << what << ": " << tried.works << " works, " << tried.failures << " failing allocations, " << tried.thrown
              << " std::bad_alloc\n";
}

TEST(AllocationsTest, OfReading) {
    Tried tried;
    for (const auto& story : stories())
        for (const Delivery& delivery : story)
            let_fail(
                [&] {
                    const Event event = read(delivery);
                    std::string result = event.type + event.problem;
                    for (const Contribution& contribution : contributions_of(event))
                        result += " " + contribution.user_id + (contribution.facts.live ? " live" : "");
                    return result;
                },
                10, tried);
    report("reading", tried);
}

TEST(AllocationsTest, OfEnvelopesAndLeastPayloads) {
    Tried tried;
    Renaming names;
    names.user_ids = {{"a", "!forgotten:1"}};
    names.reference_ids = {{"anna", "!forgotten:2"}};
    for (const auto& story : stories()) {
        const Delivery& delivery = story.back();
        const Event event = read(delivery);
        let_fail([&] { return envelope_of(NlohmannView(delivery.payload)); }, 10, tried);
        let_fail(
            [&] {
                NamedIds named = named_ids(NlohmannView(delivery.payload));
                add_ids_within(NlohmannView(delivery.payload), named);
                return named.user_ids.empty() ? std::string() : named.user_ids.back();
            },
            10, tried);
        if (event.kind != EventKind::nothing)
            let_fail([&] { return minimal_payload(names.renamed(event, true)).dump() + minimal_headers(event).dump(); },
                     30, tried);
    }
    report("envelopes and least payloads", tried);
}

TEST(AllocationsTest, OfDerivations) {
    Tried tried;
    for (const auto& story : stories())
        for (const AccountPolicy policy : policies) {
            Half half(story, policy);
            let_fail(
                [&] {
                    MemoryStore store = half.world.store();
                    const Derived derived = derive(store, half.world.rules(), half.news);
                    return told(derived) + told(changes_of(derived));
                },
                60, tried);
            EXPECT_EQ(half.world.faults(), "");
        }
    report("derivations", tried);
}

TEST(AllocationsTest, OfDerivationsOfEverything) {
    Tried tried;
    for (const auto& story : stories())
        for (const AccountPolicy policy : policies) {
            Half half(story, policy);
            const std::vector<Connection> right = half.world.store().all();
            const std::vector<Reauth> reauths(half.world.store().stored_reauths().begin(),
                                              half.world.store().stored_reauths().end());
            half.world.spoil();
            std::vector<Event> ledger = half.world.ledger();
            ledger.insert(ledger.end(), half.news.begin(), half.news.end());
            let_fail(
                [&] {
                    std::int64_t id = 1000;
                    const Derived derived = derive_everything(
                        half.world.rules(), fold_of(ledger), half.world.store().all(), reauths, [&id] { return ++id; });
                    std::string result;
                    for (const Difference& difference : differences_of(derived))
                        result += difference.user_id + " " + difference.column + "\n";
                    return result + told(derive_everything(half.world.rules(), right, reauths));
                },
                40, tried);
        }
    report("derivations of everything", tried);
}

TEST(AllocationsTest, OfExplanations) {
    Tried tried;
    for (const auto& story : stories()) {
        World world(rules_under(AccountPolicy::keep));
        world.insert(read_all(story));
        if (world.store().stored().empty())
            continue;
        const std::string user_id = world.store().stored().begin()->first;
        MemorySource source(world);
        let_fail(
            [&] {
                std::string result;
                for (const Reason& reason : explain(source, "default", user_id))
                    result += reason.sentence + "\n";
                return result;
            },
            40, tried);
        let_fail([&] { return explanation_graph(source, "default", user_id); }, 40, tried);
        let_fail(
            [&] {
                ReferenceHistory history(user_id);
                for (const Event& event : world.ledger())
                    history.add(event);
                std::string result;
                for (const ReferencePeriod& period :
                     history.periods(world.store().stored().begin()->second.facts.reference_id))
                    result += period.reference_id + "\n";
                return result;
            },
            20, tried);
    }
    report("explanations", tried);
}

TEST(AllocationsTest, OfDisconnectsAndWhatIsForetold) {
    Tried tried;
    for (const auto& story : stories()) {
        World world(rules_under(AccountPolicy::keep));
        world.insert(read_all(story));
        const std::vector<Connection> all = world.store().all();
        const Connection next = newcomer(world.rules(), "OURA", "x", "anna");
        for (const OnDuplicate choice : {OnDuplicate::disconnect_older, OnDuplicate::disconnect_newer})
            let_fail(
                [&] {
                    const Disconnects disconnects = disconnects_of(choice, false, all);
                    std::string result = told(disconnects) + told(disconnects_after(choice, false, next, all));
                    for (const Connection& present : all)
                        result += collision(next, present, false, disconnects).sentence;
                    return result + no_collision(next).sentence;
                },
                20, tried);
    }
    report("disconnects and what is foretold", tried);
}

TEST(AllocationsTest, OfNeedlessEvents) {
    Tried tried;
    std::vector<Event> events;
    for (int i = 0; i < 10; ++i)
        events.push_back(read(body("a").reference(i % 3 == 0 ? "anna" : "bert").at(i)));
    let_fail(
        [&] {
            NeedlessEvents decide;
            std::string result;
            for (std::size_t i = 0; i < events.size(); ++i)
                for (const std::int64_t event_id : decide.add(static_cast<std::int64_t>(i), events[i], i % 3 == 0))
                    result += std::to_string(event_id) + " ";
            return result;
        },
        SIZE_MAX - 1, tried);
    report("needless events", tried);
}

TEST(AllocationsTest, OfListsOfUsersAndSignatures) {
    Tried tried;
    const nlohmann::json list = nlohmann::json::parse(R"([{"data": {"next": 2, "max_page": 2, "results": [
        {"user_id": "a", "provider": "GARMIN", "reference_id": "a person whose name is longer than any short string"},
        {"user_id": "b", "state": "deauth"}]}}, {"user": {"user_id": "c"}, "is_authenticated": false}])");
    let_fail(
        [&] {
            const UserList users{NlohmannView(list)};
            std::string result = users.gap();
            for (const auto& user : users.users()) {
                const EventReader<NlohmannView> reader(user.user, epoch);
                const Event event = EventReader<NlohmannView>(reader).read_listed(user.user, user.is_authenticated);
                result += import_trace_id(event) + event.problem + "\n";
            }
            return result;
        },
        SIZE_MAX - 1, tried);
    const std::vector<std::string> headers{"t=1767225600,v1=" + std::string(64, 'a') + ",v1=" + std::string(64, 'b'),
                                           "nonsense", "t=1767225600,v0=no,v1=" + std::string(64, '0')};
    let_fail(
        [&] {
            Signature good;
            const SignatureRules rules{.secrets = {"one secret", "another secret, a longer one"},
                                       .tolerance = micros_per_day,
                                       .at = 1'767'225'600 * micros_per_second};
            const Verdict verdict = verify_signatures(
                headers, rules,
                [](std::string_view secret, std::string_view) {
                    Digest digest{};
                    digest.fill(secret.size() > 20 ? 0 : 1);
                    return digest;
                },
                &good);
            return std::string(to_string(verdict)) + good.timestamp;
        },
        SIZE_MAX - 1, tried);
    report("lists of users and signatures", tried);
}

} // namespace
} // namespace terra_identity::test
