// Coarse work behind a phase of small work: the worker that has it all shares it, though it has learned to
// look around seldom.
#include "support/catch.hpp"

#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

using namespace std::chrono_literals;

namespace {

struct tally {
  std::mutex lock;
  std::set<std::thread::id> threads;
  std::atomic<int> done{0};
};

troupe::task<void> job(tally& t) {
  const auto until = std::chrono::steady_clock::now() + 500us;
  while (std::chrono::steady_clock::now() < until) {
  }
  {
    const std::scoped_lock guard(t.lock);
    t.threads.insert(std::this_thread::get_id());
  }
  ++t.done;
  co_return;
}

troupe::task<void> small_then_coarse(troupe::runtime& on, tally& t, int jobs) {
  for (int i = 0; i < 200'000; ++i) co_await troupe::yield();
  for (int i = 0; i < jobs; ++i) on.spawn(job(t));
}

}  // namespace

TEST_CASE("sharing: coarse jobs that one worker makes after small ones do not stay with it") {
  for (const unsigned workers : {2U, 4U}) {
    troupe::runtime on({.workers = workers});
    tally t;
    constexpr int jobs = 100;  // fewer than a worker may run before it looks around by itself
    REQUIRE(on.block_on(small_then_coarse(on, t, jobs)).has_value());
    while (t.done != jobs) std::this_thread::sleep_for(1ms);
    CHECK(t.threads.size() >= 2);
  }
}
