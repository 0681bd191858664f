// The full magazines that threads exchange: a bounded stack for each size class of the slab.
//
// Owned by slab.cpp's depot. Any thread. A lock and not a lock-free stack: a tag next to the head only makes
// ABA rare, because a thread may be preempted between its load and its compare-and-swap until the others have
// used up all tags; and one uncontended lock costs no more than the two compare-and-swaps of a stack with a
// free list. A thread calls it at most once in 32 objects.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/spinlock.hpp>

#include <array>
#include <cstddef>

namespace troupe::detail {

struct free_block;

class magazine_stack {
 public:
  static constexpr std::size_t capacity = 32;

  /// False when it is full; then the magazine is still the caller's.
  [[nodiscard]] bool push(free_block* magazine) noexcept {
    const scoped_lock guard(lock_);
    const std::size_t n = size();
    if (n == capacity) return false;
    magazines_[n] = magazine;
    size_.store(n + 1, std::memory_order_relaxed);
    return true;
  }

  /// Takes the magazine that was pushed last; null when there is none.
  [[nodiscard]] free_block* pop() noexcept {
    if (size() == 0) return nullptr;  // without the lock: then the caller takes a chunk's lock
    const scoped_lock guard(lock_);
    const std::size_t n = size();
    if (n == 0) return nullptr;
    size_.store(n - 1, std::memory_order_relaxed);
    return magazines_[n - 1];
  }

  /// A snapshot.
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  spinlock lock_;
  // size_: written under lock_, which publishes the magazines; read relaxed without it, because a count says
  // nothing about other memory. Broken by: tests/explore/magazine_stack_explore_test.
  atomic<std::size_t> size_{0};
  std::array<free_block*, capacity> magazines_ TROUPE_GUARDED_BY(lock_){};
};

}  // namespace troupe::detail
