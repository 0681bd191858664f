// A worker's queue, its owner and two thieves: everything that was pushed is taken exactly once.
#include "support/catch.hpp"

#include <troupe/runtime/run_queue.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace {

using troupe::detail::run_queue;
using troupe::detail::runnable;

struct item : runnable {
  item() : runnable(nullptr) {}
  int taken = 0;  // plain: the thread that takes an item owns it
};

}  // namespace

TEST_CASE("run queue stress: an owner and two thieves take each item once") {
  constexpr std::size_t count = 100'000;
  auto queue = std::make_unique<run_queue<64>>(true);
  std::vector<item> items(count);
  std::atomic<std::size_t> taken{0};
  const auto take = [&](runnable* r) {
    ++static_cast<item*>(r)->taken;
    taken.fetch_add(1, std::memory_order_relaxed);
  };
  std::vector<std::thread> thieves;
  for (int t = 0; t < 2; ++t) {
    thieves.emplace_back([&] {
      auto own = std::make_unique<run_queue<64>>(true);
      while (taken.load(std::memory_order_relaxed) < count) {
        if (runnable* const r = queue->steal_into(*own)) {
          take(r);
          while (runnable* const more = own->pop()) take(more);
        } else if (runnable* const s = queue->steal_slot()) {
          take(s);
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::size_t i = 0; i < count; ++i) {
    runnable* r = &items[i];
    if (i % 3 == 0) r = queue->put_slot(*r);
    while (r != nullptr && !queue->push(*r)) {
      std::array<runnable*, 32> half{};
      const std::size_t n = queue->take_half(half);
      for (std::size_t j = 0; j < n; ++j) take(half[j]);
    }
    if (i % 5 == 0) {
      if (runnable* const p = queue->pop()) take(p);
    }
    if (i % 7 == 0) {
      if (runnable* const p = queue->take_slot()) take(p);
    }
  }
  while (taken.load(std::memory_order_relaxed) < count) {
    if (runnable* const p = queue->pop()) {
      take(p);
    } else if (runnable* const s = queue->take_slot()) {
      take(s);
    } else {
      std::this_thread::yield();
    }
  }
  for (auto& t : thieves) t.join();
  std::size_t wrong = 0;
  for (const item& i : items) wrong += i.taken != 1;
  CHECK(wrong == 0);
}
