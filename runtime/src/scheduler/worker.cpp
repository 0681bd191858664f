// A worker's loop: taking work from its own queue, from the shared ones and from other workers, running it,
// and sleeping. runtime/README.md has a picture of it; see worker.hpp for owner and threads.
#include "scheduler/inject_queue.hpp"

#include <troupe/runtime/cycle_count.hpp>
#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/random.hpp>
#include <troupe/runtime/worker.hpp>

#include <algorithm>
#include <utility>

namespace troupe::detail {

namespace {

constexpr unsigned injected_turns_max = 32;  // turns of injected work between two looks around
constexpr unsigned timer_batch = 64;         // timers that fire between two slices

}  // namespace

TROUPE_QUICK_TLS constinit thread_local worker* worker_of_thread = nullptr;

worker* this_worker() noexcept {
  return worker_of_thread;
}

worker::worker(engine& home, unsigned index, bool shared)
    : simulated(home.simulated()),
      io(*reactor::make()),
      queue(shared),
      home_(&home),
      index_(index),
      filled_(home.filled_, index, shared),
      random_state_(golden_ratio * (index + 1)) {}

std::uint64_t worker::random() noexcept {
  if (simulated) [[unlikely]]
    return home_->sim().next();
  return xorshift64(random_state_);
}

std::int64_t worker::recent_now() noexcept {
  if (simulated) return home_->now();
  if (!still_fresh(cycles_, cycle_count())) refresh_clock();
  return now_;
}

void worker::refresh_clock() noexcept {
  now_ = home_->now();
  cycles_ = cycle_count();
}

// -- queues -------------------------------------------------------------------

void worker::push_yielded(runnable& r) noexcept {
  if (simulated) [[unlikely]] {
    push_simulated(r);
  } else {
    push_ring(r);
  }
}

void worker::push_simulated(runnable& r) noexcept {
  home_->sim().ready.push_back(&r);
}

void worker::push_ring(runnable& r) noexcept {
  filled_.set();
  if (!queue.push(r)) home_->overflow(*this, r);
}

runnable* worker::next_local() noexcept {
  if (slot_runs_ < slot_runs_max) {
    if (runnable* const r = queue.take_slot()) {
      ++slot_runs_;
      return r;
    }
  } else if (queue.size() != 0) {
    // The slot has had its runs in a row: its runnable goes to the end of the ring.
    if (runnable* const r = queue.take_slot()) push_ring(*r);
  }
  slot_runs_ = 0;
  if (runnable* const r = queue.pop()) return r;
  return queue.take_slot();
}

runnable* worker::next() noexcept {
  const unsigned left = ticks_left_.load(std::memory_order_relaxed) - 1;
  ticks_left_.store(left, std::memory_order_relaxed);
  if (left == 0) {
    if (runnable* const r = look_around()) return r;
    if (deactivated_) [[unlikely]]
      return nullptr;
  }
  if (runnable* const r = next_local()) return r;
  return next_shared();
}

// Looks at the shared queues, which is done here and not only when the ring is empty, so that a busy ring
// starves neither injected nor overflowed work. While injected work waits it gets every second slice: it may
// come from more threads than there are workers, and a look every few slices would not keep up. Broken by:
// tests/runtime/scheduler/injected_work_test.
runnable* worker::look_around() noexcept {
  if (injected_turns_ != 0 && still_fresh(cycles_, cycle_count())) {
    runnable* const r = home_->take_injected();
    injected_turns_ = r != nullptr ? injected_turns_ - 1 : 0;
    ticks_left_.store(r != nullptr ? 2 : sharing_.interval(), std::memory_order_relaxed);
    return r;
  }
  injected_turns_ = 0;
  maintain();
  if (index_ >= home_->active_.load(std::memory_order_relaxed)) [[unlikely]] {
    deactivate();
    return nullptr;
  }
  runnable* const r = next_shared();
  if (!home_->injected_->empty()) {
    injected_turns_ = injected_turns_max;
    ticks_left_.store(2, std::memory_order_relaxed);
  }
  return r;
}

// By turns: foreign threads may inject as fast as all workers run, and must not starve overflowed work.
// Broken by: "supervision soak: the same while other threads spawn, watch, register names and inspect".
runnable* worker::next_shared() noexcept {
  overflow_next_ = !overflow_next_;
  if (overflow_next_) {
    if (runnable* const r = home_->take_overflow(*this)) return r;
    return home_->take_injected();
  }
  if (runnable* const r = home_->take_injected()) return r;
  return home_->take_overflow(*this);
}

// Every few slices: the clock, the timers, the sockets, and the decision whether another worker should help.
void worker::maintain() noexcept {
  refresh_clock();
  const std::uint64_t slices = counters.slices.get();
  const std::uint64_t messages = counters.handled.get();
  const std::int64_t elapsed = now_ - maintained_at_;
  const auto ran = static_cast<std::int64_t>(slices - slices_then_);
  if (ran > 0 && maintained_at_ != 0) {
    sharing_.note(elapsed, ran, static_cast<std::int64_t>(messages - messages_then_));
  }
  maintained_at_ = now_;
  slices_then_ = slices;
  messages_then_ = messages;
  // Strands woken by these timers run before the next timers fire.
  const bool more_due = timers.fire_due(now_, timer_batch);
  const unsigned interval = sharing_.interval();
  ticks_left_.store(more_due ? std::min(interval, timer_batch) : interval, std::memory_order_relaxed);
  // Sockets are polled after all strands that were ready at the last look have run: events wait in order in
  // the kernel, and would only push strands that wait here into the overflow list.
  if (io.in_use() && now_ - io_polled_at_ >= sharing::look_period && queue.passed(io_polled_up_to_)) {
    io.poll();
    note_look_at_sockets();
  }
  if (sharing_.worth_sharing(backlog())) home_->notify();
}

void worker::note_look_at_sockets() noexcept {
  io_polled_at_ = now_;
  io_polled_up_to_ = queue.end_mark();
}

std::int64_t worker::backlog() const noexcept {
  return static_cast<std::int64_t>(queue.size() + home_->overflow_size_.load(std::memory_order_relaxed));
}

// -- running ------------------------------------------------------------------

void worker::run_one(runnable& r) noexcept {
  auto& s = static_cast<strand&>(r);
  current = &s;
  hops = hop_budget;
  running.store(&s, std::memory_order_relaxed);
  slice_number.store(slice_number.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  r.run(r, *this);
  slice_number.store(slice_number.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  clear_running();
  current = nullptr;
  counters.slices.add();
}

void worker::run_simulated(runnable& r) noexcept {
  worker* const outer = std::exchange(worker_of_thread, this);  // for a handler that steps a simulation
  run_one(r);
  worker_of_thread = outer;
}

void worker::loop() noexcept {
  worker_of_thread = this;
  refresh_clock();
  for (;;) {
    runnable* r = next();
    if (r == nullptr) r = search();
    if (r != nullptr) {
      if (searching_) stop_searching();
      run_one(*r);
    } else {
      if (home_->stopping_.load(std::memory_order_acquire)) break;
      park();
    }
  }
  if (searching_) stop_searching();
  worker_of_thread = nullptr;
}

bool worker::drive(predicate done, std::int64_t deadline) {
  worker* const outer =
      std::exchange(worker_of_thread, this);  // for a handler of another runtime that ends this one
  refresh_clock();
  bool over = done();
  while (!over && now_ < deadline) {
    if (runnable* const r = next()) {
      if (searching_) stop_searching();
      run_one(*r);
    } else {
      home_->notify_drivers();  // their conditions may hold: a signal, for example, only wakes this thread
      if (!done()) park(deadline);  // polling the sockets may have made it true
    }
    over = done();
  }
  if (searching_) stop_searching();
  worker_of_thread = outer;
  return over;
}

void worker::stop_searching() noexcept {
  searching_ = false;
  const worker* const victim = std::exchange(victim_, nullptr);
  const bool last = home_->parking_.stop_searching();
  // The last searcher that found work wakes the next, if injected work waits, or if the work that it stole
  // and that its victim has now is worth it: a worker that pushes meanwhile wakes no other, but relies on
  // this one. Broken by: tests/explore/worker_set_explore_test.
  const auto left = static_cast<std::int64_t>(victim != nullptr ? victim->queue.size() : 0);
  const auto stolen = static_cast<std::int64_t>(queue.size());
  if (const unsigned calls = sharing_.cores_for(stolen, left); calls != 0) {
    home_->call(calls);
  } else if (last && (home_->work_injected() || sharing_.worth_sharing(backlog() + left))) {
    home_->notify();
  }
}

runnable* worker::search() noexcept {
  if (home_->workers_.size() == 1) return nullptr;
  filled_.clear();
  if (deactivated_) return nullptr;
  if (!searching_) {
    refused_ = !home_->parking_.start_searching();
    if (refused_) return nullptr;
    searching_ = true;
  }
  runnable* const r = steal();
  if (r != nullptr) counters.steals.add();
  return r;
}

runnable* worker::steal() noexcept {
  engine& e = *home_;
  const auto start = static_cast<unsigned>(random() % e.workers_.size());
  runnable* r = nullptr;
  const auto from_ring = [&](unsigned i) {
    worker& victim = *e.workers_[i];
    if (&victim == this || victim.queue.size() == 0) return false;
    filled_.set();
    r = victim.queue.steal_into(queue);
    if (r == nullptr) return false;
    victim_ = &victim;
    sharing_.take_over(victim.sharing_, e.overdue_.contains(i));
    return true;
  };
  // The slot's runnable is the next of its worker: taken only when the watchdog has found that worker
  // overdue.
  const auto from_slot = [&](unsigned i) {
    worker& victim = *e.workers_[i];
    if (&victim != this) r = victim.queue.steal_slot();
    if (r != nullptr) sharing_.take_over(victim.sharing_, true);
    return r != nullptr;
  };
  if (e.filled_.find(start, from_ring) || e.overdue_.find(start, from_slot)) return r;
  return next_shared();
}

// Small work runs better on fewer workers (worker_governor.hpp): the others get the work of this one.
void worker::deactivate() noexcept {
  home_->hand_over(*this);
  deactivated_ = true;
}

// As park(), but does not wait for work: only for the watchdog's call and this worker's own timers and
// sockets. The other workers get the work that these bring, too.
void worker::rest() noexcept {
  engine& e = *home_;
  deactivated_ = false;
  e.resting_.fetch_add(1, std::memory_order_relaxed);
  if (searching_) {
    searching_ = false;
    static_cast<void>(e.parking_.stop_searching());
  }
  seq_cst_fence();
  if (e.work_injected() || e.rings_filled()) e.notify();
  if (!e.stopping_.load(std::memory_order_relaxed)) wait_for_events(INT64_MAX);
  e.resting_.fetch_sub(1, std::memory_order_relaxed);
  wake_up();
}

void worker::park(std::int64_t deadline) noexcept {
  if (deactivated_) [[unlikely]]
    return rest();
  engine& e = *home_;
  // Work in other rings is left to the searchers when there are enough: the last of them sees this worker in
  // the list of sleepers, and checks whether it should be woken.
  const auto work_visible = [this, &e] {
    return e.work_injected() || e.stopping_.load(std::memory_order_relaxed) ||
           (!(refused_ && e.parking_.searchers() != 0) && e.rings_filled());
  };
  searching_ =
      e.parking_.park(*this, searching_, work_visible, [this, deadline] { wait_for_events(deadline); });
  refused_ = false;
  wake_up();
}

void worker::wait_for_events(std::int64_t deadline) noexcept {
  counters.parks.add();
  const std::int64_t until = std::min(timers.next_wake().value_or(INT64_MAX), deadline);
  std::int64_t timeout = -1;
  if (until != INT64_MAX) {
    refresh_clock();
    timeout = until > now_ ? until - now_ : 0;
  }
  io.wait(timeout);
}

void worker::wake_up() noexcept {
  home_->wake_watchdog();
  refresh_clock();
  note_look_at_sockets();
  maintained_at_ = 0;
  sharing_.forget_interval();
  injected_turns_ = 0;
  ticks_left_.store(1, std::memory_order_relaxed);
}

}  // namespace troupe::detail
