// Timers of one worker: the wheel behind a lock.
#pragma once

#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/detail/timer_wheel.hpp>

#include <cstdint>
#include <optional>

namespace troupe::detail {

class timer_service;

/// A timer that knows its home. `fire` runs under the home's lock, on whatever
/// thread looks: it may only post mail. So after cancel() returned false the
/// mail is already in the receiver's mailbox, and nothing refers to the timer.
struct timer : timer_node {
  explicit timer(void (*f)(timer&) noexcept) noexcept : fire(f) {}
  void (*fire)(timer&) noexcept;
  timer_service* home = nullptr;
};

/// Thread-safe. The lock is nearly always free: its worker is the one who uses
/// it; others only cancel what migrated, arm through engine::arm, or step in for a
/// worker that is stuck.
class timer_service {
 public:
  /// Arms `t` to fire at `deadline` (ns of the runtime's clock) or soon after. The owner only: another thread
  /// calls engine::arm.
  void arm(timer& t, std::int64_t deadline) noexcept {
    t.home = this;
    const scoped_lock guard(lock_);
    insert(t, deadline);
  }
  /// The same on any thread; true when the owner must be woken, which may sleep until later than that.
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
  /// Fires what is due at `now`, at most `most` timers, the earliest; whether that many were due.
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
  void insert(timer& t, std::int64_t deadline) noexcept {
    wheel_.insert(t, deadline);
    count_.store(wheel_.size(), std::memory_order_relaxed);
  }

  spinlock lock_;
  timer_wheel wheel_;
  // count_: armed timers, so that the owner need not lock to see that there are
  // none. Relaxed: the owner arms its own timers, and who arms one for it from
  // outside wakes it afterwards. Broken by: tests/stress/foreign_timer_test.
  atomic<std::size_t> count_{0};
};

}  // namespace troupe::detail
