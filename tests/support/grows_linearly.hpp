// Whether ten times the work takes about ten times as long, measured in processor time of this thread.
#pragma once

#include "catch.hpp"
#include "sanitized.hpp"

#include <functional>
#include <time.h>

namespace troupe_test {

/// Processor time of the calling thread, in seconds.
inline double processor_time() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// `measure(n)` does an operation n times and returns the time of the measured part. A linear operation takes
/// ten times as long for ten times as much, twice that where the data no longer fits into the cache; a
/// quadratic one takes a hundred times as long. The limit lies between, and one attempt of 20 must keep it.
/// Under a sanitizer nothing is compared: there the time is that of its bookkeeping.
inline void grows_linearly(unsigned n, const std::function<double(unsigned)>& measure) {
  double once = 0;
  double ten_times = 0;
  for (int attempt = 0; attempt < 20; ++attempt) {
    once = measure(n);
    ten_times = measure(10 * n);
    if (sanitized || ten_times <= 30 * once) return;
  }
  FAIL("for " << n << " it took " << once << " s, for ten times as many " << ten_times << " s");
}

}  // namespace troupe_test
