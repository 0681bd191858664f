// A timer that wakes one leaf: the deadline of a sleep, an ask or a send.
#pragma once

#include <troupe/runtime/detail/slab.hpp>
#include <troupe/runtime/detail/strand.hpp>
#include <troupe/runtime/detail/timer.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe::detail {

/// Lives in the slab and posts itself when it fires. A timer that has fired is in its strand's mailbox even
/// if the leaf is gone by then; it frees itself there. Its functions are called on that strand.
class wake_timer final : public timer, public mail {
 public:
  using action = void (*)(leaf&) noexcept;

  wake_timer(strand& s, leaf& l, action on_fire) noexcept
      : timer(&fire_it), mail(kind_of), waiter_(&s), leaf_(&l), on_fire_(on_fire) {}

  /// Arms a timer on this worker: `on_fire(l)` runs on the strand of this slice, not before `d` has passed.
  [[nodiscard]] static wake_timer* arm(leaf& l, duration d, action on_fire);
  /// The same, at a time on the runtime's clock (ns).
  [[nodiscard]] static wake_timer* arm_at(leaf& l, std::int64_t due, action on_fire);
  /// Forgets the timer; null is allowed.
  static void disarm(wake_timer*& t) noexcept {
    if (t != nullptr) forget(*std::exchange(t, nullptr));
  }
  /// Frees a timer that has just fired; `on_fire` calls it first.
  static void fired(wake_timer*& t) noexcept { slab_delete(std::exchange(t, nullptr)); }

 private:
  static void forget(wake_timer& t) noexcept;
  static void fire_it(timer& t) noexcept;
  static void act(mail& m, strand& s) noexcept;
  static void dispose_it(mail& m) noexcept;
  static constexpr mail_kind kind_of{&act, &dispose_it};

  strand* waiter_;
  leaf* leaf_;
  action on_fire_;
};

/// The time `d` from now on this worker's clock; at most about half a millisecond late, never early.
[[nodiscard]] std::int64_t due_in(duration d) noexcept;

}  // namespace troupe::detail
