// The frame of every benchmark program: command line, warm-up, JSON line and measuring tools. It depends on
// no actor library, so that troupe-bench and its peers are measured and checked by the same code. Owned by
// main(); everything here is called from the main thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// One figure of a result, printed under `key`.
struct metric {
  std::string_view key;
  double value;
};

/// The figures of a case and the checks of its result. An outcome without a successful `expect` is a failure:
/// a benchmark that does not check its work measures nothing.
struct outcome {
  std::vector<metric> metrics;
  std::uint64_t ops = 0;
  double seconds = 0;  ///< the timed part only
  bool ok = false;
  std::string why = "the case did not check its result";  ///< why not ok; empty when ok

  /// Adds a check of the result; the first one that fails decides `why`.
  outcome&& expect(std::string_view what, std::uint64_t wanted, std::uint64_t got) &&;

  /// Adds a further figure.
  outcome&& also(std::string_view key, double value) &&;

 private:
  bool failed_ = false;
};

/// The outcome of a case whose figure is the time of one operation.
[[nodiscard]] outcome ns_per_op(std::uint64_t ops, double seconds);

/// The outcome of work that is done `times`, each with a start of its own: `once` adds the operations that
/// were handled to its argument, and returns the seconds of the timed part.
[[nodiscard]] outcome repeated(std::uint64_t times, std::uint64_t ops_each,
                               const std::function<double(std::uint64_t& handled)>& once);

/// Whether a smaller run of the case comes first, to warm up code, allocator and branch predictors. `none` is
/// for cases that need a fresh process: memory that is already mapped would hide growth.
enum class warm_up { smaller_run, none };

/// A case: `run` starts a system with that many workers, does the work multiplied by scale, measures it
/// without start-up and shutdown, and ends the system.
struct bench_case {
  std::string_view name;
  std::string_view one_operation;  ///< for --list
  outcome (*run)(unsigned workers, double scale);
  warm_up warm = warm_up::smaller_run;
};

/// The body of main(): reads the command line, runs one case, prints its JSON line on standard output.
/// Returns the exit status: 0 the result was right, 1 a check failed or the case threw, 2 the command line
/// was wrong.
int run_program(std::string_view program, std::span<const bench_case> cases, int argc,
                const char* const* argv);

/// Wall time since construction.
class stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The nearest-rank percentile, `percent` in (0, 100]; samples must not be empty. Works on a copy.
[[nodiscard]] double percentile(std::vector<double> samples, double percent);

/// Resident memory of this process, in bytes. Throws std::runtime_error where /proc cannot be read.
[[nodiscard]] std::uint64_t resident_bytes();

/// The peak of the resident memory of this process, in bytes. Throws like resident_bytes().
[[nodiscard]] std::uint64_t peak_resident_bytes();

/// User and system time of all threads of this process since its start.
[[nodiscard]] double process_cpu_seconds();

}  // namespace bench
