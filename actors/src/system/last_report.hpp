// The report when a system is told to stop and some of its actors do not. Any thread.
#pragma once

#include <troupe/actors/system_core.hpp>

#include <optional>

namespace troupe::detail {

/// When to give up waiting for a tree that was told at `now` to stop within `limit`: the kill at that
/// deadline takes half a second at most.
[[nodiscard]] inline std::int64_t last_moment(std::int64_t now, duration limit) noexcept {
  return deadline_after(deadline_after(now, limit), std::chrono::milliseconds(500));
}

/// errc::stuck, with the actors whose handlers have not returned; std::nullopt when there are none.
[[nodiscard]] std::optional<error> wedged_now(system_core& core);
/// The same, and logs it.
std::optional<error> report_wedged(system_core& core);
/// Logs the first 20 actors that still run; yields errc::timeout with the same text.
error report_running(const system& sys);

}  // namespace troupe::detail
