// Small generators of pseudo-random numbers, for scheduling choices and simulations. Not for secrets.
//
// Internal to Troupe's own sources. The state belongs to the caller; not thread-safe.
#pragma once

#include <cstdint>

namespace troupe::detail {

/// The golden ratio as a 64-bit fraction: multiples of it are well spread seeds.
inline constexpr std::uint64_t golden_ratio = 0x9e3779b97f4a7c15ULL;

/// splitmix64: any state is a good one.
/// Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014).
[[nodiscard]] constexpr std::uint64_t splitmix64(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += golden_ratio);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// xorshift64*: cheaper; the state must not be 0.
/// Source: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (TOMS 2016).
[[nodiscard]] constexpr std::uint64_t xorshift64(std::uint64_t& state) noexcept {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1dULL;
}

}  // namespace troupe::detail
