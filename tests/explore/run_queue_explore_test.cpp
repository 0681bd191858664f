// A worker's queue, small, under all interleavings of its owner and thieves.
//
// Each runnable carries plain data written before it is pushed and when it is taken. So one that is taken
// twice, or before its push was published, is found as a data race or by its count; the rest at the end is
// popped and counted, so that nothing is lost.
#include "support/catch.hpp"
#include "support/explorer.hpp"

#include <troupe/runtime/run_queue.hpp>

#include <array>
#include <cstddef>
#include <memory>

namespace explorer = troupe::explorer;

namespace {

using troupe::detail::run_queue;
using troupe::detail::runnable;

struct item : runnable {
  item() : runnable(nullptr) {}
  int number = 0;
  explorer::var<int> pushed{0};
  explorer::var<int> taken{0};
};

/// A queue of `Size`, two more that belong to thieves, and the items that move between them.
template <std::size_t Size>
struct model {
  model() {
    for (std::size_t i = 0; i < items.size(); ++i) items[i].number = static_cast<int>(i);
  }

  run_queue<Size> queue;
  std::array<run_queue<Size>, 2> thieves;
  std::array<item, 8> items;

  runnable& ready(std::size_t i) {
    items[i].pushed.write(1);
    return items[i];
  }
  bool push(std::size_t i) { return queue.push(ready(i)); }

  /// Runs a taken item; returns its number, or -1 for none.
  static int run(runnable* r) {
    if (r == nullptr) return -1;
    auto& it = static_cast<item&>(*r);
    explorer::require(it.pushed.read() == 1, "a runnable is seen as it was pushed");
    explorer::require(it.taken.read() == 0, "a runnable is taken once");
    it.taken.write(1);
    return it.number;
  }
  /// Steals once, and runs all that came.
  void steal(std::size_t thief) {
    int last = run(queue.steal_into(thieves[thief]));
    if (last >= 0) run_own(thief, last);
  }
  void run_own(std::size_t thief, int last) {
    for (int n = run(thieves[thief].pop()); n >= 0; n = run(thieves[thief].pop())) {
      explorer::require(n > last, "what was stolen runs in its order");
      last = n;
    }
  }

  /// Alone, at the end: exactly the first `n` items have been in a queue, and each came out once.
  void check(std::size_t n) {
    for (auto* q : {&queue, &thieves[0], &thieves[1]}) {
      run(q->take_slot());
      while (run(q->pop()) >= 0) {
      }
      explorer::require(q->empty(), "a drained queue is empty");
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      explorer::require(items[i].taken.read() == (i < n ? 1 : 0), "each runnable comes out once");
    }
  }
};

explorer::options bounded(const char* name, unsigned preemptions) {
  return {.name = name,
          .preemptions = preemptions,
          .weak_effects = 2,
          .max_schedules = 300'000,
          .random_schedules = 3'000};
}

template <std::size_t Size, class... Bodies>
explorer::result explore_model(const explorer::options& how, std::size_t items, const Bodies&... bodies) {
  return explorer::explore(how, [&](explorer::execution& e) {
    auto s = std::make_shared<model<Size>>();
    (e.thread([s, &bodies] { bodies(*s); }), ...);
    e.finally([s, items] { s->check(items); });
  });
}

}  // namespace

TEST_CASE("run_queue explored: owner and thief take each runnable once, in order") {
  const auto r = explore_model<4>(
      bounded("queue thief", 3), 3,
      [](model<4>& s) {
        for (std::size_t i = 0; i < 3; ++i) explorer::require(s.push(i), "three fit into four");
        const int first = s.run(s.queue.pop());
        const int second = s.run(s.queue.pop());
        explorer::require(second < 0 || first < second, "the owner pops in order");
      },
      [](model<4>& s) { s.steal(0); });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE("run_queue explored: a thief takes nothing stale from a ring that wraps around meanwhile") {
  const auto r = explore_model<2>(
      bounded("queue wrap", 3), 4,
      [](model<2>& s) {
        s.push(0);
        s.push(1);
        for (std::size_t i = 2; i < 4; ++i) {
          while (!s.push(i)) s.run(s.queue.pop());
        }
      },
      [](model<2>& s) { s.steal(0); });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE("run_queue explored: two thieves and the owner share without loss") {
  const auto r = explore_model<4>(
      bounded("queue two thieves", 2), 4,
      [](model<4>& s) {
        for (std::size_t i = 0; i < 4; ++i) s.push(i);
        s.run(s.queue.pop());
      },
      [](model<4>& s) { s.steal(0); }, [](model<4>& s) { s.steal(1); });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE("run_queue explored: stolen items may be stolen again") {
  const auto r = explore_model<4>(
      bounded("queue chain", 2), 4,
      [](model<4>& s) {
        for (std::size_t i = 0; i < 4; ++i) s.push(i);
      },
      [](model<4>& s) { s.steal(0); },
      [](model<4>& s) {
        if (s.run(s.thieves[0].steal_into(s.thieves[1])) >= 0) s.run_own(1, -1);
      });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE(
    "run_queue explored: the owner takes half of a full ring, or a thief was faster and there is room") {
  const auto r = explore_model<4>(
      bounded("queue overflow", 3), 5,
      [](model<4>& s) {
        for (std::size_t i = 0; i < 4; ++i) s.push(i);
        if (s.push(4)) return;
        std::array<runnable*, 2> half{};
        const auto n = s.queue.take_half(half);
        explorer::require(n == 0 || n == 2, "half or nothing");
        for (std::size_t i = 0; i < n; ++i) s.run(half[i]);
        explorer::require(s.queue.push(s.items[4]), "after take_half there is room");
      },
      [](model<4>& s) { s.steal(0); });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE("run_queue explored: the slot's runnable goes to its owner or to one thief") {
  const auto r = explore_model<2>(
      bounded("queue slot", 3), 3,
      [](model<2>& s) {
        for (std::size_t i = 0; i < 3; ++i) s.run(s.queue.put_slot(s.ready(i)));
        s.run(s.queue.take_slot());
        explorer::require(!s.queue.slot_filled(), "an emptied slot stays empty");
      },
      [](model<2>& s) {
        s.run(s.queue.steal_slot());
        s.run(s.queue.steal_slot());
      },
      [](model<2>& s) { s.run(s.queue.steal_slot()); });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}
