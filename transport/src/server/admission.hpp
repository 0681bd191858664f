// The places of a connection_limit, and the listeners that wait for one.
#pragma once

#include <troupe/actors/ref.hpp>
#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/spinlock.hpp>

#include <cstdint>
#include <vector>

namespace troupe::detail {

/// To a listener: accept, as far as the limits allow.
struct go_on {};

/// Any thread. Each connection has taken a place and gives it back. Of one server, or shared by several.
class admission {
 public:
  explicit admission(std::uint32_t limit) noexcept : most(limit) {}

  const std::uint32_t most;

  [[nodiscard]] bool is_full() const noexcept { return taken_.load(std::memory_order_seq_cst) >= most; }
  /// False when no place is free: of several listeners that saw the last one, one gets it.
  [[nodiscard]] bool try_take() noexcept;
  /// Tells the listeners that wait.
  void give() noexcept;

  /// True when `who` will be told of the next place that becomes free. Throws bad_alloc.
  [[nodiscard]] bool wait(const ref<go_on>& who);
  /// `who` no longer waits.
  void forget(const ref<go_on>& who) noexcept;

 private:
  // taken_ and awaited_: a listener enters waiting_, raises the flag, then looks at taken_ once more; a
  // connection gives its place back, then looks at the flag. Both sides are sequentially consistent, so one
  // of the two sees the other, and no listener sleeps through a free place. The flag may be up while no
  // listener waits, but no listener is left waiting while it is down: it is raised after the entry, and
  // taken down before the list is emptied.
  // Broken by: "tcp_server: over the limit clients wait, and all are served", and the same of two servers.
  atomic<std::uint32_t> taken_{0};
  atomic<bool> awaited_{false};

  spinlock lock_;
  std::vector<ref<go_on>> waiting_;
};

}  // namespace troupe::detail
