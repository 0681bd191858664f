// Where runnables go that do not fit into their worker's ring: in batches.
#pragma once

#include <cstddef>
#include <troupe/runtime/runnable.hpp>
#include <vector>

namespace troupe::detail {

/// A double-ended list of batches; a batch is linked through the runnables
/// themselves. Not thread-safe. Its own memory is 16 bytes for each batch there
/// ever was at the same time.
///
/// The newest batch is taken first: a burst of work that makes work is walked
/// depth first, so that its size stays that of a path and what is taken is
/// still in the cache. Every sixteenth time it is the oldest, so that nothing starves.
class overflow_list {
 public:
  void push(runnable& first, std::size_t size) {
    if (count_ == ring_.size()) grow();
    at(count_++) = {&first, size};
  }

  /// The first of a batch's chain, and how many follow; null when empty.
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
  struct batch {
    runnable* first = nullptr;
    std::size_t size = 0;
  };

  batch& at(std::size_t i) noexcept { return ring_[(first_ + i) % ring_.size()]; }
  void grow() {
    std::vector<batch> larger(ring_.empty() ? 16 : 2 * ring_.size());
    for (std::size_t i = 0; i < count_; ++i) larger[i] = at(i);
    ring_.swap(larger);
    first_ = 0;
  }

  std::vector<batch> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  unsigned turn_ = 0;
};

}  // namespace troupe::detail
