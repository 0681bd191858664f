// Sockets of the load generator: non-blocking, connected to the server on 127.0.0.1.
#pragma once

#include <cstdint>
#include <utility>

namespace netload {

class socket_fd {
 public:
  explicit socket_fd(int fd = -1) noexcept : fd_(fd) {}
  socket_fd(socket_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  socket_fd& operator=(socket_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~socket_fd();
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

/// These throw `failed` with the text of errno.
[[nodiscard]] socket_fd connect_tcp(std::uint16_t port);
[[nodiscard]] socket_fd connect_udp(std::uint16_t port);
[[nodiscard]] socket_fd make_epoll();
/// Registers edge-triggered events for reading and writing; events carry `index` in data.u32.
void watch(const socket_fd& epoll, const socket_fd& socket, std::uint32_t index);
/// Raises the limit of descriptors as far as the system allows.
void raise_descriptor_limit();

/// Nanoseconds of the monotonic clock.
[[nodiscard]] std::uint64_t now_ns() noexcept;

}  // namespace netload
