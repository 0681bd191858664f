// The place where a parked worker waits for sockets, timers and wake-ups.
//
// Internal to Troupe's own sources. One epoll set for each worker. A descriptor is registered once,
// edge-triggered; after that waiting for it costs no system call, and one look at the set serves all
// descriptors that became ready:
//
//   descriptor ready -> wait() on the worker, or poll() on the watchdog when
//   the worker is stuck -> io_source::on_events() -> mail to the strand that waits
//
// Owned by its worker and by every source registered in it: a source may outlive the runtime.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/mutex.hpp>
#include <troupe/runtime/detail/share_count.hpp>
#include <troupe/runtime/wake_flag.hpp>

#include <cstdint>
#include <system_error>

namespace troupe::detail {

/// The owner of a descriptor in the set.
class io_source {
 public:
  /// `events` as epoll gives them. On the thread that looks at the set, which may be any; must only change
  /// atomics and post mail.
  virtual void on_events(std::uint32_t events) noexcept = 0;
  /// Frees this. Called once, after retire(), when no event can refer to it any more.
  virtual void dispose() noexcept = 0;

 protected:
  io_source() noexcept = default;
  ~io_source() = default;

 private:
  friend class reactor;
  io_source* next_retired_ = nullptr;
};

class reactor {
 public:
  /// Throws std::system_error when the kernel refuses the descriptors.
  [[nodiscard]] static reactor* make() { return new reactor; }
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;
  /// Gives back the worker's share.
  void release() noexcept;

  /// Delivers the events that are ready, after waiting up to `timeout_ns` (negative: without limit) for the
  /// first one or for wake(). The worker only.
  void wait(std::int64_t timeout_ns) noexcept;
  /// Delivers the events that are ready, unless another thread is delivering. Any thread.
  void poll() noexcept;
  /// Ends the present or the next wait(), even if other threads poll(). Any thread; one system call.
  void wake() noexcept;
  /// Whether any source is registered, so that polling pays. A hint.
  [[nodiscard]] bool in_use() const noexcept { return sources_.load(std::memory_order_relaxed) != 0; }

  // -- sources ----------------------------------------------------------------

  /// The events that a source gets. Most sockets never wait for room to write; with that in the set each of
  /// their events would report the room again, and a datagram socket would get an event for each datagram
  /// that it sends.
  enum class interest : std::uint8_t { reading, reading_and_writing };
  /// Registers `fd`: its events go to `s` from now on, the present ones included, and `s` keeps this alive.
  /// The worker only.
  [[nodiscard]] std::error_code attach(io_source& s, int fd, interest what) noexcept;
  /// Adds events for writing to a registered source, beginning with the present state. Any thread.
  [[nodiscard]] std::error_code widen(io_source& s, int fd) noexcept;
  /// Before `fd` is closed: no events are collected for it any more. Any thread.
  void detach(int fd) noexcept;
  /// After detach(): disposes of `s`, or, when collected events may still refer to it, has that done once
  /// they are delivered. Any thread; never waits.
  void retire(io_source& s) noexcept;

 private:
  reactor();
  ~reactor();
  void collect(std::int64_t timeout_ns) noexcept TROUPE_REQUIRES(looking_) TROUPE_EXCLUDES(lock_);

  int epoll_;
  // An eventfd in the set, edge-triggered: each write is an edge, so no thread reads it, and it cannot
  // overflow in a machine's lifetime.
  int wake_fd_;
  wake_flag woken_;  // a wake-up whose edge another thread took
  mutex looking_;    // one thread at a time looks at the set; held during the wait, too
  mutex lock_;
  bool collecting_ TROUPE_GUARDED_BY(lock_) = false;
  io_source* retired_ TROUPE_GUARDED_BY(lock_) = nullptr;  // by retire(), while collecting
  // sources_: registered sources. Relaxed, pairs with nothing: a hint whether to poll. Broken by:
  // tests/stress/wake_up_soak_test.
  atomic<std::uint32_t> sources_{0};
  share_count shares_;  // of the worker and the registered sources
};

}  // namespace troupe::detail
