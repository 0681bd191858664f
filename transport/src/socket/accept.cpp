// Accepts one connection from a listening socket, TCP or unix, and waits where none is queued.
#include "socket/accept.hpp"

#include "address/sockaddr.hpp"
#include "socket/open_socket.hpp"
#include "socket/operation.hpp"
#include "socket/readiness.hpp"
#include "socket/socket_error.hpp"
#include "socket/socket_state.hpp"
#include "socket/sys.hpp"

#include <cerrno>

namespace troupe::detail {

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

result<socket_ref> accepted(const socket_state& listener, int fd, const socket_address& peer) {
  if (listener.is_unix()) {
    socket_ref s = socket_state::make(fd, {}, listener.options);
    s->name_by_path(listener.name());  // clients have no name of their own
    return s;
  }
  socket_ref s = socket_state::make(fd, peer.endpoint(), listener.options);
  if (const std::error_code failed = apply(fd, s->options)) {
    return std::unexpected(socket_error(failed, "set options for", s->name()));
  }
  return s;
}

// One connection, an error, or an empty ref when no connection is queued.
result<socket_ref> accept_one(socket_state& s) {
  s.clear_ready(direction::read);
  for (;;) {
    socket_address peer;
    const int fd = sys::accept4(s.fd(), peer.get(), peer.size(), SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      s.mark_ready(direction::read);  // there may be more
      return accepted(s, fd, peer);
    }
    const int failed = errno;
    if (failed == EAGAIN || failed == EWOULDBLOCK) return socket_ref();
    if (concerns_one_connection(failed)) continue;
    s.mark_ready(direction::read);
    return std::unexpected(socket_error({failed, std::generic_category()}, "accept at", s.name()));
  }
}

}  // namespace

task<result<socket_ref>> accept_on(socket_ref s) {
  if (!s || !s->is_open()) co_return std::unexpected(closed_error("accept"));
  const operation mine(s.get(), direction::read);
  if (!mine) co_return std::unexpected(busy_error("accept at", s->name()));
  for (;;) {
    if (s->worth_trying(direction::read)) {
      result<socket_ref> next = accept_one(*s);
      if (!next || *next) co_return next;
    }
    if (const std::error_code why = co_await readiness(*s, direction::read, no_deadline)) {
      co_return std::unexpected(socket_error(why, "accept at", s->name()));
    }
  }
}

}  // namespace troupe::detail
