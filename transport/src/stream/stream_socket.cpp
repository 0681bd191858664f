// Streams over sockets: reading, writing, closing. On the strand that owns the stream.
#include "socket/operation.hpp"
#include "socket/run_operation.hpp"
#include "socket/socket_error.hpp"
#include "socket/socket_state.hpp"
#include "socket/sys.hpp"

#include <troupe/runtime/task.hpp>
#include <troupe/transport/detail/stream_socket.hpp>

#include <cerrno>
#include <string>
#include <sys/socket.h>

namespace troupe::detail {

namespace {

constexpr const char* reading = "read from";
constexpr const char* writing = "write to";

TROUPE_NOINLINE result<void> write_outcome(const socket_ref& s, std::size_t left, std::size_t total,
                                           std::error_code why) {
  if (!why) return {};
  if (why != errc::timeout) return std::unexpected(operation_failure(s, writing, why));
  return std::unexpected(
      error(why, "write to " + s->name() + ": the peer does not read; " + std::to_string(left) + " of " +
                     std::to_string(total) +
                     " bytes were left when write_deadline passed; the connection was cut"));
}

// Reads whatever the kernel has.
struct read_attempt {
  static constexpr direction side = direction::read;
  std::span<std::byte> into;
  std::optional<std::size_t> got = std::nullopt;

  TROUPE_NOINLINE bool try_once(socket_state& s, std::error_code& why) noexcept {
    if (!s.worth_trying(direction::read)) return false;
    why = s.receive(into, got);
    return why || got;
  }
  TROUPE_NOINLINE result<std::size_t> outcome(const socket_ref& s, std::error_code why) const {
    if (why) return std::unexpected(operation_failure(s, reading, why));
    return *got;
  }
};

// The bytes left to write: in one place, or in several.
struct one_piece {
  const_buffer rest;
  [[nodiscard]] bool done() const noexcept { return rest.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return rest.size(); }
  std::error_code send_on(socket_state& s) noexcept {
    std::size_t sent = 0;
    const std::error_code why = s.send(rest, sent);
    rest = rest.subspan(sent);
    return why;
  }
};

struct many_pieces {
  std::span<const const_buffer> rest;
  std::size_t skip = 0;  // bytes of the first piece that are sent
  [[nodiscard]] bool done() const noexcept { return rest.empty(); }
  [[nodiscard]] std::size_t size() const noexcept {
    std::size_t n = 0;
    for (const const_buffer& piece : rest) n += piece.size();
    return n - skip;
  }
  std::error_code send_on(socket_state& s) noexcept {
    std::size_t sent = 0;
    const std::error_code why = s.send(rest, skip, sent);
    skip += sent;
    drop_sent();
    return why;
  }
  /// Drops the pieces in front that have nothing left to send.
  void drop_sent() noexcept {
    for (; !rest.empty() && skip >= rest.front().size(); rest = rest.subspan(1)) skip -= rest.front().size();
  }
};

// Writes all bytes, over as many attempts as that takes.
template <class Bytes>
struct write_attempt {
  static constexpr direction side = direction::write;
  static constexpr bool takes_turns = true;
  Bytes bytes;
  std::size_t total = bytes.size();

  TROUPE_NOINLINE bool try_once(socket_state& s, std::error_code& why) noexcept {
    if (bytes.done()) return true;
    why = bytes.send_on(s);
    return why || bytes.done();
  }
  // The peer has got an unknown part of the bytes, so nothing sensible can follow.
  static void timed_out(socket_state& s) noexcept { s.cut(); }
  TROUPE_NOINLINE result<void> outcome(const socket_ref& s, std::error_code why) const {
    return write_outcome(s, bytes.size(), total, why);
  }
};

task<result<std::size_t>> refuse_empty() {
  co_return std::unexpected(error(make_error_code(errc::invalid_argument),
                                  "read_some: the buffer is empty, so 0 bytes would look like the end"));
}

}  // namespace

// -- the stream -------------------------------------------------------------------

stream_socket& stream_socket::operator=(stream_socket&& other) noexcept {
  if (this != &other) {
    close();
    socket_ = std::move(other.socket_);
  }
  return *this;
}

task<result<std::size_t>> stream_socket::read_some(std::span<std::byte> into) {
  return into.empty() && is_open() ? refuse_empty() : run_operation(socket_, read_attempt{into});
}
task<result<void>> stream_socket::write_all(std::span<const std::byte> bytes) {
  return run_operation(socket_, write_attempt<one_piece>{{bytes}});
}
task<result<void>> stream_socket::write_pieces(std::span<const const_buffer> pieces) {
  many_pieces bytes{pieces};
  bytes.drop_sent();
  return run_operation(socket_, write_attempt<many_pieces>{bytes});
}

// Neither suspends, so the direction need not be marked as in use, only be free.
result<std::optional<std::size_t>> stream_socket::try_read(std::span<std::byte> into) {
  std::optional<std::size_t> got;
  std::error_code why = no_failure;
  if (!may_begin(socket_, direction::read)) {
    why = refusal(socket_);
  } else if (!into.empty() && socket_->worth_trying(direction::read)) {
    why = socket_->receive(into, got);
  }
  if (why) [[unlikely]]
    return std::unexpected(operation_failure(socket_, reading, why));
  return got;
}

result<std::size_t> stream_socket::try_write(std::span<const std::byte> bytes) {
  std::size_t sent = 0;
  std::error_code why = no_failure;
  if (!may_begin(socket_, direction::write)) {
    why = refusal(socket_);
  } else if (!bytes.empty()) {
    why = socket_->send(bytes, sent);
  }
  if (why) [[unlikely]]
    return std::unexpected(operation_failure(socket_, writing, why));
  return sent;
}

bool stream_socket::is_quiet() const noexcept {
  if (!is_open()) return false;
  // Takes nothing, and so says nothing about readiness.
  std::byte next{};
  const ssize_t n = sys::recv(socket_->fd(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

result<void> stream_socket::shutdown_write() {
  if (!is_open()) return std::unexpected(closed_error("shutdown_write"));
  if (sys::shutdown(socket_->fd(), SHUT_WR) == 0) return {};
  return std::unexpected(
      socket_error({errno, std::generic_category()}, "shut down the connection to", socket_->name()));
}

void stream_socket::reset() noexcept {
  if (is_open()) socket_->reset_at_close();
  close();
}

void stream_socket::close() noexcept {
  if (!socket_) return;
  socket_->close();
  socket_ = {};
}

bool stream_socket::is_open() const noexcept {
  return socket_ && socket_->is_open();
}

int stream_socket::native_handle() const noexcept {
  return socket_ ? socket_->fd() : -1;
}

void stream_socket::set_read_deadline(duration d) noexcept {
  if (socket_) socket_->options.read_deadline = d;
}
void stream_socket::set_write_deadline(duration d) noexcept {
  if (socket_) socket_->options.write_deadline = d;
}

}  // namespace troupe::detail
