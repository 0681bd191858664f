// The sleeping and the searching workers: how a push finds a worker that is awake, or wakes one.
//
// Internal to Troupe's own sources. Owned by the engine. It wakes no thread itself: it names the worker that
// its caller must wake.
//
// A thread that made work visible fences and loads searching_ and parked_; a worker that goes to sleep enters
// the list (and leaves searching_), fences, and looks at every queue once more. One of the two sees the
// other, so no push is left while all workers sleep. A worker that stands back is in no list: before it rests
// it does what a pusher does, so that another worker sees the work that it left. A push onto the worker's own
// ring needs no such proof, for the worker itself is awake; there a wake-up only adds parallelism.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/spinlock.hpp>

#include <cstdint>

namespace troupe::detail {

class parking {
 public:
  /// A worker's place in the list of those that sleep.
  class place {
   public:
    place() noexcept = default;
    place(const place&) = delete;
    place& operator=(const place&) = delete;

   private:
    friend class parking;
    place* before_ = nullptr;
    place* after_ = nullptr;
    bool listed_ = false;  // all three under parking::lock_
  };

  explicit parking(std::uint32_t workers) noexcept : workers_(workers) {}
  parking(const parking&) = delete;
  parking& operator=(const parking&) = delete;

  // -- threads that have made work visible ------------------------------------

  /// The worker to wake for it, or null: then one searches, or all are awake, and it will be found. The
  /// worker counts as searching from now on.
  [[nodiscard]] place* notify() noexcept {
    seq_cst_fence();
    if (parked_.load(std::memory_order_relaxed) == 0 || searching_.load(std::memory_order_relaxed) != 0) {
      return nullptr;
    }
    return take();
  }
  /// The worker that went to sleep last, even if others search; null when none sleeps. It counts as
  /// searching.
  [[nodiscard]] place* take() noexcept {
    const scoped_lock guard(lock_);
    place* const p = last_;
    if (p == nullptr) return nullptr;
    unlist(*p);
    searching_.fetch_add(1, std::memory_order_relaxed);
    return p;
  }

  // -- a worker ---------------------------------------------------------------

  /// False when half of the workers search already: the others would only be in the way.
  [[nodiscard]] bool start_searching() noexcept {
    if (2 * searching_.load(std::memory_order_relaxed) >= workers_) return false;
    searching_.fetch_add(1, std::memory_order_seq_cst);
    return true;
  }
  /// Whether it was the last that searched: then it must look whether work is visible, and call notify() if
  /// so.
  [[nodiscard]] bool stop_searching() noexcept {
    const bool last = searching_.fetch_sub(1, std::memory_order_seq_cst) == 1;
    fence_after_rmw();
    return last;
  }
  /// Workers that search; read between the fence and the sleep of park(), so that the last one to stop sees
  /// the worker that sleeps because of it.
  [[nodiscard]] std::uint32_t searchers() const noexcept {
    return searching_.load(std::memory_order_relaxed);
  }
  /// Puts the worker to sleep, by `sleep()`, unless `work_visible()`. `searching`: whether it counts as
  /// searching; returns whether it does afterwards, because it was woken to search.
  template <class Visible, class Sleep>
  [[nodiscard]] bool park(place& self, bool searching, Visible work_visible, Sleep sleep) noexcept {
    enter(self, searching);
    if (!work_visible()) sleep();
    return leave(self);
  }
  /// The two halves of park(): before it looks at the queues, and after it slept.
  void enter(place& self, bool searching) noexcept {
    {
      const scoped_lock guard(lock_);
      list(self);
    }
    if (searching) searching_.fetch_sub(1, std::memory_order_relaxed);
    seq_cst_fence();
  }
  [[nodiscard]] bool leave(place& self) noexcept {
    const scoped_lock guard(lock_);
    if (!self.listed_) return true;
    unlist(self);
    return false;
  }

  // -- the watchdog -----------------------------------------------------------

  [[nodiscard]] bool all_parked() const noexcept { return parked() == workers_; }
  [[nodiscard]] std::uint32_t parked() const noexcept { return parked_.load(std::memory_order_seq_cst); }

 private:
  void list(place& p) noexcept TROUPE_REQUIRES(lock_) {
    p.before_ = last_;
    p.after_ = nullptr;
    if (last_ != nullptr) last_->after_ = &p;
    last_ = &p;
    p.listed_ = true;
    parked_.store(parked_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void unlist(place& p) noexcept TROUPE_REQUIRES(lock_) {
    if (p.before_ != nullptr) p.before_->after_ = p.after_;
    (p.after_ != nullptr ? p.after_->before_ : last_) = p.before_;
    p.listed_ = false;
    parked_.store(parked_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  }

  // searching_: workers awake that look for work, and those woken to do so. parked_: the length of the list,
  // written under lock_. Both are read without it; the fence of a push before the loads pairs with that of a
  // worker that parks. Broken by: tests/explore/parking_explore_test, tests/stress/scheduler_stress_test.
  const std::uint32_t workers_;
  spinlock lock_;
  place* last_ TROUPE_GUARDED_BY(lock_) = nullptr;
  atomic<std::uint32_t> searching_{0};
  atomic<std::uint32_t> parked_{0};
};

}  // namespace troupe::detail
