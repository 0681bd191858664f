// A worker: one thread that runs strands, fires its timers and waits for I/O.
//
// Internal to Troupe's own sources. Owned by the engine. Unless a function says
// otherwise, only the worker's own thread calls it.
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

/// Something to ask again and again; what it refers to outlives the asking.
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

  /// At most this many runs in a row come from the slot.
  static constexpr unsigned slot_runs_max = 3;
  /// Await hops a slice may take.
  static constexpr std::uint32_t hop_budget = 128;
  /// Messages a slice may handle.
  static constexpr std::uint32_t quantum = 64;

  // -- scheduling -----------------------------------------------------------

  /// Something was woken: it runs next on this worker.
  void push_woken(runnable& r) noexcept {
    if (simulated) [[unlikely]] {
      push_simulated(r);
    } else if (runnable* const displaced = queue.put_slot(r)) {
      push_ring(*displaced);
    }
  }
  /// Something gives way to all that is ready: it runs last.
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
  /// A cheap generator for scheduling choices; no source of secrets.
  std::uint64_t random() noexcept;

  counter_block counters;
  timer_service timers;
  reactor& io;
  run_queue<256> queue;

  // -- for the watchdog -----------------------------------------------------

  // slice_number: odd while a slice runs. Written by the worker, relaxed: the
  // watchdog only asks whether it has changed within milliseconds.
  atomic<std::uint64_t> slice_number{0};
  // running_message: the message being handled, for the report; static storage.
  atomic<const char*> running_message{nullptr};
  // running: the strand of this slice, for as long as it is this worker's. Null
  // before the strand is given away; see inspection.hpp.
  atomic<strand*> running{nullptr};
  /// The strand of this slice is about to become somebody else's, or nobody's.
  void clear_running() noexcept { running.store(nullptr, std::memory_order_release); }
  /// Asks the worker to maintain() after this slice, however many were to come before. A hint: the worker may
  /// overwrite it, and is asked again at the next look.
  void look_soon() noexcept { ticks_left_.store(1, std::memory_order_relaxed); }

 private:
  friend class engine;

  void run_simulated(runnable& r) noexcept;
  void loop() noexcept;
  /// The same on the calling thread, until `done` or the deadline; whether `done`.
  bool drive(predicate done, std::int64_t deadline);
  void run_one(runnable& r) noexcept;
  runnable* next() noexcept;
  runnable* look_around() noexcept;
  runnable* next_local() noexcept;
  runnable* next_shared() noexcept;
  runnable* search() noexcept;
  runnable* steal() noexcept;
  /// Sleeps until there is something to do, at most until `deadline`.
  void park(std::int64_t deadline = INT64_MAX) noexcept;
  void deactivate() noexcept;
  void rest() noexcept;
  void wait_for_events(std::int64_t deadline) noexcept;
  void wake_up() noexcept;
  void stop_searching() noexcept;
  void maintain() noexcept;
  /// What became ready up to now is in the ring.
  void note_look_at_sockets() noexcept;
  void push_ring(runnable& r) noexcept;
  void push_simulated(runnable& r) noexcept;
  void refresh_clock() noexcept;
  /// Strands that wait in the ring, and in the list of what overflowed.
  [[nodiscard]] std::int64_t backlog() const noexcept;

  engine* home_;
  unsigned index_;
  unsigned slot_runs_ = 0;
  // ticks_left_: slices until maintain(). Written by the worker without a read-modify-write, and by the
  // watchdog; relaxed, for a lost hint is given again. Broken by: tests/stress/sharing_test.
  atomic<unsigned> ticks_left_{1};
  unsigned injected_turns_ = 0;  // left of those that injected work has; see look_around()
  bool searching_ = false;
  bool refused_ = false;            // enough others search
  const worker* victim_ = nullptr;  // whose ring it stole from, until it stops searching
  bool deactivated_ = false;        // between deactivate() and rest()
  bool overflow_next_ = false;      // whose turn it is in next_shared()
  ring_bit filled_;
  std::uint64_t random_state_;
  // The clock as last read, and the cycle counter then.
  std::int64_t now_ = 0;
  std::uint64_t cycles_ = 0;
  // What maintain() saw the last time.
  std::int64_t maintained_at_ = 0;
  std::int64_t io_polled_at_ = 0;
  std::uint64_t io_polled_up_to_ = 0;  // the end of the ring after that look
  std::uint64_t slices_then_ = 0;
  std::uint64_t messages_then_ = 0;
  sharing sharing_;
};

/// The worker of this thread, or null. Never inlined: a coroutine that asks
/// before and after a suspension may get two answers.
TROUPE_NOINLINE worker* this_worker() noexcept;

/// The same without the call: for functions that no coroutine inlines, which
/// is all that lives in a source file.
TROUPE_QUICK_TLS extern constinit thread_local worker* worker_of_thread;
inline worker* worker_here() noexcept {
  return worker_of_thread;
}

}  // namespace troupe::detail
