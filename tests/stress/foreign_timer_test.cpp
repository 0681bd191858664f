// Timers that are armed on threads that are not workers: each fires, though no worker gets any other event.
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "support/sanitized.hpp"

#include <troupe/actors.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using troupe_test::becomes_true;

namespace {

struct tick {};

/// Arms its timer where it is constructed, and has no other reason to run.
struct ticker {
  using accepts = troupe::protocol<tick>;
  ticker(troupe::context& c, std::chrono::microseconds after, std::atomic<int>* n) : ticks(n) {
    c.after(after, tick{});
  }
  void handle(tick) const { ++*ticks; }
  std::atomic<int>* ticks;
};

bool long_form() {
  return std::getenv("TROUPE_SOAK_SECONDS") != nullptr;
}

}  // namespace

TEST_CASE("foreign timers: one armed by a constructor fires when the workers have slept for long") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    std::atomic<int> ticks{0};
    troupe::system sys({.workers = workers});
    std::this_thread::sleep_for(60ms);  // so that all park, and the watchdog sleeps
    const auto t = sys.spawn<ticker>({}, 10ms, &ticks);
    CHECK(becomes_true([&] { return ticks == 1; }));
  }
}

TEST_CASE("foreign timers: the constructor of a new system's first actor arms one, again and again") {
  const int systems = long_form() ? 1000 : troupe_test::sanitized ? 20 : 100;
  for (int i = 0; i < systems; ++i) {
    std::atomic<int> ticks{0};
    troupe::system sys({.workers = 2});
    const auto t = sys.spawn<ticker>({}, 1ms, &ticks);
    REQUIRE(becomes_true([&] { return ticks == 1; }));
  }
}

TEST_CASE("foreign timers: armed while the worker goes to sleep") {
  std::atomic<int> ticks{0};
  troupe::system sys({.workers = 1});
  const int rounds = long_form() ? 20'000 : 1'000;
  for (int i = 0; i < rounds; ++i) {
    // The tick of the one before has just been handled: the worker is about to park.
    const auto t = sys.spawn<ticker>({}, std::chrono::microseconds(i % 7 * 50), &ticks);
    REQUIRE(becomes_true([&] { return ticks == i + 1; }));
  }
}

TEST_CASE("foreign timers: a nearer one counts, and so does a farther one") {
  std::atomic<int> ticks{0};
  troupe::system sys({.workers = 2});
  const auto far = sys.spawn<ticker>({}, 150ms, &ticks);
  const auto near = sys.spawn<ticker>({}, 20ms, &ticks);
  CHECK(becomes_true([&] { return ticks == 2; }));
}

TEST_CASE("foreign timers: several threads arm at once") {
  std::atomic<int> ticks{0};
  troupe::system sys({.workers = 2});
  constexpr int threads = 3;
  constexpr int each = 300;
  {
    std::vector<std::jthread> armers;
    for (int c = 0; c < threads; ++c) {
      armers.emplace_back([&, c] {
        for (int i = 0; i < each; ++i) {
          sys.spawn<ticker>({}, std::chrono::microseconds((i * 37 + c) % 3000), &ticks);
          if (i % 16 == 0) std::this_thread::sleep_for(1ms);
        }
      });
    }
  }
  CHECK(becomes_true([&] { return ticks == threads * each; }));
}
