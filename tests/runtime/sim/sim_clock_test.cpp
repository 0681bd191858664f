// The simulated clock: when timers are due, and which never are.
#include "support/catch.hpp"

#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sim.hpp>
#include <troupe/runtime/sleep.hpp>

#include <chrono>
#include <optional>

using namespace std::chrono_literals;

namespace {

troupe::task<void> sleep_and_note(troupe::duration d, bool& over) {
  co_await troupe::sleep_for(d);
  over = true;
}

troupe::task<void> yield_for_ever() {
  for (;;) co_await troupe::yield();
}

}  // namespace

TEST_CASE("sim clock: a sleep of `forever` never ends, however far the clock is moved") {
  troupe::sim::runtime on;
  bool over = false;
  on.spawn(sleep_and_note(troupe::forever, over));
  const auto before = on.now();
  on.advance(troupe::duration::max());
  CHECK_FALSE(over);
  CHECK(on.now() == before);  // nothing happens, so there is nothing to move it to
  on.advance(1h);
  CHECK_FALSE(over);
  CHECK(on.now() == before + 1h);
}

TEST_CASE("sim clock: with only a sleep of `forever` the simulation is over") {
  troupe::sim::runtime on;
  bool over = false;
  on.spawn(sleep_and_note(troupe::forever, over));
  CHECK(on.run_to_end());
  CHECK_FALSE(over);
}

TEST_CASE("sim clock: waiting for a sleep of `forever` is stuck") {
  troupe::sim::runtime on;
  const auto r = on.block_on(troupe::sleep_for(troupe::forever));
  REQUIRE_FALSE(r.has_value());
  CHECK(r.error().code() == troupe::errc::stuck);
}

TEST_CASE("sim clock: at the end of time, deadlines are not computed beyond it") {
  troupe::sim::runtime on;
  on.advance(troupe::duration::max() - 2s);
  bool over = false;
  on.spawn(sleep_and_note(1h, over));
  on.run_until_idle();
  CHECK_FALSE(over);
}

TEST_CASE("sim clock: a timer fires in time though a strand is always ready") {
  troupe::sim::runtime on({.seed = 3, .max_slice_time = 10us});
  bool over = false;
  on.spawn(yield_for_ever());
  on.spawn(sleep_and_note(5ms, over));
  const auto until = on.now() + 6ms;
  for (int i = 0; i < 100'000 && on.now() < until; ++i) REQUIRE(on.step());
  CHECK(over);
}

TEST_CASE("sim clock: advance returns though a strand is always ready, where slices take time") {
  troupe::sim::runtime on({.seed = 3, .max_slice_time = 10us});
  bool over = false;
  on.spawn(yield_for_ever());
  on.spawn(sleep_and_note(5ms, over));
  on.advance(10ms);
  CHECK(over);
  CHECK_FALSE(on.run_to_end(1ms));
}

TEST_CASE("sim: a simulation that is run within a handler restores the worker of the outer runtime") {
  const auto nested = []() -> troupe::task<void> {
    {
      troupe::sim::runtime inner;
      bool over = false;
      inner.spawn(sleep_and_note(1ms, over));
      inner.advance(2ms);
      CHECK(over);
    }
    co_await troupe::sleep_for(1ms);
  };
  SECTION("on threads") {
    troupe::runtime outer({.workers = 1});
    CHECK(outer.block_on(nested()).has_value());
  }
  SECTION("on the calling thread") {
    troupe::runtime outer({.current_thread = true});
    CHECK(outer.block_on(nested()).has_value());
  }
  SECTION("in another simulation") {
    troupe::sim::runtime outer;
    CHECK(outer.block_on(nested()).has_value());
  }
}
