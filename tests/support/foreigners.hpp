// Threads from outside that use a system while a test runs in it: they spawn, tell, ask, watch and
// unwatch, register, find, inspect and stop, with random pauses. The test must not be affected.
#pragma once

#include <troupe/actors.hpp>
#include <troupe/actors/inspect.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace troupe_test {

/// The prefix of the names of their actors, which are children of the root.
constexpr std::string_view visitor_name = "visitor ";

struct regard {
  troupe::any_ref who;
  bool watch;
};
struct tick_of_visitor {};
struct seen_by_visitor {
  using reply = int;
};

/// The actor that they spawn: it watches, and has timers, for its thread.
struct visitor {
  using accepts = troupe::protocol<regard, tick_of_visitor, seen_by_visitor>;
  explicit visitor(troupe::context& ctx) { ctx.every(std::chrono::microseconds(500), tick_of_visitor{}); }
  void handle(const regard& m, troupe::context& ctx) {
    m.watch ? ctx.watch(m.who) : ctx.unwatch(m.who);
    ++seen;
  }
  void handle(tick_of_visitor) {}
  void handle(const troupe::down&) {}
  int handle(seen_by_visitor) const { return seen; }
  int seen = 0;
};
using visitor_ref = troupe::ref_of<visitor>;

class foreigners {
 public:
  foreigners(troupe::system& s, std::uint64_t seed, unsigned count = 3) : sys_(s) {
    for (unsigned i = 0; i < count; ++i) {
      threads_.emplace_back(
          [this, i, random = std::mt19937_64(seed * count + i)]() mutable { run(i, random); });
    }
  }
  foreigners(const foreigners&) = delete;
  foreigners& operator=(const foreigners&) = delete;
  ~foreigners() { (void)leave(); }

  /// They finish their current round and end. Returns the errors they found.
  std::vector<std::string> leave() {
    over_ = true;
    for (std::thread& t : threads_) t.join();
    threads_.clear();
    return faults_;
  }
  /// Ends the system while they use it, on another thread. Returns the errors they found.
  [[nodiscard]] std::vector<std::string> end_system() {
    std::thread([this] {
      if (!sys_.shutdown()) complain("the system did not stop in time");
    }).join();
    return leave();
  }
  /// Actors they had so far.
  [[nodiscard]] unsigned visits() const noexcept { return visits_; }

 private:
  void complain(std::string what) {
    const std::scoped_lock guard(lock_);
    faults_.push_back(std::move(what));
  }

  static void pause(std::mt19937_64& random) {
    const auto n = random() % 8;
    if (n == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
    if (n == 1) std::this_thread::yield();
  }

  static void collect(const troupe::actor_info& from, std::vector<std::string>& paths) {
    for (const auto& c : from.children) {
      paths.push_back(c.path);
      collect(c, paths);
    }
  }

  void run(unsigned thread, std::mt19937_64& random) {
    for (unsigned round = 0; !over_; ++round) {
      const std::string name =
          std::string(visitor_name) + std::to_string(thread) + " " + std::to_string(round);
      try {
        stay(sys_.spawn<visitor>({.name = name, .restart = troupe::restart::temporary}), name, random);
      } catch (const troupe::troupe_error& e) {
        if (e.error() != troupe::errc::closed) complain(e.error().to_string());
        pause(random);
      }
    }
  }

  // One visitor from its start to its end; it is stopped with nothing in its mailbox, to lose no message.
  void stay(const visitor_ref& v, const std::string& name, std::mt19937_64& random) {
    if (sys_.register_name(name, v) && !found(name, v)) complain(name + " is not found");
    int told = 0;
    for (auto left = random() % 4; left > 0 && !v.ended(); --left) {
      pause(random);
      std::vector<std::string> paths;
      collect(sys_.inspect(), paths);
      if (paths.empty()) continue;
      const auto who = sys_.at<>(paths[random() % paths.size()]);
      if (who && v.tell(regard{*who, random() % 3 != 0}) == troupe::send_result::ok) ++told;
    }
    const auto seen = sys_.block_on(v.ask(seen_by_visitor{}, std::chrono::minutes(1)));
    if (!seen && seen.error() != troupe::errc::closed) complain(name + ": " + seen.error().to_string());
    if (seen && *seen != told)
      complain(name + " was told " + std::to_string(told) + ", and saw " + std::to_string(*seen));
    pause(random);
    sys_.stop(v);
    ++visits_;
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!v.ended() && std::chrono::steady_clock::now() < until) pause(random);
    if (!v.ended()) complain(name + " does not end");
    if (sys_.find<>(name)) complain(name + " has ended, and has its name still");
    if (v.tell(regard{v, true}) != troupe::send_result::closed)
      complain(name + " has ended, and takes messages");
  }

  [[nodiscard]] bool found(const std::string& name, const visitor_ref& v) {
    const auto at = sys_.find<seen_by_visitor>(name);
    return (at && *at == v) || v.ended();
  }

  troupe::system& sys_;
  std::atomic<bool> over_{false};
  std::atomic<unsigned> visits_{0};
  std::mutex lock_;
  std::vector<std::string> faults_;
  std::vector<std::thread> threads_;
};

}  // namespace troupe_test
