// The timers of a worker behind their lock: batches, and when the owner must be woken.
#include "support/catch.hpp"

#include <troupe/runtime/detail/timer.hpp>

#include <array>
#include <cstdint>

using troupe::detail::timer;
using troupe::detail::timer_service;

namespace {

struct counted : timer {
  counted() noexcept : timer(&fire_it) {}
  static void fire_it(timer& t) noexcept { static_cast<counted&>(t).fired = ++order; }
  static inline int order = 0;
  int fired = 0;
};

}  // namespace

TEST_CASE("timer service: at most as many fire as are asked for, the earliest first") {
  timer_service s;
  std::array<counted, 10> timers;
  counted::order = 0;
  for (std::size_t i = 0; i < timers.size(); ++i) s.arm(timers[i], static_cast<std::int64_t>(i));
  CHECK(s.fire_due(100, 4));
  CHECK(counted::order == 4);
  for (int i = 0; i < 4; ++i) CHECK(timers[static_cast<std::size_t>(i)].fired == i + 1);
  CHECK(s.next_wake() == 4);  // the owner does not sleep on the rest
  CHECK_FALSE(s.fire_due(100, 64));
  CHECK(counted::order == 10);
  CHECK(s.empty());
}

TEST_CASE("timer service: one armed from outside calls for its owner when it is the earliest") {
  timer_service s;
  std::array<counted, 4> timers;
  CHECK(s.arm_from_outside(timers[0], 50));
  CHECK_FALSE(s.arm_from_outside(timers[1], 60));
  CHECK_FALSE(s.arm_from_outside(timers[2], 50));
  CHECK(s.arm_from_outside(timers[3], 40));
  for (counted& t : timers) CHECK(s.cancel(t));
}
