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

/// The operations of all streams. Move-only; its destructor closes it. At most one read and one write may be
/// under way at a time. All of a stream's state is in here: what is moved out of a tcp_stream or a
/// unix_stream into one of these is the same stream.
/// Errors: closed if it was never connected, or is closed, also during the operation; invalid_argument if
/// another operation of the kind is under way; otherwise the system's code, such as
/// std::errc::connection_reset. The text has the peer's address and what was attempted. A wait on a
/// simulated runtime of a socket that was opened elsewhere, or the reverse, yields
/// std::errc::operation_not_supported. Nothing throws but bad_alloc.
/// Threads: one strand at a time. It may move to another one while no operation is under way.
/// Cancellation: every operation ends when its owner is stopped; with_timeout() puts any other deadline
/// around it.
class stream_socket {
 public:
  /// No connection: every operation yields errc::closed.
  stream_socket() noexcept = default;
  stream_socket(stream_socket&&) noexcept = default;
  stream_socket& operator=(stream_socket&& other) noexcept;
  ~stream_socket() { close(); }

  /// Reads what is there, at least one byte and at most `into.size()`, waiting for the first; 0 is the end
  /// of the stream.
  /// Errors: those above; timeout after read_deadline, and the stream is as before; invalid_argument if
  /// `into` is empty; std::errc::connection_aborted at the end of a stream that a write has cut.
  /// Cancellation: no byte is lost: the kernel's buffer is read only after the wait.
  [[nodiscard]] task<result<std::size_t>> read_some(std::span<std::byte> into);

  /// Waits until the kernel has taken all of `bytes`, which must stay in place meanwhile.
  /// Errors: those above; timeout after write_deadline, counted from the first wait. That cuts the
  /// connection: how much the peer has got is unknown, so the stream cannot be written any more.
  /// Cancellation: a part of `bytes` may have been sent.
  [[nodiscard]] task<result<void>> write_all(std::span<const std::byte> bytes);

  /// The same for bytes in several places, which travel as if they were joined. `pieces` itself stays in
  /// place, too.
  /// Cost: one system call for up to 64 pieces.
  template <std::convertible_to<std::span<const const_buffer>> Pieces>
  [[nodiscard]] task<result<void>> write_all(const Pieces& pieces) {
    return write_pieces(pieces);
  }

  /// Waits until a read would not wait, without holding a buffer; it may return spuriously, so follow with
  /// try_read(). Awaited where it is called, or put into with_timeout() and its like: a result<void>.
  /// Errors: those above; timeout after read_deadline.
  /// Cancellation: it reads nothing, so no byte is lost.
  [[nodiscard]] readable_wait wait_readable() const noexcept { return readable_wait(socket_); }

  /// Reads without waiting; nullopt if there is nothing to read now, or `into` is empty. Otherwise as
  /// read_some().
  /// Errors: those of read_some() but timeout.
  [[nodiscard]] result<std::optional<std::size_t>> try_read(std::span<std::byte> into);
  /// Writes what the kernel has room for, without waiting; may be 0.
  /// Errors: those above.
  [[nodiscard]] result<std::size_t> try_write(std::span<const std::byte> bytes);

  /// Whether the peer has neither sent anything that is unread nor ended the connection, as far as is known
  /// here; false if it is closed. What a connection should be before it is used again.
  /// Cost: one system call.
  [[nodiscard]] bool is_quiet() const noexcept;

  /// Ends our half: the peer reads the end of the stream, and may still send. Does not wait.
  /// Errors: closed; the system's code, such as std::errc::not_connected.
  result<void> shutdown_write();
  /// Ends the connection. Operations under way on it yield errc::closed. What the kernel has taken is still
  /// delivered, unless received data is unread.
  void close() noexcept;
  /// Ends it at once: what is not yet delivered is dropped, and a TCP peer sees a reset. For peers that break
  /// the protocol, and leaves no TIME_WAIT behind. Operations under way yield errc::closed.
  void reset() noexcept;
  /// Whether it is connected, and neither close() nor reset() was called.
  [[nodiscard]] bool is_open() const noexcept;

  /// The descriptor, for options that have no function here; -1 when closed. It
  /// stays this stream's: neither close it nor make it blocking.
  [[nodiscard]] int native_handle() const noexcept;

  /// Sets the time that a read may wait for data, for reads that begin to wait later.
  void set_read_deadline(duration d) noexcept;
  /// Sets the time that a write may take, for writes that begin to wait later.
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
