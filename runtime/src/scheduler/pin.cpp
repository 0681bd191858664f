// Pins: the places of all threads, and the objects that wait to be freed. See pin.hpp for the protocol.
#include "scheduler/thread_end.hpp"

#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/pin.hpp>

#include <new>
#include <sched.h>

namespace troupe::detail {

constinit thread_local pin_place* pin::own_places_ = nullptr;
constinit atomic<pinnable*> pin::waiting_{nullptr};

namespace {

// all_places: every place ever created, newest first; only grows, to the largest number of pins at the same
// time. The release of a push pairs with the acquire in free_unvisited(). A place is pushed before its thread
// enters it, so the fences cover the list, too. Broken by: tests/stress/end_of_system_test.
constinit atomic<pin_place*> all_places{nullptr};

constinit spinlock lock;
// Places of threads that have ended, for others.
constinit pin_place* spare_places TROUPE_GUARDED_BY(lock) = nullptr;

}  // namespace

void pin::leave_places(void*) {
  while (pin_place* const p = own_places_) {
    own_places_ = p->next_of_thread;
    const scoped_lock guard(lock);
    p->next_of_thread = std::exchange(spare_places, p);
  }
}

[[gnu::cold]] pin_place& pin::another_place() noexcept {
  static thread_end end(&leave_places);
  (void)end.ask();  // if it fails, no other thread gets the place
  {
    const scoped_lock guard(lock);
    if (pin_place* const p = spare_places) {
      spare_places = std::exchange(p->next_of_thread, nullptr);
      return *p;
    }
  }
  pin_place* p = nullptr;
  // A push of system mail cannot fail, so this cannot either: when no memory is available the thread waits
  // for it.
  while ((p = new (std::nothrow) pin_place) == nullptr) sched_yield();
  p->next_of_all = all_places.load(std::memory_order_relaxed);
  while (!all_places.compare_exchange_weak(p->next_of_all, p, std::memory_order_release,
                                           std::memory_order_relaxed)) {
  }
  return *p;
}

[[gnu::cold]] void pin::free_unvisited() noexcept {
  pinnable* gone = nullptr;
  {
    const scoped_lock guard(lock);
    pinnable* left = nullptr;
    const pin_place* const places = all_places.load(std::memory_order_acquire);
    for (pinnable* p = waiting_.load(std::memory_order_relaxed); p != nullptr;) {
      pinnable* const next = p->next_waiting_;
      p->next_waiting_ = std::exchange(is_visited(p, places) ? left : gone, p);
      p = next;
    }
    waiting_.store(left, std::memory_order_relaxed);
  }
  // Without the lock: a destructor may give back the last share in another object.
  while (pinnable* const p = gone) {
    gone = p->next_waiting_;
    delete p;
  }
}

void pinnable::last_out() noexcept {
  // From here on a visitor that found the object alive is seen by every thread that finds the object in the
  // list.
  if (!heavy_fence()) return;  // never freed: no thread can tell whether a visitor is inside
  {
    const scoped_lock guard(lock);
    next_waiting_ = pin::waiting_.load(std::memory_order_relaxed);
    pin::waiting_.store(this, std::memory_order_relaxed);
  }
  // A visitor that leaves after this fence sees the object in the list; one that has left before is seen to
  // have left.
  if (heavy_fence()) pin::free_unvisited();
}

}  // namespace troupe::detail
