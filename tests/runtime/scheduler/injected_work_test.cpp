// Work from threads that are not workers: its order, and how soon a busy worker runs it. Counted in slices on
// a runtime without threads, where a task spawned outside a slice is injected.
#include "scheduler/inject_queue.hpp"
#include "support/catch.hpp"

#include <troupe/runtime/runtime.hpp>

#include <rapidcheck.h>

#include <cstdint>
#include <deque>
#include <vector>

namespace {

using troupe::detail::inject_queue;
using troupe::detail::runnable;

void agrees_with_model() {
  const auto moves = *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::arbitrary<std::uint8_t>());
  inject_queue queue;
  std::deque<runnable> all;
  std::deque<runnable*> waiting;
  for (const std::uint8_t move : moves) {
    if (move % 4 != 0) {
      runnable& r = all.emplace_back(nullptr);
      queue.push(r);
      waiting.push_back(&r);
    } else {
      RC_ASSERT(queue.pop() == (waiting.empty() ? nullptr : waiting.front()));
      if (!waiting.empty()) waiting.pop_front();
    }
    RC_ASSERT(queue.empty() == waiting.empty());
  }
}

struct load {
  int left;  // injected tasks that have not run
};

troupe::task<void> busy(const load& l) {
  while (l.left > 0) co_await troupe::yield();
}

troupe::task<void> make_busy(troupe::runtime& on, const load& l, int strands) {
  for (int i = 0; i < strands; ++i) on.spawn(busy(l));
  // All have had their first turn, so the worker has measured their slices.
  for (int i = 0; i < 1'000; ++i) co_await troupe::yield();
}

troupe::task<void> injected(load& l) {
  --l.left;
  co_return;
}

/// Slices until all `jobs` from outside have run, next to strands that are always ready.
std::uint64_t slices_until_all_ran(int strands, int jobs) {
  load l{jobs};
  troupe::runtime on({.current_thread = true});
  REQUIRE(on.block_on(make_busy(on, l, strands)).has_value());
  const std::uint64_t before = on.counters().slices;
  for (int i = 0; i < jobs; ++i) on.spawn(injected(l));
  REQUIRE(on.block_on(busy(l)).has_value());
  return on.counters().slices - before;
}

}  // namespace

TEST_CASE("injected work: comes out first in, first out, as in the model") {
  CHECK(rc::check([] { agrees_with_model(); }));
}

TEST_CASE("injected work: a busy worker gives it every second slice") {
  constexpr int jobs = 2'000;
  CHECK(slices_until_all_ran(3, jobs) < 4U * jobs);
}

TEST_CASE("injected work: so does a worker with a full ring and an overflow") {
  constexpr int jobs = 2'000;
  CHECK(slices_until_all_ran(600, jobs) < 8U * jobs);  // at times it is the overflow's turn
}
