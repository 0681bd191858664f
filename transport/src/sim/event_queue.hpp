// The event queue of the simulated network, ordered by time, then by insertion.
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
  /// Names one entry; a default one names none.
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
  /// Forgets what `e` names, if it has not happened, and lets it name nothing.
  void cancel(entry& e) noexcept { entries_.erase(std::exchange(e, {})); }

  [[nodiscard]] std::optional<instant> next() const noexcept {
    if (entries_.empty()) return std::nullopt;
    return entries_.begin()->first.when;
  }
  /// The first entry that is due at `now`, no longer in here; empty when there is none.
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
