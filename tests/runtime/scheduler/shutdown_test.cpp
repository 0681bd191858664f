// The end of a runtime: the tasks and calls that it waits for, those that it abandons at its deadline, and
// its report.
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "support/sanitized.hpp"

#include <troupe/runtime/blocking.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sim.hpp>
#include <troupe/runtime/sleep.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using troupe::task;
using troupe_test::becomes_true;

namespace {

class lines final : public troupe::log_sink {
 public:
  void write(troupe::log_level, std::string_view line) noexcept override {
    const std::scoped_lock guard(lock_);
    all_.append(line).append("\n");
  }
  [[nodiscard]] bool tell(std::string_view part) const {
    const std::scoped_lock guard(lock_);
    return all_.find(part) != std::string::npos;
  }

 private:
  mutable std::mutex lock_;
  std::string all_;
};

// A gate that blocks until it is opened, or for a minute, so that a test that fails does not hang.
class gate {
 public:
  void pass() {
    ++inside_;
    opened_in_time_ = becomes_true([this] { return open_.load(); });
    ++left_;
  }
  void open() { open_ = true; }
  [[nodiscard]] int inside() const { return inside_; }
  /// Opens it, and waits until all threads have left it. Whether it was closed for as long as wanted.
  bool open_for_all() {
    open();
    return becomes_true([this] { return left_ == inside_; }) && opened_in_time_;
  }

 private:
  std::atomic<bool> open_{false};
  std::atomic<bool> opened_in_time_{true};
  std::atomic<int> inside_{0};
  std::atomic<int> left_{0};
};

task<void> calls(gate& g) {
  co_await troupe::blocking([&g] { g.pass(); });
}

// A thread-local object that takes a while to be destroyed.
struct slow_end {
  std::atomic<int>* n = nullptr;
  ~slow_end() {
    std::this_thread::sleep_for(5ms);
    ++*n;
  }
};

struct passes_at_its_end {
  gate* g;
  ~passes_at_its_end() { g->pass(); }
};
task<void> ends_slowly(gate& g, std::atomic<bool>& began) {
  const passes_at_its_end here{&g};
  began = true;
  co_await troupe::sleep_for(troupe::forever);
}

}  // namespace

TEST_CASE("end of a runtime: a call of blocking() that does not return is abandoned and reported") {
  gate g;
  lines log;
  {
    troupe::runtime rt({.workers = 1, .shutdown = 50ms, .log = &log});
    rt.spawn(calls(g));
    REQUIRE(becomes_true([&] { return g.inside() == 1; }));
  }
  CHECK(log.tell(
      "a task of the runtime: what it called by blocking() did not return; its thread is abandoned"));
  CHECK(g.open_for_all());
}

TEST_CASE("end of a runtime: it waits for a call of blocking() that returns in time") {
  gate g;
  lines log;
  std::thread opens;
  {
    troupe::runtime rt({.workers = 1, .shutdown = 1min, .log = &log});
    rt.spawn(calls(g));
    REQUIRE(becomes_true([&] { return g.inside() == 1; }));
    opens = std::thread([&g] {
      std::this_thread::sleep_for(5ms);
      g.open();
    });
  }
  CHECK_FALSE(log.tell("abandoned"));
  opens.join();
  CHECK(g.open_for_all());
}

TEST_CASE("end of a runtime: the threads of blocking calls have ended, with their thread-local objects") {
  constexpr int many = 4;
  std::atomic<int> destroyed{0};
  gate g;
  {
    troupe::runtime rt({.workers = 1, .shutdown = 1min});
    for (int i = 0; i < many; ++i) {
      const auto leaves_an_object = [](gate& at, std::atomic<int>& n) -> task<void> {
        co_await troupe::blocking([&] {
          thread_local slow_end here;
          here.n = &n;
          at.pass();
        });
      };
      rt.spawn(leaves_an_object(g, destroyed));
    }
    REQUIRE(becomes_true([&] { return g.inside() == many; }));  // each on a thread of its own
    CHECK(g.open_for_all());
  }
  CHECK(destroyed == many);
}

TEST_CASE("end of a runtime: a call of blocking() that has not begun does not begin") {
  gate g;
  std::atomic<int> begun{0};
  std::atomic<int> waiting{0};
  lines log;
  {
    troupe::runtime rt({.workers = 1, .blocking_threads = 1, .shutdown = 50ms, .log = &log});
    rt.spawn(calls(g));
    REQUIRE(becomes_true([&] { return g.inside() == 1; }));
    const auto counts = [](std::atomic<int>& w, std::atomic<int>& n) -> task<void> {
      ++w;
      co_await troupe::blocking([&n] { ++n; });
    };
    for (int i = 0; i < 10; ++i) rt.spawn(counts(waiting, begun));
    REQUIRE(becomes_true([&] { return waiting == 10; }));
  }
  CHECK(g.open_for_all());
  CHECK(begun == 0);
}

TEST_CASE("end of a runtime: a task that does not end is abandoned and reported, with its worker") {
  gate g;
  std::atomic<bool> began{false};
  lines log;
  {
    troupe::runtime rt({.workers = 2, .shutdown = 50ms, .log = &log});
    rt.spawn(ends_slowly(g, began));
    REQUIRE(becomes_true([&] { return began.load(); }));
  }
  CHECK(log.tell("1 tasks of the runtime did not stop by the deadline"));
  CHECK(log.tell("worker threads did not return from a handler by the deadline"));
  CHECK(g.open_for_all());
}

TEST_CASE("end of a runtime: tasks that tasks spawn while they unwind are stopped, too") {
  std::atomic<int> unwound{0};
  {
    troupe::runtime rt({.workers = 2});
    struct spawns {
      troupe::runtime* on;
      std::atomic<int>* n;
      int depth;
      static task<void> run(troupe::runtime& on, std::atomic<int>& n, int depth) {
        const spawns here{&on, &n, depth};
        co_await troupe::sleep_for(troupe::forever);
      }
      ~spawns() {
        ++*n;
        if (depth > 0) on->spawn(run(*on, *n, depth - 1));
      }
    };
    std::atomic<int> ready{0};
    const auto starts = [](troupe::runtime& on, std::atomic<int>& n, std::atomic<int>& r) -> task<void> {
      const spawns here{&on, &n, 1};
      ++r;
      co_await troupe::sleep_for(troupe::forever);
    };
    for (int i = 0; i < 100; ++i) rt.spawn(starts(rt, unwound, ready));
    REQUIRE(becomes_true([&] { return ready == 100; }));
  }
  CHECK(unwound >= 100);  // those that were spawned late may have been stopped before they began
  CHECK(unwound <= 200);
}

TEST_CASE("end of a runtime: of very many tasks, whether they end by themselves or are stopped") {
  constexpr int n = troupe_test::sanitized ? 5'000 : 100'000;
  for (const bool stopped : {false, true}) {
    std::atomic<int> over{0};
    lines log;
    {
      troupe::runtime rt({.workers = 2, .shutdown = 1min, .log = &log});
      const auto lives = [](std::atomic<int>& o, bool waits) -> task<void> {
        struct counts {
          std::atomic<int>* o;
          ~counts() { ++*o; }
        } const here{&o};
        if (waits) co_await troupe::sleep_for(troupe::forever);
      };
      for (int i = 0; i < n; ++i) rt.spawn(lives(over, stopped));
      if (!stopped) REQUIRE(becomes_true([&] { return over == n; }));
    }
    CHECK_FALSE(log.tell("abandoned"));
    CHECK(over <= n);  // a task that is stopped before it begins has nothing to unwind
  }
}

TEST_CASE(
    "block_on: on the simulated runtime it stops a task that is stuck, before its caller's frame ends") {
  troupe::sim::runtime sim;
  bool unwound = false;
  const auto waits = [](bool& u) -> task<int> {
    struct says {
      bool* u;
      ~says() { *u = true; }
    } const here{&u};
    co_await troupe::sleep_for(troupe::forever);
    co_return 1;
  };
  const auto got = sim.block_on(waits(unwound));
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error() == troupe::errc::stuck);
  CHECK(unwound);
}
