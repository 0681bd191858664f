// Which end is followed by a restart, how often, how soon, and of which siblings. Values and functions of
// values: no cell, no clock, no timer. The owner passes the time, and guards each value with its own lock.
#pragma once

#include <troupe/actors/exit_reason.hpp>
#include <troupe/actors/options.hpp>
#include <troupe/actors/supervisor.hpp>

#include <cstdint>
#include <vector>

namespace troupe::detail {

/// Whether an actor that has ended by itself, or was killed, is restarted.
[[nodiscard]] constexpr bool restarts_after(restart type, exit_kind end) noexcept {
  switch (type) {
    case restart::permanent:
      return true;
    case restart::transient:
      return exit_reason(end).abnormal();
    case restart::temporary:
      break;
  }
  return false;
}

/// Which siblings are restarted with an actor.
enum class companions : std::uint8_t { none, all, younger };
[[nodiscard]] constexpr companions companions_of(strategy s) noexcept {
  return s == strategy::one_for_all    ? companions::all
         : s == strategy::rest_for_one ? companions::younger
                                       : companions::none;
}

/// How often: a sliding window of restarts.
class restart_window {
 public:
  /// Counts a restart at `now`; false when it is one too many.
  [[nodiscard]] bool admit(const restart_budget& budget, std::int64_t now);
  [[nodiscard]] std::size_t recent(const restart_budget& budget, std::int64_t now) const noexcept;

 private:
  std::vector<std::int64_t> times_;  // in order; those before first_ have left the window
  std::size_t first_ = 0;
};

/// How soon: the pauses before the restarts of one actor.
class restart_pauses {
 public:
  /// The next pause, of an actor that was up from `up_since` to `now`.
  [[nodiscard]] duration next(const backoff& b, std::int64_t up_since, std::int64_t now,
                              std::uint64_t random) noexcept;

 private:
  std::uint32_t step_ = 0;
};

}  // namespace troupe::detail
