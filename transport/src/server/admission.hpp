// The slots of a connection_limit, and the listeners that wait for one. Owned jointly by the acceptors that
// use it; any thread.
#pragma once

#include <troupe/actors/ref.hpp>
#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/detail/thread_safety.hpp>

#include <cstdint>
#include <vector>

namespace troupe::detail {

/// To a listener: accept connections, as far as the limits allow.
struct go_on {};

/// Each connection takes a slot and gives it back. Used by one server, or shared by several. Any thread.
class admission {
 public:
  explicit admission(std::uint32_t limit) noexcept : max(limit) {}

  const std::uint32_t max;

  [[nodiscard]] bool is_full() const noexcept { return taken_.load(std::memory_order_seq_cst) >= max; }
  /// Takes a slot; false if none is free. Of several listeners that see the last free slot, one gets it.
  [[nodiscard]] bool try_take() noexcept;
  /// Frees a slot, and wakes the listeners that wait for one.
  void give() noexcept TROUPE_EXCLUDES(lock_);

  /// True: `listener` will be woken when a slot becomes free. False: one is free now. Throws bad_alloc.
  [[nodiscard]] bool wait(const ref<go_on>& listener) TROUPE_EXCLUDES(lock_);
  /// Removes `listener` from those that wait.
  void forget(const ref<go_on>& listener) noexcept TROUPE_EXCLUDES(lock_);

 private:
  // taken_: slots in use, at most max. awaited_: set whenever waiting_ is not empty; it may be set with an
  // empty list, since it is set after an entry is added and cleared before the list is emptied. A listener
  // adds itself to waiting_, stores awaited_, then loads taken_; a connection decrements taken_, then loads
  // awaited_. Both are sequentially consistent, so at least one sees the other, and no wake-up is lost.
  // Broken by: "tcp_server: over the limit clients wait, and all are served".
  atomic<std::uint32_t> taken_{0};
  atomic<bool> awaited_{false};

  spinlock lock_;
  std::vector<ref<go_on>> waiting_ TROUPE_GUARDED_BY(lock_);
};

}  // namespace troupe::detail
