// tcp_listener: opening, binding and closing a listening TCP socket.
#include "address/sockaddr.hpp"
#include "socket/accept.hpp"
#include "socket/open_socket.hpp"
#include "socket/socket_error.hpp"
#include "socket/socket_state.hpp"
#include "socket/sys.hpp"

#include <troupe/transport/tcp_listener.hpp>

#include <cerrno>

namespace troupe {

using detail::socket_ref;
using detail::socket_state;

tcp_listener& tcp_listener::operator=(tcp_listener&& other) noexcept {
  if (this != &other) {
    close();
    socket_ = std::move(other.socket_);
  }
  return *this;
}

result<tcp_listener> tcp_listener::bind(ip_endpoint at, listen_options options) {
  std::error_code failed;
  const auto refuse = [&] { return std::unexpected(detail::socket_error(failed, "cannot listen at", at)); };
  if (options.dual_stack && !at.is_v6()) {
    return std::unexpected(error(make_error_code(errc::invalid_argument),
                                 "cannot listen at " + at.to_string() +
                                     ": dual_stack needs an IPv6 address, as ip_endpoint::any_v6(port)"));
  }
  const int fd = detail::open_tcp(at, failed);
  if (fd < 0) return refuse();
  const socket_ref s = socket_state::make(fd, at, options.accepted);
  if (options.reuse_address) failed = detail::set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (!failed && options.reuse_port) failed = detail::set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (!failed && at.is_v6()) {
    failed = detail::set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.dual_stack ? 0 : 1);
  }
  // Buffer sizes must be known before the first handshake, which agrees on a window scale.
  if (!failed) failed = detail::apply(fd, options.accepted);
  detail::socket_address address(at);
  if (!failed && (detail::sys::bind(fd, address.get(), *address.size()) != 0 ||
                  detail::sys::listen(fd, options.backlog) != 0)) {
    failed = {errno, std::generic_category()};
  }
  if (failed) return refuse();
  return tcp_listener(s);
}

task<result<tcp_stream>> tcp_listener::accept() {
  result<socket_ref> s = co_await detail::accept_on(socket_);
  if (!s) co_return std::unexpected(std::move(s.error()));
  co_return tcp_stream(std::move(*s));
}

void tcp_listener::close() noexcept {
  if (!socket_) return;
  socket_->close();
  socket_ = {};
}

bool tcp_listener::is_open() const noexcept {
  return socket_ && socket_->is_open();
}

result<ip_endpoint> tcp_listener::local_endpoint() const {
  if (!is_open()) return std::unexpected(detail::closed_error("local_endpoint"));
  return detail::bound_to(socket_->fd());
}

}  // namespace troupe
