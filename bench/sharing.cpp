// The case about coarse work after small messages: fan_out.
#include "cases.hpp"

#include <chrono>
#include <latch>
#include <vector>

namespace troupe_bench {
namespace {

using clock = std::chrono::steady_clock;

struct small {
  std::uint64_t left;  // with this one
};
struct coarse {};

/// The time of one job: written by that job only, read once all are done.
struct alignas(64) job_time {
  clock::duration took{};
};

/// Is busy for the length of a job by the clock, so `took` includes the time in which it was preempted.
struct job {
  using accepts = troupe::protocol<coarse>;

  void handle(coarse) {
    const clock::time_point start = clock::now();
    do {
      mine->took = clock::now() - start;
    } while (mine->took < bench::workload::fan_out_job);
    over->count_down();
  }

  std::latch* over;
  job_time* mine;
};

/// Sends itself small messages one at a time, then hands out all jobs at once.
struct foreman {
  using accepts = troupe::protocol<small>;

  void handle(small m, troupe::context& ctx) {
    ++mine->handled;
    if (m.left > 1) {
      tell(ctx.self<foreman>(), small{m.left - 1});
      return;
    }
    *given_out = clock::now();
    for (const troupe::ref<coarse>& each : *jobs) tell(each, coarse{});
  }

  const std::vector<troupe::ref<coarse>>* jobs;
  clock::time_point* given_out;
  tally* mine;
};

}  // namespace

bench::outcome fan_out(unsigned workers, double scale) {
  const std::uint64_t count = bench::workload::scaled(bench::workload::fan_out_jobs, scale);
  const std::uint64_t before = bench::workload::scaled(bench::workload::fan_out_small, scale);
  std::latch over(static_cast<std::ptrdiff_t>(count));
  std::vector<job_time> times(count);
  std::vector<troupe::ref<coarse>> jobs;
  clock::time_point given_out;
  tally mine;
  troupe::system sys({.workers = workers});
  for (job_time& each : times) jobs.emplace_back(sys.spawn<job>({}, &over, &each));
  const auto first = sys.spawn<foreman>({}, &jobs, &given_out, &mine);
  tell(first, small{before});
  over.wait();
  const std::chrono::duration<double> makespan = clock::now() - given_out;

  std::chrono::duration<double> work{};
  for (const job_time& each : times) work += each.took;
  const double ideal = work.count() / workers;
  bench::outcome result;
  result.metrics = {{"percent_of_ideal", 100 * makespan.count() / ideal}, {"ms", 1e3 * makespan.count()}};
  result.ops = count;
  result.seconds = makespan.count();
  return std::move(result).expect("small messages handled", before, mine.handled);
}

}  // namespace troupe_bench
