// explore(): the passes over a test's schedules, and the report of one that fails.
#include "support/explorer.hpp"

#include "support/explorer_engine.hpp"
#include "support/explorer_search.hpp"

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <utility>

namespace troupe::explorer {

namespace {

using detail::bounds;
using detail::search;

/// Makes one engine the current one while it explores.
class running_engine {
 public:
  explicit running_engine(engine& which) {
    if (engine::current != nullptr) throw std::logic_error("explore() was called within an exploration");
    engine::current = &which;
  }
  ~running_engine() { engine::current = nullptr; }
  running_engine(const running_engine&) = delete;
  running_engine& operator=(const running_engine&) = delete;
};

/// The schedule TROUPE_REPLAY gives for the exploration `name`.
std::optional<detail::parsed_schedule> schedule_to_replay(const std::string& name) {
  const char* const text = std::getenv("TROUPE_REPLAY");
  if (text == nullptr) return std::nullopt;
  const std::string_view all = text;
  const auto colon = all.rfind(':');
  if (colon == std::string_view::npos || all.substr(0, colon) != name) return std::nullopt;
  auto schedule = detail::parse_schedule(all.substr(colon + 1));
  if (!schedule) {
    throw std::invalid_argument("TROUPE_REPLAY: '" + std::string(all.substr(colon + 1)) +
                                "' is not a schedule; copy it from the report, as in name:p2w1-0102");
  }
  return schedule;
}

std::uint64_t seed_of(const options& how) {
  const char* const text = std::getenv("TROUPE_SEED");
  return text == nullptr ? how.seed : std::strtoull(text, nullptr, 10);
}

/// Replaces choices by plain ones as long as the execution still fails.
std::string simplify(engine& runs, std::string schedule) {
  constexpr int most_failures = 100;  // each keeps its stacks
  auto best = *detail::parse_schedule(schedule);
  int failures = 0;
  for (bool changed = true; changed && failures < most_failures;) {
    changed = false;
    for (std::size_t i = best.choices.size(); i-- > 0 && failures < most_failures;) {
      if (i >= best.choices.size() || best.choices[i].taken == 0) continue;
      auto simpler = best;
      simpler.choices[i].taken = 0;
      auto attempt = search::replay(simpler);
      if (runs.run(attempt).empty()) continue;
      ++failures;
      schedule = attempt.schedule();
      best = *detail::parse_schedule(schedule);
      changed = true;
    }
  }
  return schedule;
}

void explain(engine& runs, const options& how, const std::string& how_found, result& out) {
  std::vector<std::string> trace;
  auto again = search::replay(*detail::parse_schedule(out.schedule));
  const auto failure = runs.run(again, &trace);
  out.report = out.failure + "\n" + how_found + "\nreplay it alone with TROUPE_REPLAY='" + how.name + ":" +
               out.schedule + "'\n";
  if (failure.empty()) out.report += "the schedule did not fail again: the test is not deterministic\n";
  for (const auto& line : trace) out.report += line + "\n";
}

/// The passes: each bound from 0 up, so that the first failure is one of the simplest.
bool explore_exhaustively(engine& runs, const options& how, std::uint32_t& longest, result& out) {
  const bounds full{how.preemptions, how.weak_effects};
  unsigned last = 0;
  if (full.preemptions != unbounded && full.weak_effects != unbounded) {
    last = std::max(full.preemptions, full.weak_effects);
  }
  std::uint64_t total = 0;
  for (unsigned pass = 0; pass <= last; ++pass) {
    const auto within =
        last == 0 ? full : bounds{std::min(pass, full.preemptions), std::min(pass, full.weak_effects)};
    auto choices = search::exhaustive(within);
    out.schedules = 0;
    do {
      if (total++ == how.max_schedules) return true;
      ++out.schedules;
      out.failure = runs.run(choices);
      longest = std::max(longest, runs.steps());
      if (!out.failure.empty()) {
        out.schedule = choices.schedule();
        explain(runs, how,
                "found by schedule " + std::to_string(total) +
                    "; the bounds it was found under (p: preemptions, w: weak effects) lead the schedule",
                out);
        return false;
      }
    } while (choices.advance());
  }
  out.exhausted = true;
  return true;
}

bool explore_at_random(engine& runs, const options& how, std::uint32_t longest, result& out) {
  const auto seed = seed_of(how);
  for (std::uint64_t i = 0; i < how.random_schedules; ++i) {
    const auto own_seed = (seed + i) * 0x9e3779b97f4a7c15ULL;
    auto choices = i % 2 == 0 ? search::uniform(own_seed) : search::priorities(own_seed, longest);
    ++out.random_schedules;
    out.failure = runs.run(choices);
    longest = std::max(longest, runs.steps());
    if (!out.failure.empty()) {
      out.schedule = simplify(runs, choices.schedule());
      explain(runs, how, "found by random schedule " + std::to_string(i) + " of seed " + std::to_string(seed),
              out);
      return false;
    }
  }
  return true;
}

}  // namespace

result explore(const options& how, const std::function<void(execution&)>& test) {
  engine runs(how, test);
  const running_engine current(runs);
  result out;
  if (auto schedule = schedule_to_replay(how.name)) {
    auto choices = search::replay(std::move(*schedule));
    out.schedules = 1;
    out.failure = runs.run(choices);
    out.ok = out.failure.empty();
    out.schedule = choices.schedule();
    explain(runs, how, "found by replay", out);
    return out;
  }
  std::uint32_t longest = 0;
  out.ok = explore_exhaustively(runs, how, longest, out) && explore_at_random(runs, how, longest, out);
  if (out.ok) {
    out.report = std::to_string(out.schedules) +
                 (out.exhausted ? " schedules, all within the bounds" : " schedules") + ", and " +
                 std::to_string(out.random_schedules) + " at random from seed " +
                 std::to_string(seed_of(how)) + ": none failed";
  }
  return out;
}

void require(bool holds, std::string_view text, std::source_location from) {
  if (engine::current == nullptr)
    throw std::logic_error("explorer::require was called outside of an exploration");
  engine::current->require(holds, text, from);
}

void wait_until(const std::function<bool()>& holds) {
  if (engine::current == nullptr)
    throw std::logic_error("explorer::wait_until was called outside of an exploration");
  engine::current->wait_until(holds);
}

void fence(std::memory_order order) noexcept {
  if (detail::exploring) engine::current->fence(order);
}

void yield() noexcept {
  if (detail::exploring) engine::current->yield();
}

namespace detail {

void construct(const access& at) noexcept {
  engine::current->construct(at);
}
void load(const access& at, std::memory_order order, void* out) noexcept {
  engine::current->load(at, order, out);
}
void store(const access& at, std::memory_order order, const void* value) noexcept {
  engine::current->store(at, order, value);
}
void update(const access& at, std::memory_order order, transform change, void* old_value) noexcept {
  engine::current->update(at, order, change, old_value);
}
bool compare_exchange(const access& at, std::memory_order success, std::memory_order failure, bool weak,
                      void* expected, const void* desired) noexcept {
  return engine::current->compare_exchange(at, success, failure, weak, expected, desired);
}
void plain_access(cell& where, bool writes, const std::source_location& from) noexcept {
  engine::current->plain_access(where, writes, from);
}
void set_name(const cell& where, const char* name) {
  if (engine::current != nullptr) engine::current->set_name(where, name);
}

}  // namespace detail

}  // namespace troupe::explorer
