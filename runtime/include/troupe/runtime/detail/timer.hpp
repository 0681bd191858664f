// Timers of one worker: the wheel behind a lock.
#pragma once

#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/detail/timer_wheel.hpp>

#include <cstdint>
#include <optional>

namespace troupe::detail {

class timer_service;

/// A timer that knows its home. `fire` runs under the home's lock, on the thread that calls fire_due(): it
/// may only post mail. So after cancel() returned false the mail is already in the receiver's mailbox, and
/// nothing refers to the timer.
struct timer : timer_node {
  explicit timer(void (*f)(timer&) noexcept) noexcept : fire(f) {}
  void (*fire)(timer&) noexcept;
  timer_service* home = nullptr;
};

/// Owned by a worker; thread-safe. The lock is nearly always free, because that worker uses it most: other
/// threads only cancel timers of strands that have migrated, arm through engine::arm, or fire for a worker
/// that is stuck.
class timer_service {
 public:
  /// Arms `t` to fire at `deadline` (ns of the runtime's clock) or soon after. The owner only: another thread
  /// calls engine::arm.
  void arm(timer& t, std::int64_t deadline) noexcept {
    t.home = this;
    const scoped_lock guard(lock_);
    insert(t, deadline);
  }
  /// The same on any thread; true when the owner must be woken, because it may sleep until a later deadline.
  [[nodiscard]] bool arm_from_outside(timer& t, std::int64_t deadline) noexcept {
    t.home = this;
    const scoped_lock guard(lock_);
    const auto earliest = wheel_.next_wake();
    insert(t, deadline);
    return !earliest || deadline < *earliest;
  }
  /// True when `t` was armed here and will not fire; false when it has fired.
  bool cancel(timer& t) noexcept {
    const scoped_lock guard(lock_);
    if (!t.armed()) return false;
    wheel_.cancel(t);
    count_.store(wheel_.size(), std::memory_order_relaxed);
    return true;
  }
  /// Fires the timers that are due at `now`, the earliest first, at most `most`; true when that many were
  /// due.
  bool fire_due(std::int64_t now, unsigned most) noexcept {
    if (empty()) return false;
    const scoped_lock guard(lock_);
    for (; most > 0; --most) {
      timer_node* const node = wheel_.pop_due(now);
      if (node == nullptr) break;
      auto& t = static_cast<timer&>(*node);
      t.fire(t);
    }
    count_.store(wheel_.size(), std::memory_order_relaxed);
    return most == 0;
  }
  /// The earliest deadline, exactly, or nothing.
  [[nodiscard]] std::optional<std::int64_t> next_deadline() noexcept {
    if (empty()) return std::nullopt;
    const scoped_lock guard(lock_);
    return wheel_.next_deadline();
  }
  /// A time before which nothing is due; O(1).
  [[nodiscard]] std::optional<std::int64_t> next_wake() noexcept {
    if (empty()) return std::nullopt;
    const scoped_lock guard(lock_);
    return wheel_.next_wake();
  }
  [[nodiscard]] bool empty() const noexcept { return count_.load(std::memory_order_relaxed) == 0; }

 private:
  void insert(timer& t, std::int64_t deadline) noexcept TROUPE_REQUIRES(lock_) {
    wheel_.insert(t, deadline);
    count_.store(wheel_.size(), std::memory_order_relaxed);
  }

  spinlock lock_;
  timer_wheel wheel_ TROUPE_GUARDED_BY(lock_);
  // count_: armed timers, written under lock_, so that the owner sees without the lock that there are none.
  // Relaxed: the owner arms its own timers, and a thread that arms one from outside wakes the owner
  // afterwards, which pairs with the owner's wait (wake_flag.hpp). Broken by:
  // tests/stress/foreign_timer_test.
  atomic<std::size_t> count_{0};
};

}  // namespace troupe::detail
