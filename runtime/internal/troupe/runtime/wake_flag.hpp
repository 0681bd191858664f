// A wake-up that only its owner can take.
//
// Internal to Troupe's own sources. A reactor is woken by an event in its epoll set, and any thread that
// looks at the set takes that event away. So the event says only that the owner should look; the wake-up
// itself is kept here until the owner takes it.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>

namespace troupe::detail {

class wake_flag {
 public:
  /// Records a wake-up for the owner, before the event that ends its wait. Any thread.
  void raise() noexcept { raised_.store(true, std::memory_order_release); }

  /// Calls `wait(woken)`, which must not sleep when `woken`. No other thread may take the event meanwhile.
  /// The owner only; it sees all that the wakers have done before.
  template <class Wait>
  void wait(Wait wait) noexcept {
    wait(take());
    // A wake-up that came meanwhile has ended this wait, or ends it now: the caller looks for work next.
    take();
  }

 private:
  bool take() noexcept { return raised_.exchange(false, std::memory_order_acquire); }

  // raised_: a wake-up that the owner has not taken. The release in raise() pairs with the acquire in take():
  // the owner that takes a wake-up sees what its waker did before. A waker raises the flag before it writes
  // the event, so an event that another thread took away has left the flag. Broken by:
  // tests/explore/parking_explore_test, tests/runtime/io/reactor_test.
  atomic<bool> raised_{false};
};

}  // namespace troupe::detail
