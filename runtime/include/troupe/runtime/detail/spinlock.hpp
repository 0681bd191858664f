// A one-byte lock for a few instructions' worth of work, and the scope that holds a lock.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/thread_safety.hpp>

#include <cstdint>
#include <sched.h>

namespace troupe::detail {

/// For short sections that never wait, allocate or call out. A holder may be preempted, so a waiter yields
/// its core after a short spin. Meets the standard's Lockable; not recursive. Any thread.
class TROUPE_CAPABILITY("spinlock") spinlock {
 public:
  void lock() noexcept TROUPE_ACQUIRE() {
    for (unsigned spins = 0; !try_lock(); ++spins) {
      while (held_.load(std::memory_order_relaxed) != 0) {
        if (++spins < 64 || explored) {
          spin_pause();
        } else {
          sched_yield();
        }
      }
    }
  }
  bool try_lock() noexcept TROUPE_TRY_ACQUIRE(true) {
    return held_.exchange(1, std::memory_order_acquire) == 0;
  }
  void unlock() noexcept TROUPE_RELEASE() { held_.store(0, std::memory_order_release); }

 private:
#ifdef TROUPE_EXPLORE
  static constexpr bool explored = true;  // its threads are fibers, not threads of the system
#else
  static constexpr bool explored = false;
#endif
  // held_: 1 while a thread holds the lock. The release in unlock pairs with the acquire of the next
  // try_lock. Broken by: tests/stress/mailbox_stress_test.
  atomic<std::uint8_t> held_{0};
};

/// Holds a lock for a scope.
template <class Lock>
class [[nodiscard]] TROUPE_SCOPED_CAPABILITY scoped_lock {
 public:
  explicit scoped_lock(Lock& l) noexcept TROUPE_ACQUIRE(l) : lock_(l) { lock_.lock(); }
  ~scoped_lock() TROUPE_RELEASE() { lock_.unlock(); }
  scoped_lock(const scoped_lock&) = delete;
  scoped_lock& operator=(const scoped_lock&) = delete;

 private:
  Lock& lock_;
};

}  // namespace troupe::detail
