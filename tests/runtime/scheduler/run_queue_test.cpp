// A worker's queue against a model of it: a deque and a slot.
#include "support/catch.hpp"

#include <troupe/runtime/run_queue.hpp>

#include <rapidcheck.h>

#include <array>
#include <deque>
#include <vector>

namespace {

using troupe::detail::run_queue;
using troupe::detail::runnable;

void agrees_with_model(bool shared) {
  const auto moves = *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::arbitrary<std::uint8_t>());
  run_queue<8> queue(shared);
  run_queue<8> thief(true);
  std::deque<runnable> all;
  std::deque<runnable*> ring;
  runnable* slot = nullptr;
  for (const std::uint8_t move : moves) {
    switch (move % (shared ? 7 : 5)) {
      case 0:
      case 1: {
        runnable& r = all.emplace_back(nullptr);
        const bool room = ring.size() < 8;
        RC_ASSERT(queue.push(r) == room);
        if (room) ring.push_back(&r);
        break;
      }
      case 2: {
        runnable* const expected = ring.empty() ? nullptr : ring.front();
        RC_ASSERT(queue.pop() == expected);
        if (expected != nullptr) ring.pop_front();
        break;
      }
      case 3: {
        if (move % 2 == 0) {
          runnable& r = all.emplace_back(nullptr);
          RC_ASSERT(queue.put_slot(r) == slot);
          slot = &r;
        } else {
          RC_ASSERT(queue.take_slot() == slot);
          slot = nullptr;
        }
        break;
      }
      case 4: {
        std::array<runnable*, 4> half{};
        const std::size_t n = queue.take_half(half);
        RC_ASSERT(n == (ring.size() == 8 ? 4U : 0U));
        for (std::size_t i = 0; i < n; ++i) {
          RC_ASSERT(half[i] == ring.front());
          ring.pop_front();
        }
        break;
      }
      case 5: {
        const std::size_t share = (ring.size() + 1) / 2;
        runnable* const first = queue.steal_into(thief);
        RC_ASSERT(first == (ring.empty() ? nullptr : ring.front()));
        if (first == nullptr) break;
        ring.pop_front();
        for (std::size_t i = 1; i < share; ++i) {
          RC_ASSERT(thief.pop() == ring.front());
          ring.pop_front();
        }
        RC_ASSERT(thief.pop() == nullptr);
        break;
      }
      default:
        RC_ASSERT(queue.steal_slot() == slot);
        slot = nullptr;
        break;
    }
    RC_ASSERT(queue.size() == ring.size());
    RC_ASSERT(queue.slot_filled() == (slot != nullptr));
  }
}

}  // namespace

TEST_CASE("run queue: behaves as its model, with thieves and without") {
  CHECK(rc::check("shared", [] { agrees_with_model(true); }));
  CHECK(rc::check("owned by one", [] { agrees_with_model(false); }));
}
