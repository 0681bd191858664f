// The parking of the engine, its wake-ups included, under all interleavings of pushers, workers and a
// watchdog.
//
// The queue is a counter, and the reactor is a model: an event that the first thread to look takes away. A
// push that no worker runs is found as a deadlock.
#include "support/catch.hpp"
#include "support/explorer.hpp"

#include <troupe/runtime/parking.hpp>
#include <troupe/runtime/wake_flag.hpp>

#include <array>
#include <cstddef>
#include <memory>

namespace explorer = troupe::explorer;

namespace {

using troupe::detail::parking;
using troupe::detail::scoped_lock;
using troupe::detail::spinlock;
using troupe::detail::wake_flag;

/// A model of reactor.cpp, with an event in place of the epoll set.
struct model_reactor {
  void wake() {
    woken.raise();
    event.store(1);
  }
  void wait() {
    const scoped_lock guard(looking);
    woken.wait([this](bool was_woken) {
      if (!was_woken) explorer::wait_until([this] { return event.load() != 0; });
      event.exchange(0);
    });
  }
  void poll() {
    if (!looking.try_lock()) return;
    event.exchange(0);
    looking.unlock();
  }

  wake_flag woken;
  spinlock looking;
  troupe::detail::atomic<int> event{0};
};

struct model_worker : parking::place {
  model_reactor io;
  bool searching = false;
};

template <std::size_t Workers>
struct model {
  parking lot{Workers};
  std::array<model_worker, Workers> workers;
  troupe::detail::atomic<int> work{0};
  troupe::detail::atomic<int> ran{0};
  const int all;

  explicit model(int pushes) : all(pushes) {}

  void notify() {
    if (parking::place* const p = lot.notify()) static_cast<model_worker*>(p)->io.wake();
  }
  void push() {
    work.fetch_add(1, std::memory_order_release);
    notify();
  }
  bool take() {
    int n = work.load(std::memory_order_acquire);
    while (n > 0) {
      if (work.compare_exchange_strong(n, n - 1, std::memory_order_acq_rel)) return true;
    }
    return false;
  }
  /// As worker::loop(), until all has run; then it wakes the others, as engine::stop() does.
  void loop(std::size_t i) {
    model_worker& w = workers[i];
    while (ran.load(std::memory_order_acquire) < all) {
      bool found = take();
      if (!found && Workers > 1 && !w.searching) w.searching = lot.start_searching();
      if (!found) found = take();
      if (found) {
        if (w.searching) {
          w.searching = false;
          if (lot.stop_searching() && work.load(std::memory_order_acquire) != 0) notify();
        }
        if (ran.fetch_add(1) + 1 == all) {
          for (model_worker& other : workers) other.io.wake();
        }
        continue;
      }
      w.searching = lot.park(
          w, w.searching, [&] { return work.load(std::memory_order_acquire) != 0 || ran.load() == all; },
          [&] { w.io.wait(); });
    }
  }
};

explorer::options bounded(const char* name, unsigned preemptions) {
  return {.name = name,
          .preemptions = preemptions,
          .weak_effects = 1,
          .max_schedules = 60'000,
          .random_schedules = 3'000};
}

template <std::size_t Workers, class... Bodies>
explorer::result explore_model(const explorer::options& how, int pushes, const Bodies&... bodies) {
  return explorer::explore(how, [&](explorer::execution& e) {
    auto s = std::make_shared<model<Workers>>(pushes);
    (e.thread([s, &bodies] { bodies(*s); }), ...);
  });
}

}  // namespace

TEST_CASE("parking explored: a worker sees a push from outside") {
  const auto r = explore_model<1>(
      bounded("parking one", 3), 2, [](model<1>& s) { s.loop(0); },
      [](model<1>& s) {
        s.push();
        s.push();
      });
  INFO(r.report);
  CHECK(r.ok);
}

TEST_CASE("parking explored: a watchdog that looks at the worker's sockets takes no wake-up away") {
  const auto r = explore_model<1>(
      bounded("parking watchdog", 3), 1, [](model<1>& s) { s.loop(0); }, [](model<1>& s) { s.push(); },
      [](model<1>& s) { s.workers[0].io.poll(); });
  INFO(r.report);
  CHECK(r.ok);
}

TEST_CASE("parking explored: two pushers, two workers, and no push is left") {
  const auto r = explore_model<2>(
      bounded("parking two", 2), 2, [](model<2>& s) { s.loop(0); }, [](model<2>& s) { s.loop(1); },
      [](model<2>& s) { s.push(); }, [](model<2>& s) { s.push(); });
  INFO(r.report);
  CHECK(r.ok);
}

TEST_CASE("parking explored: a worker that is woken while another is taken by force wakes, too") {
  const auto r = explore_model<2>(
      bounded("parking force", 2), 1, [](model<2>& s) { s.loop(0); }, [](model<2>& s) { s.loop(1); },
      [](model<2>& s) { s.push(); },
      [](model<2>& s) {
        if (parking::place* const p = s.lot.take()) {
          static_cast<model_worker*>(p)->io.wake();
        }
      });
  INFO(r.report);
  CHECK(r.ok);
}
