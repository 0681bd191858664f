// The counters of an endpoint. Those that change with every message are kept per worker: one plain load and
// store in a cache line that no other worker writes. The others change once or twice in the life of a
// connection, and are shared atomics.
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/counters.hpp>
#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/share_count.hpp>
#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/detail/thread_safety.hpp>
#include <troupe/runtime/worker.hpp>
#include <troupe/transport/endpoint_metrics.hpp>

#include <array>
#include <cstddef>

namespace troupe::detail {

/// Any thread may add to it and read it. Reference-counted.
class endpoint_meter {
 public:
  void share() noexcept { shares_.add(); }
  void release() noexcept {
    if (shares_.drop()) delete this;
  }

  // Not to be inlined into a coroutine: the worker may change at each co_await.
  TROUPE_NOINLINE void bytes_in(std::size_t n) noexcept { add(&shard::bytes_in, n); }
  TROUPE_NOINLINE void bytes_out(std::size_t n) noexcept { add(&shard::bytes_out, n); }
  TROUPE_NOINLINE void message_in() noexcept { add(&shard::messages_in, 1); }
  TROUPE_NOINLINE void message_out() noexcept { add(&shard::messages_out, 1); }

  void accepted() noexcept {
    accepted_.fetch_add(1, std::memory_order_relaxed);
    active_.fetch_add(1, std::memory_order_relaxed);
  }
  void closed(close_reason why) noexcept {
    active_.fetch_sub(1, std::memory_order_relaxed);
    closed_[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  }
  void refused() noexcept { refused_.fetch_add(1, std::memory_order_relaxed); }
  void failed() noexcept { failures_.fetch_add(1, std::memory_order_relaxed); }
  void reconnected() noexcept { reconnects_.fetch_add(1, std::memory_order_relaxed); }
  void dropped(std::uint64_t n = 1) noexcept { dropped_.fetch_add(n, std::memory_order_relaxed); }

  [[nodiscard]] endpoint_metrics read() const noexcept;

 private:
  struct alignas(cache_line) shard {
    counter bytes_in, bytes_out, messages_in, messages_out;
  };
  using total = atomic<std::uint64_t>;
  static constexpr std::size_t shards = 32;

  void add(counter shard::* which, std::uint64_t n) noexcept {
    const worker* const w = worker_here();
    if (w != nullptr && w->index() < shards) [[likely]] {
      (shards_[w->index()].*which).add(n);
    } else {
      const scoped_lock guard(others_lock_);
      (others_.*which).add(n);
    }
  }

  std::array<shard, shards> shards_;
  mutable spinlock others_lock_;
  shard others_ TROUPE_GUARDED_BY(others_lock_);  // of threads that are not workers
  // The totals: independent counts, relaxed throughout; they pair with the loads of read(), and nothing
  // depends on their order. Broken by: "tcp_server: it counts how each connection ended".
  total accepted_{0}, active_{0}, refused_{0}, failures_{0}, reconnects_{0}, dropped_{0};
  std::array<total, 7> closed_{};
  share_count shares_;  // of its owners
};

}  // namespace troupe::detail
