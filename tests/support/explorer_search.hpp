// How the explorer chooses: depth first, at random, by random priorities, or as a schedule says.
//
// An execution asks its search at each point that has more than one way on. The answers, in order, are the
// schedule: "p2w1-0102" holds the bounds they were given under (preemptions, weak effects; * is none) and the
// answers, one character each; 0 is always the plainest way on (same thread, newest store), and
// zeros at the end are left out.
//
// Owned by explore() in explorer.cpp; one thread.
#pragma once

#include "support/explorer.hpp"
#include "support/explorer_memory.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::explorer::detail {

/// The most ways on from one point: one character of a schedule.
inline constexpr std::uint32_t max_ways = 36;

struct bounds {
  unsigned preemptions = unbounded;
  unsigned weak_effects = unbounded;
};

struct choice {
  std::uint8_t taken;
  std::uint8_t ways;
};

inline std::string to_schedule(const bounds& within, std::span<const choice> choices) {
  const auto bound = [](unsigned value) {
    return value == unbounded ? std::string("*") : std::to_string(value);
  };
  auto out = "p" + bound(within.preemptions) + "w" + bound(within.weak_effects) + "-";
  std::size_t end = choices.size();
  while (end > 0 && choices[end - 1].taken == 0) --end;
  for (const auto& each : choices.first(end)) {
    out += static_cast<char>(each.taken < 10 ? '0' + each.taken : 'a' + (each.taken - 10));
  }
  return out;
}

struct parsed_schedule {
  bounds within;
  std::vector<choice> choices;
};

inline std::optional<parsed_schedule> parse_schedule(std::string_view text) {
  parsed_schedule out;
  const auto bound = [&text](char letter, unsigned& value) {
    if (text.empty() || text.front() != letter) return false;
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '*') {
      text.remove_prefix(1);
      value = unbounded;
      return true;
    }
    const auto digits = text.find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string_view::npos || digits > 6) return false;
    value = static_cast<unsigned>(std::stoul(std::string(text.substr(0, digits))));
    text.remove_prefix(digits);
    return true;
  };
  if (!bound('p', out.within.preemptions) || !bound('w', out.within.weak_effects)) return std::nullopt;
  if (text.empty() || text.front() != '-') return std::nullopt;
  for (const char each : text.substr(1)) {
    const bool digit = each >= '0' && each <= '9';
    if (!digit && (each < 'a' || each > 'z')) return std::nullopt;
    const auto taken = static_cast<std::uint8_t>(digit ? each - '0' : each - 'a' + 10);
    out.choices.push_back({taken, static_cast<std::uint8_t>(taken + 1)});
  }
  return out;
}

class search {
 public:
  /// Depth first through everything within the bounds.
  static search exhaustive(const bounds& within) { return {within, mode::exhaustive, {}, 0, 0}; }
  /// One execution, as `schedule` says; plain choices after its end and where it does not fit.
  static search replay(parsed_schedule schedule) {
    return {schedule.within, mode::replay, std::move(schedule.choices), 0, 0};
  }
  /// One execution, each choice at random.
  static search uniform(std::uint64_t seed) { return {{}, mode::uniform, {}, seed, 0}; }
  /// One execution under random priorities, lowered at two random points of about `length` steps.
  static search priorities(std::uint64_t seed, std::uint32_t length) {
    return {{}, mode::priorities, {}, seed, length};
  }

  [[nodiscard]] const bounds& within() const noexcept { return within_; }
  /// The schedule of the execution that asked last.
  [[nodiscard]] std::string schedule() const {
    return to_schedule(within_, std::span(choices_).first(asked_));
  }
  [[nodiscard]] std::span<const choice> choices() const noexcept { return std::span(choices_).first(asked_); }
  /// True when an execution met other ways on than the one whose choices it repeats.
  [[nodiscard]] bool diverged() const noexcept { return diverged_; }

  void begin() noexcept {
    asked_ = 0;
    diverged_ = false;
  }
  /// Moves to the next execution; false when all have run. Exhaustive searches only.
  bool advance() {
    choices_.resize(asked_);
    while (!choices_.empty() && choices_.back().taken + 1 == choices_.back().ways) choices_.pop_back();
    if (choices_.empty()) return false;
    ++choices_.back().taken;
    return true;
  }

  /// The one of `threads` to run next; the first is the one that ran, if it may continue.
  std::uint32_t pick_thread(std::span<const thread_index> threads, std::uint32_t step) {
    const auto ways = static_cast<std::uint32_t>(threads.size());
    if (mode_ != mode::priorities) return pick(ways, false);
    if (step == change_points_[0] || step == change_points_[1]) {
      priority_[threads[0]] = step == change_points_[0] ? 1 : 0;
    }
    std::uint32_t best = 0;
    for (std::uint32_t i = 1; i < ways; ++i) {
      if (priority_[threads[i]] > priority_[threads[best]]) best = i;
    }
    return ways == 1 ? 0 : record(best, ways);
  }
  /// Which of `ways` effects of weak memory shows; 0 is none.
  std::uint32_t pick_effect(std::uint32_t ways) { return pick(ways, true); }

 private:
  enum class mode { exhaustive, replay, uniform, priorities };

  search(const bounds& within, mode how, std::vector<choice> choices, std::uint64_t seed,
         std::uint32_t length)
      : within_(within), mode_(how), choices_(std::move(choices)), random_(seed) {
    std::array<std::uint32_t, max_threads> order{};
    for (std::uint32_t i = 0; i < max_threads; ++i) order[i] = i + 2;
    for (std::uint32_t i = max_threads; i > 1; --i) std::swap(order[i - 1], order[below(i)]);
    priority_ = order;
    for (auto& each : change_points_) each = length == 0 ? 0 : 1 + below(length);
  }

  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }

  std::uint32_t pick(std::uint32_t ways, bool mostly_plain) {
    ways = std::min(ways, max_ways);
    if (ways <= 1) return 0;
    if (mode_ == mode::uniform || mode_ == mode::priorities) {
      return record(mostly_plain && below(4) != 0 ? 0 : below(ways), ways);
    }
    if (asked_ == choices_.size()) choices_.push_back({0, static_cast<std::uint8_t>(ways)});
    auto& next = choices_[asked_++];
    if (next.ways != ways) {
      if (mode_ == mode::exhaustive) diverged_ = true;
      next.ways = static_cast<std::uint8_t>(ways);
      if (next.taken >= ways) next.taken = 0;
    }
    return next.taken;
  }
  std::uint32_t record(std::uint32_t taken, std::uint32_t ways) {
    choices_.resize(asked_);
    choices_.push_back({static_cast<std::uint8_t>(taken), static_cast<std::uint8_t>(ways)});
    ++asked_;
    return taken;
  }

  bounds within_;
  mode mode_;
  std::vector<choice> choices_;
  std::size_t asked_ = 0;
  bool diverged_ = false;
  std::mt19937_64 random_;
  std::array<std::uint32_t, max_threads> priority_{};
  std::array<std::uint32_t, 2> change_points_{};
};

}  // namespace troupe::explorer::detail
