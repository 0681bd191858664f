// A large tree whose actors crash at random under load, for TROUPE_SOAK_SECONDS (3): no message is delivered
// twice or out of order, no accepted message vanishes, and no actor or memory is left at the end.
#include "support/catch.hpp"
#include "support/foreigners.hpp"
#include "support/sanitized.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/inspect.hpp>
#include <troupe/actors/testkit.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using troupe::send_result;

namespace {

constexpr unsigned leaves = troupe_test::sanitized ? 10 : 100;
// 1 top, 5 regions, 20 zones, 100 blocks, 10 000 leaves.
constexpr unsigned regions = 5;
constexpr unsigned zones = 4;
constexpr unsigned blocks = 5;
constexpr unsigned all_leaves = regions * zones * blocks * leaves;
constexpr unsigned senders = 2;

struct numbered {
  unsigned sender;
  std::uint64_t number;
};
struct crash {};

/// The messages that all incarnations of one leaf have seen: one lives after another, so it needs no lock.
struct ledger {
  std::array<std::uint64_t, senders> last{};
  std::uint64_t handled = 0;
  std::uint64_t wrong = 0;  // not greater than the last from that sender
};

std::atomic<int> alive{0};

struct leaf {
  using accepts = troupe::protocol<numbered, crash>;
  explicit leaf(ledger* l) : book(l) { ++alive; }
  leaf(const leaf&) = delete;
  leaf& operator=(const leaf&) = delete;
  ~leaf() { --alive; }

  void handle(numbered m) {
    ++book->handled;
    if (m.number <= book->last[m.sender]) ++book->wrong;
    book->last[m.sender] = m.number;
  }
  void handle(crash) { throw std::runtime_error("crashed by the soak test"); }
  ledger* book;
};
using leaf_ref = troupe::ref<numbered, crash>;

/// A tree with all strategies. Most budgets are never used up; every tenth block's is, now and then, and so
/// is that of the first zone, which owns one of these.
troupe::supervisor make_tree(std::vector<ledger>& books, std::vector<std::string>& paths) {
  constexpr troupe::restart_budget ample{.max = 100'000, .within = 1s};
  constexpr std::array strategies{troupe::one_for_one, troupe::rest_for_one, troupe::one_for_one,
                                  troupe::one_for_all};
  unsigned block_number = 0;
  auto top = troupe::supervisor("soak", {.restarts = ample});
  for (unsigned r = 0; r < regions; ++r) {
    auto region = troupe::supervisor(std::to_string(r), {.restarts = ample});
    for (unsigned z = 0; z < zones; ++z) {
      const bool first = r == 0 && z == 0;
      auto zone = troupe::supervisor(
          std::to_string(z), {.strategy = strategies[z],
                              .restarts = first ? troupe::restart_budget{.max = 3, .within = 2s} : ample});
      for (unsigned b = 0; b < blocks; ++b, ++block_number) {
        const bool fragile = block_number % 10 == 0;
        auto block = troupe::supervisor(
            std::to_string(b),
            {.strategy = strategies[block_number % strategies.size()],
             .restarts = fragile ? troupe::restart_budget{.max = 10, .within = 1s} : ample});
        for (unsigned l = 0; l < leaves; ++l) {
          std::move(block).child<leaf>(std::to_string(l), {.mailbox = {.capacity = 64}},
                                       &books[paths.size()]);
          paths.push_back("/soak/" + std::to_string(r) + "/" + std::to_string(z) + "/" + std::to_string(b) +
                          "/" + std::to_string(l));
        }
        std::move(zone).child(std::move(block));
      }
      std::move(region).child(std::move(zone));
    }
    std::move(top).child(std::move(region));
  }
  return top;
}

/// The tree as one thread addresses it: addresses change where a supervisor gave up.
struct addresses {
  template <class M>
  bool tell(unsigned i, M m) {
    switch (refs[i].tell(std::move(m))) {
      case send_result::ok:
        return true;
      case send_result::closed:
        // During a restart the actor is not there: the next call asks again.
        if (auto found = sys->at<numbered, crash>((*paths)[i])) refs[i] = std::move(*found);
        return false;
      default:
        return false;
    }
  }
  troupe::system* sys;
  const std::vector<std::string>* paths;
  std::vector<leaf_ref> refs;
};

std::chrono::seconds soak_time() {
  const char* const wanted = std::getenv("TROUPE_SOAK_SECONDS");
  return std::chrono::seconds(wanted == nullptr ? 3 : std::max(1, std::atoi(wanted)));
}

/// Counts how often supervisors gave up.
struct give_ups final : troupe::log_sink {
  void write(troupe::log_level /*level*/, std::string_view line) noexcept override {
    if (line.find(": gives up: ") != std::string_view::npos) ++count;
  }
  std::atomic<std::uint64_t> count{0};
};

/// Threads that tell all leaves numbered messages, and one that crashes and kills leaves, until finish().
class load {
 public:
  load(troupe::system& sys, const std::vector<std::string>& paths) : sys_(sys), paths_(paths) {
    for (const std::string& path : paths) refs_.push_back(sys.at<numbered, crash>(path).value());
    for (unsigned s = 0; s < senders; ++s) threads_.emplace_back([this, s] { send(s); });
    threads_.emplace_back([this] { crash_some(); });
  }
  ~load() { finish(); }
  load(const load&) = delete;
  load& operator=(const load&) = delete;

  void finish() {
    over_ = true;
    for (std::thread& t : threads_) t.join();
    threads_.clear();
  }
  /// Messages that a mailbox accepted, and those of them that crash. After finish().
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  [[nodiscard]] std::uint64_t crashes() const { return crashes_; }

 private:
  void send(unsigned s) {
    addresses to{&sys_, &paths_, refs_};
    std::mt19937_64 random(s + 1);
    std::uint64_t sent = 0;
    std::uint64_t number = 0;
    while (!over_) {
      for (int i = 0; i < 256; ++i)
        if (to.tell(static_cast<unsigned>(random() % all_leaves), numbered{s, ++number})) ++sent;
      std::this_thread::sleep_for(200us);
    }
    accepted_ += sent;
  }
  void crash_some() {
    addresses to{&sys_, &paths_, refs_};
    std::mt19937_64 random(99);
    std::uint64_t crashes = 0;
    while (!over_) {
      const auto victim = static_cast<unsigned>(random() % all_leaves);
      if (random() % 16 == 0) {
        sys_.kill(to.refs[victim]);
      } else if (to.tell(victim, crash{})) {
        ++crashes;
      }
      std::this_thread::sleep_for(200us);
    }
    crashes_ += crashes;
    accepted_ += crashes;
  }

  troupe::system& sys_;
  const std::vector<std::string>& paths_;
  std::vector<leaf_ref> refs_;
  std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> crashes_{0};
  std::vector<std::thread> threads_;
};

/// With other threads that spawn, watch, register and inspect in the same system meanwhile, or without.
void soak(unsigned visiting_threads) {
  std::vector<ledger> books(all_leaves);
  std::vector<std::string> paths;
  give_ups log;
  const troupe::testkit::leak_guard memory;
  {
    troupe::system sys({.workers = 2, .shutdown = 10s, .long_handler = 1s, .log = &log});
    const std::uint64_t uncounted = sys.inspect().count() - sys.counters().spawned;  // the root
    const auto tree = make_tree(books, paths);
    const auto top = sys.start(tree);
    REQUIRE(top);
    REQUIRE(alive == static_cast<int>(all_leaves));

    load traffic(sys, paths);
    troupe_test::foreigners visitors(sys, 1, visiting_threads);
    std::this_thread::sleep_for(soak_time());
    CHECK(visitors.leave() == std::vector<std::string>{});
    traffic.finish();
    const std::uint64_t accepted = traffic.accepted();

    const bool ran_until_the_end = !top->ended();
    const auto start = std::chrono::steady_clock::now();
    const bool stopped = sys.shutdown().has_value();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    std::uint64_t handled = 0;
    std::uint64_t wrong = 0;
    for (const ledger& l : books) {
      handled += l.handled;
      wrong += l.wrong;
    }
    const troupe::runtime_counters counted = sys.counters();
    std::printf(
        "supervision soak: %llu messages accepted, %llu handled, %llu dead letters, %llu crashes, %llu "
        "restarts, "
        "%llu supervisors gave up, %llu actors, of them %u visitors, stopped in %.0f ms\n",
        static_cast<unsigned long long>(accepted), static_cast<unsigned long long>(handled),
        static_cast<unsigned long long>(counted.dead_letters),
        static_cast<unsigned long long>(counted.crashes), static_cast<unsigned long long>(counted.restarts),
        static_cast<unsigned long long>(log.count), static_cast<unsigned long long>(counted.spawned),
        visitors.visits(), took.count());
    if (!stopped) std::printf("%s", troupe::to_text(sys.inspect(), 5).c_str());
    CHECK(ran_until_the_end);
    CHECK(stopped);
    CHECK(counted.wedged == 0);
    CHECK(wrong == 0);
    CHECK(handled > 0);
    CHECK(handled + counted.dead_letters == accepted);
    CHECK(traffic.crashes() > 0);
    CHECK(counted.restarts > 0);
    CHECK(log.count > 0);
    CHECK(counted.spawned > all_leaves);
    CHECK(counted.ended == counted.spawned + uncounted);
    CHECK(alive == 0);
  }
  memory.verify();
}

}  // namespace

TEST_CASE(
    "supervision soak: a tree of 10 000 whose actors crash under load loses only the messages that crashed") {
  soak(0);
}

TEST_CASE("supervision soak: the same while other threads spawn, watch, register names and inspect") {
  soak(2);
}
