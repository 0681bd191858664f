// The heavy fence, by membarrier(2). See asymmetric_fence.hpp.
#include <troupe/runtime/asymmetric_fence.hpp>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::detail {

constinit atomic<bool> has_heavy_fence{false};

bool heavy_fence() noexcept {
  seq_cst_fence();
  return !has_heavy_fence.load(std::memory_order_relaxed) ||
         ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void prepare_heavy_fence() noexcept {
  if (has_heavy_fence.load(std::memory_order_relaxed)) return;
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0) {
    has_heavy_fence.store(true, std::memory_order_relaxed);
  }
}

}  // namespace troupe::detail
