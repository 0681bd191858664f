// Opens sockets and applies tcp_options to them.
#include "socket/open_socket.hpp"

#include "address/sockaddr.hpp"
#include "socket/sys.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <netinet/tcp.h>

namespace troupe::detail {

int open_socket(int family, int type, std::error_code& failed) noexcept {
  const int fd = sys::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  failed = fd < 0 ? std::error_code(errno, std::generic_category()) : std::error_code();
  return fd;
}

int open_tcp(const ip_endpoint& e, std::error_code& failed) noexcept {
  return open_socket(e.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM, failed);
}

std::error_code set_flag(int fd, int level, int name, int value) noexcept {
  if (sys::setsockopt(fd, level, name, &value, sizeof value) == 0) return {};
  return {errno, std::generic_category()};
}

namespace {

int whole_seconds(duration d) noexcept {
  constexpr std::int64_t longest = 32767;  // the most the kernel accepts
  const auto s =
      std::chrono::ceil<std::chrono::seconds>(std::min(d, duration(std::chrono::seconds(longest))));
  return static_cast<int>(s.count());
}

}  // namespace

std::error_code apply(int fd, const tcp_options& o) noexcept {
  std::error_code failed;
  const auto set = [&](bool wanted, int level, int name, int value) {
    if (wanted && !failed) failed = set_flag(fd, level, name, value);
  };
  set(o.no_delay, IPPROTO_TCP, TCP_NODELAY, 1);
  set(o.keep_alive, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (o.keep_alive) {
    set(o.keep_alive_idle.count() > 0, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(o.keep_alive_idle));
    set(o.keep_alive_interval.count() > 0, IPPROTO_TCP, TCP_KEEPINTVL, whole_seconds(o.keep_alive_interval));
    set(o.keep_alive_count > 0, IPPROTO_TCP, TCP_KEEPCNT, o.keep_alive_count);
  }
  set(o.receive_buffer > 0, SOL_SOCKET, SO_RCVBUF, o.receive_buffer);
  set(o.send_buffer > 0, SOL_SOCKET, SO_SNDBUF, o.send_buffer);
  return failed;
}

ip_endpoint bound_to(int fd) noexcept {
  socket_address a;
  sys::getsockname(fd, a.get(), a.size());
  return a.endpoint();
}

}  // namespace troupe::detail
