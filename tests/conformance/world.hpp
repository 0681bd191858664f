// Where a conformance test runs. Each rule is written once, against a world, and holds in four of them: on
// the simulated runtime under many seeds, there again with every mailbox at capacity 1, on two real workers,
// and there again while other threads use the system.
#pragma once

#include "support/catch.hpp"
#include "support/foreigners.hpp"
#include "support/sanitized.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/inspect.hpp>
#include <troupe/actors/testkit.hpp>
#include <troupe/runtime/detail/mutex.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace conformance {

using namespace std::chrono_literals;
using troupe::errc;
using troupe::exit_kind;
using troupe::restart;
using troupe::send_result;
using troupe::testkit::probe;
using lines = std::vector<std::string>;

constexpr unsigned seeds = troupe_test::sanitized ? 30 : 1'000;
constexpr unsigned rounds = troupe_test::sanitized ? 3 : 5;
constexpr int crowd = troupe_test::sanitized ? 1'000 : 10'000;

/// The events that the actors have written down. Any thread.
class record {
 public:
  void put(std::string line) {
    const troupe::detail::scoped_lock guard(lock_);
    all_.push_back(std::move(line));
  }
  [[nodiscard]] lines all() const {
    const troupe::detail::scoped_lock guard(lock_);
    return all_;
  }
  [[nodiscard]] lines sorted() const {
    lines copy = all();
    std::ranges::sort(copy);
    return copy;
  }
  [[nodiscard]] std::size_t size() const {
    const troupe::detail::scoped_lock guard(lock_);
    return all_.size();
  }
  [[nodiscard]] auto count(std::string_view line) const {
    const troupe::detail::scoped_lock guard(lock_);
    return std::ranges::count(all_, line);
  }
  void clear() {
    const troupe::detail::scoped_lock guard(lock_);
    all_.clear();
  }

 private:
  mutable troupe::detail::mutex lock_;
  lines all_ TROUPE_GUARDED_BY(lock_);
};

enum class place { simulated, crowded, threads, foreigners };

/// A system in one of the four places, and the record that its actors write.
class world {
  struct live {
    troupe::testkit::log_capture log;
    troupe::system sys{troupe::system_options{.workers = 2, .name = "conformance", .log = &log}};
  };
  // The history outlives the actors that write to it.
  std::unique_ptr<record> history_ = std::make_unique<record>();
  std::unique_ptr<troupe::testkit::test_system> bench_;
  std::unique_ptr<live> live_;
  std::unique_ptr<troupe_test::foreigners> foreigners_;

  static bool is_simulated(place where) { return where == place::simulated || where == place::crowded; }

 public:
  world(place where, std::uint64_t seed)
      : bench_(!is_simulated(where)
                   ? nullptr
                   : std::make_unique<troupe::testkit::test_system>(troupe::testkit::bench_options{
                         .seed = seed, .capacity_one = where == place::crowded})),
        live_(!is_simulated(where) ? std::make_unique<live>() : nullptr),
        foreigners_(where == place::foreigners ? std::make_unique<troupe_test::foreigners>(live_->sys, seed)
                                               : nullptr),
        history(*history_),
        log(bench_ ? bench_->log : live_->log),
        sys(bench_ ? bench_->sys : live_->sys) {}

  record& history;
  troupe::testkit::log_capture& log;
  troupe::system& sys;

  [[nodiscard]] bool simulated() const noexcept { return bench_ != nullptr; }
  /// No other threads use the system: the processor works for the rule only.
  [[nodiscard]] bool alone() const noexcept { return foreigners_ == nullptr; }
  [[nodiscard]] troupe::time_point now() const noexcept { return sys.now(); }

  /// A time to wait for that is short on a real clock.
  [[nodiscard]] troupe::duration time(troupe::duration virtually) const noexcept {
    return simulated() ? virtually : troupe::duration(20ms);
  }

  /// Waits until `so()` is true: in virtual time, or by polling.
  template <class P>
  [[nodiscard]] bool eventually(P so) {
    if (!simulated()) {
      for (int i = 0; i < 30'000; ++i) {
        if (so()) return true;
        std::this_thread::sleep_for(i < 100 ? 100us : 1000us);
      }
      return so();
    }
    const std::int64_t until = (now() + 2h).time_since_epoch().count();
    for (int i = 0; i < 10'000'000; ++i) {
      if (so()) return true;
      if (bench_->time.step()) continue;
      if (so()) return true;  // so() may have run actors
      if (!troupe::testkit::detail::next_timer(sys, until)) break;
    }
    return so();
  }

  /// Runs all ready actors: exact in virtual time, which stands still; a short pause on threads.
  void settle() {
    if (simulated()) {
      bench_->run();
    } else {
      std::this_thread::sleep_for(1ms);
    }
  }
  /// Lets time pass.
  void pass(troupe::duration d) {
    if (simulated()) {
      bench_->advance(d);
    } else {
      std::this_thread::sleep_for(d);
    }
  }

  template <class A>
  auto await(A&& a) {
    return sys.block_on(std::forward<A>(a));
  }

  /// Sends without loss: again and again while the mailbox is full.
  template <class R, class M>
  void tell(const R& to, M m) {
    REQUIRE(eventually([&] { return to.tell(M(m)) == send_result::ok; }));
  }

  [[nodiscard]] troupe::supervisor_ref start(const troupe::supervisor& tree) {
    auto top = sys.start(tree);
    INFO((top ? std::string() : top.error().to_string()));
    REQUIRE(top);
    return *top;
  }

  /// The result of inspect() for the actor at a path.
  [[nodiscard]] std::optional<troupe::actor_info> look(std::string_view path) const {
    return find(sys.inspect(), path);
  }
  /// Which incarnation runs at a path, or -1.
  [[nodiscard]] int epoch(std::string_view path) const {
    const auto found = look(path);
    return found && (found->state == troupe::actor_state::running ||
                     found->state == troupe::actor_state::suspended)
               ? static_cast<int>(found->epoch)
               : -1;
  }
  /// Actors in the system, without its root, and without the actors that other threads have spawned.
  [[nodiscard]] std::size_t population() const {
    const troupe::actor_info tree = sys.inspect();
    const auto visitors = std::ranges::count_if(tree.children, [](const troupe::actor_info& c) {
      return c.name.starts_with(troupe_test::visitor_name);
    });
    return tree.count() - 1 - static_cast<std::size_t>(visitors);
  }

  /// Ends the system, from another thread while others use it, if there are others.
  [[nodiscard]] lines end() { return foreigners_ ? foreigners_->end_system() : lines(); }

  /// The ids of a supervisor's children, in order.
  [[nodiscard]] lines ids(const troupe::supervisor_ref& s) {
    lines all;
    const auto children = await(s.children());
    for (const auto& c : children.value()) all.push_back(c.id);
    return all;
  }
  /// The state of a supervisor's child, when it is known.
  [[nodiscard]] std::optional<troupe::child_state> state(const troupe::supervisor_ref& s,
                                                         std::string_view id) {
    const auto all = await(s.children());
    if (!all) return std::nullopt;
    const auto at = std::ranges::find(*all, id, &troupe::child_info::id);
    return at == all->end() ? std::nullopt : std::optional(at->state);
  }

 private:
  static std::optional<troupe::actor_info> find(const troupe::actor_info& from, std::string_view path) {
    if (from.path == path) return from;
    for (const auto& c : from.children) {
      if (auto found = find(c, path)) return found;
    }
    return std::nullopt;
  }
};

using rule = std::function<void(world&)>;

/// In virtual time, with roomy mailboxes and with the smallest.
inline void simulated(const rule& f, unsigned n = seeds) {
  const auto with = [&](place where) {
    return [&f, where](std::uint64_t seed) {
      INFO((where == place::crowded ? "every mailbox at capacity 1, seed " : "seed ") << seed);
      world w(where, seed);
      f(w);
    };
  };
  if (n == 1) {  // a crowd: however many seeds the environment asks for
    const troupe::testkit::leak_guard memory;
    with(place::simulated)(troupe::testkit::seed_or(1));
    with(place::crowded)(troupe::testkit::seed_or(1));
    memory.verify();
    return;
  }
  troupe::testkit::for_each_seed(n, with(place::simulated));
  troupe::testkit::for_each_seed(n, with(place::crowded));
}

inline void on_threads(const rule& f, unsigned n = rounds) {
  for (const place where : {place::threads, place::foreigners}) {
    for (unsigned i = 0; i < n; ++i) {
      INFO("on threads" << (where == place::foreigners ? " among others" : "") << ", round " << i);
      const troupe::testkit::leak_guard memory;
      {
        world w(where, i);
        f(w);
        REQUIRE(w.end() == lines{});
      }
      memory.verify();
    }
  }
}

inline void everywhere(const rule& f, unsigned n = seeds) {
  simulated(f, n);
  on_threads(f, std::min(n, rounds));
}

}  // namespace conformance
