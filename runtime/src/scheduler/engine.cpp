// The engine: its start and end, the queues that workers share, waking workers, and the steps of a
// simulation. See engine.hpp for owner and threads.
#include "scheduler/blocking_pool.hpp"
#include "scheduler/inject_queue.hpp"
#include "scheduler/overflow_list.hpp"
#include "scheduler/watchdog.hpp"

#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/engine.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <thread>

namespace troupe::detail {

namespace {

unsigned usable_cores() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    const int n = CPU_COUNT(&set);
    if (n > 0) return static_cast<unsigned>(n);
  }
  return std::max(1U, std::thread::hardware_concurrency());
}

runtime_options checked(runtime_options o) {
  const auto refuse = [](const char* text) {
    throw troupe_error(error(make_error_code(errc::invalid_argument), text));
  };
  if (o.current_thread && o.workers > 1) {
    refuse(
        "runtime_options.workers: current_thread has one worker; leave workers at 0, or set current_thread "
        "to false");
  }
  if (o.workers == 0) o.workers = o.current_thread ? 1 : usable_cores();
  if (o.workers > 1024) refuse("runtime_options.workers: at most 1024");
  if (o.blocking_threads == 0) refuse("runtime_options.blocking_threads: at least 1");
  if (o.long_handler.count() <= 0) refuse("runtime_options.long_handler: must be positive");
  if (o.shutdown.count() <= 0) refuse("runtime_options.shutdown: must be positive");
  if (o.log == nullptr) o.log = &stderr_log();
  return o;
}

}  // namespace

struct engine::threads {
  std::vector<std::thread> all;
  mutex lock;  // for `ended`
  std::condition_variable ended;
};

engine::engine(runtime_options options, std::unique_ptr<simulation> sim)
    : options_(checked(std::move(options))),
      log_(options_.log),
      sim_(std::move(sim)),
      injected_(std::make_unique<inject_queue>()),
      overflow_(std::make_unique<overflow_list>()),
      parking_(sim_ ? 1 : options_.workers),
      filled_(options_.workers),
      overdue_(options_.workers),
      threads_(std::make_unique<threads>()) {
  prepare_heavy_fence();
  const unsigned n = sim_ ? 1 : options_.workers;
  options_.workers = n;
  workers_.reserve(n);
  for (unsigned i = 0; i < n; ++i) workers_.push_back(std::make_unique<worker>(*this, i, n > 1));
  blocking_ = std::make_unique<blocking_pool>(*this, options_.blocking_threads);
}

engine::~engine() = default;

void engine::start() {
  if (!has_threads()) return;
  watchdog_ = std::make_unique<watchdog>(*this);
  try {
    for (auto& w : workers_) start(*w);
  } catch (...) {
    (void)stop(INT64_MAX);
    throw;
  }
}

void engine::start(worker& w) {
  // The thread owns a share of the engine: a thread that does not return from a handler must find it alive.
  share();
  threads_->all.emplace_back([self = engine_ref(this), &w] {
    const std::string name = self->options_.name.substr(0, 11) + "/" + std::to_string(w.index());
    pthread_setname_np(pthread_self(), name.c_str());
    w.loop();
    const scoped_lock guard(self->threads_->lock);
    self->running_threads_.fetch_sub(1, std::memory_order_release);
    self->threads_->ended.notify_all();
  });
  running_threads_.fetch_add(1, std::memory_order_relaxed);  // before the thread can end, which takes stop()
}

unsigned engine::stop(std::int64_t deadline) {
  if (!has_threads()) return 0;
  stopping_.store(true, std::memory_order_seq_cst);
  for (auto& w : workers_) w->io.wake();
  unsigned stuck = 0;
  {
    mutex_lock guard(threads_->lock);
    const auto until = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline));
    while (running_threads_.load(std::memory_order_acquire) != 0 &&
           guard.wait_until(threads_->ended, until)) {
    }
    stuck = running_threads_.load(std::memory_order_acquire);
  }
  watchdog_->stop();
  for (std::thread& t : threads_->all) {
    if (stuck == 0) {
      t.join();
    } else {
      t.detach();
    }
  }
  threads_->all.clear();
  return stuck;
}

std::int64_t engine::now() const noexcept {
  if (sim_) return sim_->now;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void engine::log(log_level level, std::string_view line) const noexcept {
  log_.load(std::memory_order_acquire)->write(level, line);
}

void engine::silence() noexcept {
  log_.store(&silent_log(), std::memory_order_release);
}

runtime_counters engine::counters() {
  runtime_counters sum;
  for (auto& w : workers_) w->counters.add_to(sum);
  foreign_.add_to(sum);
  return sum;
}

// -- scheduling ---------------------------------------------------------------

void engine::inject(runnable& r) noexcept {
  if (sim_) {
    sim_->ready.push_back(&r);
    return;
  }
  injected_->push(r);
  notify();
}

void engine::arm(timer& t, std::int64_t deadline) noexcept {
  worker* const here = this_worker();
  if (here != nullptr && &here->home() == this) {
    here->timers.arm(t, deadline);
  } else if (sim_) {
    first_worker().timers.arm(t, deadline);
  } else if (first_worker().timers.arm_from_outside(t, deadline)) {
    first_worker().io.wake();  // it sleeps, or is about to, until a later deadline
  }
}

runnable* engine::take_injected() noexcept {
  return injected_->pop();
}

void engine::overflow(worker& w, runnable& r) noexcept {
  std::array<runnable*, run_queue<>::capacity / 2> half;
  const std::size_t n = w.queue.take_half(half);
  if (n == 0) {  // a thief made room
    if (w.queue.push(r)) return;
  }
  r.next_runnable = nullptr;
  runnable* first = &r;
  for (std::size_t i = n; i-- > 0;) {
    half[i]->next_runnable = first;
    first = half[i];
  }
  const scoped_lock guard(overflow_lock_);
  overflow_->push(*first, n + 1);
  overflow_size_.store(overflow_size_.load(std::memory_order_relaxed) + n + 1, std::memory_order_release);
}

// Moves all that a worker has into the overflow list. The caller makes sure that another worker looks there.
void engine::hand_over(worker& w) noexcept {
  runnable* next = w.queue.pop();
  if (next == nullptr) next = w.queue.take_slot();
  while (next != nullptr) {
    runnable* const first = next;
    runnable* last = first;
    std::size_t n = 1;
    for (;; ++n) {
      next = w.queue.pop();
      if (next == nullptr) next = w.queue.take_slot();
      if (next == nullptr || n == run_queue<>::capacity / 2) break;
      last->next_runnable = next;
      last = next;
    }
    last->next_runnable = nullptr;
    const scoped_lock guard(overflow_lock_);
    overflow_->push(*first, n);
    overflow_size_.store(overflow_size_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }
}

void engine::set_active_workers(unsigned n) noexcept {
  const unsigned before = active_.exchange(n, std::memory_order_seq_cst);
  for (std::size_t i = before; i < n && i < workers_.size(); ++i) workers_[i]->io.wake();
}

// Returns one of a batch, and moves as many of the others as fit into the ring of the worker, from which
// other workers may steal.
runnable* engine::take_overflowed(worker& w) noexcept {
  std::size_t size = 0;
  runnable* first = nullptr;
  {
    const scoped_lock guard(overflow_lock_);
    first = overflow_->pop(size);
    if (first == nullptr) return nullptr;
    overflow_size_.store(overflow_size_.load(std::memory_order_relaxed) - size, std::memory_order_release);
  }
  runnable* rest = size > 1 ? first->next_runnable : nullptr;
  w.filled_.set();
  for (--size; size > 0; --size) {
    runnable* const after = rest->next_runnable;
    if (!w.queue.push(*rest)) break;
    rest = after;
  }
  if (size > 0) {
    const scoped_lock guard(overflow_lock_);
    overflow_->push(*rest, size);
    overflow_size_.store(overflow_size_.load(std::memory_order_relaxed) + size, std::memory_order_release);
  }
  return first;
}

bool engine::work_injected() noexcept {
  return !injected_->empty() || overflow_size_.load(std::memory_order_acquire) != 0;
}

// A member may be stale: its worker is in a slice, and thieves have emptied its ring meanwhile.
bool engine::rings_filled() const noexcept {
  return filled_.find(0, [this](unsigned i) { return workers_[i]->queue.size() != 0; });
}

void engine::notify() noexcept {
  if (parking::place* const p = parking_.notify()) wake(*p);
}

void engine::call(unsigned n) noexcept {
  for (; n != 0 && parking_.parked() != 0; --n) {
    if (parking::place* const p = parking_.take()) wake(*p);
  }
}

void engine::wake(parking::place& p) noexcept {
  static_cast<worker&>(p).io.wake();
  count([](counter_block& c) { c.wakeups.add(); });
}

void engine::wake_watchdog() noexcept {
  if (watchdog_) watchdog_->wake_up();
}

// -- simulation ---------------------------------------------------------------

bool engine::sim_step() noexcept {
  auto& ready = sim_->ready;
  if (ready.empty()) return false;
  const std::size_t i = static_cast<std::size_t>(sim_->next() % ready.size());
  runnable* const r = ready[i];
  ready[i] = ready.back();
  ready.pop_back();
  ++sim_->steps;
  first_worker().run_simulated(*r);
  if (sim_->max_slice_time > 0) {
    const std::uint64_t took = sim_->next() % (static_cast<std::uint64_t>(sim_->max_slice_time) + 1);
    sim_->now = deadline_after(sim_->now, duration(static_cast<std::int64_t>(took)));
    sim_run_due();  // timeouts fire even while work is always ready
  }
  return true;
}

std::optional<std::int64_t> engine::sim_next() noexcept {
  const std::int64_t timer = first_worker().timers.next_deadline().value_or(INT64_MAX);
  const std::int64_t event = sim_->surroundings ? sim_->surroundings->next().value_or(INT64_MAX) : INT64_MAX;
  const std::int64_t next = std::min(timer, event);
  if (next == INT64_MAX) return std::nullopt;  // "forever" is never
  return next;
}

void engine::sim_run_due() noexcept {
  while (first_worker().timers.fire_due(sim_->now, UINT_MAX)) {
  }
  const auto event = sim_->surroundings ? sim_->surroundings->next() : std::nullopt;
  if (event && *event <= sim_->now) sim_->surroundings->run_due(sim_->now);
}

bool engine::sim_advance(std::int64_t limit) noexcept {
  const auto next = sim_next();
  if (!next || *next > limit) {
    if (limit != INT64_MAX && limit > sim_->now) sim_->now = limit;
    return false;
  }
  if (*next > sim_->now) sim_->now = *next;
  sim_run_due();
  return true;
}

bool engine::sim_over() noexcept {
  return sim_->ready.empty() && !sim_next();
}

}  // namespace troupe::detail
