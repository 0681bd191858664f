// task<T>: three outcomes, and the awaits that come with the runtime.
#include "support/catch.hpp"

#include <troupe/runtime/blocking.hpp>
#include <troupe/runtime/detail/slab.hpp>
#include <troupe/runtime/sim.hpp>
#include <troupe/runtime/sleep.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using troupe::errc;
using troupe::task;

namespace {

using history = std::vector<std::string>;

struct mark {
  history* to;
  const char* name;
  ~mark() { to->push_back(name); }
};

task<int> number(int n) {
  co_return n;
}
task<int> thrown() {
  throw std::runtime_error("thrown");
  co_return 0;
}
task<void> asleep(troupe::duration d, history* log, const char* name) {
  const mark m{log, name};
  co_await troupe::sleep_for(d);
  log->push_back("woke");
}

}  // namespace

TEST_CASE("task: yields its value, lazily") {
  troupe::sim::runtime on;
  bool began = false;
  const auto lazy = [](bool& b) -> task<int> {
    b = true;
    co_return 7;
  };
  auto t = lazy(began);
  CHECK_FALSE(began);
  CHECK(on.block_on(std::move(t)).value() == 7);
  CHECK(began);
}

TEST_CASE("task: an exception reaches the awaiting coroutine, and can be caught there") {
  troupe::sim::runtime on;
  CHECK_THROWS_WITH(on.block_on(thrown()), "thrown");
  const auto catches = []() -> task<std::string> {
    try {
      co_await thrown();
    } catch (const std::exception& e) {
      co_return e.what();
    }
    co_return "nothing";
  };
  CHECK(on.block_on(catches()).value() == "thrown");
}

TEST_CASE("task: one that is never awaited runs nothing and leaks nothing") {
  const auto before = troupe::detail::slab_statistics().live_objects;
  {
    bool began = false;
    const auto lazy = [](bool& b) -> task<void> {
      b = true;
      co_return;
    };
    {
      const auto t = lazy(began);
    }
    CHECK_FALSE(began);
  }
  CHECK(troupe::detail::slab_statistics().live_objects == before);
}

TEST_CASE("task: one that is replaced by another is destroyed at once") {
  const auto owns = [](std::shared_ptr<int> what) -> task<int> { co_return *what; };
  const auto first = std::make_shared<int>(1);
  task<int> t = owns(first);
  task<int> u = owns(std::make_shared<int>(2));
  const auto assign = [](task<int>& to, task<int>& from) { to = std::move(from); };
  assign(t, u);
  CHECK(first.use_count() == 1);
  CHECK_FALSE(u);
  troupe::sim::runtime on;
  CHECK(on.block_on(std::move(t)).value() == 2);
}

TEST_CASE("task: a stop unwinds the chain, innermost first, and throws nothing") {
  history log;
  const auto before = troupe::detail::slab_statistics().live_objects;
  {
    troupe::sim::runtime on;
    const auto outer = [](history* h) -> task<void> {
      const mark m{h, "outer"};
      try {
        co_await asleep(1h, h, "inner");
        h->push_back("never");
      } catch (...) {
        h->push_back("caught");
      }
    };
    on.spawn(outer(&log));
    on.run_until_idle();
    CHECK(log.empty());
  }
  CHECK(log == history{"inner", "outer"});
  CHECK(troupe::detail::slab_statistics().live_objects == before);
}

TEST_CASE("as_result: shows a value, an error, and a stop") {
  troupe::sim::runtime on;
  const auto shows = []() -> task<bool> {
    const troupe::result<int> v = co_await troupe::as_result(number(3));
    const troupe::result<int> e = co_await troupe::as_result(thrown());
    co_return v.value() == 3 && e.error().text() == "thrown";
  };
  CHECK(on.block_on(shows()).value());
  std::string seen;
  {
    troupe::sim::runtime other;
    const auto cleans_up = [](std::string& out) -> task<void> {
      const troupe::result<void> r = co_await troupe::as_result(troupe::sleep_for(1h));
      if (!r && r.error() == errc::cancelled) out = "cancelled";
    };
    other.spawn(cleans_up(seen));
    other.run_until_idle();
  }
  CHECK(seen == "cancelled");
}

TEST_CASE("with_timeout: gives up exactly at its deadline, unwinds the task, and continues") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    troupe::sim::runtime on({.seed = seed});
    history log;
    const auto impatient = [](history* h) -> task<bool> {
      const troupe::result<void> r = co_await troupe::with_timeout(asleep(1h, h, "gone"), 100ms);
      const troupe::result<int> quick = co_await troupe::with_timeout(number(4), 100ms);
      const troupe::result<void> slept = co_await troupe::with_timeout(troupe::sleep_for(1h), 1ms);
      co_return !r && r.error() == errc::timeout && quick.value() == 4 && !slept &&
          slept.error() == errc::timeout;
    };
    const auto began = on.now();
    CHECK(on.block_on(impatient(&log)).value());
    CHECK(on.now() - began == 101ms);
    CHECK(log == history{"gone"});
  }
}

TEST_CASE("with_timeout: nests, and the inner one leaves the outer one's await alone") {
  troupe::sim::runtime on;
  const auto inner = []() -> task<int> {
    const troupe::result<void> r =
        co_await troupe::with_timeout([]() -> task<void> { co_await troupe::sleep_for(1h); }(), 10ms);
    co_await troupe::sleep_for(20ms);
    co_return r ? 0 : 1;
  };
  const auto outer = [](auto& f) -> task<int> {
    const troupe::result<int> r = co_await troupe::with_timeout(f(), 1s);
    co_return r.value();
  };
  CHECK(on.block_on(outer(inner)).value() == 1);
}

TEST_CASE("yield: lets all other ready strands run") {
  troupe::sim::runtime on;
  history log;
  const auto polite = [](history* h, const char* name) -> task<void> {
    for (int i = 0; i < 3; ++i) {
      h->push_back(name);
      co_await troupe::yield();
    }
  };
  on.spawn(polite(&log, "a"));
  on.spawn(polite(&log, "b"));
  on.run_until_idle();
  CHECK(log.size() == 6);
}

TEST_CASE("a million awaits that never suspend do not use up the stack, and yield meanwhile") {
  troupe::sim::runtime on;
  const auto sum = []() -> task<long> {
    long s = 0;
    for (int i = 0; i < 1'000'000; ++i) s += co_await number(1);
    co_return s;
  };
  CHECK(on.block_on(sum()).value() == 1'000'000);
  CHECK(on.counters().slices > 1'000);
}

TEST_CASE("a chain of ten thousand tasks that await each other does not use up the stack") {
  struct chain {
    static task<int> down(int n) {
      if (n == 0) co_return 0;
      co_return 1 + co_await down(n - 1);
    }
  };
  troupe::sim::runtime on;
  CHECK(on.block_on(chain::down(10'000)).value() == 10'000);
}

TEST_CASE("sleep: exact on the simulated runtime, and nothing at all for a time that has passed") {
  troupe::sim::runtime on;
  const auto naps = [](troupe::sim::runtime& r) -> task<bool> {
    const auto began = r.now();
    co_await troupe::sleep_for(123ns);
    co_await troupe::sleep_until(began + 1ms);
    const bool right = r.now() - began == 1ms;
    co_await troupe::sleep_until(began);
    co_await troupe::sleep_for(-1s);
    co_return right&& r.now() - began == 1ms;
  };
  CHECK(on.block_on(naps(on)).value());
}

TEST_CASE("block_on: a wait that can never end is stuck, not a hang") {
  struct nothing_comes : troupe::detail::leaf {
    nothing_comes() : leaf([](leaf&) noexcept {}) {}
    ~nothing_comes() { withdraw(); }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<troupe::detail::task_promise<void>> h) { begin(h.promise()); }
    void await_resume() const noexcept {}
  };
  troupe::sim::runtime on;
  const auto waits = []() -> task<void> { co_await nothing_comes{}; };
  CHECK(on.block_on(waits()).error() == errc::stuck);
}

TEST_CASE("simulation: the same seed gives the same run to the nanosecond") {
  const auto trace = [](std::uint64_t seed) {
    troupe::sim::runtime on({.seed = seed, .max_slice_time = 10us});
    std::vector<std::int64_t> times;
    const auto walker = [](troupe::sim::runtime& r, std::vector<std::int64_t>& out, int n) -> task<void> {
      for (int i = 0; i < 5; ++i) {
        co_await troupe::sleep_for(std::chrono::microseconds(r.random() % 100));
        out.push_back(r.now().time_since_epoch().count() * 10 + n);
      }
    };
    for (int n = 0; n < 10; ++n) on.spawn(walker(on, times, n));
    CHECK(on.run_to_end());
    return times;
  };
  CHECK(trace(7) == trace(7));
  CHECK(trace(7) != trace(8));
}
