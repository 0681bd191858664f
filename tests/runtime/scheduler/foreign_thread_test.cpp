// Threads that are not workers: their counters, numbers and pins, also when they end.
#include "support/catch.hpp"

#include <troupe/runtime/foreign_counters.hpp>
#include <troupe/runtime/pin.hpp>
#include <troupe/runtime/thread_number.hpp>

#include <atomic>
#include <pthread.h>
#include <thread>
#include <vector>

using troupe::detail::counter_block;
using troupe::detail::foreign_counters;
using troupe::detail::numbered_threads;
using troupe::detail::pin;
using troupe::detail::pinnable;
using troupe::detail::thread_number;

namespace {

struct pinned final : pinnable {
  explicit pinned(std::atomic<int>& n) : freed(n) {}
  ~pinned() override { ++freed; }
  std::atomic<int>& freed;
};

}  // namespace

TEST_CASE("foreign threads: no count is lost, however many threads there are") {
  foreign_counters counters;
  std::atomic<unsigned> ready{0};
  std::vector<std::thread> threads;
  constexpr unsigned n = 3 * numbered_threads;
  for (unsigned t = 0; t < n; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        counters.count([](counter_block& c) { c.sent.add(); });
        if (i == 0) ++ready;
        while (ready < n) std::this_thread::yield();
      }
    });
  }
  for (auto& t : threads) t.join();
  troupe::runtime_counters sum;
  counters.add_to(sum);
  CHECK(sum.sent == 1000 * n);
}

TEST_CASE("foreign threads: the number of a thread that has ended goes to another") {
  foreign_counters counters;
  unsigned too_high = 0;
  for (unsigned i = 0; i < 4 * numbered_threads; ++i) {
    std::thread([&] {
      if (thread_number() >= numbered_threads) ++too_high;
      counters.count([](counter_block& c) { c.sent.add(); });
    }).join();
  }
  troupe::runtime_counters sum;
  counters.add_to(sum);
  CHECK(too_high == 0);
  CHECK(sum.sent == 4 * numbered_threads);
}

TEST_CASE("foreign threads: they still count and pin while they end") {
  static foreign_counters counters;
  static std::atomic<int> freed{0};
  static pinned* shared;
  shared = new pinned(freed);
  pthread_key_t key{};
  REQUIRE(pthread_key_create(&key, [](void*) {
            const pin one(*shared);
            const pin two(*shared);
            counters.count([](counter_block& c) { c.sent.add(); });
          }) == 0);
  for (int i = 0; i < 20; ++i) {
    std::thread([key] { pthread_setspecific(key, &counters); }).join();
  }
  pthread_key_delete(key);
  troupe::runtime_counters sum;
  counters.add_to(sum);
  CHECK(sum.sent == 20);
  CHECK(freed == 0);
  shared->release();
  CHECK(freed == 1);
}

TEST_CASE("pin: a pinned object is freed when the last pin ends, on the thread of that pin") {
  std::atomic<int> freed{0};
  auto* const what = new pinned(freed);
  auto* const other = new pinned(freed);
  {
    const pin outer(*what);
    {
      const pin inner(*what);
      const pin of_another(*other);
      what->release();
      CHECK(freed == 0);
    }
    CHECK(freed == 0);
    other->release();
    CHECK(freed == 1);
  }
  CHECK(freed == 2);
}

TEST_CASE("pin: a pin of an object that is freed already does no harm") {
  std::atomic<int> freed{0};
  auto* const what = new pinned(freed);
  what->release();
  CHECK(freed == 1);
  const pin late(*what);  // and finds it dead
}
