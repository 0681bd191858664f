// The runtime's clock: monotonic, in nanoseconds. Virtual on sim::runtime.
#pragma once

#include <cstdint>

// Durations, clocks and literals without calendars, time zones and stream operators, which every file that
// includes this would have to compile. A file that needs those includes <chrono>.
#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>  // libstdc++
#else
#include <chrono>
#endif

namespace troupe {

using duration = std::chrono::nanoseconds;

/// The clock of every deadline in Troupe. It has no static now(): the time belongs to a runtime
/// (runtime::now(), context::now(), system::now()).
struct clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<clock, duration>;
  static constexpr bool is_steady = true;
};

using time_point = clock::time_point;

/// "No deadline", as a duration.
inline constexpr duration forever = duration::max();

namespace detail {

/// now + d, at most INT64_MAX; a negative d counts as zero.
[[nodiscard]] constexpr std::int64_t deadline_after(std::int64_t now, duration d) noexcept {
  if (d.count() <= 0) return now;
  return d.count() > INT64_MAX - now ? INT64_MAX : now + d.count();
}

}  // namespace detail
}  // namespace troupe
