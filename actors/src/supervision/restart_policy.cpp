// The restart window and the pauses between restarts. Pure; not thread-safe.
#include "supervision/restart_policy.hpp"

#include <algorithm>

namespace troupe::detail {

// -- how often ------------------------------------------------------------------

bool restart_window::admit(const restart_budget& budget, std::int64_t now) {
  while (first_ < times_.size() && now - times_[first_] > budget.within.count()) ++first_;
  if (first_ > times_.size() / 2) {
    times_.erase(times_.begin(), times_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  if (times_.size() - first_ >= budget.max) return false;
  times_.push_back(now);
  return true;
}

std::size_t restart_window::recent(const restart_budget& budget, std::int64_t now) const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(times_, [&](std::int64_t t) { return now - t <= budget.within.count(); }));
}

// -- how soon -------------------------------------------------------------------

duration backoff_delay(const backoff& b, std::uint32_t step, std::uint64_t random) noexcept {
  const std::int64_t most = b.max.count();
  std::int64_t d = std::min(b.initial.count(), most);
  for (std::uint32_t i = 0; i < step && d < most && d != 0; ++i) d = d > most / 2 ? most : d * 2;
  const double share = static_cast<double>(random >> 11) * 0x1.0p-53;  // in [0, 1)
  d -= static_cast<std::int64_t>(static_cast<double>(d) * b.jitter * share);
  return duration(std::max<std::int64_t>(d, 0));
}

duration restart_pauses::next(const backoff& b, std::int64_t up_since, std::int64_t now,
                              std::uint64_t random) noexcept {
  const std::int64_t quiet = b.initial.count() / 2 + b.max.count() / 2;  // either may be `forever`
  if (now - up_since >= quiet) step_ = 0;
  return backoff_delay(b, step_++, random);
}

}  // namespace troupe::detail
