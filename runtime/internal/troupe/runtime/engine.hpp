// The engine behind a runtime: the workers, and the state that they share.
//
// Internal to Troupe's own sources. Owned by the runtime and by each of its threads, so that a thread that is
// stuck in a handler when the runtime ends (a wedged one) keeps the memory that it may still touch. Threads
// that send from outside hold a pin meanwhile (pin.hpp).
#pragma once

#include <troupe/runtime/detail/mutex.hpp>
#include <troupe/runtime/foreign_counters.hpp>
#include <troupe/runtime/parking.hpp>
#include <troupe/runtime/pin.hpp>
#include <troupe/runtime/random.hpp>
#include <troupe/runtime/root_list.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/worker.hpp>
#include <troupe/runtime/worker_set.hpp>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::detail {

class blocking_pool;
class overflow_list;
class watchdog;
class inject_queue;

/// A source of events in a simulated world, besides timers: a network. On the thread of the simulation.
class sim_environment {
 public:
  sim_environment() = default;
  sim_environment(const sim_environment&) = delete;
  sim_environment& operator=(const sim_environment&) = delete;
  virtual ~sim_environment() = default;
  /// The time of the next event, if there is one.
  [[nodiscard]] virtual std::optional<std::int64_t> next() const noexcept = 0;
  /// Runs the events that are due; may post mail.
  virtual void run_due(std::int64_t now) noexcept = 0;
  /// The simulation ends; sockets may still refer to this.
  virtual void end() noexcept = 0;
};

/// The state of a simulated runtime, in place of threads and the clock. On its one thread.
struct simulation {
  simulation(std::uint64_t s, duration slowest) noexcept
      : seed(s), max_slice_time(slowest.count()), state(s * golden_ratio + 0x1234567) {}
  ~simulation() {
    if (surroundings) surroundings->end();
  }
  simulation(const simulation&) = delete;
  simulation& operator=(const simulation&) = delete;
  const std::uint64_t seed;
  const std::int64_t max_slice_time;
  std::vector<runnable*> ready;
  std::int64_t now = 1'000'000'000;  // an arbitrary epoch, not 0, so that a forgotten time shows
  std::uint64_t state;
  std::uint64_t steps = 0;
  /// Created by the network when it is first used.
  std::shared_ptr<sim_environment> surroundings;
  std::uint64_t next() noexcept { return splitmix64(state); }
};

class engine final : public pinnable {
 public:
  /// Starts with one share, the caller's.
  engine(runtime_options options, std::unique_ptr<simulation> sim);
  ~engine() override;

  /// Starts the workers' threads: all, or, when it throws, none.
  void start();
  /// Ends the workers; they must have nothing left to run. Waits until `deadline` for threads that are stuck;
  /// returns how many still are.
  unsigned stop(std::int64_t deadline);
  /// Stops logging: some threads are abandoned, and the log may be destroyed.
  void silence() noexcept;

  /// Whether workers have threads. Otherwise a thread that waits from outside drives: on the simulated
  /// runtime, and with runtime_options::current_thread.
  [[nodiscard]] bool has_threads() const noexcept { return !sim_ && !options_.current_thread; }
  /// Without threads: runs ready work, on the calling thread, until `done()`. False when `deadline`, on the
  /// runtime's clock, passes first, or a simulation has no event left. One thread drives at a time; others
  /// wait, and the next takes over when it leaves.
  template <class F>
  bool drive(F done, std::int64_t deadline = INT64_MAX) {
    return drive_until({[](const void* f) { return (*static_cast<const F*>(f))(); }, &done}, deadline);
  }
  /// A condition that another thread may wait for in drive() has become true. The caller holds no lock that
  /// the other's `done` takes.
  void notify_drivers() noexcept;

  /// Makes `r` ready. Any thread that is not a worker of this engine, and keeps the engine alive: a push that
  /// said `wake` does not, for once `r` is in the queue it may run, and the engine may end.
  void inject(runnable& r) noexcept;
  /// Wakes a worker when one sleeps and none is searching.
  void notify() noexcept;
  /// Wakes up to `n` sleeping workers, even if others search.
  void call(unsigned n) noexcept;
  /// Lets only the first `n` workers work, at least 1; the others give away their work, and rest. Called by
  /// the watchdog (worker_governor.hpp); any thread may.
  void set_active_workers(unsigned n) noexcept;

  [[nodiscard]] std::int64_t now() const noexcept;
  [[nodiscard]] bool simulated() const noexcept { return sim_ != nullptr; }
  [[nodiscard]] simulation& sim() noexcept { return *sim_; }
  /// Runs one ready runnable of the simulation; false when none is ready.
  bool sim_step() noexcept;
  /// Moves the virtual clock to the next timer or event of the surroundings, not beyond `limit`; false when
  /// there is none.
  bool sim_advance(std::int64_t limit) noexcept;
  /// No work is ready, and no timer or event will make any ready. A timer at INT64_MAX, "forever", never
  /// fires.
  [[nodiscard]] bool sim_over() noexcept;

  [[nodiscard]] const runtime_options& options() const noexcept { return options_; }
  [[nodiscard]] std::vector<std::unique_ptr<worker>>& workers() noexcept { return workers_; }
  [[nodiscard]] worker& first_worker() noexcept { return *workers_.front(); }
  [[nodiscard]] blocking_pool& blocking() noexcept { return *blocking_; }
  void log(log_level level, std::string_view line) const noexcept;
  [[nodiscard]] runtime_counters counters();

  /// Adds to the counters of this thread: its worker's, or its own among foreign threads'.
  template <class F>
  void count(F&& add) noexcept {
    worker* const w = this_worker();
    if (w != nullptr && &w->home() == this) {
      add(w->counters);
    } else {
      count_from_outside(add);
    }
  }

  /// The same where it is known that this thread is not a worker of this engine.
  template <class F>
  void count_from_outside(F&& add) noexcept {
    foreign_.count(add);
  }

  /// Arms `t` with the worker of this thread, or, on a thread that is not one of this engine's, with the
  /// first worker, and makes sure that it wakes up in time.
  void arm(timer& t, std::int64_t deadline) noexcept;

  root_list roots;

 private:
  friend class worker;
  friend class watchdog;

  void start(worker& w);
  bool drive_until(predicate done, std::int64_t deadline);
  /// The time of the simulation's next timer or event, if there is one; and runs those that are due.
  [[nodiscard]] std::optional<std::int64_t> sim_next() noexcept;
  void sim_run_due() noexcept;
  runnable* take_injected() noexcept;
  void overflow(worker& w, runnable& r) noexcept;
  void hand_over(worker& w) noexcept;
  runnable* take_overflow(worker& w) noexcept {
    return overflow_size_.load(std::memory_order_acquire) == 0 ? nullptr : take_overflowed(w);
  }
  runnable* take_overflowed(worker& w) noexcept;
  [[nodiscard]] bool work_injected() noexcept;
  [[nodiscard]] bool rings_filled() const noexcept;
  void wake(parking::place& p) noexcept;
  void wake_watchdog() noexcept;

  runtime_options options_;
  // log_: the sink of the options until silence(). The release in silence() pairs with the acquire in log():
  // the silent sink is constructed before it is used. Broken by: tests/runtime/scheduler/shutdown_test.
  atomic<log_sink*> log_;
  // active_: workers with this index or a higher one stand back: they give away their work, and rest. Written
  // by an exchange, so that each increase wakes the workers that it concerns. Read relaxed: a worker may see
  // it late, and a rest is ended by a wake() of its reactor, which is kept for the next wait (wake_flag.hpp).
  // Broken by: tests/stress/scheduler_stress_test.
  atomic<unsigned> active_{UINT32_MAX};
  std::unique_ptr<simulation> sim_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::unique_ptr<inject_queue> injected_;
  std::unique_ptr<blocking_pool> blocking_;
  std::unique_ptr<watchdog> watchdog_;

  // Runnables that did not fit into a ring.
  mutex overflow_lock_;
  const std::unique_ptr<overflow_list> overflow_ TROUPE_PT_GUARDED_BY(overflow_lock_);
  // overflow_size_: the runnables in overflow_, written under overflow_lock_. The release of each store pairs
  // with the acquire in work_injected(): a worker that is about to sleep sees, behind its fence, what was
  // there before the fence of a push (parking.hpp). Elsewhere a hint. Broken by:
  // tests/stress/scheduler_stress_test.
  atomic<std::size_t> overflow_size_{0};

  parking parking_;
  worker_set filled_;   // the workers whose ring may hold work; the rings of the others are empty
  worker_set overdue_;  // those in one slice for a millisecond, by the watchdog: thieves may take their slot
  // resting_: workers that rest now, for the watchdog. Relaxed, pairs with nothing: a hint. Broken by:
  // tests/stress/scheduler_stress_test.
  atomic<std::uint32_t> resting_{0};

  // stopping_: set once, by stop(), before it wakes all workers; a worker loads it when it has nothing to
  // run. A worker that misses it finds the wake-up of its reactor. Broken by:
  // tests/stress/scheduler_stress_test.
  atomic<bool> stopping_{false};
  // running_threads_: workers' threads that have not left their loop. The release of each decrement pairs
  // with the acquire in stop(): the thread's last access precedes the end. Broken by:
  // tests/runtime/scheduler/shutdown_test.
  atomic<std::uint32_t> running_threads_{0};

  // The turn to drive; see drive(). A waiter tests its `done` under the lock, and a thread that makes it true
  // takes the lock afterwards, so no waiter misses it.
  mutex turn_lock_;
  std::condition_variable turn_changed_;
  bool driven_ TROUPE_GUARDED_BY(turn_lock_) = false;

  foreign_counters foreign_;
  struct threads;
  std::unique_ptr<threads> threads_;
};

}  // namespace troupe::detail
