// The engine behind a runtime: the workers, and what they share.
//
// Internal to Troupe's own sources. Owned by the runtime and by each of its
// threads, so that a thread that is stuck in a handler when the runtime ends
// (a wedged one) keeps what it may still touch. Threads that send from outside
// hold a pin meanwhile (pin.hpp).
#pragma once

#include <troupe/runtime/foreign_counters.hpp>
#include <troupe/runtime/parking.hpp>
#include <troupe/runtime/pin.hpp>
#include <troupe/runtime/root_list.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/worker.hpp>
#include <troupe/runtime/worker_set.hpp>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace troupe::detail {

class blocking_pool;
class overflow_list;
class watchdog;
class inject_queue;

/// What happens in a simulated world by itself, besides timers: a network.
class sim_environment {
 public:
  sim_environment() = default;
  sim_environment(const sim_environment&) = delete;
  sim_environment& operator=(const sim_environment&) = delete;
  virtual ~sim_environment() = default;
  /// When something happens next, if ever.
  [[nodiscard]] virtual std::optional<std::int64_t> next() const noexcept = 0;
  /// Lets everything happen that is due; may post mail.
  virtual void run_due(std::int64_t now) noexcept = 0;
  /// The simulation ends; others may still refer to this.
  virtual void end() noexcept = 0;
};

/// What the simulated runtime puts in place of threads and the clock.
struct simulation {
  simulation(std::uint64_t s, duration slowest) noexcept
      : seed(s), max_slice_time(slowest.count()), state(s * 0x9e3779b97f4a7c15ULL + 0x1234567) {}
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
  /// Made by the network when it is first used.
  std::shared_ptr<sim_environment> surroundings;
  std::uint64_t next() noexcept;
};

class engine final : public pinnable {
 public:
  /// With one share, the caller's.
  engine(runtime_options options, std::unique_ptr<simulation> sim);
  ~engine() override;

  /// Starts the workers' threads: all, or, when it throws, none.
  void start();
  /// Ends the workers; they must have nothing left to run. Waits until
  /// `deadline` for threads that are stuck; returns how many still are.
  unsigned stop(std::int64_t deadline);
  /// Nothing is logged from here on: some threads are left behind, and the log may go.
  void silence() noexcept;

  /// Whether workers have threads. Otherwise who waits from outside drives: the simulated runtime, or
  /// runtime_options::current_thread.
  [[nodiscard]] bool has_threads() const noexcept { return !sim_ && !options_.current_thread; }
  /// Without threads: runs what is ready, on the calling thread, until `done()`. False when `deadline`, of
  /// the runtime's clock, passes first, or nothing is left that could happen in a simulation. One thread
  /// drives at a time; others wait, and the next takes over when it leaves.
  template <class F>
  bool drive(F done, std::int64_t deadline = INT64_MAX) {
    return drive_until({[](const void* f) { return (*static_cast<const F*>(f))(); }, &done}, deadline);
  }
  /// What another thread may wait for in drive() has come about. Without a lock that its `done` takes.
  void notify_drivers() noexcept;

  /// Makes `r` ready. Any thread that is not a worker of this engine, and keeps it alive: a push that said
  /// `wake` is no reason, for once `r` is in the queue it may run, and all may end.
  void inject(runnable& r) noexcept;
  /// Wakes a worker when one sleeps and none is searching.
  void notify() noexcept;
  /// Wakes up to `n` sleeping workers, whoever searches.
  void call(unsigned n) noexcept;
  /// Lets only the first `n` workers work, at least 1; the others give away what they have, and rest. Any
  /// thread; the watchdog does (worker_governor.hpp).
  void set_active_workers(unsigned n) noexcept;

  [[nodiscard]] std::int64_t now() const noexcept;
  [[nodiscard]] bool simulated() const noexcept { return sim_ != nullptr; }
  [[nodiscard]] simulation& sim() noexcept { return *sim_; }
  /// Runs one ready runnable of the simulation; false when none is ready.
  bool sim_step() noexcept;
  /// Moves the virtual clock to the next timer or event of the surroundings, not
  /// beyond `limit`; false when there is none.
  bool sim_advance(std::int64_t limit) noexcept;
  /// Nothing is ready, and nothing will ever be by itself. A timer at INT64_MAX, "forever", never fires.
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

  /// The same where it is known that this thread is no worker of this engine.
  template <class F>
  void count_from_outside(F&& add) noexcept {
    foreign_.count(add);
  }

  /// Arms `t` with the worker of this thread, or, on a thread that is none of this engine's, with the first
  /// one, and sees that it wakes up in time.
  void arm(timer& t, std::int64_t deadline) noexcept;

  root_list roots;

 private:
  friend class worker;
  friend class watchdog;

  void start(worker& w);
  bool drive_until(predicate done, std::int64_t deadline);
  /// When something happens in the simulation by itself, if ever; and lets all that happen that is due.
  [[nodiscard]] std::optional<std::int64_t> sim_next() noexcept;
  void sim_happen() noexcept;
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
  // log_: that of the options until silence(); release and acquire, for what the other one is made of.
  // Broken by: tests/runtime/shutdown_test.
  atomic<log_sink*> log_;
  // active_: workers with this index or a higher one stand back: they give away what they have, and rest.
  // Written by an exchange, so that each rise wakes those it concerns. Read relaxed: a worker may see it
  // late, and what ends a rest is a wake() of its reactor, which is kept for the next wait. Broken by:
  // tests/stress/scheduler_stress_test.
  atomic<unsigned> active_{UINT32_MAX};
  std::unique_ptr<simulation> sim_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::unique_ptr<inject_queue> injected_;
  std::unique_ptr<blocking_pool> blocking_;
  std::unique_ptr<watchdog> watchdog_;

  // What did not fit into a ring. overflow_size_: a hint, read without the lock.
  std::mutex overflow_lock_;
  std::unique_ptr<overflow_list> overflow_;
  atomic<std::size_t> overflow_size_{0};

  parking parking_;
  worker_set filled_;   // the workers whose ring may hold work; the others' are empty
  worker_set overdue_;  // those in one slice for a millisecond: thieves may take their slot. Of the watchdog
  // resting_: workers that stand back now, for the watchdog; relaxed, a hint.
  // Broken by: tests/runtime/scheduler/worker_governor_test.
  atomic<std::uint32_t> resting_{0};

  // stopping_: set once, by stop(); workers look when they have nothing to run.
  atomic<bool> stopping_{false};
  atomic<std::uint32_t> running_threads_{0};

  // Whose turn it is to drive; see drive(). A waiter asks its `done` under the lock, and whoever makes one
  // true takes the lock afterwards, so no waiter sleeps through it.
  std::mutex turn_lock_;
  std::condition_variable turn_changed_;
  bool driven_ = false;

  foreign_counters foreign_;
  struct threads;
  std::unique_ptr<threads> threads_;
};

}  // namespace troupe::detail
