// Pins: how a thread that holds no share in an engine uses it, while the engine may be about to end.
//
// Internal to Troupe's own sources. A strand's memory outlives its engine: a thread with a ref may push mail
// at any time, and must then schedule the strand and count the message, which concerns the engine. A pin
// announces that beforehand:
//
//   visitor:  writes the engine's address into a place of its thread, fences, and pushes. If the mailbox
//             says that it is dead, the visitor touches nothing; otherwise the engine is alive, and stays so
//             until the pin ends. Then the visitor empties the place, fences, and checks whether an engine
//             waits to be freed.
//   owner:    the last share is gone, so all of the engine's strands are dead. The owner fences, puts the
//             engine into the list of those that wait, fences, and looks at the places of all threads: if the
//             engine is in none of them, it is freed.
//
// So either the owner sees that a visitor is inside, or the visitor sees the death; and the later of the two
// frees. These are hazard pointers (Michael, "Hazard Pointers", IEEE TPDS 15(6), 2004) whose readers help to
// free. A pin costs two stores to a cache line of its own thread: the owner pays for the fences
// (asymmetric_fence.hpp).
//
// A child of fork() inherits the pins of threads that it does not have: engines pinned by these are never
// freed there.
#pragma once

#include <troupe/runtime/asymmetric_fence.hpp>
#include <troupe/runtime/config.hpp>
#include <troupe/runtime/detail/assert.hpp>
#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/share_count.hpp>

#include <cstdint>
#include <utility>

namespace troupe::detail {

/// The slot in which a thread announces the object that it has pinned. Never freed: a thread that ends leaves
/// its places to others (pin.cpp).
class alignas(cache_line) pin_place {
 public:
  /// The thread that has the place, which is empty. Its later loads are ordered behind this.
  void enter(const void* what) noexcept {
    TROUPE_ASSERT(inside_.load(std::memory_order_relaxed) == nullptr, "a pin enters an empty place");
    inside_.store(what, std::memory_order_release);
    light_fence();
  }
  /// The thread that has the place. Its later loads are ordered behind this.
  void leave() noexcept {
    inside_.store(nullptr, std::memory_order_release);
    light_fence();
  }
  /// Whether `what` is pinned here. Any thread.
  [[nodiscard]] bool holds(const void* what) const noexcept {
    return inside_.load(std::memory_order_acquire) == what;
  }

  pin_place* next_of_thread = nullptr;  // of the thread's free places
  pin_place* next_of_all = nullptr;     // fixed once it is in the list

 private:
  // inside_: null, or the pinned object. The light fences in enter() and leave() pair with the owner's heavy
  // ones; the release in both pairs with the acquire in holds(), so a visitor's last access precedes the
  // free, also where the thread has pinned another object by then. Broken by: tests/explore/pin_explore_test,
  // tests/stress/end_of_system_test.
  atomic<const void*> inside_{nullptr};
};

/// Whether any thread has pinned `what`, by the places from `first` on.
[[nodiscard]] inline bool is_visited(const void* what, const pin_place* first) noexcept {
  while (first != nullptr && !first->holds(what)) first = first->next_of_all;
  return first != nullptr;
}

/// A base for objects that may be pinned, whose memory is shared by a count. The strands by which a visitor
/// learns whether the object still lives are dead before the last share is given back.
class pinnable {
 public:
  pinnable(const pinnable&) = delete;
  pinnable& operator=(const pinnable&) = delete;

  /// Shares in its memory: any thread that has a share.
  void share() noexcept { shares_.add(); }
  /// After the last one it is freed, once no pin holds it.
  void release() noexcept {
    if (shares_.drop()) last_out();
  }

 protected:
  /// Starts with one share, the caller's.
  pinnable() noexcept = default;
  virtual ~pinnable() = default;

 private:
  friend class pin;
  TROUPE_NOINLINE void last_out() noexcept;

  share_count shares_;
  pinnable* next_waiting_ = nullptr;  // in the list of those to be freed; under the lock of pin.cpp
};

/// Keeps `what` alive for a scope, provided that it still lives: the visitor checks that next, at the word of
/// one of its mailboxes. Pins nest; they last no longer than a function that does not suspend. Any thread.
class [[nodiscard]] pin {
 public:
  explicit pin(pinnable& what) noexcept : place_(own_places_) {
    if (place_ == nullptr) [[unlikely]]
      place_ = &another_place();
    own_places_ = place_->next_of_thread;
    place_->enter(&what);
  }
  ~pin() {
    place_->leave();
    place_->next_of_thread = std::exchange(own_places_, place_);
    if (waiting_.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
      free_unvisited();
  }
  pin(const pin&) = delete;
  pin& operator=(const pin&) = delete;

 private:
  friend class pinnable;
  static pin_place& another_place() noexcept;
  static void leave_places(void*);
  static void free_unvisited() noexcept;

  static constinit thread_local pin_place* own_places_;  // free ones
  // waiting_: the objects without a share, newest first. Changed under a lock (pin.cpp). Read relaxed behind
  // the light fence in leave(), which pairs with the owner's heavy fence: one of the two sees the other.
  // Broken by: tests/explore/pin_explore_test.
  static constinit atomic<pinnable*> waiting_;

  pin_place* place_;
};

}  // namespace troupe::detail
