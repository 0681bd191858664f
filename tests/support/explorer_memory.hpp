// The explorer's memory model: which stores a load may see, and which plain accesses race.
//
// Every atomic keeps all stores of the execution, oldest first; that order of execution is its
// modification order. A thread's view holds, for each atomic, the oldest store it may still read,
// and a vector clock. Reading or writing raises the view (coherence); a release attaches the view
// to the store, an acquire that reads the store joins it; a read-modify-write reads the newest store
// and passes on the view that was attached to that store (release sequence). Sequentially consistent fences
// join their view with a global one, both ways; sequentially consistent accesses do so for their own
// atomic. This is the view semantics of promising and of C++20's [atomics.order], without promises.
//
// Modelled: store buffering (a missing seq_cst fence), stale reads through missing acquire or
// release, at any distance, so more than TSO shows; independent reads of independent writes.
// Not modelled: a load that sees a store executed later (load buffering), two stores to one atomic
// that settle in another order than they ran in (2+2W), consume (treated as acquire), mixed sizes.
//
// Owned by the explorer's engine (explorer.cpp); one thread.
#pragma once

#include "support/explorer_atomic.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <vector>

namespace troupe::explorer::detail {

inline constexpr std::size_t max_threads = 8;

using thread_index = std::uint32_t;
/// The place of a store among the stores to one atomic; 0 is the value the execution found there.
using store_index = std::uint32_t;

constexpr bool acquires(std::memory_order order) noexcept {
  return order != std::memory_order_relaxed && order != std::memory_order_release;
}
constexpr bool releases(std::memory_order order) noexcept {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

/// The knowledge of one thread, or the knowledge attached to one store.
class view {
 public:
  [[nodiscard]] store_index oldest(std::size_t location) const noexcept {
    return location < oldest_.size() ? oldest_[location] : 0;
  }
  void raise(std::size_t location, store_index to) {
    if (location >= oldest_.size()) oldest_.resize(location + 1, 0);
    oldest_[location] = std::max(oldest_[location], to);
  }
  void join_stores(const view& other) {
    if (other.oldest_.size() > oldest_.size()) oldest_.resize(other.oldest_.size(), 0);
    for (std::size_t i = 0; i < other.oldest_.size(); ++i)
      oldest_[i] = std::max(oldest_[i], other.oldest_[i]);
  }
  void join(const view& other) {
    join_stores(other);
    for (std::size_t i = 0; i < max_threads; ++i) clock[i] = std::max(clock[i], other.clock[i]);
  }
  void clear() noexcept {
    oldest_.clear();
    clock.fill(0);
  }

  std::array<std::uint32_t, max_threads> clock{};

 private:
  std::vector<store_index> oldest_;
};

using value_bytes = std::array<std::byte, max_atomic_size>;

/// All atomics and plain variables that one execution has touched.
class memory {
 public:
  /// Starts an execution: forgets everything, keeps the storage.
  void reset(std::uint64_t execution) {
    execution_ = execution;
    used_ = 0;
    plain_.clear();
    sequential_.clear();
    for (auto& each : threads_) {
      each.now.clear();
      each.unacquired.clear();
      each.fenced.clear();
    }
    for (std::size_t i = 0; i < max_threads; ++i) threads_[i].now.clock[i] = 1;
  }

  /// The entry of an atomic; one not yet seen in this execution starts with its present value.
  std::uint32_t locate(const access& at) {
    if (at.where->execution != execution_) {
      at.where->execution = execution_;
      at.where->index = used_++;
      if (used_ > locations_.size()) locations_.emplace_back();
      auto& fresh = locations_[at.where->index];
      fresh.count = 0;
      fresh.maker = max_threads;
      append(fresh, at.newest, at.size).told.clear();
    }
    return at.where->index;
  }

  /// Notes that `thread` constructs the atomic: others must learn of it before they touch it.
  void construct(thread_index thread, const access& at) {
    at.where->execution = 0;
    auto& location = locations_[locate(at)];
    location.maker = thread;
    location.made = threads_[thread].now.clock[thread];
  }
  [[nodiscard]] bool knows_of(thread_index thread, std::uint32_t location) const noexcept {
    const auto& at = locations_[location];
    return at.maker == max_threads || threads_[thread].now.clock[at.maker] >= at.made;
  }

  [[nodiscard]] store_index newest(std::uint32_t location) const noexcept {
    return locations_[location].count - 1;
  }
  /// The oldest store that a load may return.
  [[nodiscard]] store_index oldest_visible(thread_index thread, std::uint32_t location,
                                           std::memory_order order) const noexcept {
    const auto own = threads_[thread].now.oldest(location);
    return order == std::memory_order_seq_cst ? std::max(own, sequential_.oldest(location)) : own;
  }
  [[nodiscard]] const void* value(std::uint32_t location, store_index store) const noexcept {
    return locations_[location].stores[store].value.data();
  }

  /// A load that returns `store`.
  void read(thread_index thread, std::uint32_t location, store_index store, std::memory_order order) {
    auto& self = threads_[thread];
    const auto& from = locations_[location].stores[store];
    self.now.raise(location, store);
    (acquires(order) ? self.now : self.unacquired).join(from.told);
    if (order == std::memory_order_seq_cst) sequential_.raise(location, store);
  }

  /// A store; a read-modify-write is a read of the newest store followed by a store with `continues`.
  void write(thread_index thread, std::uint32_t location, const void* value, std::size_t size,
             std::memory_order order, bool continues) {
    auto& self = threads_[thread];
    auto& target = locations_[location];
    const auto at = target.count;
    self.now.raise(location, at);
    auto& fresh = append(target, value, size);
    fresh.told = releases(order) ? self.now : self.fenced;
    if (continues) fresh.told.join(target.stores[at - 1].told);
    if (order == std::memory_order_seq_cst) sequential_.raise(location, at);
    ++self.now.clock[thread];  // this store does not publish later actions of the thread
  }

  void fence(thread_index thread, std::memory_order order) {
    auto& self = threads_[thread];
    if (acquires(order)) self.now.join(self.unacquired);
    if (order == std::memory_order_seq_cst) {
      self.now.join_stores(sequential_);
      sequential_.join_stores(self.now);
    }
    if (releases(order)) {
      self.fenced = self.now;
      ++self.now.clock[thread];
    }
  }

  /// The earlier access that a plain access races with, or null.
  const std::source_location* plain_access(thread_index thread, cell& where, bool writes,
                                           const std::source_location& from) {
    if (where.execution != execution_) {
      where.execution = execution_;
      where.index = static_cast<std::uint32_t>(plain_.size());
      plain_.emplace_back();
    }
    auto& at = plain_[where.index];
    const auto& known = threads_[thread].now.clock;
    for (std::size_t other = 0; other < max_threads; ++other) {
      if (at.written[other].clock > known[other]) return &at.written[other].from;
      if (writes && at.read[other].clock > known[other]) return &at.read[other].from;
    }
    (writes ? at.written : at.read)[thread] = {known[thread], from};
    return nullptr;
  }

 private:
  struct store_record {
    value_bytes value;
    view told;  // joined by an acquire that reads this store
  };
  struct location_record {
    std::vector<store_record> stores;  // the first `count` are of this execution
    store_index count = 0;
    thread_index maker = max_threads;  // the thread that constructed it during the execution
    std::uint32_t made = 0;
  };
  struct plain_stamp {
    std::uint32_t clock = 0;
    std::source_location from{};
  };
  struct plain_record {
    std::array<plain_stamp, max_threads> written{};
    std::array<plain_stamp, max_threads> read{};
  };
  struct thread_record {
    view now;
    view unacquired;  // the views of relaxed loads, for a later acquire fence
    view fenced;      // the view of the last release fence, for later relaxed stores
  };

  static store_record& append(location_record& to, const void* value, std::size_t size) {
    if (to.count == to.stores.size()) to.stores.emplace_back();
    auto& fresh = to.stores[to.count++];
    fresh.value.fill(std::byte{0});
    std::memcpy(fresh.value.data(), value, size);
    return fresh;
  }

  std::uint64_t execution_ = 0;
  std::uint32_t used_ = 0;
  std::vector<location_record> locations_;
  std::vector<plain_record> plain_;
  view sequential_;
  std::array<thread_record, max_threads> threads_{};
};

}  // namespace troupe::explorer::detail
