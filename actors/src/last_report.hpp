// What is said when a system is told to stop and something in it does not.
#pragma once

#include <troupe/actors/system_core.hpp>

namespace troupe::detail {

/// When to give up waiting for a tree that was told at `now` to stop within `limit`: what is left of a kill
/// at that deadline takes half a second at most.
[[nodiscard]] inline std::int64_t last_moment(std::int64_t now, duration limit) noexcept {
  return deadline_after(deadline_after(now, limit), std::chrono::milliseconds(500));
}

/// Names the actors whose handlers never returned. False when there are none.
bool report_wedged(system_core& core);
/// Names the first actors that still run.
void report_running(const system& sys);

}  // namespace troupe::detail
