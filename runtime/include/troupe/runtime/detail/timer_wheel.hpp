// The timers of one worker, or of a simulated runtime: a hierarchical timing wheel, exact to the nanosecond.
//
// Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987), scheme 7, with two differences.
// The lowest level's step is one nanosecond, so a slot there holds timers of one deadline and nothing has to
// be sorted. And the wheel does not turn tick by tick: bitmaps find the next occupied slot, and a slot is
// spread over the lower levels only when its time has come, so an idle wheel costs nothing and a jump over
// centuries costs the same as a jump over a microsecond.
//
// Owned by one worker (or the simulation). Not thread-safe: the owner locks around it or does not share it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace troupe::detail {

/// One timer, a base class for its user's timers. The wheel links it, but never owns it: it must not move
/// while armed, and must be cancelled (or fired) before it or the wheel ends.
struct timer_node {
  timer_node() = default;
  timer_node(const timer_node&) = delete;
  timer_node& operator=(const timer_node&) = delete;

  [[nodiscard]] bool armed() const noexcept { return next != nullptr; }

  timer_node* prev = nullptr;  // of the ring of its slot; both null while not armed
  timer_node* next = nullptr;
  std::int64_t deadline = 0;  // ns since the clock's epoch; kept after firing and cancelling
};

static_assert(sizeof(void*) != 8 || sizeof(timer_node) == 24);

/// Deadlines are nanoseconds since the epoch of the owner's clock; every std::int64_t is allowed. Timers
/// never fire early, and fire in the order of (deadline, insertion).
class timer_wheel {
 public:
  timer_wheel() = default;
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  /// Arms `node`, which must not be armed. A deadline in the past is due at once.
  /// Cost: O(1). Only a deadline before the latest time given to pop_due may touch each slot between the two
  /// (at most 640), and timers that were near then move down once more.
  void insert(timer_node& node, std::int64_t deadline_ns) noexcept;

  /// Disarms `node`, if it is armed (it must be armed in this wheel then).
  /// Cost: O(1).
  void cancel(timer_node& node) noexcept;

  /// Disarms and returns the earliest timer when its deadline is <= now_ns, else null.
  /// Cost: amortized O(1): a timer moves at most once per level, however many share a slot.
  [[nodiscard]] timer_node* pop_due(std::int64_t now_ns) noexcept;

  /// The earliest deadline, exactly; nothing when empty.
  /// Cost: O(1), unless the earliest timer of the next slot was cancelled since: then one pass over that
  /// slot.
  [[nodiscard]] std::optional<std::int64_t> next_deadline() const noexcept;

  /// A time before which no timer is due: next_deadline(), or the deadline of a cancelled timer if that one
  /// was the earliest of its slot. For a worker that would rather wake up once for nothing than search a slot
  /// each time it parks. Nothing when empty.
  /// Cost: O(1).
  [[nodiscard]] std::optional<std::int64_t> next_wake() const noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  // Deadlines are kept in order as unsigned keys. 11 digits of 6 bits cover all 64 bits.
  using key = std::uint64_t;
  static constexpr unsigned digit_bits = 6;
  static constexpr unsigned slots_per_level = 1U << digit_bits;
  static constexpr unsigned levels = 11;

  // A ring of timers in insertion order, and a key that none of them is before: that of the earliest,
  // unless the slot is marked in stale_, for then a timer with that key was cancelled.
  struct slot {
    timer_node* head = nullptr;
    mutable key bound = 0;
  };

  struct place {
    unsigned level;
    unsigned index;
  };

  [[nodiscard]] place place_of(key k) const noexcept;
  [[nodiscard]] place first() const noexcept;
  [[nodiscard]] slot& slot_at(place at) noexcept { return slots_[at.level][at.index]; }
  void link(timer_node& node) noexcept;
  void unlink(timer_node& node) noexcept;
  [[nodiscard]] timer_node* take_ring(place at) noexcept;
  void spread(place at, key to) noexcept;
  void rewind(key to) noexcept;

  // No armed timer is before now_, and now_ only ever passes a slot by spreading it. A timer's place follows
  // from its deadline and now_ alone: the level is that of the highest digit in which they differ, the index
  // is the timer's digit there. Hence timers of one deadline always share a slot (which keeps their order),
  // lower levels and lower indices are earlier, and nodes need not store where they are.
  key now_ = key{1} << 63;  // deadline 0
  std::size_t size_ = 0;
  std::uint32_t occupied_levels_ = 0;
  std::array<std::uint64_t, levels> occupied_{};
  mutable std::array<std::uint64_t, levels> stale_{};
  std::array<std::array<slot, slots_per_level>, levels> slots_{};
};

}  // namespace troupe::detail
