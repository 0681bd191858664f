// Runs a small concurrent test through its interleavings, all of them up to a bound and random ones beyond.
//
// The threads of the test run as fibers of the calling thread. Each operation on an explorer::atomic is a
// point at which the explorer chooses the thread that runs next, and each load whose memory order allows it
// may see an older store; an execution is the list of these choices. Choices are explored depth first, with a
// bound on preemptions (as CHESS does) and on weak effects (see options); after that random schedules run
// without bounds, every other one by priorities with few change points (PCT), which finds a bug of small
// depth with a probability known from below. A failure names the schedule that replays it.
//
// The scope of the memory model: explorer_memory.hpp. The test must be deterministic but
// for its schedule, and must create its shared state again in each call. Code between two atomic operations
// runs at once: plain shared data belongs in explorer::var, which finds the race instead.
#pragma once

#include "support/explorer_atomic.hpp"

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::explorer {

/// No bound.
inline constexpr unsigned unbounded = ~0U;

struct options {
  /// Tells explorations of one program apart when a schedule is replayed.
  std::string name{};
  /// How often a schedule may take the processor from a thread that could continue.
  unsigned preemptions = 2;
  /// How many loads may see a store older than the newest, and how many weak exchanges fail for no reason.
  /// 0 explores sequential consistency only.
  unsigned weak_effects = 1;
  /// Where the exhaustive part gives up; result::exhausted tells.
  std::uint64_t max_schedules = 200'000;
  /// How many random schedules follow.
  std::uint64_t random_schedules = 0;
  /// Where they start; the environment's TROUPE_SEED overrides it.
  std::uint64_t seed = 1;
  /// A longer execution is a livelock.
  std::uint32_t max_steps = 2'000;
};

struct result {
  /// No schedule failed.
  bool ok = true;
  /// Every schedule within the bounds ran.
  bool exhausted = false;
  /// Schedules of the last exhaustive pass; the passes before it, under smaller bounds, are not counted.
  std::uint64_t schedules = 0;
  std::uint64_t random_schedules = 0;
  /// The failure, and the schedule that shows it; empty when ok.
  std::string failure{};
  std::string schedule{};
  /// One line when ok; else the failure, how to replay it, and the steps that led to it.
  std::string report{};
};

/// One run of the test: given to the test so that it can add its threads.
class execution {
 public:
  /// Adds a thread; at most 8. All start together after the test's function returned.
  void thread(std::function<void()> body) { threads_.push_back(std::move(body)); }
  /// Adds a check that runs alone once all threads ended.
  void finally(std::function<void()> check) { checks_.push_back(std::move(check)); }

 private:
  friend class engine;
  std::vector<std::function<void()>> threads_;
  std::vector<std::function<void()>> checks_;
};

/// Explores `test`, which is called once for each schedule. When the environment's TROUPE_REPLAY is
/// "name:schedule" with this exploration's name, runs that schedule only. Not re-entrant; one thread at a
/// time.
[[nodiscard]] result explore(const options& how, const std::function<void(execution&)>& test);

/// Fails the exploration unless `holds`. In a thread of the test it does not return then, and unwinds
/// nothing.
void require(bool holds, std::string_view text, std::source_location from = std::source_location::current());

/// Blocks the calling thread of the test until `holds` returns true. `holds` may only load atomics; it sees
/// their newest values, with the synchronization its memory orders give. If all threads wait it is a
/// deadlock.
void wait_until(const std::function<bool()>& holds);

}  // namespace troupe::explorer
