// The counters of the load clients, for the lines of progress and the result. Shared by all clients, any
// thread. All accesses are relaxed: each counter is read alone.
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

  /// The latency in ns that a `share` (0 to 1) of all latencies do not exceed, rounded up to the end of its
  /// bucket; 0 without latencies.
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
  std::atomic<std::uint64_t> operations{0};    ///< answered commands, including errors
  std::atomic<std::uint64_t> acknowledged{0};  ///< writes answered with OK
  std::atomic<std::uint64_t> refused{0};       ///< commands answered with an error
  std::atomic<std::uint64_t> lost{0};          ///< acknowledged writes that a read did not return
  std::atomic<bool> stop{false};               ///< clients finish their batch and stop
  latency_counts round_trips;                  ///< of batches
};

}  // namespace kv_demo
