#include <cerrno>
#include <troupe/transport/tcp_listener.hpp>

#include "open_socket.hpp"
#include "operation.hpp"
#include "readiness.hpp"
#include "sockaddr.hpp"
#include "socket_error.hpp"
#include "socket_state.hpp"

namespace troupe {

using detail::direction;
using detail::socket_ref;
using detail::socket_state;

namespace {

// Errors of the connection that would have been accepted: Linux reports them
// here (accept(2)); the next connection may be fine.
bool concerns_one_connection(int failed) noexcept {
  switch (failed) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EPERM:  // a firewall rule
      return true;
    default:
      return false;
  }
}

// One connection, an error, or an empty ref when nobody is queued.
result<socket_ref> accept_one(socket_state& s) {
  s.take_ready(direction::read);
  for (;;) {
    detail::socket_address peer;
    const int fd = ::accept4(s.fd(), peer.get(), peer.size(), SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      s.give_ready(direction::read);  // there may be more
      socket_ref accepted = socket_state::make(fd, peer.endpoint(), s.options);
      if (const std::error_code failed = detail::apply(fd, s.options)) {
        return std::unexpected(detail::socket_error(failed, "set options for", peer.endpoint()));
      }
      return accepted;
    }
    const int failed = errno;
    if (failed == EAGAIN || failed == EWOULDBLOCK) return socket_ref();
    if (concerns_one_connection(failed)) continue;
    s.give_ready(direction::read);
    return std::unexpected(detail::socket_error({failed, std::generic_category()}, "accept at", s.where()));
  }
}

task<result<socket_ref>> accept_on(socket_ref s) {
  if (!s || !s->is_open()) co_return std::unexpected(detail::closed_error("accept"));
  if (const std::error_code refused = detail::refuse_simulated()) {
    co_return std::unexpected(detail::socket_error(refused, "accept at", s->where()));
  }
  const detail::operation mine(s.get(), direction::read);
  if (!mine) co_return std::unexpected(detail::busy_error("accept at", s->name()));
  for (;;) {
    if (s->worth_trying(direction::read)) {
      result<socket_ref> accepted = accept_one(*s);
      if (!accepted || *accepted) co_return accepted;
    }
    if (const std::error_code why = co_await detail::readiness(*s, direction::read, detail::no_deadline)) {
      co_return std::unexpected(detail::socket_error(why, "accept at", s->where()));
    }
  }
}

}  // namespace

tcp_listener& tcp_listener::operator=(tcp_listener&& other) noexcept {
  if (this != &other) {
    close();
    socket_ = std::move(other.socket_);
  }
  return *this;
}

result<tcp_listener> tcp_listener::bind(ip_endpoint at, listen_options options) {
  std::error_code failed = detail::refuse_simulated();
  const auto refuse = [&] { return std::unexpected(detail::socket_error(failed, "cannot listen at", at)); };
  const int fd = failed ? -1 : detail::open_tcp(at, failed);
  if (fd < 0) return refuse();
  const socket_ref s = socket_state::make(fd, at, options.accepted);
  if (options.reuse_address) failed = detail::set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (!failed && at.is_v6()) failed = detail::set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  // Buffer sizes must be known before the first handshake, which agrees on a window scale.
  if (!failed) failed = detail::apply(fd, options.accepted);
  detail::socket_address address(at);
  if (!failed && (::bind(fd, address.get(), *address.size()) != 0 || ::listen(fd, options.backlog) != 0)) {
    failed = {errno, std::generic_category()};
  }
  if (failed) return refuse();
  return tcp_listener(s);
}

task<result<tcp_stream>> tcp_listener::accept() {
  result<socket_ref> s = co_await accept_on(socket_);
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
