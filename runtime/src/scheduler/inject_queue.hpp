// Work from threads that are not workers: first in, first out; allocates nothing.
//
// A push is one compare-and-swap onto a stack, linked through the runnables themselves. A worker takes the
// whole stack at once, which rules out ABA, reverses it, and appends it to the list that all workers take
// from. Lists may be long: the watchdog can push ten thousand at once, when it polls the sockets of a worker
// that is stuck.
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/runnable.hpp>
#include <troupe/runtime/detail/spinlock.hpp>

#include <cstddef>

namespace troupe::detail {

/// Owned by the engine; any thread.
class inject_queue {
 public:
  inject_queue() noexcept = default;
  inject_queue(const inject_queue&) = delete;
  inject_queue& operator=(const inject_queue&) = delete;

  void push(runnable& r) noexcept {
    runnable* newest = pushed_.load(std::memory_order_relaxed);
    do {
      r.next_runnable = newest;
    } while (
        !pushed_.compare_exchange_weak(newest, &r, std::memory_order_release, std::memory_order_relaxed));
  }

  /// Takes the oldest, or null when none waits. A worker only.
  [[nodiscard]] runnable* pop() noexcept {
    if (empty()) return nullptr;
    const scoped_lock guard(taking_);
    append_pushed();
    runnable* const first = oldest_;
    if (first == nullptr) return nullptr;
    oldest_ = first->next_runnable;
    waiting_.store(--count_, std::memory_order_relaxed);
    return first;
  }

  [[nodiscard]] bool empty() const noexcept {
    return pushed_.load(std::memory_order_acquire) == nullptr &&
           waiting_.load(std::memory_order_relaxed) == 0;
  }

 private:
  void append_pushed() noexcept TROUPE_REQUIRES(taking_) {
    if (pushed_.load(std::memory_order_relaxed) == nullptr) return;
    if (count_ == 0) waiting_.store(1, std::memory_order_relaxed);  // before it leaves the stack
    runnable* newest = pushed_.exchange(nullptr, std::memory_order_acq_rel);
    runnable* const last = newest;
    runnable* first = nullptr;
    while (newest != nullptr) {
      runnable* const older = newest->next_runnable;
      newest->next_runnable = first;
      first = newest;
      newest = older;
      ++count_;
    }
    (oldest_ == nullptr ? oldest_ : newest_->next_runnable) = first;
    newest_ = last;
  }

  // pushed_: the newest push that no worker has taken. The release of a push pairs with the acquire of the
  // exchange: the runnables of the chain are published. waiting_: the length of the list, or 1 while the list
  // is built; written under taking_. The release half of the exchange pairs with the acquire in empty(): a
  // thread that finds the stack taken also finds waiting_ set, until awake workers have taken all. Broken by:
  // tests/explore/inject_queue_explore_test, tests/stress/scheduler_stress_test.
  alignas(cache_line) atomic<runnable*> pushed_{nullptr};
  alignas(cache_line) atomic<std::size_t> waiting_{0};
  spinlock taking_;
  runnable* oldest_ TROUPE_GUARDED_BY(taking_) = nullptr;  // of the list, as the next two
  runnable* newest_ TROUPE_GUARDED_BY(taking_) = nullptr;
  std::size_t count_ TROUPE_GUARDED_BY(taking_) = 0;
};

}  // namespace troupe::detail
