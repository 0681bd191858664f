// The counters of a runtime, which are always on. Each block is written by one thread; any thread may read.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>

#include <cstdint>

namespace troupe {

/// A sum over all workers at one moment. Values only grow.
struct runtime_counters {
  std::uint64_t slices = 0;         ///< slices of actors and tasks that workers ran
  std::uint64_t sent = 0;           ///< messages accepted by a mailbox
  std::uint64_t handled = 0;        ///< messages handled
  std::uint64_t full = 0;           ///< messages refused because a mailbox was full
  std::uint64_t closed = 0;         ///< messages refused because the receiver had ended
  std::uint64_t dead_letters = 0;   ///< messages accepted but lost, and reported as dead letters
  std::uint64_t spawned = 0;        ///< actors started
  std::uint64_t ended = 0;          ///< actors ended
  std::uint64_t restarts = 0;       ///< actors restarted after a crash
  std::uint64_t crashes = 0;        ///< exceptions that left a handler
  std::uint64_t steals = 0;         ///< times a worker took work from another
  std::uint64_t parks = 0;          ///< times a worker went to sleep
  std::uint64_t wakeups = 0;        ///< times a sleeping worker was woken for work
  std::uint64_t wedged = 0;         ///< actors abandoned because a handler did not return
  std::uint64_t long_handlers = 0;  ///< slices reported by the watchdog
  std::uint64_t deadlocks = 0;      ///< waits refused because they would close a cycle
};

namespace detail {

/// Written by one thread, read by any: no read-modify-write, no shared cache line.
class counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  // value_: only grows. Relaxed, pairs with nothing: it orders nothing, and readers see a recent value.
  // Broken by: tests/runtime/scheduler/foreign_thread_test.
  atomic<std::uint64_t> value_{0};
};

/// One for each worker and for each numbered other thread, and one, under a lock, for the rest.
struct counter_block {
  counter slices, sent, handled, full, closed, dead_letters, spawned, ended, restarts, crashes, steals, parks,
      wakeups, wedged, long_handlers, deadlocks;

  void add_to(runtime_counters& sum) const noexcept {
    sum.slices += slices.get();
    sum.sent += sent.get();
    sum.handled += handled.get();
    sum.full += full.get();
    sum.closed += closed.get();
    sum.dead_letters += dead_letters.get();
    sum.spawned += spawned.get();
    sum.ended += ended.get();
    sum.restarts += restarts.get();
    sum.crashes += crashes.get();
    sum.steals += steals.get();
    sum.parks += parks.get();
    sum.wakeups += wakeups.get();
    sum.wedged += wedged.get();
    sum.long_handlers += long_handlers.get();
    sum.deadlocks += deadlocks.get();
  }
};

}  // namespace detail
}  // namespace troupe
