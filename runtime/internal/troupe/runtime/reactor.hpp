// Where a parked worker waits: for sockets, timers and wake-ups in one place.
//
// Internal to Troupe's own sources. One epoll set for each worker. Whatever has
// a descriptor is registered once, edge-triggered; after that waiting for it
// costs no system call, and one look at the set serves all that became ready:
//
//   descriptor ready -> wait() on the worker, or poll() on the watchdog when
//   the worker is stuck -> io_source::on_events() -> mail to the strand that waits
//
// Owned by its worker and by every source registered in it: a source may outlive
// the runtime.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/wake_flag.hpp>

#include <cstdint>
#include <mutex>
#include <system_error>

namespace troupe::detail {

/// What owns a descriptor in the set.
class io_source {
 public:
  /// `events` as epoll gives them. On whatever thread looks at the set; must
  /// only change words and post mail.
  virtual void on_events(std::uint32_t events) noexcept = 0;
  /// Frees this; once, after retire(), when no event can refer to it any more.
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

  /// Delivers what is ready, after waiting up to `timeout_ns` (negative: without
  /// limit) for the first event or for wake(). The worker only.
  void wait(std::int64_t timeout_ns) noexcept;
  /// Delivers what is ready, unless another thread is about it. Any thread.
  void poll() noexcept;
  /// Ends a wait(), the present or the next one, whatever other threads poll(). Any thread; one system call.
  void wake() noexcept;
  /// Whether any source is registered, so that polling pays. A hint.
  [[nodiscard]] bool in_use() const noexcept { return sources_.load(std::memory_order_relaxed) != 0; }

  // -- sources ----------------------------------------------------------------

  /// What a source is told of. Most sockets never wait for room to write, and with that in the set
  /// each event of theirs would say once more that there is some, and a datagram socket would have
  /// an event for everything that it has sent.
  enum class interest : std::uint8_t { reading, reading_and_writing };
  /// Registers `fd`: its events go to `s` from now on, the present ones
  /// included, and `s` keeps this alive. The worker only.
  [[nodiscard]] std::error_code attach(io_source& s, int fd, interest what) noexcept;
  /// Makes what is registered already be told of writing, too, beginning with what is the case
  /// now. Any thread.
  [[nodiscard]] std::error_code widen(io_source& s, int fd) noexcept;
  /// Before `fd` is closed: no events are collected for it any more. Any thread.
  void detach(int fd) noexcept;
  /// After detach(): disposes of `s`, or, when collected events may still refer
  /// to it, has that done once they are delivered. Any thread; never waits.
  void retire(io_source& s) noexcept;

 private:
  reactor();
  ~reactor();
  void collect(std::int64_t timeout_ns) noexcept;

  int epoll_;
  // An eventfd in the set, edge-triggered: each write is an edge, so nobody
  // reads it, and it cannot run full in a machine's lifetime.
  int wake_fd_;
  wake_flag woken_;     // what its edge stood for, if another thread took that
  std::mutex looking_;  // one thread at a time looks at the set; held asleep, too
  std::mutex lock_;     // guards collecting_ and retired_
  bool collecting_ = false;
  io_source* retired_ = nullptr;  // by retire(), while collecting
  // sources_: registered ones. Relaxed, a hint for how often to poll.
  atomic<std::uint32_t> sources_{0};
  // shares_: the worker and the registered sources; the last one out frees.
  // acq_rel, as for any count. Broken by: "a stream outlives its runtime".
  atomic<std::uint32_t> shares_{1};
};

}  // namespace troupe::detail
