// A cycle counter, for a cheap check whether the clock must be read again.
//
// Internal to Troupe's own sources. Any thread. Its rate does not matter much, but it must not stand still:
// where the processor has none, or one that stops or slows down with its clock, it reads 0, and the clock is
// read each time.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace troupe::detail {

/// Whether the counter runs at one rate, independent of the processor's clock. Written before main() only;
/// until then it is false.
inline const bool cycles_are_steady = [] {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(0x80000007U, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;  // "invariant TSC"
#elif defined(__aarch64__)
  return true;
#else
  return false;
#endif
}();

/// The counter, or 0.
inline std::uint64_t cycle_count() noexcept {
  if (!cycles_are_steady) return 0;
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  std::uint64_t t;
  asm volatile("mrs %0, cntvct_el0" : "=r"(t));
  return t * 64;  // the counter runs at 24 MHz to 1 GHz; err towards reading the clock
#else
  return 0;
#endif
}

/// 2^19 cycles: at most as many ns on anything that counts at 1 GHz or more.
inline constexpr std::uint64_t fresh_cycles = std::uint64_t{1} << 19;

/// Whether a reading of the clock made when the counter was `then` is recent enough when it is `now`.
constexpr bool still_fresh(std::uint64_t then, std::uint64_t now) noexcept {
  return now != 0 && now - then < fresh_cycles;
}

}  // namespace troupe::detail
