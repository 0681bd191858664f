// A reference count: how many shares there are in an object, which its last holder frees.
//
// Owned by the object that it counts for. Any thread that has a share.
#pragma once

#include <troupe/runtime/detail/assert.hpp>
#include <troupe/runtime/detail/atomic.hpp>

#include <cstdint>

namespace troupe::detail {

class share_count {
 public:
  explicit constexpr share_count(std::uint32_t shares = 1) noexcept : shares_(shares) {}
  share_count(const share_count&) = delete;
  share_count& operator=(const share_count&) = delete;

  /// Adds `n` shares. The caller has one.
  void add(std::uint32_t n = 1) noexcept {
    [[maybe_unused]] const std::uint32_t before = shares_.fetch_add(n, std::memory_order_relaxed);
    TROUPE_ASSERT(before != 0, "a share comes from a holder of one");
  }
  /// Gives back `n` shares, of which none is the last.
  void drop_some(std::uint32_t n) noexcept {
    [[maybe_unused]] const std::uint32_t before = shares_.fetch_sub(n, std::memory_order_release);
    TROUPE_ASSERT(before > n, "of shares that are given back at once none is the last");
  }
  /// Gives back a share. True when it was the last: then the caller frees the object.
  [[nodiscard]] bool drop() noexcept {
    const std::uint32_t before = shares_.fetch_sub(1, std::memory_order_acq_rel);
    TROUPE_ASSERT(before != 0, "a share is given back once");
    return before == 1;
  }

 private:
  // shares_: never grows again once it is 0. An increment is relaxed: its thread holds a share. The release
  // half of each decrement pairs with the acquire half of the last one: every holder's last access precedes
  // the free. Broken by: tests/stress/end_of_system_test, tests/actors/supervision/supervisor_test, under
  // TSan; in transport: "tcp_stream: a stream may be destroyed while a read waits", "tls_stream: a stream may
  // be closed or destroyed while a read waits", "tcp_server: it can be started again after it has ended, and
  // its metrics outlive it".
  atomic<std::uint32_t> shares_;
};

}  // namespace troupe::detail
