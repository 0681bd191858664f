// The watchdog's thread: its looks at the workers, and the report of a long handler. See watchdog.hpp.
#include "scheduler/watchdog.hpp"

#include <troupe/runtime/detail/inspection_gate.hpp>
#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/engine.hpp>

#include <algorithm>
#include <chrono>
#include <linux/membarrier.h>
#include <new>
#include <pthread.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace troupe::detail {

namespace {

// Looks that find all workers parked before the watchdog sleeps, over about 20 ms: a system that gets a
// request every few milliseconds does not wake it each time.
constexpr unsigned patience = 6;

// The time between two looks: 1 ms while a worker runs, up to 4 ms when all are parked.
std::chrono::milliseconds period(unsigned quiet) noexcept {
  return std::chrono::milliseconds(1U << std::min(quiet, 2U));
}
// Timers of a stuck worker that fire at one look: others may be stuck, too.
constexpr unsigned timers_at_once = 1'024;

bool register_barrier() noexcept {
  return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

bool process_barrier() noexcept {
  return ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

}  // namespace

constinit atomic<std::uint32_t> inspections{0};

watchdog::watchdog(engine& e)
    : engine_(e),
      samples_(e.workers().size()),
      governor_(static_cast<unsigned>(e.workers().size())),
      active_(static_cast<unsigned>(e.workers().size())) {
  register_barrier();
  thread_ = std::thread([this] { loop(); });
}

watchdog::~watchdog() {
  stop();
}

void watchdog::stop() noexcept {
  {
    const scoped_lock guard(lock_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void watchdog::wake_up() noexcept {
  seq_cst_fence();
  if (!asleep_.load(std::memory_order_relaxed)) return;
  const scoped_lock guard(lock_);
  asleep_.store(false, std::memory_order_relaxed);
  changed_.notify_all();
}

void watchdog::loop() noexcept {
  pthread_setname_np(pthread_self(), (engine_.options().name.substr(0, 9) + "/watch").c_str());
  unsigned quiet = 0;
  mutex_lock guard(lock_);
  while (!stopping_) {
    if (quiet >= patience) {
      asleep_.store(true, std::memory_order_relaxed);
      seq_cst_fence();
      if (engine_.parking_.all_parked()) {
        while (!stopping_ && asleep_.load(std::memory_order_relaxed)) guard.wait(changed_);
      }
      asleep_.store(false, std::memory_order_relaxed);
      quiet = 0;
      continue;
    }
    const auto next_look = std::chrono::steady_clock::now() + period(quiet);
    while (!stopping_ && guard.wait_until(changed_, next_look)) {
    }
    if (stopping_) break;
    guard.unlock();
    if (engine_.parking_.all_parked()) {
      ++quiet;
    } else {
      quiet = 0;
      const std::int64_t now = engine_.now();
      bool stuck = false;
      for (auto& w : engine_.workers()) stuck |= observe(*w, samples_[w->index()], now);
      spread_work(now, stuck);
      rescue();
    }
    guard.lock();
  }
}

// The second safety net for wake-ups: work that was visible at two looks in a row while a worker slept.
void watchdog::rescue() noexcept {
  const bool left = engine_.work_injected() && engine_.parking_.parked() != 0;
  if (std::exchange(left_waiting_, left) && left) {
    if (parking::place* const p = engine_.parking_.take()) engine_.wake(*p);
  }
}

void watchdog::spread_work(std::int64_t now, bool stuck) noexcept {
  if (samples_.size() == 1) return;
  std::uint64_t handled = 0;
  std::uint64_t slices = 0;
  for (auto& w : engine_.workers()) {
    handled += w->counters.handled.get();
    slices += w->counters.slices.get();
  }
  const auto all = static_cast<unsigned>(samples_.size());
  const unsigned idle = engine_.parking_.parked() + engine_.resting_.load(std::memory_order_relaxed);
  const unsigned active = governor_.observe(
      {.now = now, .done = std::max(handled, slices), .awake = all - std::min(idle, all), .stuck = stuck});
  if (active == active_) return;
  active_ = active;
  engine_.set_active_workers(active);
}

// Whether the worker is overdue.
bool watchdog::observe(worker& w, sample& s, std::int64_t now) noexcept {
  // A millisecond has passed: the worker, which knows how long its slices take, decides whether to share its
  // backlog.
  if (w.queue.size() != 0) w.look_soon();
  const std::uint64_t slice = w.slice_number.load(std::memory_order_acquire);
  if (slice != s.slice || slice % 2 == 0) {
    if (s.slice != slice) s.reported = false;
    s.slice = slice;
    s.since = now;
    if (s.overdue) engine_.overdue_.erase(w.index());
    s.overdue = false;
    return false;
  }
  if (!s.overdue) engine_.overdue_.insert(w.index());
  s.overdue = true;
  w.timers.fire_due(now, timers_at_once);
  if (w.io.in_use()) w.io.poll();
  if (!w.queue.empty() || engine_.work_injected()) engine_.notify();
  if (!s.reported && now - s.since >= engine_.options().long_handler.count()) {
    s.reported = true;
    report(w, now - s.since, slice);
  }
  return true;
}

void watchdog::report(worker& w, std::int64_t ran, std::uint64_t slice) noexcept {
  engine_.count([](counter_block& c) { c.long_handlers.add(); });
  try {
    engine_.log(log_level::warning,
                describe(w, slice) + ": has been running for " + std::to_string(ran / 1'000'000) +
                    " ms without yielding; move blocking calls into co_await blocking(...)");
  } catch (const std::bad_alloc&) {
    engine_.log(log_level::warning,
                "a handler has been running for long without yielding; no memory is left to name it");
  }
}

// The strand and the message of that slice of the worker.
std::string watchdog::describe(const worker& w, std::uint64_t slice) {
  const held_gate gate;
  std::string what = "a handler";
  // Without the barrier the strand may not be touched: then the report has no path.
  if (process_barrier() && w.slice_number.load(std::memory_order_acquire) == slice) {
    if (const strand* const s = w.running.load(std::memory_order_acquire)) what = s->describe();
    if (const char* const message = w.running_message.load(std::memory_order_relaxed)) {
      what.append(", handling ").append(message);
    }
  }
  return what;
}

}  // namespace troupe::detail
