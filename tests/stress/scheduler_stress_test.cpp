// Foreign threads inject work while workers park and wake: nothing hangs, and nothing is run twice.
#include "support/catch.hpp"

#include <troupe/runtime/blocking.hpp>
#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

troupe::task<int> hop(int n) {
  if (n % 3 == 0) co_await troupe::yield();
  if (n % 50 == 0) co_await troupe::sleep_for(200us);
  if (n % 97 == 0) co_await troupe::blocking([] {});
  co_return n;
}

troupe::task<void> count_one(std::atomic<int>& n) {
  co_await troupe::yield();
  ++n;
}

troupe::task<void> fan_out(troupe::runtime& r, std::atomic<int>& n) {
  for (int i = 0; i < 2000; ++i) r.spawn(count_one(n));
  co_return;
}

}  // namespace

TEST_CASE("scheduler stress: work that foreign threads inject, with pauses in which workers park") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    troupe::runtime on({.workers = workers});
    std::vector<std::thread> clients;
    std::atomic<int> wrong{0};
    for (int c = 0; c < 3; ++c) {
      clients.emplace_back([&, c] {
        for (int i = 0; i < 1500; ++i) {
          if (on.block_on(hop(i)).value_or(-1) != i) ++wrong;
          if (i % 100 == c) std::this_thread::sleep_for(1ms);
        }
      });
    }
    for (auto& t : clients) t.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("scheduler stress: workers stand back and return while foreign threads inject") {
  for (const unsigned workers : {2U, 4U}) {
    troupe::runtime on({.workers = workers});
    std::atomic<bool> over{false};
    std::thread conductor([&] {
      for (unsigned i = 0; !over; ++i) {
        on.engine().set_active_workers(1 + (i * 7) % workers);
        std::this_thread::sleep_for(50us);
      }
      on.engine().set_active_workers(workers);
    });
    std::vector<std::thread> clients;
    std::atomic<int> wrong{0};
    std::atomic<int> ran{0};
    for (int c = 0; c < 3; ++c) {
      clients.emplace_back([&, c] {
        if (c == 0) on.spawn(fan_out(on, ran));
        for (int i = 0; i < 1000; ++i) {
          if (on.block_on(hop(i)).value_or(-1) != i) ++wrong;
          if (i % 100 == c) std::this_thread::sleep_for(1ms);
        }
      });
    }
    for (auto& t : clients) t.join();
    while (ran != 2000) std::this_thread::yield();
    over = true;
    conductor.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("scheduler stress: a worker that was woken for work and stands back passes the call on") {
  troupe::runtime on({.workers = 2});
  for (int i = 0; i < 300; ++i) {
    on.engine().set_active_workers(2);
    std::this_thread::sleep_for(200us);  // so that both park
    on.engine().set_active_workers(1);
    REQUIRE(on.block_on(hop(i)).value_or(-1) == i);
  }
  on.engine().set_active_workers(2);
}

TEST_CASE("scheduler stress: spawned tasks all run, more of them than a ring holds") {
  for (const unsigned workers : {1U, 2U}) {
    std::atomic<int> ran{0};
    {
      troupe::runtime on({.workers = workers});
      for (int i = 0; i < 3; ++i) on.spawn(fan_out(on, ran));
      while (ran != 6000) std::this_thread::yield();
    }
    CHECK(ran == 6000);
  }
}

TEST_CASE("scheduler stress: runtimes start and end with work in flight") {
  constexpr auto forever = []() -> troupe::task<void> {
    for (;;) co_await troupe::sleep_for(1ms);
  };
  for (int i = 0; i < 30; ++i) {
    troupe::runtime on({.workers = 2});
    for (int t = 0; t < 10; ++t) on.spawn(forever());
    if (i % 3 == 0) std::this_thread::sleep_for(1ms);
  }
  SUCCEED();
}
