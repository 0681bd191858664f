// The bitmap of filled rings, with the real rings and the real parking, under all interleavings: a worker
// that makes work and then stays in its slice is helped, because no worker sleeps while a ring is filled.
#include "support/catch.hpp"
#include "support/explorer.hpp"

#include <troupe/runtime/parking.hpp>
#include <troupe/runtime/run_queue.hpp>
#include <troupe/runtime/wake_flag.hpp>
#include <troupe/runtime/worker_set.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace explorer = troupe::explorer;

namespace {

using troupe::detail::parking;
using troupe::detail::ring_bit;
using troupe::detail::run_queue;
using troupe::detail::runnable;
using troupe::detail::wake_flag;
using troupe::detail::worker_set;

struct job : runnable {
  job() : runnable(nullptr) {}
  job* awaits = nullptr;  // it stays in its slice until that one has run
  troupe::detail::atomic<int> ran{0};
};

struct model_worker : parking::place {
  model_worker(worker_set& filled, unsigned i) : bit(filled, i, true) {}
  run_queue<4> queue;
  ring_bit bit;
  wake_flag woken;
  troupe::detail::atomic<int> event{0};
  bool searching = false;
  bool refused = false;
  const model_worker* victim = nullptr;  // the worker that it stole from

  void wake() {
    woken.raise();
    event.store(1);
  }
  void wait() {
    woken.wait([this](bool was_woken) {
      if (!was_woken) explorer::wait_until([this] { return event.load() != 0; });
      event.exchange(0);
    });
  }
};

template <unsigned Workers>
struct model {
  parking lot{Workers};
  worker_set filled{Workers};
  std::array<std::unique_ptr<model_worker>, Workers> workers;
  std::array<job, 4> jobs;
  troupe::detail::atomic<int> ran{0};
  int all = 0;

  model() {
    for (unsigned i = 0; i < Workers; ++i) workers[i] = std::make_unique<model_worker>(filled, i);
  }

  void notify() {
    if (parking::place* const p = lot.notify()) static_cast<model_worker*>(p)->wake();
  }
  bool over() const { return ran.load() == all; }
  bool rings_filled() const {
    return filled.find(0, [this](unsigned i) { return workers[i]->queue.size() != 0; });
  }

  /// A slice that makes `n` jobs and waits for the first of them to run elsewhere.
  void make(unsigned i, int n) {
    model_worker& w = *workers[i];
    for (int k = 0; k < n; ++k) {
      w.bit.set();
      explorer::require(w.queue.push(jobs[static_cast<std::size_t>(k)]), "there is room");
    }
    notify();
    explorer::wait_until([this] { return jobs[0].ran.load() != 0; });
    loop(i);
  }

  void run(runnable& r) {
    auto& j = static_cast<job&>(r);
    if (j.awaits != nullptr) explorer::wait_until([&j] { return j.awaits->ran.load() != 0; });
    j.ran.store(1);
    if (ran.fetch_add(1) + 1 == all) {
      for (auto& w : workers) w->wake();
    }
  }
  runnable* search(unsigned i) {
    model_worker& w = *workers[i];
    w.bit.clear();
    if (!w.searching) {
      w.refused = !lot.start_searching();
      if (w.refused) return nullptr;
      w.searching = true;
    }
    runnable* r = nullptr;
    filled.find((i + 1) % Workers, [&](unsigned v) {
      if (v == i || workers[v]->queue.size() == 0) return false;
      w.bit.set();
      r = workers[v]->queue.steal_into(w.queue);
      if (r != nullptr) w.victim = workers[v].get();
      return r != nullptr;
    });
    return r;
  }
  /// As worker::loop().
  void loop(unsigned i) {
    model_worker& w = *workers[i];
    while (!over()) {
      runnable* r = w.queue.pop();
      if (r == nullptr) r = search(i);
      if (r != nullptr) {
        if (w.searching) {
          w.searching = false;
          const model_worker* const from = std::exchange(w.victim, nullptr);
          if (lot.stop_searching() && w.queue.size() + (from != nullptr ? from->queue.size() : 0) != 0)
            notify();
        }
        run(*r);
        continue;
      }
      w.searching = lot.park(
          w, w.searching, [&] { return over() || (!(w.refused && lot.searchers() != 0) && rings_filled()); },
          [&] { w.wait(); });
      w.refused = false;
    }
  }
};

explorer::options bounded(const char* name, unsigned preemptions) {
  return {.name = name,
          .preemptions = preemptions,
          .weak_effects = 1,
          .max_schedules = 30'000,
          .random_schedules = 2'000};
}

}  // namespace

TEST_CASE("filled rings explored: a worker does not sleep while another waits with a filled ring") {
  const auto r = explorer::explore(bounded("ring bit", 3), [](explorer::execution& e) {
    auto s = std::make_shared<model<2>>();
    s->all = 1;
    e.thread([s] { s->make(0, 1); });
    e.thread([s] { s->loop(1); });
  });
  INFO(r.report);
  CHECK(r.ok);
}

TEST_CASE("filled rings explored: a thief that stays in its slice is helped with the jobs it stole, too") {
  const auto r = explorer::explore(bounded("ring bit thief", 2), [](explorer::execution& e) {
    auto s = std::make_shared<model<3>>();
    s->all = 3;
    s->jobs[0].awaits = &s->jobs[1];  // both are taken by one thief
    e.thread([s] { s->make(0, 3); });
    e.thread([s] { s->loop(1); });
    e.thread([s] { s->loop(2); });
  });
  INFO(r.report);
  CHECK(r.ok);
}

TEST_CASE("filled rings explored: a worker that may not search is woken by the last that does") {
  const auto r = explorer::explore(bounded("ring bit refused", 2), [](explorer::execution& e) {
    auto s = std::make_shared<model<2>>();
    s->all = 2;
    e.thread([s] { s->make(0, 2); });
    e.thread([s] { s->loop(1); });
    e.thread([s] {  // as the watchdog does
      if (parking::place* const p = s->lot.take()) static_cast<model_worker*>(p)->wake();
    });
  });
  INFO(r.report);
  CHECK(r.ok);
}
