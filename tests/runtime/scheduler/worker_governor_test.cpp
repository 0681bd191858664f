// The choice of the number of active workers for small work, without threads.
#include "scheduler/worker_governor.hpp"

#include "support/catch.hpp"

using troupe::detail::worker_governor;

namespace {

constexpr unsigned workers = 4;

/// A machine on which `rate(n)` messages are handled in a microsecond by n workers.
struct machine {
  double (*rate)(unsigned n);
  worker_governor decision{workers};
  worker_governor::sample now{};
  unsigned limit = workers;
  unsigned gathered = 0;  // looks that ended with fewer than all

  void run(int looks, bool stuck = false) {
    for (int i = 0; i < looks; ++i) {
      now.now += 1'000'000;
      now.done += static_cast<std::uint64_t>(1'000 * rate(limit));
      now.awake = limit;
      now.stuck = stuck;
      limit = decision.observe(now);
      if (limit < workers) ++gathered;
    }
  }
};

double worse_together(unsigned n) {
  return 30.0 / n;
}
double better_together(unsigned n) {
  return 20.0 * n;
}
double coarse(unsigned n) {
  return 0.5 * n;
}

}  // namespace

TEST_CASE("worker governor: where fewer workers are faster, the others stand back most of the time") {
  machine m{worse_together};
  m.run(100);
  CHECK(m.limit < workers);
  CHECK(m.gathered > 80);
}

TEST_CASE("worker governor: where more workers are faster, all of them work, and trials become rare") {
  machine m{better_together};
  m.run(100);
  CHECK(m.limit == workers);
  const unsigned soon = m.gathered;
  CHECK(soon < 10);
  m.run(1'000);
  CHECK(m.gathered < soon + 10);
}

TEST_CASE("worker governor: coarse work is never gathered") {
  machine m{coarse};
  m.run(1'000);
  CHECK(m.gathered == 0);
}

TEST_CASE(
    "worker governor: a slice that does not end, and work that has become coarse, activate all workers") {
  machine m{worse_together};
  m.run(20);
  REQUIRE(m.limit < workers);
  SECTION("stuck") {
    m.run(1, true);
  }
  SECTION("coarse") {
    m.rate = coarse;
    m.run(1);
  }
  CHECK(m.limit == workers);
}

TEST_CASE("worker governor: it detects that more workers have become faster") {
  machine m{worse_together};
  m.run(50);
  REQUIRE(m.limit < workers);
  m.rate = better_together;
  m.run(100);
  CHECK(m.limit == workers);
}

TEST_CASE("worker governor: nothing is tried while one worker does it all") {
  worker_governor decision(2);
  worker_governor::sample s{.now = 0, .done = 0, .awake = 1, .stuck = false};
  for (int i = 0; i < 100; ++i) {
    s.now += 1'000'000;
    s.done += 50'000;
    CHECK(decision.observe(s) == 2);
  }
}
