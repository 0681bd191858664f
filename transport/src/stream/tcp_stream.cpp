// tcp_stream: connecting to one address, and the addresses of both ends.
#include "address/sockaddr.hpp"
#include "socket/open_socket.hpp"
#include "socket/readiness.hpp"
#include "socket/socket_error.hpp"
#include "socket/socket_state.hpp"
#include "socket/sys.hpp"
#include "stream/tcp_connect.hpp"

#include <troupe/runtime/task.hpp>
#include <troupe/transport/tcp_stream.hpp>

#include <cerrno>
#include <netinet/tcp.h>

namespace troupe {

using detail::direction;
using detail::readiness;
using detail::socket_ref;
using detail::socket_state;

namespace {

// The state of a connect: no error, EINPROGRESS, or why it failed.
std::error_code connect_step(int fd, const ip_endpoint& to) noexcept {
  int failed = 0;
  socklen_t size = sizeof failed;
  detail::sys::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
  if (failed != 0) return {failed, std::generic_category()};
  detail::socket_address address(to);
  int status = 0;
  do {
    status = detail::sys::connect(fd, address.get(), *address.size());
  } while (status != 0 && errno == EINTR);
  if (status == 0 || errno == EISCONN) {
    // A local ephemeral port without a listener can be assigned to the very socket
    // that connects to it (TCP self-connect): it would talk to itself.
    return detail::bound_to(fd) == to.unmapped() ? std::error_code(ECONNREFUSED, std::generic_category())
                                                 : std::error_code();
  }
  return {errno == EALREADY ? EINPROGRESS : errno, std::generic_category()};
}

}  // namespace

task<result<socket_ref>> detail::connect_to(ip_endpoint to, std::int64_t deadline, tcp_options options) {
  constexpr const char* connecting = "connect to";
  std::error_code failed;
  const int fd = detail::open_tcp(to, failed);
  if (fd < 0) co_return std::unexpected(detail::socket_error(failed, connecting, to));
  const socket_ref s = socket_state::make(fd, to, options);
  failed = detail::apply(fd, options);
  while (!failed) {
    s->clear_ready(direction::write);
    failed = connect_step(fd, to);
    if (!failed) co_return s;
    if (failed.value() != EINPROGRESS) break;
    failed = co_await readiness(*s, direction::write, deadline);
  }
  co_return std::unexpected(detail::socket_error(failed, connecting, to));
}

task<result<tcp_stream>> tcp_stream::connect(ip_endpoint to, duration deadline, tcp_options options) {
  result<socket_ref> s = co_await detail::connect_to(to, detail::deadline_in(deadline), options);
  if (!s) co_return std::unexpected(std::move(s.error()));
  co_return tcp_stream(std::move(*s));
}

result<void> tcp_stream::set_no_delay(bool on) {
  if (!is_open()) return std::unexpected(detail::closed_error("set_no_delay"));
  if (const std::error_code failed = detail::set_flag(socket()->fd(), IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0)) {
    return std::unexpected(detail::socket_error(failed, "set no_delay for", socket()->where()));
  }
  return {};
}

result<ip_endpoint> tcp_stream::local_endpoint() const {
  if (!is_open()) return std::unexpected(detail::closed_error("local_endpoint"));
  return detail::bound_to(socket()->fd());
}

result<ip_endpoint> tcp_stream::remote_endpoint() const {
  if (!is_open()) return std::unexpected(detail::closed_error("remote_endpoint"));
  return socket()->where();
}

}  // namespace troupe
