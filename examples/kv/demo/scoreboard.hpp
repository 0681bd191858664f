// What the load clients count while they run, for the line of progress and the last one. Shared by all of
// them; relaxed, for each figure is read alone.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace kv_demo {

/// Counts latencies in buckets that are 1/16 of their value wide, from 1 ns to minutes.
class latency_counts {
 public:
  void add(std::uint64_t ns) { counts_[index(ns)].fetch_add(1, std::memory_order_relaxed); }

  /// The smallest bucket's end that `share` (0 to 1) of all latencies do not exceed, in ns; 0 when there are
  /// none.
  std::uint64_t quantile(double share) const {
    std::uint64_t total = 0;
    for (const auto& c : counts_) total += c.load(std::memory_order_relaxed);
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i].load(std::memory_order_relaxed);
      if (seen > wanted) return end_of(i);
    }
    return 0;
  }

 private:
  static constexpr std::size_t steps = 16;
  static std::size_t index(std::uint64_t ns) {
    if (ns < steps) return ns;
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 5;
    const std::size_t i = (shift + 1) * steps + ((ns >> shift) - steps);
    return i < 640 ? i : 639;
  }
  static std::uint64_t end_of(std::size_t i) {
    if (i < steps) return i;
    return ((i % steps + steps + 1) << (i / steps - 1)) - 1;
  }

  std::array<std::atomic<std::uint64_t>, 640> counts_{};
};

struct scoreboard {
  std::atomic<std::uint64_t> operations{0};    ///< commands that were answered, errors included
  std::atomic<std::uint64_t> acknowledged{0};  ///< writes that were answered with OK
  std::atomic<std::uint64_t> refused{0};       ///< commands that were answered with an error
  std::atomic<std::uint64_t> lost{0};          ///< acknowledged writes that a read did not find
  std::atomic<bool> stop{false};               ///< clients finish what is under way
  latency_counts round_trips;                  ///< of batches
};

}  // namespace kv_demo
