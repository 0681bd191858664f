#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/tcp_stream.hpp>

#include "open_socket.hpp"
#include "operation.hpp"
#include "readiness.hpp"
#include "sockaddr.hpp"
#include "socket_error.hpp"
#include "socket_state.hpp"

namespace troupe {

using detail::direction;
using detail::operation;
using detail::readiness;
using detail::socket_ref;
using detail::socket_state;

namespace {

constexpr const char* reading = "read from";
constexpr const char* writing = "write to";

// A frame is made for every operation, and has to fit the slab. So the coroutines
// below end in one place, and what needs temporaries is kept out of line: what is
// inlined into a coroutine may find a place in its frame.

error failure(const socket_ref& s, const char* what, std::error_code why) {
  if (!s || why == errc::closed) return detail::closed_error(what);
  if (why == errc::invalid_argument) return detail::busy_error(what, s->where());
  return detail::socket_error(why, what, s->where());
}

TROUPE_NOINLINE result<std::size_t> read_outcome(const socket_ref& s, std::optional<std::size_t> got,
                                                 std::error_code why) {
  if (why) return std::unexpected(failure(s, reading, why));
  return *got;
}

TROUPE_NOINLINE result<void> outcome(const socket_ref& s, const char* what, std::error_code why) {
  if (why) return std::unexpected(failure(s, what, why));
  return {};
}

TROUPE_NOINLINE result<void> write_outcome(const socket_ref& s, std::size_t left, std::size_t total,
                                           std::error_code why) {
  if (why != errc::timeout) return outcome(s, writing, why);
  return std::unexpected(error(why, "write to " + s->where().to_string() + ": the peer does not read; " +
                                        std::to_string(left) + " of " + std::to_string(total) +
                                        " bytes were left when write_deadline passed, and it was cut"));
}

// Why an operation cannot start.
std::error_code refusal(const socket_ref& s, const operation& mine) noexcept {
  if (!s || !s->is_open()) return make_error_code(errc::closed);
  return mine ? std::error_code() : make_error_code(errc::invalid_argument);
}

// One attempt, if it can find anything; true when the read is over.
TROUPE_NOINLINE bool try_read_once(socket_state& s, std::span<std::byte> into,
                                   std::optional<std::size_t>& got, std::error_code& why) noexcept {
  if (!s.worth_trying(direction::read)) return false;
  why = s.receive(into, got);
  return why || got;
}

// One attempt; true when the write is over.
TROUPE_NOINLINE bool try_write_once(socket_state& s, std::span<const std::byte>& rest,
                                    std::error_code& why) noexcept {
  std::size_t sent = 0;
  why = s.send(rest, sent);
  rest = rest.subspan(sent);
  return why || rest.empty();
}

task<result<std::size_t>> read_on(socket_ref s, std::span<std::byte> into) {
  const operation mine(s.get(), direction::read);
  std::optional<std::size_t> got;
  std::error_code why = refusal(s, mine);
  std::int64_t deadline = 0;
  while (!why && !try_read_once(*s, into, got, why)) {
    if (deadline == 0) deadline = detail::deadline_in(s->options.read_deadline);
    why = co_await readiness(*s, direction::read, deadline);
  }
  co_return read_outcome(s, got, why);
}

task<result<void>> readable_on(socket_ref s) {
  const operation mine(s.get(), direction::read);
  std::error_code why = refusal(s, mine);
  if (!why) {
    why = co_await readiness(*s, direction::read, detail::deadline_in(s->options.read_deadline));
  }
  co_return outcome(s, reading, why);
}

task<result<void>> write_on(socket_ref s, std::span<const std::byte> bytes) {
  const operation mine(s.get(), direction::write);
  const std::size_t total = bytes.size();
  std::error_code why = refusal(s, mine);
  std::int64_t deadline = 0;
  while (!why && !bytes.empty() && !try_write_once(*s, bytes, why)) {
    if (deadline == 0) deadline = detail::deadline_in(s->options.write_deadline);
    // A peer that reads as fast as we write must not keep the worker.
    if (!detail::spend_hop()) co_await yield();
    why = co_await readiness(*s, direction::write, deadline);
    if (why == errc::timeout) s->cut();
  }
  co_return write_outcome(s, bytes.size(), total, why);
}

task<result<std::size_t>> refuse_empty() {
  co_return std::unexpected(error(make_error_code(errc::invalid_argument),
                                  "read_some: the buffer is empty, so 0 bytes would look like the end"));
}

}  // namespace

// -- connecting -----------------------------------------------------------------

namespace {

// What has become of a connect: no error, EINPROGRESS, or why it failed.
std::error_code connect_step(int fd, const ip_endpoint& to) noexcept {
  int failed = 0;
  socklen_t size = sizeof failed;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
  if (failed != 0) return {failed, std::generic_category()};
  detail::socket_address address(to);
  int status = 0;
  do {
    status = ::connect(fd, address.get(), *address.size());
  } while (status != 0 && errno == EINTR);
  if (status == 0 || errno == EISCONN) {
    // A port of this machine's own range that nobody listens on can be given to
    // the very socket that asks for it: then it would talk to itself.
    return detail::bound_to(fd) == to ? std::error_code(ECONNREFUSED, std::generic_category())
                                      : std::error_code();
  }
  return {errno == EALREADY ? EINPROGRESS : errno, std::generic_category()};
}

task<result<socket_ref>> connect_to(ip_endpoint to, duration within, tcp_options options) {
  constexpr const char* connecting = "connect to";
  std::error_code failed = detail::refuse_simulated();
  const int fd = failed ? -1 : detail::open_tcp(to, failed);
  if (fd < 0) co_return std::unexpected(detail::socket_error(failed, connecting, to));
  const socket_ref s = socket_state::make(fd, to, options);
  failed = detail::apply(fd, options);
  const std::int64_t deadline = detail::deadline_in(within);
  while (!failed) {
    s->take_ready(direction::write);
    failed = connect_step(fd, to);
    if (!failed) co_return s;
    if (failed.value() != EINPROGRESS) break;
    failed = co_await readiness(*s, direction::write, deadline);
  }
  co_return std::unexpected(detail::socket_error(failed, connecting, to));
}

}  // namespace

task<result<tcp_stream>> tcp_stream::connect(ip_endpoint to, duration deadline, tcp_options options) {
  result<socket_ref> s = co_await connect_to(to, deadline, options);
  if (!s) co_return std::unexpected(std::move(s.error()));
  co_return tcp_stream(std::move(*s));
}

// -- the stream -------------------------------------------------------------------

tcp_stream& tcp_stream::operator=(tcp_stream&& other) noexcept {
  if (this != &other) {
    close();
    socket_ = std::move(other.socket_);
  }
  return *this;
}

task<result<std::size_t>> tcp_stream::read_some(std::span<std::byte> into) {
  return into.empty() && is_open() ? refuse_empty() : read_on(socket_, into);
}
task<result<void>> tcp_stream::write_all(std::span<const std::byte> bytes) {
  return write_on(socket_, bytes);
}
task<result<void>> tcp_stream::wait_readable() {
  return readable_on(socket_);
}

result<std::optional<std::size_t>> tcp_stream::try_read(std::span<std::byte> into) {
  const operation mine(socket_.get(), direction::read);
  std::optional<std::size_t> got;
  std::error_code why = refusal(socket_, mine);
  if (!why && !into.empty()) try_read_once(*socket_, into, got, why);
  if (why) return std::unexpected(failure(socket_, reading, why));
  return got;
}

result<std::size_t> tcp_stream::try_write(std::span<const std::byte> bytes) {
  const operation mine(socket_.get(), direction::write);
  std::error_code why = refusal(socket_, mine);
  std::span<const std::byte> rest = bytes;
  if (!why && !rest.empty()) try_write_once(*socket_, rest, why);
  if (why) return std::unexpected(failure(socket_, writing, why));
  return bytes.size() - rest.size();
}

result<void> tcp_stream::shutdown_write() {
  if (!is_open()) return std::unexpected(detail::closed_error("shutdown_write"));
  if (::shutdown(socket_->fd(), SHUT_WR) == 0) return {};
  return std::unexpected(detail::socket_error({errno, std::generic_category()}, "shut down the connection to",
                                              socket_->where()));
}

void tcp_stream::close() noexcept {
  if (!socket_) return;
  socket_->close();
  socket_ = {};
}

bool tcp_stream::is_open() const noexcept {
  return socket_ && socket_->is_open();
}

result<void> tcp_stream::set_no_delay(bool on) {
  if (!is_open()) return std::unexpected(detail::closed_error("set_no_delay"));
  if (const std::error_code failed = detail::set_flag(socket_->fd(), IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0)) {
    return std::unexpected(detail::socket_error(failed, "set no_delay for", socket_->where()));
  }
  return {};
}

void tcp_stream::set_read_deadline(duration d) noexcept {
  if (socket_) socket_->options.read_deadline = d;
}
void tcp_stream::set_write_deadline(duration d) noexcept {
  if (socket_) socket_->options.write_deadline = d;
}

result<ip_endpoint> tcp_stream::local_endpoint() const {
  if (!is_open()) return std::unexpected(detail::closed_error("local_endpoint"));
  return detail::bound_to(socket_->fd());
}

result<ip_endpoint> tcp_stream::remote_endpoint() const {
  if (!is_open()) return std::unexpected(detail::closed_error("remote_endpoint"));
  return socket_->where();
}

}  // namespace troupe
