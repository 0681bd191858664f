// A pair of fences of which one costs nothing: for a protocol in which one side fences all the time, and the
// other rarely. Internal to Troupe's own sources. Any thread.
//
// heavy_fence() has the kernel run a full barrier on every core that runs a thread of this process
// (membarrier), so a light_fence() need only keep the compiler from moving anything. One of each orders as
// two seq_cst fences do. Where the kernel has no such call, the light one is a full fence, too.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>

namespace troupe::detail {

#ifdef TROUPE_EXPLORE
inline void light_fence() noexcept {
  explorer::fence();
}
[[nodiscard]] inline bool heavy_fence() noexcept {
  explorer::fence();
  return true;
}
#else
// has_heavy_fence: set once, by prepare_heavy_fence(). Relaxed, pairs with nothing: a thread that sees it
// late only takes the more expensive fence. Broken by: tests/stress/end_of_system_test.
extern constinit atomic<bool> has_heavy_fence;

inline void light_fence() noexcept {
  if (has_heavy_fence.load(std::memory_order_relaxed)) [[likely]] {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    seq_cst_fence();
  }
}
/// False when the kernel refuses the call that it has granted to prepare_heavy_fence(): then nothing is known
/// about other threads' light fences.
[[nodiscard]] bool heavy_fence() noexcept;
/// Registers the process for the call; harmless when repeated.
void prepare_heavy_fence() noexcept;
#endif

}  // namespace troupe::detail
