// blocking(): calls that may block, on the threads of the pool.
#include "support/catch.hpp"

#include <troupe/runtime/blocking.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sim.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/worker.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;
using troupe::task;

TEST_CASE("blocking: yields what the call returns or throws, on either runtime") {
  const auto calls = []() -> task<int> {
    co_await troupe::blocking([] {});
    const int n = co_await troupe::blocking([] { return 5; });
    try {
      co_await troupe::blocking([]() -> int { throw std::runtime_error("disk"); });
    } catch (const std::runtime_error&) {
      co_return n;
    }
    co_return -1;
  };
  troupe::sim::runtime sim;
  CHECK(sim.block_on(calls()).value() == 5);
  troupe::runtime real({.workers = 1});
  CHECK(real.block_on(calls()).value() == 5);
}

TEST_CASE("blocking: runs on a thread that is not a worker, and the worker continues meanwhile") {
  std::atomic<bool> release{false};
  troupe::runtime on({.workers = 1});
  const auto waits = [](std::atomic<bool>& r) -> task<bool> {
    co_return co_await troupe::blocking([&r] {
      while (!r) std::this_thread::sleep_for(100us);
      return troupe::detail::this_worker() == nullptr;
    });
  };
  const auto frees = [](std::atomic<bool>& r) -> task<void> {
    r = true;
    co_return;
  };
  std::thread other([&] { (void)on.block_on(frees(release)); });
  CHECK(on.block_on(waits(release)).value());
  other.join();
}

TEST_CASE("blocking: a call that waits for another one runs on another thread") {
  std::atomic<int> arrived{0};  // outlives the runtime, whose end waits for the last calls
  troupe::runtime on({.workers = 1, .blocking_threads = 4});
  const auto meets = [](std::atomic<int>& n, int wanted) -> task<void> {
    co_await troupe::blocking([&n, wanted] {
      ++n;
      while (n < wanted) std::this_thread::sleep_for(50us);
    });
  };
  for (int round = 1; round <= 20; ++round) {  // from the second round on, idle threads are there
    on.spawn(meets(arrived, 3 * round));
    on.spawn(meets(arrived, 3 * round));
    CHECK(on.block_on(meets(arrived, 3 * round)).has_value());
  }
}

TEST_CASE(
    "blocking: when the waiting side is stopped, the stop token is triggered and the result is dropped") {
  std::atomic<bool> began{false};
  std::atomic<bool> told{false};
  {
    troupe::runtime on({.workers = 1});
    const auto waits = [](std::atomic<bool>& b, std::atomic<bool>& t) -> task<void> {
      co_await troupe::blocking([&b, &t](std::stop_token s) {
        b = true;
        while (!s.stop_requested()) std::this_thread::sleep_for(50us);
        t = true;
      });
    };
    on.spawn(waits(began, told));
    while (!began) std::this_thread::yield();
  }
  CHECK(told);
}
