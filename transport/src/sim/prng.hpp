// The network's own random numbers. They are separate from those of the scheduler, so the network's draws do
// not change the order in which the simulation runs its strands.
#pragma once

#include <troupe/runtime/random.hpp>

#include <cstdint>

namespace troupe::detail::simnet {

class prng {
 public:
  explicit prng(std::uint64_t seed) noexcept : state_(seed ^ 0x6a09e667f3bcc909ULL) {}

  std::uint64_t next() noexcept { return splitmix64(state_); }
  /// From 0 to n - 1; 0 when n is 0.
  std::uint64_t below(std::uint64_t n) noexcept { return n == 0 ? 0 : next() % n; }
  bool chance(double p) noexcept {
    if (p <= 0) return false;
    return static_cast<double>(next() >> 11) * 0x1p-53 < p;
  }

 private:
  std::uint64_t state_;
};

}  // namespace troupe::detail::simnet
