// A mutex that Clang's thread safety analysis knows, and a lock on it that can wait for a condition variable.
#pragma once

#include <troupe/runtime/detail/thread_safety.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace troupe::detail {

/// std::mutex, as a capability.
class TROUPE_CAPABILITY("mutex") mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  void lock() TROUPE_ACQUIRE() { mutex_.lock(); }
  bool try_lock() TROUPE_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void unlock() TROUPE_RELEASE() { mutex_.unlock(); }

 private:
  friend class mutex_lock;
  std::mutex mutex_;
};

/// Holds a mutex for a scope; may release it for a while, and wait for a condition variable.
class [[nodiscard]] TROUPE_SCOPED_CAPABILITY mutex_lock {
 public:
  explicit mutex_lock(mutex& m) TROUPE_ACQUIRE(m) : lock_(m.mutex_) {}
  ~mutex_lock() TROUPE_RELEASE() = default;
  mutex_lock(const mutex_lock&) = delete;
  mutex_lock& operator=(const mutex_lock&) = delete;

  void unlock() TROUPE_RELEASE() { lock_.unlock(); }
  void lock() TROUPE_ACQUIRE() { lock_.lock(); }

  /// Waits once, with the mutex released; it is held again afterwards. Call it in a loop that tests the
  /// condition: the analysis sees the loop under the lock, but not a predicate.
  void wait(std::condition_variable& changed) { changed.wait(lock_); }
  /// The same, until `end` at the latest; whether it was notified before.
  template <class Clock, class Duration>
  bool wait_until(std::condition_variable& changed, const std::chrono::time_point<Clock, Duration>& end) {
    return changed.wait_until(lock_, end) == std::cv_status::no_timeout;
  }
  template <class Rep, class Period>
  bool wait_for(std::condition_variable& changed, const std::chrono::duration<Rep, Period>& most) {
    return changed.wait_for(lock_, most) == std::cv_status::no_timeout;
  }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace troupe::detail
