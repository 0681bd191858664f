#include "open_socket.hpp"

#include <netinet/tcp.h>

#include <cerrno>

#include "sockaddr.hpp"

namespace troupe::detail {

int open_tcp(const ip_endpoint& e, std::error_code& failed) noexcept {
  const int fd =
      ::socket(e.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  failed = fd < 0 ? std::error_code(errno, std::generic_category()) : std::error_code();
  return fd;
}

std::error_code set_flag(int fd, int level, int name, int value) noexcept {
  if (::setsockopt(fd, level, name, &value, sizeof value) == 0) return {};
  return {errno, std::generic_category()};
}

std::error_code apply(int fd, const tcp_options& o) noexcept {
  std::error_code failed;
  const auto set = [&](bool wanted, int level, int name, int value) {
    if (wanted && !failed) failed = set_flag(fd, level, name, value);
  };
  set(o.no_delay, IPPROTO_TCP, TCP_NODELAY, 1);
  set(o.keep_alive, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(o.receive_buffer > 0, SOL_SOCKET, SO_RCVBUF, o.receive_buffer);
  set(o.send_buffer > 0, SOL_SOCKET, SO_SNDBUF, o.send_buffer);
  return failed;
}

ip_endpoint bound_to(int fd) noexcept {
  socket_address a;
  ::getsockname(fd, a.get(), a.size());
  return a.endpoint();
}

}  // namespace troupe::detail
