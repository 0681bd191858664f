// The base of udp_socket and unix_datagram: what all datagram sockets share.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/transport/detail/socket_ref.hpp>

#include <cstdint>
#include <utility>

namespace troupe::detail {

/// Move-only; closes in its destructor. Not thread-safe: owned by one strand at
/// a time, as a stream; it may be moved to another while no operation is under
/// way. At most one send and one receive may be under way; a second one of a
/// kind gets errc::invalid_argument. Every operation ends when its owner is
/// stopped.
class datagram_socket {
 public:
  /// No socket: every operation yields errc::closed.
  datagram_socket() noexcept = default;
  datagram_socket(datagram_socket&&) noexcept = default;
  datagram_socket& operator=(datagram_socket&& other) noexcept;
  ~datagram_socket() { close(); }

  /// Operations under way yield errc::closed; datagrams not yet received are lost.
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept;
  /// The descriptor, for options that have no function here; -1 when closed. It
  /// stays this socket's: neither close it nor make it blocking.
  [[nodiscard]] int native_handle() const noexcept;

  void set_read_deadline(duration d) noexcept;
  void set_write_deadline(duration d) noexcept;

  /// How many datagrams the kernel has dropped because the receive buffer was
  /// full or a checksum was wrong; modulo 2^32. One system call.
  [[nodiscard]] result<std::uint32_t> kernel_drops() const;

 protected:
  explicit datagram_socket(socket_ref socket) noexcept : socket_(std::move(socket)) {}
  [[nodiscard]] const socket_ref& socket() const noexcept { return socket_; }

 private:
  socket_ref socket_;
};

}  // namespace troupe::detail
