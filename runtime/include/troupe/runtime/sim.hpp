// sim::runtime: the same runtime on one thread, with a clock that jumps.
//
// What is ready is run in an order that a seeded generator picks; when nothing
// is ready, the virtual clock moves to the next timer. The same seed gives the
// same run, to the nanosecond. Nothing runs between two calls, so a test can
// prove that nothing happened.
#pragma once

#include <troupe/runtime/runtime.hpp>

#include <cstdint>

namespace troupe::sim {

struct options {
  std::uint64_t seed = 1;
  log_sink* log = nullptr;  ///< null: silent_log()
  /// Each slice takes up to this much virtual time, at random; zero: none.
  duration max_slice_time{};
};

/// Not thread-safe: it lives on the thread that made it. block_on() drives it.
class runtime final : public troupe::runtime {
 public:
  explicit runtime(options o = {});

  /// Runs until nothing is ready; the clock stands still. Returns the slices run.
  std::uint64_t run_until_idle();
  /// Runs, and moves the clock through every timer, to `d` from now. Where slices take time, what is ready
  /// when that has passed stays so.
  void advance(duration d);
  /// Runs, and moves the clock, until nothing is ready, no timer is armed and no
  /// packet is under way, or `limit` of virtual time has passed; false in the
  /// second case.
  bool run_to_end(duration limit = std::chrono::hours(24 * 365));
  /// Runs a single slice; false when nothing is ready.
  bool step();

  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  /// A number from the seed, for a test's own choices.
  std::uint64_t random();

 private:
  std::uint64_t seed_;
};

}  // namespace troupe::sim
