// The atomics that every lock-free part of Troupe uses.
//
// In a normal build these are the standard ones. A test that explores interleavings defines TROUPE_EXPLORE
// before it includes any Troupe header; then every load, store and read-modify-write becomes a point at which
// the explorer in tests/support may switch threads.
#pragma once

#include <atomic>

#ifdef TROUPE_EXPLORE
#include "support/explorer_atomic.hpp"
#endif

namespace troupe::detail {

#ifdef TROUPE_EXPLORE
template <class T>
using atomic = explorer::atomic<T>;

inline void seq_cst_fence() noexcept {
  explorer::fence();
}
#else
template <class T>
using atomic = std::atomic<T>;

/// Orders an earlier store before a later load of another location.
inline void seq_cst_fence() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
}
#endif

/// The same after a read-modify-write, which is a full barrier on some processors.
inline void fence_after_rmw() noexcept {
#if defined(TROUPE_EXPLORE) || !(defined(__x86_64__) || defined(__i386__))
  seq_cst_fence();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

/// Tells the processor that the caller spins.
inline void spin_pause() noexcept {
#if defined(TROUPE_EXPLORE)
  explorer::yield();
#elif defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace troupe::detail
