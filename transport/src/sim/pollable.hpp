// What a descriptor of the simulated network can refer to, as an epoll set sees it.
#pragma once

#include <troupe/runtime/reactor.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <sys/epoll.h>

namespace troupe::detail::simnet {

/// What every call on a socket of a host that went down gives: nothing that a live
/// kernel says of a connection, so that nobody mistakes it for a peer's doing.
inline constexpr int host_is_down = ESHUTDOWN;

/// How much was transferred, or the system's error number.
struct transfer {
  std::size_t n = 0;
  int error = 0;
};

class pollable {
 public:
  /// The events as they are now, in epoll's words.
  [[nodiscard]] virtual std::uint32_t present() const noexcept = 0;

  /// Whom edges are told to from now on, beginning with the present state; null: nobody.
  void watch(io_source* s) noexcept {
    watcher_ = s;
    if (const std::uint32_t now = s != nullptr ? present() : 0; now != 0) s->on_events(now);
  }

 protected:
  pollable() = default;
  pollable(const pollable&) = delete;
  pollable& operator=(const pollable&) = delete;
  ~pollable() = default;

  /// Something has changed. As in a kernel, an edge tells all that is the case.
  void edge() noexcept {
    if (watcher_ != nullptr) watcher_->on_events(present());
  }

 private:
  io_source* watcher_ = nullptr;
};

}  // namespace troupe::detail::simnet
