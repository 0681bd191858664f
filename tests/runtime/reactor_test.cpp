// A worker's reactor on its own: what ends a wait.
#include <atomic>
#include <chrono>
#include <thread>
#include <troupe/runtime/reactor.hpp>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using troupe::detail::reactor;

namespace {

struct owned_reactor {
  ~owned_reactor() { io.release(); }
  reactor& io = *reactor::make();
};

/// How long the owner of `io` waits when it may wait for a minute.
std::chrono::steady_clock::duration wait_of(reactor& io) {
  const auto before = std::chrono::steady_clock::now();
  io.wait(std::chrono::nanoseconds(6s).count());
  return std::chrono::steady_clock::now() - before;
}

}  // namespace

TEST_CASE("reactor: a wake-up ends the next wait") {
  owned_reactor r;
  r.io.wake();
  CHECK(wait_of(r.io) < 5s);
}

TEST_CASE("reactor: a thread that polls for the owner leaves it the wake-up") {
  owned_reactor r;
  r.io.wake();
  std::thread([&] { r.io.poll(); }).join();
  CHECK(wait_of(r.io) < 5s);
}

TEST_CASE("reactor: wake-ups from several threads end a wait, whatever others poll meanwhile") {
  owned_reactor r;
  std::atomic<bool> over{false};
  std::thread poller([&] {
    while (!over) r.io.poll();
  });
  bool kept = true;
  for (int i = 0; i < 500 && kept; ++i) {
    std::thread waker([&] { r.io.wake(); });
    kept = wait_of(r.io) < 5s;
    waker.join();
  }
  over = true;
  poller.join();
  CHECK(kept);
}

TEST_CASE("reactor: a wake-up ends one wait only") {
  owned_reactor r;
  for (int i = 0; i < 100; ++i) {
    r.io.wake();
    REQUIRE(wait_of(r.io) < 5s);
  }
  // One more may be left, of a wake() that came in between; then the wait lasts.
  r.io.wait(0);
  const auto before = std::chrono::steady_clock::now();
  r.io.wait(std::chrono::nanoseconds(20ms).count());
  CHECK(std::chrono::steady_clock::now() - before >= 20ms);
}
