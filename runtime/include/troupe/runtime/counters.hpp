// What a runtime counts about itself, always.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>

#include <cstdint>

namespace troupe {

/// A sum over all workers at one moment. Values only grow.
struct runtime_counters {
  std::uint64_t slices = 0;         ///< visits of a worker to an actor or task
  std::uint64_t sent = 0;           ///< messages accepted by a mailbox
  std::uint64_t handled = 0;        ///< messages handled
  std::uint64_t full = 0;           ///< messages refused because a mailbox was full
  std::uint64_t closed = 0;         ///< messages refused because the receiver had ended
  std::uint64_t dead_letters = 0;   ///< messages accepted but lost, and reported as such
  std::uint64_t spawned = 0;        ///< actors started
  std::uint64_t ended = 0;          ///< actors ended
  std::uint64_t restarts = 0;       ///< actors restarted after a crash
  std::uint64_t crashes = 0;        ///< exceptions that left a handler
  std::uint64_t steals = 0;         ///< times a worker took work from another
  std::uint64_t parks = 0;          ///< times a worker went to sleep
  std::uint64_t wakeups = 0;        ///< times a sleeping worker was woken for work
  std::uint64_t wedged = 0;         ///< actors cut off because a handler never returned
  std::uint64_t long_handlers = 0;  ///< slices reported by the watchdog
  std::uint64_t deadlocks = 0;      ///< waits refused because they would close a cycle
};

namespace detail {

/// Written by one thread, read by any: no read-modify-write, no shared line.
class counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  // value_: grows only. Relaxed, for it orders nothing; readers see a recent value.
  atomic<std::uint64_t> value_{0};
};

/// One of these per worker, and one, under a lock, for all other threads.
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
