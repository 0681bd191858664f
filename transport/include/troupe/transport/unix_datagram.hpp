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

/// Move-only; one strand at a time (datagram_socket.hpp). A bound one removes its
/// file when it is closed, as a unix_listener. Not available on the simulated runtime.
class unix_datagram : public detail::datagram_socket {
 public:
  /// No socket: every operation yields errc::closed.
  unix_datagram() noexcept = default;
  unix_datagram(unix_datagram&&) noexcept = default;
  unix_datagram& operator=(unix_datagram&& other) noexcept;
  ~unix_datagram() { close(); }

  /// Receives what is sent to `path`; replaces a file as unix_listener does. Any thread.
  [[nodiscard]] static result<unix_datagram> bind(std::string path, unix_options options = {});
  /// Sends to `to`. Without `from` it has no name, so the receiver cannot answer.
  /// Any thread.
  [[nodiscard]] static result<unix_datagram> connect(const std::string& to, std::string from = {},
                                                     unix_options options = {});
  /// Two sockets that are connected to each other. Any thread.
  [[nodiscard]] static result<std::pair<unix_datagram, unix_datagram>> pair(unix_options options = {});

  struct datagram {
    std::size_t size = 0;       ///< bytes that are in the buffer
    std::size_t full_size = 0;  ///< bytes that were sent
    std::string from;           ///< empty: the sender has no name
    [[nodiscard]] bool truncated() const noexcept { return full_size > size; }
  };

  /// As of udp_socket.
  [[nodiscard]] task<result<datagram>> receive_from(std::span<std::byte> into);
  [[nodiscard]] result<std::optional<datagram>> try_receive_from(std::span<std::byte> into);
  /// Waits while the receiver has no room, until write_deadline.
  [[nodiscard]] task<result<void>> send_to(std::span<const std::byte> bytes, std::string to);
  [[nodiscard]] task<result<void>> send(std::span<const std::byte> bytes);

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
