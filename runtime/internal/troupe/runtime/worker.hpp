// A worker: one thread that runs strands, fires its timers and waits for I/O.
//
// Internal to Troupe's own sources. Owned by the engine. Unless a function says otherwise, only the worker's
// own thread calls it.
#pragma once

#include <troupe/runtime/counters.hpp>
#include <troupe/runtime/detail/strand.hpp>
#include <troupe/runtime/detail/timer.hpp>
#include <troupe/runtime/parking.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/run_queue.hpp>
#include <troupe/runtime/sharing.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/worker_set.hpp>

#include <cstdint>
#include <memory>

namespace troupe::detail {

class engine;

/// A type-erased predicate, polled repeatedly. `state` must outlive it.
struct predicate {
  bool (*ask)(const void*);
  const void* state;
  bool operator()() const { return ask(state); }
};

class alignas(cache_line) worker : public parking::place {
 public:
  worker(engine& home, unsigned index, bool shared);
  ~worker() { io.release(); }
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// Runs in a row that may come from the slot.
  static constexpr unsigned slot_runs_max = 3;
  /// Await hops a slice may take.
  static constexpr std::uint32_t hop_budget = 128;
  /// Messages a slice may handle.
  static constexpr std::uint32_t quantum = 64;

  // -- scheduling -----------------------------------------------------------

  /// Schedules a runnable that was woken: it runs next on this worker.
  void push_woken(runnable& r) noexcept {
    if (simulated) [[unlikely]] {
      push_simulated(r);
    } else if (runnable* const displaced = queue.put_slot(r)) {
      push_ring(*displaced);
    }
  }
  /// Schedules a runnable that yields to all that are ready: it runs last.
  void push_yielded(runnable& r) noexcept;

  // -- the slice of the strand that runs now --------------------------------

  strand* current = nullptr;
  std::uint32_t hops = 0;
  promise_base* deferred = nullptr;
  promise_base* unwinding = nullptr;
  promise_base* finished = nullptr;

  /// This worker belongs to a simulated runtime.
  const bool simulated;

  // -- time -----------------------------------------------------------------

  /// The time, at most `clock_slack` ns behind, without a system call.
  [[nodiscard]] std::int64_t recent_now() noexcept;
  static constexpr std::int64_t clock_slack = std::int64_t{1} << 19;

  [[nodiscard]] engine& home() const noexcept { return *home_; }
  [[nodiscard]] unsigned index() const noexcept { return index_; }
  /// A random number for scheduling choices.
  std::uint64_t random() noexcept;

  counter_block counters;
  timer_service timers;
  reactor& io;
  run_queue<256> queue;

  // -- for the watchdog -----------------------------------------------------

  // slice_number: odd while a slice runs. Written by the worker with release, which pairs with the watchdog's
  // acquire: a watchdog that sees the slice also sees `running`. Broken by:
  // tests/runtime/scheduler/watchdog_test.
  atomic<std::uint64_t> slice_number{0};
  // running_message: the type of the message being handled, for the report; static storage, so relaxed.
  // Broken by: tests/runtime/scheduler/watchdog_test.
  atomic<const char*> running_message{nullptr};
  // running: the strand of this slice while it is this worker's; null before the strand is given away. Pairs
  // with the watchdog's barrier, see inspection_gate.hpp. Broken by: tests/runtime/scheduler/watchdog_test
  // under TSan.
  atomic<strand*> running{nullptr};
  /// The worker is about to give away the strand of this slice.
  void clear_running() noexcept { running.store(nullptr, std::memory_order_release); }
  /// Asks the worker to maintain() after this slice, even if it was due later. Any thread. A hint: the worker
  /// may overwrite it, and is asked again at the next look.
  void look_soon() noexcept { ticks_left_.store(1, std::memory_order_relaxed); }

 private:
  friend class engine;

  void run_simulated(runnable& r) noexcept;
  void loop() noexcept;
  /// loop() on the calling thread, until `done` or the deadline; whether `done`.
  bool drive(predicate done, std::int64_t deadline);
  void run_one(runnable& r) noexcept;
  runnable* next() noexcept;
  runnable* look_around() noexcept;
  runnable* next_local() noexcept;
  runnable* next_shared() noexcept;
  runnable* search() noexcept;
  runnable* steal() noexcept;
  /// Sleeps until there is work, at most until `deadline`.
  void park(std::int64_t deadline = INT64_MAX) noexcept;
  void deactivate() noexcept;
  void rest() noexcept;
  void wait_for_events(std::int64_t deadline) noexcept;
  void wake_up() noexcept;
  void stop_searching() noexcept;
  void maintain() noexcept;
  /// Notes that the sockets were polled: strands that became ready up to now are in the ring.
  void note_look_at_sockets() noexcept;
  void push_ring(runnable& r) noexcept;
  void push_simulated(runnable& r) noexcept;
  void refresh_clock() noexcept;
  /// Strands that wait in the ring, and in the overflow list.
  [[nodiscard]] std::int64_t backlog() const noexcept;

  engine* home_;
  unsigned index_;
  unsigned slot_runs_ = 0;
  // ticks_left_: slices until maintain(). Written by the worker without a read-modify-write, and by the
  // watchdog; relaxed, pairs with nothing: a lost hint is given again. Broken by: tests/stress/sharing_test.
  atomic<unsigned> ticks_left_{1};
  unsigned injected_turns_ = 0;  // turns that injected work has left; see look_around()
  bool searching_ = false;
  bool refused_ = false;            // enough other workers search
  const worker* victim_ = nullptr;  // the worker that it stole from, until it stops searching
  bool deactivated_ = false;        // between deactivate() and rest()
  bool overflow_next_ = false;      // in next_shared(): the overflow list is first
  ring_bit filled_;
  std::uint64_t random_state_;
  // The last reading of the clock, and of the cycle counter at the same time.
  std::int64_t now_ = 0;
  std::uint64_t cycles_ = 0;
  // The readings of the last maintain().
  std::int64_t maintained_at_ = 0;
  std::int64_t io_polled_at_ = 0;
  std::uint64_t io_polled_up_to_ = 0;  // the end of the ring after that look
  std::uint64_t slices_then_ = 0;
  std::uint64_t messages_then_ = 0;
  sharing sharing_;
};

/// The worker of this thread, or null. Never inlined: a coroutine that calls it before and after a suspension
/// may get two answers.
TROUPE_NOINLINE worker* this_worker() noexcept;

/// The same without the call: for functions that no coroutine inlines, as those of source files.
TROUPE_QUICK_TLS extern constinit thread_local worker* worker_of_thread;
inline worker* worker_here() noexcept {
  return worker_of_thread;
}

}  // namespace troupe::detail
