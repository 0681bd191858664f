// A TCP connection as awaitables.
//
// Owned by one strand at a time: an actor or a task. It may be moved to another
// strand while no operation on it is under way. Reads and writes are tried at
// once; only when the kernel has nothing to give or no room does the strand
// wait, in the epoll set of the worker it then runs on. Nothing is held while
// it waits but a coroutine frame.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/socket_ref.hpp>
#include <troupe/transport/tcp_options.hpp>

namespace troupe {

/// Move-only; closes in its destructor. Not thread-safe. At most one read and
/// one write may be under way at a time: a second one of a kind gets
/// errc::invalid_argument. Network errors are values, with the peer's address
/// and what was attempted in the text and the system's code; nothing throws but
/// bad_alloc. A stream that was never connected or is closed yields errc::closed.
///
/// Every operation ends when its owner is stopped; with_timeout() puts any
/// other deadline around it. Not available on the simulated runtime.
class tcp_stream {
 public:
  /// No connection: every operation yields errc::closed.
  tcp_stream() noexcept = default;
  tcp_stream(tcp_stream&&) noexcept = default;
  tcp_stream& operator=(tcp_stream&& other) noexcept;
  ~tcp_stream() { close(); }

  /// Connects, or yields errc::timeout after `deadline`. Call it on a strand.
  [[nodiscard]] static task<result<tcp_stream>> connect(ip_endpoint to,
                                                        duration deadline = std::chrono::seconds(10),
                                                        tcp_options options = {});

  /// Reads what is there, at least one byte and at most `into.size()`; 0 is the
  /// end of the stream. Waits for the first byte, but not beyond read_deadline:
  /// then errc::timeout, and the stream is as before. `into` must not be empty.
  [[nodiscard]] task<result<std::size_t>> read_some(std::span<std::byte> into);

  /// Waits until the kernel has taken all of `bytes`, which must stay in place
  /// meanwhile. After write_deadline it yields errc::timeout and cuts the
  /// connection: how much the peer has got is unknown, so nothing sensible can
  /// follow. Stopped half-way, part of `bytes` may have been sent.
  [[nodiscard]] task<result<void>> write_all(std::span<const std::byte> bytes);

  /// Waits until a read would not wait, without holding a buffer; now and then
  /// it is wrong, so follow with try_read(). Same deadline as read_some().
  [[nodiscard]] task<result<void>> wait_readable();

  /// Reads without waiting: nothing now (nullopt), or as read_some().
  [[nodiscard]] result<std::optional<std::size_t>> try_read(std::span<std::byte> into);
  /// Writes what the kernel has room for, without waiting; may be 0.
  [[nodiscard]] result<std::size_t> try_write(std::span<const std::byte> bytes);

  /// Ends our half: the peer reads the end of the stream, and may still send.
  result<void> shutdown_write();
  /// Ends the connection. Operations under way on it yield errc::closed. What
  /// the kernel has taken is still delivered, unless received data is unread.
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept;

  result<void> set_no_delay(bool on);
  void set_read_deadline(duration d) noexcept;
  void set_write_deadline(duration d) noexcept;

  [[nodiscard]] result<ip_endpoint> local_endpoint() const;
  /// Who is at the other end; also after it has gone, until close().
  [[nodiscard]] result<ip_endpoint> remote_endpoint() const;

 private:
  friend class tcp_listener;
  explicit tcp_stream(detail::socket_ref socket) noexcept : socket_(std::move(socket)) {}

  detail::socket_ref socket_;
};

}  // namespace troupe
