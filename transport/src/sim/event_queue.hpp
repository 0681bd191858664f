// Event queue of the simulated network, ordered by time, then by insertion. On the simulation's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace troupe::detail::simnet {

/// Nanoseconds of the runtime's clock.
using instant = std::int64_t;

class event_queue {
 public:
  using action = std::move_only_function<void()>;
  /// Identifies one entry; a default-constructed one identifies none.
  struct entry {
    instant when = 0;
    std::uint64_t number = 0;
    friend auto operator<=>(const entry&, const entry&) = default;
  };

  entry plan(instant when, action what) {
    const entry e{when, ++planned_};
    entries_.emplace(e, std::move(what));
    return e;
  }
  /// Removes the entry `e`, unless it has run, and resets `e`.
  void cancel(entry& e) noexcept { entries_.erase(std::exchange(e, {})); }

  [[nodiscard]] std::optional<instant> next() const noexcept {
    if (entries_.empty()) return std::nullopt;
    return entries_.begin()->first.when;
  }
  /// Removes the first entry that is due at `now` and returns its action; empty if none is due.
  [[nodiscard]] action take_due(instant now) {
    if (entries_.empty() || entries_.begin()->first.when > now) return {};
    return std::move(entries_.extract(entries_.begin()).mapped());
  }
  void clear() noexcept { entries_.clear(); }

 private:
  std::map<entry, action> entries_;
  std::uint64_t planned_ = 0;
};

}  // namespace troupe::detail::simnet
