// The base of udp_socket and unix_datagram: what all datagram sockets share.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/transport/detail/socket_ref.hpp>

#include <cstdint>
#include <utility>

namespace troupe::detail {

/// The operations that all datagram sockets share. Move-only; its destructor closes it. At most one send and
/// one receive may be under way at a time.
/// Errors: closed if it was never opened, or is closed, also during the operation; invalid_argument if
/// another operation of the kind is under way; otherwise the system's code. A wait on a simulated runtime of
/// a socket that was opened elsewhere, or the reverse, yields std::errc::operation_not_supported.
/// Threads: one strand at a time. It may move to another one while no operation is under way.
/// Cancellation: every operation ends when its owner is stopped.
class datagram_socket {
 public:
  /// No socket: every operation yields errc::closed.
  datagram_socket() noexcept = default;
  datagram_socket(datagram_socket&&) noexcept = default;
  datagram_socket& operator=(datagram_socket&& other) noexcept;
  ~datagram_socket() { close(); }

  /// Operations under way yield errc::closed; datagrams not yet received are lost.
  void close() noexcept;
  /// Whether it was opened, and not closed.
  [[nodiscard]] bool is_open() const noexcept;
  /// The descriptor, for options that have no function here; -1 when closed. It
  /// stays this socket's: neither close it nor make it blocking.
  [[nodiscard]] int native_handle() const noexcept;

  /// Sets the time that a receive may wait, for those that begin to wait later.
  void set_read_deadline(duration d) noexcept;
  /// Sets the time that a send may wait for room, for those that begin to wait later.
  void set_write_deadline(duration d) noexcept;

  /// How many datagrams the kernel has dropped because the receive buffer was full or a checksum was wrong;
  /// modulo 2^32.
  /// Errors: closed; the system's code.
  /// Cost: one system call.
  [[nodiscard]] result<std::uint32_t> kernel_drops() const;

 protected:
  explicit datagram_socket(socket_ref socket) noexcept : socket_(std::move(socket)) {}
  [[nodiscard]] const socket_ref& socket() const noexcept { return socket_; }

 private:
  socket_ref socket_;
};

}  // namespace troupe::detail
