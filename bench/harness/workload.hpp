// The sizes and rules of the common cases, in one place, so that all compared programs do the same work.
// Pure functions and constants; any thread may call them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace bench::workload {

/// `size` operations at scale 1, multiplied by `scale`; not below `least`.
[[nodiscard]] inline std::uint64_t scaled(std::uint64_t size, double scale, std::uint64_t least = 1) {
  return std::max(least, static_cast<std::uint64_t>(std::llround(static_cast<double>(size) * scale)));
}

// ping_pong: one message in flight; each of the two actors sends this many.
inline constexpr std::uint64_t pings = 1'000'000;

// ring: a token carries the hops it has left. It is handled once per hop.
inline constexpr std::uint64_t ring_actors = 1000;
inline constexpr std::uint64_t ring_tokens = 64;
inline constexpr std::uint64_t ring_hops = 50'000;
inline constexpr std::uint64_t ring_starts = 6;  // tokens travel together or apart: decided by each start

// fan_in
inline constexpr std::uint64_t fan_in_senders = 4;
inline constexpr std::uint64_t fan_in_messages = 1'000'000;  // of each sender
inline constexpr std::uint64_t fan_in_capacity = 1024;       // where mailboxes are bounded

// big: every ping is answered by a pong, and both count as messages.
inline constexpr std::uint64_t big_actors = 1000;
inline constexpr std::uint64_t big_pings = 1000;  // of each actor

/// The stream of random other actors for one actor in `big`: xorshift64*, seeded by the actor's index.
class big_targets {
 public:
  explicit big_targets(std::uint64_t self) : self_(self), state_(self * 0x9e3779b97f4a7c15U + 0x1234567U) {}

  /// An index below big_actors, never the actor's own.
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    const std::uint64_t random = (state_ * 0x2545f4914f6cdd1dU) >> 32;
    return (self_ + 1 + random % (big_actors - 1)) % big_actors;
  }

 private:
  std::uint64_t self_;
  std::uint64_t state_;
};

// chameneos: a creature asks the mall for a partner; the first of a pair is introduced to the second, both
// take the complement of their colours, and both come back until the meetings are used up. Four messages a
// meeting.
inline constexpr std::uint64_t creatures = 100;
inline constexpr std::uint64_t meetings = 400'000;

enum class colour : std::uint8_t { blue, red, yellow };

/// The colour after a meeting: the same when both agree, otherwise the third one.
[[nodiscard]] constexpr colour complement(colour mine, colour other) {
  if (mine == other) return mine;
  return static_cast<colour>(3 - static_cast<int>(mine) - static_cast<int>(other));
}

// ask_roundtrip
inline constexpr std::uint64_t asks = 1'000'000;

// spawn_kill: the next wave starts when every actor of the last one has answered.
inline constexpr std::uint64_t spawned_actors = 1'000'000;
inline constexpr std::uint64_t wave_size = 1000;

// skynet_1m: a node with a range of leaves gives equal parts to ten children; a leaf answers its number.
inline constexpr std::uint64_t skynet_leaves = 1'000'000;

/// Leaves [first, first + count).
struct skynet_range {
  std::uint64_t first;
  std::uint64_t count;

  [[nodiscard]] constexpr bool is_leaf() const { return count == 1; }
  [[nodiscard]] constexpr std::uint64_t children() const { return std::min<std::uint64_t>(count, 10); }
  /// The part of the i-th child; parts differ by at most one leaf.
  [[nodiscard]] constexpr skynet_range child(std::uint64_t i) const {
    const std::uint64_t n = children();
    const std::uint64_t begin = count * i / n;
    return {first + begin, count * (i + 1) / n - begin};
  }
  /// The sum of the leaves of this range.
  [[nodiscard]] constexpr std::uint64_t sum() const { return count * (2 * first + count - 1) / 2; }
};

// idle_wake
inline constexpr std::uint64_t wakes = 1000;
inline constexpr auto idle_before_wake = std::chrono::milliseconds(2);

// mem_actor
inline constexpr std::uint64_t resting_actors = 1'000'000;

// fan_out: no counterpart on the peers.
inline constexpr std::uint64_t fan_out_small = 1'000'000;
inline constexpr std::uint64_t fan_out_jobs = 200;
inline constexpr auto fan_out_job = std::chrono::microseconds(500);

// restart, stop_tree: no counterparts on the peers.
inline constexpr std::uint64_t restarts = 200'000;
inline constexpr std::uint64_t stopped_leaves = 100;  // for each of 1000 supervisors

// idle_cpu: below scale 1 the window shrinks and the actors stay.
inline constexpr std::uint64_t idle_actors = 1000;
inline constexpr auto settle_time = std::chrono::milliseconds(500);
[[nodiscard]] inline std::chrono::duration<double> idle_window(double scale) {
  return std::chrono::duration<double>(3.0 * std::clamp(scale, 0.1, 1.0));
}

}  // namespace bench::workload
