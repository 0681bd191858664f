// A socket of the simulated network, as an epoll set sees it. On the simulation's thread.
#pragma once

#include <troupe/runtime/reactor.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <sys/epoll.h>

namespace troupe::detail::simnet {

/// The error of every call on a socket of a host that went down. A live kernel reports it for no connection,
/// so it cannot be mistaken for an action of the peer.
inline constexpr int host_is_down = ESHUTDOWN;

/// The number of bytes transferred, or the system's error number.
struct transfer {
  std::size_t n = 0;
  int error = 0;
};

class pollable {
 public:
  /// The present events, as epoll's bits.
  [[nodiscard]] virtual std::uint32_t present() const noexcept = 0;

  /// Reports edges to `s` from now on, beginning with the present state; null: to no source.
  void watch(io_source* s) noexcept {
    watcher_ = s;
    if (const std::uint32_t now = s != nullptr ? present() : 0; now != 0) s->on_events(now);
  }

 protected:
  pollable() = default;
  pollable(const pollable&) = delete;
  pollable& operator=(const pollable&) = delete;
  ~pollable() = default;

  /// Reports a change. As in a kernel, an edge carries all present events.
  void edge() noexcept {
    if (watcher_ != nullptr) watcher_->on_events(present());
  }

 private:
  io_source* watcher_ = nullptr;
};

}  // namespace troupe::detail::simnet
