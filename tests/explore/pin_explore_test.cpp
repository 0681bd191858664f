// A pin against the end of the pinned object, under all interleavings: the object is freed once, and not used
// afterwards.
#include "support/catch.hpp"
#include "support/explorer.hpp"

#include <troupe/runtime/pin.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace explorer = troupe::explorer;

namespace {

using troupe::detail::pin_place;

/// An engine with one strand, the places of two threads, and the list of objects that wait to be freed, as in
/// pin.cpp.
struct world {
  world() { places[0].next_of_all = &places[1]; }

  std::array<pin_place, 2> places;
  troupe::detail::atomic<bool> dead{false};     // the word of the strand's mailbox
  troupe::detail::atomic<bool> waiting{false};  // the list: written under the lock, read without it
  troupe::detail::atomic<bool> locked{false};
  explorer::var<int> touched{0};
  bool freed = false;

  void visit(std::size_t thread) {
    places[thread].enter(this);
    if (!dead.load(std::memory_order_relaxed)) {
      (void)touched.read();
      explorer::require(!freed, "a visitor that found it alive finds it there");
    }
    places[thread].leave();
    if (waiting.load(std::memory_order_relaxed)) free_unvisited();
  }
  void end() {
    dead.store(true, std::memory_order_relaxed);
    explorer::require(troupe::detail::heavy_fence(), "there is such a fence");
    lock();
    waiting.store(true, std::memory_order_relaxed);
    unlock();
    explorer::require(troupe::detail::heavy_fence(), "there is such a fence");
    free_unvisited();
  }
  void free_unvisited() {
    lock();
    bool mine = false;
    if (waiting.load(std::memory_order_relaxed) && !troupe::detail::is_visited(this, places.data())) {
      waiting.store(false, std::memory_order_relaxed);
      mine = true;
    }
    unlock();
    if (!mine) return;
    touched.write(1);  // a race with a visitor that is still inside
    explorer::require(!std::exchange(freed, true), "it is freed once");
  }
  void lock() {
    while (locked.exchange(true, std::memory_order_acquire)) explorer::yield();
  }
  void unlock() { locked.store(false, std::memory_order_release); }
};

explorer::options bounded(const char* name) {
  return {
      .name = name, .preemptions = 3, .weak_effects = 2, .max_schedules = 600'000, .random_schedules = 3'000};
}

}  // namespace

TEST_CASE("pin explored: a visitor and the end: one sees the other, and the later one frees") {
  const auto r = explorer::explore(bounded("pin"), [](explorer::execution& e) {
    auto w = std::make_shared<world>();
    e.thread([w] {
      w->visit(0);
      w->visit(0);
    });
    e.thread([w] { w->end(); });
    e.finally([w] { explorer::require(w->freed, "it is freed"); });
  });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE(
    "pin explored: what a visitor did inside precedes the free, also when it is inside of another by then") {
  const auto r = explorer::explore(bounded("pin of another"), [](explorer::execution& e) {
    auto w = std::make_shared<world>();
    e.thread([w] {
      w->visit(0);
      w->places[0].enter(&w->freed);  // anything else
    });
    e.thread([w] { w->end(); });
    e.finally([w] { explorer::require(w->freed, "it is freed"); });
  });
  INFO(r.report);
  CHECK(r.ok);
  CHECK(r.exhausted);
}

TEST_CASE("pin explored: either of two visitors may be the one that frees") {
  const auto r = explorer::explore(bounded("pin of two"), [](explorer::execution& e) {
    auto w = std::make_shared<world>();
    for (std::size_t t = 0; t < 2; ++t) {
      e.thread([w, t] { w->visit(t); });
    }
    e.thread([w] { w->end(); });
    e.finally([w] { explorer::require(w->freed, "it is freed"); });
  });
  INFO(r.report);
  CHECK(r.ok);
}
