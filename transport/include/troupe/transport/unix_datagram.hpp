// Datagrams between processes of one machine. Unlike UDP's they are not lost:
// a sender waits for a receiver that lags behind.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/detail/datagram_socket.hpp>
#include <troupe/transport/unix_options.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace troupe {

/// A unix socket for datagrams. Move-only; its destructor closes it. A bound one removes its file when it is
/// closed, as a unix_listener.
/// Errors: those of detail::datagram_socket; on the simulated runtime
/// std::errc::address_family_not_supported when one is opened.
/// Threads and cancellation: those of detail::datagram_socket.
class unix_datagram : public detail::datagram_socket {
 public:
  /// No socket: every operation yields errc::closed.
  unix_datagram() noexcept = default;
  unix_datagram(unix_datagram&&) noexcept = default;
  unix_datagram& operator=(unix_datagram&& other) noexcept;
  ~unix_datagram() { close(); }

  /// Receives what is sent to `path`; replaces a file as unix_listener does.
  /// Errors: those of unix_listener::bind().
  /// Threads: any.
  [[nodiscard]] static result<unix_datagram> bind(std::string path, unix_options options = {});
  /// Sends to `to`. Without `from` it has no name, so the receiver cannot answer.
  /// Errors: invalid_argument for an invalid name; those of bind() for `from`; otherwise the system's code,
  /// such as std::errc::no_such_file_or_directory or connection_refused.
  /// Threads: any.
  [[nodiscard]] static result<unix_datagram> connect(const std::string& to, std::string from = {},
                                                     unix_options options = {});
  /// Two sockets that are connected to each other.
  /// Errors: the system's code, such as std::errc::too_many_files_open.
  /// Threads: any.
  [[nodiscard]] static result<std::pair<unix_datagram, unix_datagram>> pair(unix_options options = {});

  /// A datagram that was received.
  struct datagram {
    std::size_t size = 0;       ///< bytes that are in the buffer
    std::size_t full_size = 0;  ///< bytes that were sent
    std::string from;           ///< empty: the sender has no name
    /// The buffer was too small, and the end of the datagram is lost.
    [[nodiscard]] bool truncated() const noexcept { return full_size > size; }
  };

  /// The next datagram, in `into`; errors and cancellation as udp_socket::receive_from().
  [[nodiscard]] task<result<datagram>> receive_from(std::span<std::byte> into);
  /// The same without waiting; nullopt: nothing is there.
  [[nodiscard]] result<std::optional<datagram>> try_receive_from(std::span<std::byte> into);
  /// Sends one datagram to `to`; waits while the receiver has no room. `bytes` must stay in place meanwhile.
  /// Errors: those above; timeout after write_deadline; invalid_argument for an invalid name;
  /// std::errc::message_size if it is too long; otherwise the system's code, such as
  /// std::errc::connection_refused. The datagram is not sent then.
  /// Cancellation: a wait that is stopped sends nothing.
  /// Cost: while the receiver has no room, it retries after pauses of 1 ms, doubled up to 64 ms. A close()
  /// is noticed after the pause.
  [[nodiscard]] task<result<void>> send_to(std::span<const std::byte> bytes, std::string to);
  /// Sends one datagram to the peer of a connected socket, as send_to() but without the pauses: the kernel
  /// reports when there is room.
  /// Errors: those of send_to(); std::errc::not_connected if it is not connected.
  [[nodiscard]] task<result<void>> send(std::span<const std::byte> bytes);

  /// Closes it and removes its file, unless that has been replaced by another one. Otherwise as
  /// detail::datagram_socket::close().
  void close() noexcept;
  /// Where it is bound; empty: nowhere.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  explicit unix_datagram(detail::socket_ref socket) noexcept : datagram_socket(std::move(socket)) {}

  std::string path_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace troupe
