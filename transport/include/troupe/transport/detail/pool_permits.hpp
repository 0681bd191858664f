// The permits of a connection pool: a FIFO semaphore. The holder of a permit may
// use one connection. Internal to Troupe.
//
// A returned permit goes straight to the first waiter, if there is one, and does
// not become free in between, so no waiter is overtaken. A waiter is on a strand;
// the permit travels there as mail, and passes on to the next waiter when that
// one has gone meanwhile.
#pragma once

#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace troupe::detail {

class pool_permits;
struct permit_wake;

/// Gives itself back. Move-only; any thread.
class permit {
 public:
  permit() noexcept = default;
  explicit permit(std::shared_ptr<pool_permits> from) noexcept : from_(std::move(from)) {}
  permit(permit&& other) noexcept = default;
  permit& operator=(permit&& other) noexcept {
    std::swap(from_, other.from_);
    return *this;
  }
  ~permit();
  explicit operator bool() const noexcept { return from_ != nullptr; }

 private:
  std::shared_ptr<pool_permits> from_;
};

/// Thread-safe.
class pool_permits : public std::enable_shared_from_this<pool_permits> {
 public:
  explicit pool_permits(std::size_t n) noexcept : free_(n) {}
  pool_permits(const pool_permits&) = delete;
  pool_permits& operator=(const pool_permits&) = delete;

  /// A permit, errc::timeout at `deadline` (a time of the runtime's clock), or
  /// errc::closed. On a strand.
  [[nodiscard]] task<result<permit>> take(std::int64_t deadline);
  /// No more permits are given out; take() under way yields errc::closed.
  void close() noexcept;
  [[nodiscard]] bool closed() const noexcept;
  [[nodiscard]] std::size_t waiting() const noexcept;

 private:
  friend class permit;
  friend class permit_wait;
  void give() noexcept;
  permit_wake* pop() noexcept;

  mutable spinlock lock_;
  // All under lock_. While a caller waits, no permit is free.
  std::size_t free_;
  std::size_t waiting_ = 0;
  permit_wake* first_ = nullptr;
  permit_wake* last_ = nullptr;
  bool closed_ = false;
};

}  // namespace troupe::detail
