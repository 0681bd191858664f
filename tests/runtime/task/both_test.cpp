// both and either: two tasks that take turns on one strand.
#include "support/catch.hpp"

#include <troupe/runtime.hpp>
#include <troupe/runtime/both.hpp>
#include <troupe/runtime/sim.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using troupe::both;
using troupe::either;
using troupe::sleep_for;
using troupe::task;

namespace {

struct mark {
  std::string& log;
  const char* text;
  ~mark() { log += text; }
};

task<void> step(std::string& log, const char* name, troupe::duration d, int steps) {
  const mark gone{log, "."};
  for (int i = 0; i < steps; ++i) {
    co_await sleep_for(d);
    log += name;
  }
}
task<void> fail_after(troupe::duration d) {
  if (d != troupe::duration::zero()) co_await sleep_for(d);
  throw std::runtime_error("failed");
}
task<void> at_once(std::string& log, const char* name) {
  log += name;
  co_return;
}

task<void> run_both(task<void> a, task<void> b) {
  co_await both(std::move(a), std::move(b));
}
task<void> run_either(task<void> a, task<void> b) {
  co_await either(std::move(a), std::move(b));
}

/// The text of the exception that it throws, or nothing.
std::string run(troupe::sim::runtime& rt, task<void> t) {
  try {
    return rt.block_on(std::move(t)) ? "" : "was stopped";
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("both: the tasks take turns, and both end first") {
  troupe::sim::runtime rt({.seed = 1});
  std::string log;
  REQUIRE(run(rt, run_both(step(log, "a", 10ms, 3), step(log, "b", 25ms, 2))) == "");
  CHECK(log ==
        "aab"
        "a.b.");
}

TEST_CASE("both: tasks that do not wait are over at once") {
  troupe::sim::runtime rt({.seed = 1});
  std::string log;
  REQUIRE(run(rt, run_both(at_once(log, "a"), at_once(log, "b"))) == "");
  CHECK(log == "ab");
  REQUIRE(run(rt, run_both(at_once(log, "c"), step(log, "d", 1ms, 1))) == "");
  CHECK(log == "abcd.");
}

TEST_CASE("both: when one fails the other is cancelled, and has unwound") {
  troupe::sim::runtime rt({.seed = 1});
  std::string log;
  for (const bool first : {true, false}) {
    log.clear();
    const std::string r = run(rt, first ? run_both(fail_after(15ms), step(log, "b", 10ms, 100))
                                        : run_both(step(log, "b", 10ms, 100), fail_after(15ms)));
    CHECK(r == "failed");
    CHECK(log == "b.");
  }
  log.clear();
  REQUIRE(run(rt, run_both(step(log, "b", 10ms, 100), fail_after(0ms))) == "failed");
  CHECK(log == ".");
  log.clear();
  REQUIRE(run(rt, run_both(fail_after(0ms), step(log, "b", 10ms, 100))) == "failed");
  CHECK(log.empty());  // it was not begun
}

TEST_CASE("either: the first to end cancels the other") {
  troupe::sim::runtime rt({.seed = 1});
  std::string log;
  REQUIRE(run(rt, run_either(step(log, "a", 10ms, 2), step(log, "b", 15ms, 100))) == "");
  CHECK(log == "aba..");
  log.clear();
  REQUIRE(run(rt, run_either(step(log, "b", 15ms, 100), at_once(log, "x"))) == "");
  CHECK(log == "x.");
}

TEST_CASE("both: stopping the waiting task unwinds both, also when nested") {
  troupe::sim::runtime rt({.seed = 1});
  std::string log;
  auto nested = run_both(run_either(step(log, "a", 10ms, 100), step(log, "b", 10ms, 100)),
                         run_both(step(log, "c", 10ms, 100), step(log, "d", 10ms, 100)));
  const auto limited = [](task<void> t) -> task<void> {
    const auto r = co_await troupe::with_timeout(std::move(t), 25ms);
    if (r || r.error() != troupe::errc::timeout) throw std::runtime_error("no timeout");
  };
  REQUIRE(run(rt, limited(std::move(nested))) == "");
  CHECK(std::count(log.begin(), log.end(), '.') == 4);
  CHECK(std::count(log.begin(), log.end(), 'd') == 2);
}
