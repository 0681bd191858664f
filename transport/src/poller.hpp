// The sockets of one worker: an epoll set inside the worker's io_context.
//
// The set is one descriptor of the io_context, so a parked worker waits for
// sockets, timers and wake-ups in one place. Each socket is registered once,
// edge-triggered, when it first has to wait; after that waiting costs no system
// call, and one look at the set serves all sockets that became ready.
//
//   socket ready -> set readable -> io_context runs dispatch() on the worker
//   (or on the watchdog, if the worker is stuck) -> socket_state::on_events()
//   -> mail to the strand that waits
//
// Owned by the io_context and by every socket registered in it: a socket may
// outlive the runtime.
#pragma once

#include <cstdint>
#include <mutex>
#include <system_error>
#include <troupe/runtime/atomic.hpp>

namespace troupe::detail {

class io_driver;
class socket_state;
class worker;

class poller {
 public:
  /// The poller of `w`, created at the first call. Its worker's thread only.
  /// Throws std::system_error when the kernel refuses another descriptor.
  [[nodiscard]] static poller& of(worker& w);

  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;

  // -- sockets ----------------------------------------------------------------

  /// Registers `fd`: its events go to `s` from now on, the present ones
  /// included, and `s` keeps this alive.
  std::error_code attach(socket_state& s, int fd) noexcept;
  /// Before `fd` is closed: no events are collected for it any more. Any thread.
  void detach(int fd) noexcept;
  /// After detach(): frees `s`, or, when collected events may still refer to
  /// it, has it freed once they are dispatched. Any thread; never waits for that.
  void retire(socket_state& s) noexcept;

 private:
  friend class poller_service;
  explicit poller(io_driver& io);
  ~poller();

  /// Collects and delivers events; whoever runs the io_context, one at a time.
  void dispatch() noexcept;
  /// The io_context ends.
  void orphan() noexcept;
  void release() noexcept;

  int epoll_;
  std::mutex lock_;  // guards all below but shares_
  io_driver* io_;    // null once the io_context has ended
  bool dispatching_ = false;
  socket_state* retired_ = nullptr;  // by retire(), while dispatching
  // shares_: the io_context and the registered sockets; the last one out frees.
  // acq_rel, as for any count. Broken by: "a stream outlives its runtime".
  atomic<std::uint32_t> shares_{1};
};

}  // namespace troupe::detail
