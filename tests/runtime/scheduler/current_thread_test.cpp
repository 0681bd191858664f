// A runtime without worker threads: the thread that waits for it runs it.
#include "support/catch.hpp"

#include <troupe/runtime/blocking.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

using namespace std::chrono_literals;
using troupe::task;

namespace {

task<std::thread::id> here() {
  co_return std::this_thread::get_id();
}

task<void> wait_for(std::atomic<bool>& what) {
  while (!what) co_await troupe::sleep_for(100us);
}

task<void> make_true(std::atomic<bool>& what) {
  what = true;
  co_return;
}

}  // namespace

TEST_CASE("current_thread: tasks run on the waiting thread, whichever that is") {
  troupe::runtime on({.current_thread = true});
  CHECK(on.workers() == 1);
  CHECK(on.block_on(here()).value() == std::this_thread::get_id());
  bool there = false;
  std::thread([&] { there = on.block_on(here()).value() == std::this_thread::get_id(); }).join();
  CHECK(there);
}

TEST_CASE("current_thread: nothing runs until a thread waits") {
  std::atomic<bool> ran{false};
  troupe::runtime on({.current_thread = true});
  on.spawn(make_true(ran));
  std::this_thread::sleep_for(5ms);
  CHECK_FALSE(ran);
  (void)on.block_on(wait_for(ran));
  CHECK(ran);
}

TEST_CASE("current_thread: timers fire, and blocking calls come back") {
  troupe::runtime on({.current_thread = true});
  const auto both = []() -> task<int> {
    co_await troupe::sleep_for(2ms);
    co_return co_await troupe::blocking([] { return 7; });
  };
  CHECK(on.block_on(both()).value() == 7);
}

TEST_CASE("current_thread: one waiter drives for all, and the next takes over") {
  for (int round = 0; round < 200; ++round) {
    std::atomic<bool> first{false};
    std::atomic<bool> second{false};
    troupe::runtime on({.current_thread = true});
    // Each lets another one continue and then waits itself, whichever of them drives.
    const auto relay = [](std::atomic<bool>& mine, std::atomic<bool>& other) -> task<void> {
      other = true;
      co_await wait_for(mine);
    };
    std::thread a([&] { (void)on.block_on(relay(first, second)); });
    std::thread b([&] { (void)on.block_on(relay(second, first)); });
    std::thread c([&] { (void)on.block_on(here()); });
    a.join();
    b.join();
    c.join();
    CHECK((first && second));
  }
}

TEST_CASE("current_thread: the end of the runtime stops what is left, on this thread") {
  struct at_end {
    std::optional<std::thread::id>& where;
    ~at_end() { where = std::this_thread::get_id(); }
  };
  std::optional<std::thread::id> ended;
  {
    troupe::runtime on({.current_thread = true});
    const auto forever = [](std::optional<std::thread::id>& where) -> task<void> {
      const at_end note{where};
      co_await troupe::sleep_for(1h);
    };
    on.spawn(forever(ended));
    (void)on.block_on(here());
  }
  CHECK(ended == std::this_thread::get_id());
}

TEST_CASE("current_thread: more workers than one are refused") {
  try {
    troupe::runtime on({.workers = 2, .current_thread = true});
    FAIL("not refused");
  } catch (const troupe::troupe_error& e) {
    CHECK(e.error().to_string().find("current_thread has one worker") != std::string::npos);
  }
}
