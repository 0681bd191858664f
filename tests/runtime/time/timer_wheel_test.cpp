// The timing wheel against a sorted map that does the same by brute force, and the cases where a wheel
// usually goes wrong: carries between levels, crowded slots, the past, and the ends of time.
#include "support/catch.hpp"

#include <troupe/runtime/detail/timer_wheel.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using troupe::detail::timer_node;
using troupe::detail::timer_wheel;

constexpr std::int64_t ms = 1'000'000;
constexpr std::int64_t second = 1'000 * ms;
constexpr std::int64_t year = 365LL * 24 * 3600 * second;
constexpr std::int64_t end_of_time = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t begin_of_time = std::numeric_limits<std::int64_t>::min();

// Fires everything due; the deadlines in the order they fired.
std::vector<std::int64_t> fire(timer_wheel& wheel, std::int64_t now) {
  std::vector<std::int64_t> fired;
  while (timer_node* const node = wheel.pop_due(now)) fired.push_back(node->deadline);
  return fired;
}

// A model of the wheel, by a map: equal keys stay in the order of insertion.
class model {
 public:
  void insert(timer_node& node, std::int64_t deadline) { timers_.emplace(deadline, &node); }

  void cancel(const timer_node& node) {
    std::erase_if(timers_, [&](const auto& entry) { return entry.second == &node; });
  }

  timer_node* pop_due(std::int64_t now) {
    if (timers_.empty() || timers_.begin()->first > now) return nullptr;
    timer_node* const node = timers_.begin()->second;
    timers_.erase(timers_.begin());
    return node;
  }

  [[nodiscard]] std::optional<std::int64_t> next_deadline() const {
    if (timers_.empty()) return std::nullopt;
    return timers_.begin()->first;
  }

  [[nodiscard]] std::size_t size() const { return timers_.size(); }

 private:
  std::multimap<std::int64_t, timer_node*> timers_;
};

std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? end_of_time : begin_of_time) : sum;
}

// Distances of every magnitude, from nanoseconds to the whole range, often exact powers of two.
rc::Gen<std::int64_t> any_distance() {
  return rc::gen::map(rc::gen::tuple(rc::gen::inRange(0, 63), rc::gen::inRange<std::int64_t>(-2, 3),
                                     rc::gen::arbitrary<bool>(), rc::gen::arbitrary<std::uint64_t>()),
                      [](const std::tuple<int, std::int64_t, bool, std::uint64_t>& t) {
                        const auto [bits, jitter, exact, random] = t;
                        const std::uint64_t top = std::uint64_t{1} << bits;
                        return static_cast<std::int64_t>(exact ? top : random % top) + jitter;
                      });
}

// Drives wheel and model through the same random life and compares them after every step.
void live_like_the_model(std::int64_t start, bool always_look) {
  constexpr int timers = 24;
  timer_wheel wheel;
  model reference;
  std::vector<std::unique_ptr<timer_node>> nodes;
  for (int i = 0; i < timers; ++i) nodes.push_back(std::make_unique<timer_node>());
  std::int64_t now = start;
  const auto arm = [&](timer_node& node, std::int64_t deadline) {
    wheel.insert(node, deadline);
    reference.insert(node, deadline);
    RC_ASSERT(node.armed());
    RC_ASSERT(node.deadline == deadline);
  };
  const auto disarm = [&](timer_node& node) {
    wheel.cancel(node);
    reference.cancel(node);
    RC_ASSERT(!node.armed());
  };

  const int steps = *rc::gen::inRange(1, 200);
  for (int step = 0; step < steps; ++step) {
    timer_node& node = *nodes[*rc::gen::inRange<std::size_t>(0, timers)];
    switch (*rc::gen::weightedElement<int>({{6, 0}, {2, 1}, {2, 2}, {3, 3}, {1, 4}})) {
      case 0:  // arm, near or far
        if (node.armed()) disarm(node);
        arm(node, saturating_add(now, *any_distance()));
        break;
      case 1:  // arm in the past
        if (node.armed()) disarm(node);
        arm(node, saturating_add(now, -*any_distance()));
        break;
      case 2:
        disarm(node);
        break;
      case 3:  // let time pass: to the next timer, or anywhere
        now = *rc::gen::arbitrary<bool>() ? std::max(now, reference.next_deadline().value_or(now))
                                          : std::max(now, saturating_add(now, *any_distance()));
        [[fallthrough]];
      default: {
        int budget =
            *rc::gen::inRange(1, 2 * timers);  // a timer that fires may arm and cancel others, also at once
        while (timer_node* const due = wheel.pop_due(now)) {
          RC_ASSERT(due == reference.pop_due(now));
          RC_ASSERT(!due->armed());
          RC_ASSERT(due->deadline <= now);
          if (--budget <= 0) continue;
          timer_node& other = *nodes[*rc::gen::inRange<std::size_t>(0, timers)];
          if (&other != due) disarm(other);
          if (*rc::gen::arbitrary<bool>()) {
            arm(*due, saturating_add(now, *rc::gen::element<std::int64_t>(0, -1, 1, ms)));
          }
        }
        RC_ASSERT(reference.pop_due(now) == nullptr);
      }
    }
    RC_ASSERT(wheel.size() == reference.size());
    RC_ASSERT(wheel.empty() == (reference.size() == 0));
    RC_ASSERT(wheel.next_wake().has_value() == reference.next_deadline().has_value());
    if (reference.size() > 0) RC_ASSERT(*wheel.next_wake() <= *reference.next_deadline());
    if (always_look || *rc::gen::weightedElement<bool>({{4, false}, {1, true}})) {
      RC_ASSERT(wheel.next_deadline() == reference.next_deadline());
      RC_ASSERT(wheel.next_wake() == reference.next_deadline());  // looking made it exact
    }
  }
  for (auto& node : nodes) disarm(*node);
  RC_ASSERT(wheel.empty());
}

}  // namespace

TEST_CASE("timer wheel: an empty wheel has no next deadline and nothing due") {
  timer_wheel wheel;
  CHECK(wheel.empty());
  CHECK(wheel.size() == 0);
  CHECK(wheel.next_deadline() == std::nullopt);
  CHECK(wheel.next_wake() == std::nullopt);
  CHECK(wheel.pop_due(0) == nullptr);
  CHECK(wheel.pop_due(end_of_time) == nullptr);
}

TEST_CASE("timer wheel: behaves as a sorted map, whatever is armed, cancelled and skipped") {
  CHECK(rc::check("from the epoch on", [] { live_like_the_model(0, true); }));
  CHECK(rc::check("with the clock of a machine", [] { live_like_the_model(*any_distance(), true); }));
  CHECK(rc::check("from before the epoch", [] { live_like_the_model(-*any_distance(), true); }));
  CHECK(rc::check("when the exact deadline is rarely asked for", [] { live_like_the_model(0, false); }));
}

TEST_CASE("timer wheel: fires to the nanosecond, never early") {
  for (const std::int64_t deadline : {std::int64_t{1}, std::int64_t{63}, std::int64_t{64}, std::int64_t{4096},
                                      (std::int64_t{1} << 20) - 1, ms, second, 10 * year, 290 * year}) {
    timer_wheel wheel;
    timer_node node;
    wheel.insert(node, deadline);
    CHECK(wheel.next_deadline() == deadline);
    CHECK(wheel.pop_due(0) == nullptr);
    CHECK(wheel.pop_due(deadline - 1) == nullptr);
    CHECK(wheel.next_deadline() == deadline);
    CHECK(wheel.pop_due(deadline) == &node);
    CHECK_FALSE(node.armed());
    CHECK(wheel.empty());
  }
}

TEST_CASE("timer wheel: the first and the last nanosecond of time are deadlines like others") {
  timer_wheel wheel;
  timer_node first;
  timer_node last;
  wheel.insert(last, end_of_time);
  wheel.insert(first, begin_of_time);
  CHECK(wheel.next_deadline() == begin_of_time);
  CHECK(wheel.pop_due(begin_of_time) == &first);
  CHECK(wheel.pop_due(end_of_time - 1) == nullptr);
  CHECK(wheel.pop_due(end_of_time) == &last);
}

TEST_CASE("timer wheel: timers of one deadline fire in the order they were armed") {
  timer_wheel wheel;
  std::vector<timer_node> nodes(300);
  const std::int64_t deadline = 7 * second + 12'345;
  std::int64_t now = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {  // armed from ever nearer, so on ever lower levels
    wheel.insert(nodes[i], deadline);
    now += (deadline - now) / 8;
    CHECK(wheel.pop_due(now) == nullptr);
  }
  for (timer_node& node : nodes) CHECK(wheel.pop_due(deadline) == &node);
}

TEST_CASE("timer wheel: cancelling and arming again moves a timer behind its equals") {
  timer_wheel wheel;
  timer_node a;
  timer_node b;
  wheel.insert(a, ms);
  wheel.insert(b, ms);
  wheel.cancel(a);
  wheel.insert(a, ms);
  CHECK(wheel.pop_due(ms) == &b);
  CHECK(wheel.pop_due(ms) == &a);
}

TEST_CASE("timer wheel: deadlines in the past are due at once, earliest first") {
  timer_wheel wheel;
  std::vector<timer_node> nodes(6);
  CHECK(wheel.pop_due(10 * second) == nullptr);
  wheel.insert(nodes[0], 20 * second);
  wheel.insert(nodes[1], 9 * second);
  wheel.insert(nodes[2], -5);
  wheel.insert(nodes[3], 9 * second);
  wheel.insert(nodes[4], 10 * second);
  wheel.insert(nodes[5], 10 * second + 1);
  CHECK(wheel.next_deadline() == -5);
  CHECK(fire(wheel, 10 * second) == std::vector<std::int64_t>{-5, 9 * second, 9 * second, 10 * second});
  CHECK(fire(wheel, 20 * second) == std::vector<std::int64_t>{10 * second + 1, 20 * second});
}

TEST_CASE("timer wheel: a clock that steps back fires nothing and breaks nothing") {
  timer_wheel wheel;
  timer_node node;
  wheel.insert(node, 3 * second);
  CHECK(wheel.pop_due(2 * second) == nullptr);
  CHECK(wheel.pop_due(second) == nullptr);
  CHECK(wheel.next_deadline() == 3 * second);
  CHECK(wheel.pop_due(3 * second) == &node);
}

TEST_CASE("timer wheel: cancelling an unarmed timer does nothing") {
  timer_wheel wheel;
  timer_node node;
  wheel.cancel(node);
  wheel.insert(node, ms);
  wheel.cancel(node);
  wheel.cancel(node);
  CHECK(wheel.empty());
  wheel.insert(node, ms);
  CHECK(wheel.pop_due(ms) == &node);
  wheel.cancel(node);
  CHECK(wheel.empty());
}

TEST_CASE("timer wheel: a timer that fires may cancel another that is due with it") {
  timer_wheel wheel;
  timer_node a;
  timer_node b;
  timer_node c;
  wheel.insert(a, ms);
  wheel.insert(b, ms);
  wheel.insert(c, ms + 1);
  CHECK(wheel.pop_due(second) == &a);
  wheel.cancel(b);
  CHECK(wheel.pop_due(second) == &c);
  CHECK(wheel.pop_due(second) == nullptr);
}

TEST_CASE("timer wheel: a cancelled earliest timer wakes at most once for nothing") {
  timer_wheel wheel;
  std::vector<timer_node> nodes(3);
  wheel.insert(nodes[0], 5 * second);
  wheel.insert(nodes[1], 5 * second + 10 * ms);
  wheel.insert(nodes[2], 5 * second + 20 * ms);
  wheel.cancel(nodes[0]);
  wheel.cancel(nodes[1]);
  const std::int64_t wake = wheel.next_wake().value();
  CHECK(wake == 5 * second);
  CHECK(wheel.pop_due(wake) == nullptr);
  CHECK(wheel.next_wake() == nodes[2].deadline);
  CHECK(wheel.next_deadline() == nodes[2].deadline);
  wheel.cancel(nodes[2]);
}

TEST_CASE(
    "timer wheel: stays exact when an earlier timer is armed after the earliest of a slot was cancelled") {
  timer_wheel wheel;
  std::vector<timer_node> nodes(3);
  const std::int64_t now = std::int64_t{1000} << 30;
  CHECK(wheel.pop_due(now) == nullptr);
  wheel.insert(nodes[0], now + 100);
  wheel.insert(nodes[1], now + 101);
  wheel.cancel(nodes[0]);
  wheel.insert(nodes[2], now - 1);  // in the past: the slots in between are joined
  CHECK(wheel.pop_due(now) == &nodes[2]);
  CHECK(wheel.next_deadline() == now + 101);
  wheel.cancel(nodes[1]);
}

TEST_CASE("timer wheel: follows the clock, so timers that are near share no slot with those that are far") {
  timer_wheel wheel;
  timer_node near;
  timer_node far;
  const std::int64_t now = std::int64_t{1000} << 30;
  CHECK(wheel.pop_due(now) == nullptr);
  wheel.insert(near, now + 5 * ms);
  wheel.insert(far, now + 60 * ms);
  wheel.cancel(near);
  CHECK(wheel.next_wake() == far.deadline);  // in one slot the cancelled one would still be the bound

  wheel.insert(near, now + 60 * ms + 1);
  CHECK(wheel.pop_due(now + 59 * ms) == nullptr);
  wheel.cancel(far);
  CHECK(wheel.pop_due(now + 60 * ms) == nullptr);
  CHECK(wheel.next_wake() == near.deadline);
  wheel.cancel(near);
}

// The sizes below end in well under a second when every operation is O(1), and in minutes or hours when
// one is linear in the number of timers in its slot: the test's time limit shows it.
TEST_CASE("timer wheel: crowds cost no more per timer than a few") {
  constexpr std::size_t many = 200'000;
  std::vector<timer_node> nodes(many);
  timer_wheel wheel;

  SECTION("all at the same nanosecond") {
    for (timer_node& node : nodes) wheel.insert(node, 5 * second);
    std::size_t in_order = 0;
    while (timer_node* const node = wheel.pop_due(5 * second)) in_order += node == &nodes[in_order] ? 1 : 0;
    CHECK(in_order == many);
  }
  SECTION("within one millisecond, last one first, while it is being fired") {
    wheel.insert(nodes[0], 5 * second);
    CHECK(wheel.pop_due(5 * second) == &nodes[0]);
    for (std::size_t i = 1; i < many; ++i)
      wheel.insert(nodes[i], 5 * second + static_cast<std::int64_t>(many - i));
    const auto fired = fire(wheel, 5 * second + ms);
    CHECK(fired.size() == many - 1);
    CHECK(std::is_sorted(fired.begin(), fired.end()));
  }
  SECTION("each one arms the next at once, among many that wait in the same millisecond") {
    for (std::size_t i = 1; i < many; ++i) wheel.insert(nodes[i], 5 * second + 999'000);
    wheel.insert(nodes[0], 5 * second);
    std::int64_t now = 5 * second;
    for (std::size_t i = 0; i < many; ++i) {
      timer_node* const node = wheel.pop_due(now);
      if (node != &nodes[0]) FAIL("the wrong timer fired in round " << i);
      now += 4;
      wheel.insert(*node, now);
    }
    for (timer_node& node : nodes) wheel.cancel(node);
  }
  SECTION("armed and cancelled, earliest first, with a look at the next wake-up each time") {
    for (std::size_t i = 0; i < many; ++i) wheel.insert(nodes[i], 60 * second + static_cast<std::int64_t>(i));
    for (std::size_t i = 0; i + 1 < many; ++i) {
      wheel.cancel(nodes[i]);
      if (wheel.next_wake() > nodes[i + 1].deadline) FAIL("wakes too late after " << i);
    }
    CHECK(wheel.next_deadline() == nodes.back().deadline);
    wheel.cancel(nodes.back());
  }
  CHECK(wheel.empty());
  CHECK(wheel.next_deadline() == std::nullopt);
}

TEST_CASE("timer wheel: a million timers armed, half of them cancelled, the rest fired in order") {
  constexpr std::size_t many = 1'000'000;
  std::vector<timer_node> nodes(many);
  timer_wheel wheel;
  std::uint64_t seed = 0x9E3779B97F4A7C15U;
  for (timer_node& node : nodes) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    wheel.insert(node, static_cast<std::int64_t>(seed >> 27));  // within 137 s
  }
  for (std::size_t i = 0; i < many; i += 2) wheel.cancel(nodes[i]);
  CHECK(wheel.size() == many / 2);

  std::int64_t previous = 0;
  std::size_t fired = 0;
  bool ordered = true;
  while (const auto next = wheel.next_deadline()) {  // as a simulation does: always to the next deadline
    timer_node* const node = wheel.pop_due(*next);
    REQUIRE(node != nullptr);
    ordered = ordered && node->deadline == *next && node->deadline >= previous;
    previous = node->deadline;
    ++fired;
  }
  CHECK(ordered);
  CHECK(fired == many / 2);
}
