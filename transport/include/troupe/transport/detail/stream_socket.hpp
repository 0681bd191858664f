// The base of tcp_stream and unix_stream: all that a stream over its own socket can
// do. The derived classes add how one is made and what is special about it.
//
// Owned by one strand at a time: an actor or a task. It may be moved to another
// strand while no operation on it is under way. Reads and writes are tried at
// once; only when the kernel has nothing to give or no room does the strand
// wait, in the epoll set of the worker it then runs on. A waiting operation holds
// a coroutine frame and nothing else.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/transport/const_buffer.hpp>
#include <troupe/transport/detail/readable_wait.hpp>
#include <troupe/transport/detail/socket_ref.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

namespace troupe::detail {

/// Move-only; closes in its destructor. Not thread-safe. At most one read and
/// one write may be under way at a time: a second one of a kind gets
/// errc::invalid_argument. Network errors are values, with the peer's address
/// and what was attempted in the text and the system's code; nothing throws but
/// bad_alloc. A stream that was never connected or is closed yields errc::closed.
///
/// Every operation ends when its owner is stopped; with_timeout() puts any
/// other deadline around it.
///
/// All of a stream's state is in here: what is moved out of a tcp_stream or a
/// unix_stream into one of these is the same stream.
class stream_socket {
 public:
  /// No connection: every operation yields errc::closed.
  stream_socket() noexcept = default;
  stream_socket(stream_socket&&) noexcept = default;
  stream_socket& operator=(stream_socket&& other) noexcept;
  ~stream_socket() { close(); }

  /// Reads what is there, at least one byte and at most `into.size()`; 0 is the
  /// end of the stream. Waits for the first byte, but not beyond read_deadline:
  /// then errc::timeout, and the stream is as before. `into` must not be empty.
  [[nodiscard]] task<result<std::size_t>> read_some(std::span<std::byte> into);

  /// Waits until the kernel has taken all of `bytes`, which must stay in place
  /// meanwhile. After write_deadline it yields errc::timeout and cuts the
  /// connection: how much the peer has got is unknown, so the stream cannot be
  /// written any more. Stopped half-way, part of `bytes` may have been sent.
  [[nodiscard]] task<result<void>> write_all(std::span<const std::byte> bytes);

  /// The same for bytes in several places, which travel as if they were joined,
  /// up to 64 pieces a system call. `pieces` itself stays in place, too.
  template <std::convertible_to<std::span<const const_buffer>> Pieces>
  [[nodiscard]] task<result<void>> write_all(const Pieces& pieces) {
    return write_pieces(pieces);
  }

  /// Waits until a read would not wait, without holding a buffer; it may return
  /// spuriously, so follow with try_read(). Same deadline as read_some().
  /// Awaited where it is called, or put into with_timeout() and its like: a result<void>.
  [[nodiscard]] readable_wait wait_readable() const noexcept { return readable_wait(socket_); }

  /// Reads without waiting: nothing now (nullopt), or as read_some().
  [[nodiscard]] result<std::optional<std::size_t>> try_read(std::span<std::byte> into);
  /// Writes what the kernel has room for, without waiting; may be 0.
  [[nodiscard]] result<std::size_t> try_write(std::span<const std::byte> bytes);

  /// Whether the peer has neither sent anything that is unread nor ended the
  /// connection, as far as is known here. What a connection should be before it
  /// is used again. One system call.
  [[nodiscard]] bool is_quiet() const noexcept;

  /// Ends our half: the peer reads the end of the stream, and may still send.
  result<void> shutdown_write();
  /// Ends the connection. Operations under way on it yield errc::closed. What
  /// the kernel has taken is still delivered, unless received data is unread.
  void close() noexcept;
  /// Ends it at once: what is not yet delivered is dropped, and a TCP peer sees a
  /// reset. For peers that break the protocol, and leaves no TIME_WAIT behind.
  void reset() noexcept;
  [[nodiscard]] bool is_open() const noexcept;

  /// The descriptor, for options that have no function here; -1 when closed. It
  /// stays this stream's: neither close it nor make it blocking.
  [[nodiscard]] int native_handle() const noexcept;

  void set_read_deadline(duration d) noexcept;
  void set_write_deadline(duration d) noexcept;

 protected:
  explicit stream_socket(socket_ref socket) noexcept : socket_(std::move(socket)) {}
  [[nodiscard]] const socket_ref& socket() const noexcept { return socket_; }

 private:
  friend class tls_channel;  // takes any of them for what is below it

  task<result<void>> write_pieces(std::span<const const_buffer> pieces);

  friend struct socket_access;
  socket_ref socket_;
};

}  // namespace troupe::detail
