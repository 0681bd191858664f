// A wake-up that only its owner can take.
//
// Internal to Troupe's own sources. A reactor is woken by an event in its epoll set, and any thread that
// looks at the set takes that event away. So the event says only that the owner should look; that it was
// woken is kept here until the owner has been told.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>

namespace troupe::detail {

class wake_flag {
 public:
  /// The owner is to wake up: before the event that ends its wait. Any thread.
  void raise() noexcept { raised_.store(true, std::memory_order_release); }

  /// Calls `wait(woken)`, which must not sleep when `woken`. No other thread may take the event meanwhile.
  /// The owner only; it finds all that the wakers have done before.
  template <class Wait>
  void wait(Wait wait) noexcept {
    wait(take());
    // What came meanwhile is what ended this wait, or ends it now: the caller looks around next.
    take();
  }

 private:
  bool take() noexcept { return raised_.exchange(false, std::memory_order_acquire); }

  // raised_: a wake-up that the owner has not been told of. The release in raise() pairs with the acquire in
  // take(): what the waker did before is seen by the owner that takes its wake-up. A waker raises it before
  // it writes the event, so an event that another thread took away has left the flag. Broken by:
  // tests/explore/parking_explore_test, tests/runtime/reactor_test.
  atomic<bool> raised_{false};
};

}  // namespace troupe::detail
