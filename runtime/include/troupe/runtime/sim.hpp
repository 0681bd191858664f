// sim::runtime: the same runtime on one thread, with a clock that jumps.
//
// Ready strands are run in an order that a seeded generator picks; when none is ready, the virtual clock
// moves to the next timer. The same seed gives the same run, to the nanosecond. Nothing runs between two
// calls, so a test can prove that nothing happened.
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

/// A runtime without threads, driven by block_on() and by the functions below.
/// Threads: only the one that created it.
class runtime final : public troupe::runtime {
 public:
  explicit runtime(options o = {});

  /// Runs until no strand is ready; the clock does not move. Returns the number of slices run.
  std::uint64_t run_until_idle();
  /// Runs, and moves the clock through every timer, to `d` from now. Where slices take time, strands that are
  /// ready when `d` has passed stay ready.
  void advance(duration d);
  /// Runs, and moves the clock, until no strand is ready, no timer is armed and no packet is in flight, or
  /// `limit` of virtual time has passed; false in the second case.
  bool run_to_end(duration limit = std::chrono::hours(24 * 365));
  /// Runs a single slice; false when no strand is ready.
  bool step();

  /// The seed of the options.
  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  /// A number from the seed, for a test's own choices.
  std::uint64_t random();

 private:
  std::uint64_t seed_;
};

}  // namespace troupe::sim
