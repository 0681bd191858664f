// The list of runnables that did not fit into their worker's ring, in batches.
//
// Owned by the engine, which guards it by a lock.
#pragma once

#include <troupe/runtime/detail/runnable.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <vector>

namespace troupe::detail {

/// Linked through the runnables themselves; the last link is null.
struct batch {
  runnable* first = nullptr;
  std::size_t size = 0;
};

/// A double-ended list of batches. Not thread-safe. It uses 16 bytes for each batch of the largest number so
/// far; when no memory is available, batches are chained to one another.
///
/// The newest batch is taken first: a burst of work that makes work is walked depth first, so that the list
/// is as long as a path, and the batch is still in the cache. Every sixteenth time the oldest is taken, so
/// that nothing starves.
template <template <class> class Allocator>
class batch_list {
 public:
  batch_list() noexcept = default;
  batch_list(const batch_list&) = delete;
  batch_list& operator=(const batch_list&) = delete;

  void push(runnable& first, std::size_t size) noexcept {
    if (count_ == ring_.size() && !grow()) {
      chain(first, size);
    } else {
      at(count_++) = {&first, size};
    }
  }

  /// Takes a batch: the first of its chain, and its `size`; null when empty.
  runnable* pop(std::size_t& size) noexcept {
    if (count_ == 0) return nullptr;
    batch b;
    if (++turn_ % 16 == 0) {
      b = at(0);
      first_ = (first_ + 1) % ring_.size();
    } else {
      b = at(count_ - 1);
    }
    --count_;
    size = b.size;
    return b.first;
  }

 private:
  using batches = std::vector<batch, Allocator<batch>>;

  batch& at(std::size_t i) noexcept { return ring_[(first_ + i) % ring_.size()]; }
  bool grow() noexcept {
    batches larger;
    try {
      larger.resize(2 * ring_.size());
    } catch (const std::bad_alloc&) {
      return false;
    }
    for (std::size_t i = 0; i < count_; ++i) larger[i] = at(i);
    memory_.swap(larger);
    ring_ = memory_;
    first_ = 0;
    return true;
  }
  // Appends to the newest batch.
  void chain(runnable& first, std::size_t size) noexcept {
    batch& b = at(count_ - 1);
    runnable* last = b.first;
    while (last->next_runnable != nullptr) last = last->next_runnable;
    last->next_runnable = &first;
    b.size += size;
  }

  std::array<batch, 16> small_{};
  batches memory_;  // when small_ is too small
  std::span<batch> ring_{small_};
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  unsigned turn_ = 0;
};

class overflow_list final : public batch_list<std::allocator> {};

}  // namespace troupe::detail
