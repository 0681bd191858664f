// unix_stream and unix_listener: connecting, pairs, and listening at a path.
#include "address/unix_address.hpp"
#include "socket/accept.hpp"
#include "socket/readiness.hpp"
#include "socket/retry_pause.hpp"
#include "socket/socket_error.hpp"
#include "socket/socket_state.hpp"
#include "socket/sys.hpp"

#include <troupe/runtime/sleep.hpp>
#include <troupe/transport/unix_listener.hpp>
#include <troupe/transport/unix_stream.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>

namespace troupe {

using detail::socket_ref;

// -- the stream -------------------------------------------------------------------

namespace {

constexpr const char* connecting = "connect to";

// No error, EAGAIN while the listener's queue is full, or why it failed.
TROUPE_NOINLINE std::error_code connect_once(int fd, const std::string& path) noexcept {
  detail::socket_address a;
  if (detail::to_address(path, connecting, a)) return make_error_code(errc::invalid_argument);
  for (;;) {
    if (detail::sys::connect(fd, a.get(), a.length()) == 0) return {};
    if (errno != EINTR) return {errno, std::generic_category()};
  }
}

result<socket_ref> open_client(const std::string& path, const unix_options& o) {
  detail::socket_address a;
  if (std::optional<error> bad = detail::to_address(path, connecting, a)) {
    return std::unexpected(std::move(*bad));
  }
  return detail::open_unix(SOCK_STREAM, connecting, path, o);
}

TROUPE_NOINLINE result<socket_ref> connect_outcome(socket_ref s, const std::string& path,
                                                   std::error_code why) {
  if (why) return std::unexpected(detail::unix_error(why, connecting, path));
  return s;
}

// The kernel sends no event when a listener's queue has room again, so the only
// way is to retry, with growing pauses, and only while a server lags behind.
task<result<socket_ref>> connect_to(std::string path, duration within, unix_options options) {
  result<socket_ref> s = open_client(path, options);
  if (!s) co_return s;
  detail::retry_pause pause(within);
  std::error_code why = connect_once((*s)->fd(), path);
  while (why == std::errc::resource_unavailable_try_again) {
    if (pause.over()) {
      why = make_error_code(errc::timeout);
    } else {
      co_await sleep_until(pause.next());
      why = connect_once((*s)->fd(), path);
    }
  }
  co_return connect_outcome(std::move(*s), path, why);
}

}  // namespace

task<result<unix_stream>> unix_stream::connect(std::string path, duration deadline, unix_options options) {
  result<socket_ref> s = co_await connect_to(std::move(path), deadline, options);
  if (!s) co_return std::unexpected(std::move(s.error()));
  co_return unix_stream(std::move(*s));
}

result<std::pair<unix_stream, unix_stream>> unix_stream::pair(unix_options options) {
  result<std::pair<socket_ref, socket_ref>> both = detail::open_unix_pair(SOCK_STREAM, options);
  if (!both) return std::unexpected(std::move(both.error()));
  return std::pair(unix_stream(std::move(both->first)), unix_stream(std::move(both->second)));
}

result<unix_stream::credentials> unix_stream::peer() const {
  if (!is_open()) return std::unexpected(detail::closed_error("peer"));
  ucred c{};
  socklen_t size = sizeof c;
  if (detail::sys::getsockopt(socket()->fd(), SOL_SOCKET, SO_PEERCRED, &c, &size) == 0) {
    return credentials{c.pid, c.uid, c.gid};
  }
  return std::unexpected(
      detail::unix_error({errno, std::generic_category()}, "ask for the peer at", socket()->name()));
}

// -- the listener -----------------------------------------------------------------

unix_listener& unix_listener::operator=(unix_listener&& other) noexcept {
  if (this != &other) {
    close();
    socket_ = std::move(other.socket_);
    path_ = std::move(other.path_);
    device_ = other.device_;
    inode_ = other.inode_;
  }
  return *this;
}

result<unix_listener> unix_listener::bind(std::string path, unix_listen_options options) {
  constexpr const char* listening = "cannot listen at";
  result<socket_ref> s = detail::open_unix(SOCK_STREAM, listening, path, options.accepted);
  if (!s) return std::unexpected(std::move(s.error()));
  const int fd = (*s)->fd();
  result<detail::bound_file> file = detail::bind_unix(fd, SOCK_STREAM, path, options.permissions);
  if (!file) return std::unexpected(std::move(file.error()));
  unix_listener l(std::move(*s), std::move(path));
  l.device_ = file->device;
  l.inode_ = file->inode;
  if (detail::sys::listen(fd, options.backlog) == 0) return l;
  return std::unexpected(detail::unix_error({errno, std::generic_category()}, listening, l.path_));
}

task<result<unix_stream>> unix_listener::accept() {
  result<socket_ref> s = co_await detail::accept_on(socket_);
  if (!s) co_return std::unexpected(std::move(s.error()));
  co_return unix_stream(std::move(*s));
}

void unix_listener::close() noexcept {
  if (!socket_) return;
  detail::remove_file(path_, {device_, inode_});
  socket_->close();
  socket_ = {};
}

bool unix_listener::is_open() const noexcept {
  return socket_ && socket_->is_open();
}

}  // namespace troupe
