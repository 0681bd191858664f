// A worker's measurements of its work, and its decisions by them: how often to look around, and when to
// share.
//
// Internal to Troupe's own sources. Each worker has one. A hand-off between cores costs more than a small
// message. So small work that makes more small work stays on one core until its backlog is worth a wake-up;
// coarse work is shared as soon as any waits. A thief that finds a backlog worth another core in the half it
// took wakes another worker for it, and one more for the half it left: so n workers are busy after about
// log2(n) wake-ups in a row, not n.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>

#include <algorithm>
#include <cstdint>

namespace troupe::detail {

/// Policy only. On its worker's thread only, except that take_over() reads the means of its victim.
class sharing {
 public:
  static constexpr std::int64_t look_period = 50'000;  // ns between two looks around

  /// Between two looks `slices` ran and `messages` were handled in `elapsed` ns.
  void note(std::int64_t elapsed, std::int64_t slices, std::int64_t messages) noexcept {
    const std::int64_t slice = (3 * mean_slice() + elapsed / slices) / 4;
    const std::int64_t message = (3 * mean_message() + elapsed / std::max(messages, slices)) / 4;
    set_means(slice, message);
    // As often as the sockets are polled, however long a slice takes; increased step by step, because after a
    // sleep the work may be of another kind than before.
    const std::int64_t wanted = std::clamp<std::int64_t>(look_period / (slice + 1), 2, 127);
    interval_ = std::min(static_cast<unsigned>(wanted), 2 * interval_);
  }
  /// Slices from one look to the next.
  [[nodiscard]] unsigned interval() const noexcept { return interval_; }
  /// The worker slept.
  void forget_interval() noexcept { interval_ = 2; }

  /// Whether `waiting` strands should get another worker, if none searches yet.
  [[nodiscard]] bool worth_sharing(std::int64_t waiting) const noexcept {
    return waiting > 0 && (mean_message() >= coarse_message || waiting * mean_slice() >= worthwhile_backlog);
  }
  /// How many workers a thief wakes, even if others search: one for the work that it stole and has not begun,
  /// one for the work that it left, if either is coarse and keeps a core busy for long enough.
  [[nodiscard]] unsigned cores_for(std::int64_t stolen, std::int64_t left) const noexcept {
    return static_cast<unsigned>(worth_a_core(stolen)) + static_cast<unsigned>(worth_a_core(left));
  }

  /// Stolen work is taken to be of the kind that the victim ran, or of a coarser one when it is stuck in a
  /// slice.
  void take_over(const sharing& victim, bool victim_is_stuck) noexcept {
    const std::int64_t least = victim_is_stuck ? coarse_message : 0;
    set_means(std::max(victim.mean_slice(), least), std::max(victim.mean_message(), least));
  }

 private:
  static constexpr std::int64_t coarse_message = 1'000;  // ns; a hand-off to another core is small against it
  static constexpr std::int64_t wake_up_cost = 5'000;    // ns; a system call, and a thread that comes back
  static constexpr std::int64_t worthwhile_backlog = 50'000;  // ns of waiting work that pay for waking a core

  // The mean is too low where the work was small until now: coarse work need only pay for the wake-up.
  [[nodiscard]] bool worth_a_core(std::int64_t waiting) const noexcept {
    return mean_message() >= coarse_message && waiting * mean_slice() >= wake_up_cost;
  }
  [[nodiscard]] std::int64_t mean_slice() const noexcept {
    return mean_slice_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t mean_message() const noexcept {
    return mean_message_.load(std::memory_order_relaxed);
  }
  void set_means(std::int64_t slice, std::int64_t message) noexcept {
    mean_slice_.store(slice, std::memory_order_relaxed);
    mean_message_.store(message, std::memory_order_relaxed);
  }

  unsigned interval_ = 61;
  // mean_slice_, mean_message_: ns. Written by the worker; read relaxed by a thief, which takes them over
  // with the stolen work. Pair with nothing: hints. Broken by: tests/stress/sharing_test under TSan.
  atomic<std::int64_t> mean_slice_{100};
  atomic<std::int64_t> mean_message_{100};
};

}  // namespace troupe::detail
