// The queue of injected work under all interleavings of foreign threads and workers.
//
// A worker may sleep only when the queue is empty: work that it then cannot see must be with a worker that is
// awake.
#include "scheduler/inject_queue.hpp"
#include "support/catch.hpp"
#include "support/explorer.hpp"

#include <array>
#include <cstddef>
#include <memory>

namespace explorer = troupe::explorer;

namespace {

using troupe::detail::inject_queue;
using troupe::detail::runnable;

struct item : runnable {
  item() : runnable(nullptr) {}
  explorer::var<int> pushed{0};
  explorer::var<int> taken{0};
};

struct model {
  inject_queue queue;
  std::array<item, 4> items;
  troupe::detail::atomic<int> ran{0};

  void push(std::size_t i) {
    items[i].pushed.write(1);
    queue.push(items[i]);
  }
  /// Runs the oldest; null when nothing waits.
  const item* take() {
    runnable* const r = queue.pop();
    if (r == nullptr) return nullptr;
    auto& it = static_cast<item&>(*r);
    explorer::require(it.pushed.read() == 1, "a runnable is seen as it was pushed");
    explorer::require(it.taken.read() == 0, "a runnable is taken once");
    it.taken.write(1);
    ran.fetch_add(1);
    return &it;
  }
  /// As a worker, until all `n` have run: it sleeps while the queue is empty.
  void work(int n) {
    while (ran.load() < n) {
      const item* const it = take();
      if (it == nullptr) explorer::wait_until([&] { return ran.load() == n || !queue.empty(); });
    }
  }
};

explorer::options bounded(const char* name, unsigned preemptions) {
  return {.name = name,
          .preemptions = preemptions,
          .weak_effects = 1,
          .max_schedules = 40'000,
          .random_schedules = 2'000};
}

}  // namespace

TEST_CASE("inject queue explored: two threads push, one worker takes all, in the order of each") {
  const auto r = explorer::explore(bounded("inject one", 3), [](explorer::execution& e) {
    auto s = std::make_shared<model>();
    e.thread([s] {
      s->push(0);
      s->push(1);
    });
    e.thread([s] { s->push(2); });
    e.thread([s] {
      const item* last = nullptr;
      while (s->ran.load() < 3) {
        const item* const it = s->take();
        if (it == nullptr) explorer::wait_until([&] { return !s->queue.empty(); });
        explorer::require(!(last == &s->items[1] && it == &s->items[0]), "first in, first out");
        if (it != nullptr && it != &s->items[2]) last = it;
      }
    });
  });
  INFO(r.report);
  CHECK(r.ok);
}

TEST_CASE("inject queue explored: two workers take, and nothing is lost or taken twice") {
  const auto r = explorer::explore(bounded("inject two", 2), [](explorer::execution& e) {
    auto s = std::make_shared<model>();
    e.thread([s] {
      s->push(0);
      s->push(1);
    });
    e.thread([s] { s->push(2); });
    e.thread([s] { s->work(3); });
    e.thread([s] { s->work(3); });
  });
  INFO(r.report);
  CHECK(r.ok);
}

TEST_CASE("inject queue explored: it is not empty while its work moves from the stack to the list") {
  const auto r = explorer::explore(bounded("inject move", 3), [](explorer::execution& e) {
    auto s = std::make_shared<model>();
    s->push(0);
    s->push(1);
    e.thread([s] { (void)s->take(); });
    // One of two is left wherever the worker is: a thread that looks must not go to sleep.
    e.thread([s] { explorer::require(!s->queue.empty(), "a runnable is left, so the queue is not empty"); });
  });
  INFO(r.report);
  CHECK(r.ok);
}
