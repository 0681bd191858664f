// The permits of a connection pool: a counting semaphore that is fair, first come first served.
//
// A permit that is given back while a coroutine waits goes to the first waiter and is never free in between,
// so no waiter is overtaken. It travels to the waiter's strand as mail; if the waiter has gone meanwhile, it
// is passed on to the next.
#pragma once

#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/detail/thread_safety.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace troupe::detail {

class pool_permits;
struct permit_wake;

/// The right to hold one connection; its destructor gives it back. Move-only. Any thread.
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

/// Owned jointly by the pool, its permits and its waiters. Any thread.
class pool_permits : public std::enable_shared_from_this<pool_permits> {
 public:
  explicit pool_permits(std::size_t n) noexcept : free_(n) {}
  pool_permits(const pool_permits&) = delete;
  pool_permits& operator=(const pool_permits&) = delete;

  /// Waits for a permit.
  /// Errors: timeout at `deadline` (a time of the runtime's clock); closed.
  /// Threads: on any strand.
  [[nodiscard]] task<result<permit>> take(std::int64_t deadline);
  /// Ends all waits, present and future, with errc::closed.
  void close() noexcept TROUPE_EXCLUDES(lock_);
  [[nodiscard]] bool closed() const noexcept TROUPE_EXCLUDES(lock_);
  [[nodiscard]] std::size_t waiting() const noexcept TROUPE_EXCLUDES(lock_);

 private:
  friend class permit;
  friend class permit_wait;
  void give() noexcept TROUPE_EXCLUDES(lock_);
  /// Removes the first waiter from the queue; null if none waits.
  permit_wake* pop() noexcept TROUPE_REQUIRES(lock_);

  mutable spinlock lock_;
  // While a coroutine waits, no permit is free.
  std::size_t free_ TROUPE_GUARDED_BY(lock_);
  std::size_t waiting_ TROUPE_GUARDED_BY(lock_) = 0;
  permit_wake* first_ TROUPE_GUARDED_BY(lock_) = nullptr;
  permit_wake* last_ TROUPE_GUARDED_BY(lock_) = nullptr;
  bool closed_ TROUPE_GUARDED_BY(lock_) = false;
};

}  // namespace troupe::detail
