// Pauses between attempts, for operations without a readiness event of the kernel.
#pragma once

#include "socket/readiness.hpp"

#include <troupe/runtime/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace troupe::detail {

/// 1 ms at first, doubling up to 64 ms, and none beyond the deadline.
class retry_pause {
 public:
  explicit retry_pause(duration within) noexcept : deadline_(deadline_in(within)) {}
  [[nodiscard]] bool over() const noexcept { return due_in(duration::zero()) >= deadline_; }
  /// When to try again.
  [[nodiscard]] time_point next() noexcept {
    const std::int64_t due = std::min(due_in(std::chrono::milliseconds(pause_ms_)), deadline_);
    pause_ms_ = std::min<std::int64_t>(pause_ms_ * 2, 64);
    return time_point(duration(due));
  }

 private:
  std::int64_t deadline_;
  std::int64_t pause_ms_ = 1;
};

}  // namespace troupe::detail
