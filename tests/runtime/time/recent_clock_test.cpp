// The cached clock of a worker: when a reading is too old.
#include "support/catch.hpp"

#include <troupe/runtime/cycle_count.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>

#include <chrono>

using namespace std::chrono_literals;

TEST_CASE("recent clock: without a cycle counter no reading is fresh") {
  CHECK_FALSE(troupe::detail::still_fresh(0, 0));
}

TEST_CASE("recent clock: a reading is fresh for a while") {
  using troupe::detail::fresh_cycles;
  CHECK(troupe::detail::still_fresh(5, 5));
  CHECK(troupe::detail::still_fresh(5, 4 + fresh_cycles));
  CHECK_FALSE(troupe::detail::still_fresh(5, 5 + fresh_cycles));
  // A thread that has moved to a core whose counter is behind.
  CHECK_FALSE(troupe::detail::still_fresh(5, 4));
}

TEST_CASE("recent clock: a sleep after a long slice is not shortened by that slice") {
  troupe::runtime on({.workers = 1});
  std::chrono::steady_clock::duration slept{};
  const auto nap = [&]() -> troupe::task<void> {
    const auto busy_until = std::chrono::steady_clock::now() + 30ms;
    while (std::chrono::steady_clock::now() < busy_until) {
    }
    const auto before = std::chrono::steady_clock::now();
    co_await troupe::sleep_for(10ms);
    slept = std::chrono::steady_clock::now() - before;
  };
  REQUIRE(on.block_on(nap()).has_value());
  CHECK(slept >= 10ms);
}
