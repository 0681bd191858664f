// UDP as awaitables: datagrams to and from any peer, one peer, or a group.
//
// A datagram arrives whole, is flagged as truncated, or does not arrive; the sender
// does not learn which. While receive is not called, the kernel's buffer fills, and
// datagrams that do not fit are dropped and counted.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/datagram_batch.hpp>
#include <troupe/transport/detail/datagram_socket.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/udp_options.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace troupe {

/// Move-only; one strand at a time (datagram_socket.hpp). Errors are values and
/// never the end of the socket: it stays usable after any but errc::closed.
class udp_socket : public detail::datagram_socket {
 public:
  /// No socket: every operation yields errc::closed.
  udp_socket() noexcept = default;

  /// Receives what is sent to `at`; port 0 lets the kernel choose. Any thread.
  [[nodiscard]] static result<udp_socket> bind(ip_endpoint at, udp_options options = {});
  /// Talks to `to` only: datagrams from others are not received. When no socket
  /// has the port, the host may report it, and the next operation yields
  /// std::errc::connection_refused. Any thread; sends nothing.
  [[nodiscard]] static result<udp_socket> connect(ip_endpoint to, udp_options options = {});

  struct datagram {
    std::size_t size = 0;       ///< bytes that are in the buffer
    std::size_t full_size = 0;  ///< bytes that were sent
    ip_endpoint from;
    /// The buffer was too small, and the end of the datagram is lost.
    [[nodiscard]] bool truncated() const noexcept { return full_size > size; }
  };

  /// The next datagram, in `into`; one without bytes is a datagram, too. Waits
  /// until read_deadline: then errc::timeout.
  [[nodiscard]] task<result<datagram>> receive_from(std::span<std::byte> into);
  /// The same without waiting; nullopt: nothing is there.
  [[nodiscard]] result<std::optional<datagram>> try_receive_from(std::span<std::byte> into);

  /// Sends one datagram; waits while the kernel's buffer is full. One that is too
  /// long yields std::errc::message_size, and is not sent.
  [[nodiscard]] task<result<void>> send_to(std::span<const std::byte> bytes, ip_endpoint to);
  /// To the peer of a connected socket.
  [[nodiscard]] task<result<void>> send(std::span<const std::byte> bytes);
  /// Without waiting; false: the kernel has no room.
  [[nodiscard]] result<bool> try_send_to(std::span<const std::byte> bytes, ip_endpoint to);

  /// Waits for the first datagram, and receives all that are there, up to
  /// batch.capacity(), with one system call (recvmmsg). Replaces the content of the
  /// batch. Yields how many there are, at least 1.
  [[nodiscard]] task<result<std::size_t>> receive_batch(datagram_batch& batch);
  /// Sends all of the batch, usually with one system call (sendmmsg). A datagram
  /// that the kernel refuses does not stop the others: batch.refused().
  /// Yields how many were sent.
  [[nodiscard]] task<result<std::size_t>> send_batch(datagram_batch& batch);

  // -- groups: multicast.cpp ------------------------------------------------------

  /// Receives what is sent to the multicast address of `group` (its port does
  /// not matter) and the bound port, as it comes in at `interface`, e.g. "eth0";
  /// empty: the one that the kernel's routes choose.
  result<void> join(ip_endpoint group, std::string_view interface = {});
  result<void> leave(ip_endpoint group, std::string_view interface = {});
  /// How many hops datagrams to a group may take (TTL); 1, the default: the local network only.
  result<void> set_multicast_ttl(int hops);
  /// Whether this machine receives what this socket sends to a group it has joined; the default is yes.
  result<void> set_multicast_loopback(bool on);
  /// The interface through which datagrams to groups leave.
  result<void> set_multicast_interface(std::string_view interface);
  result<void> set_broadcast(bool on);

  [[nodiscard]] result<ip_endpoint> local_endpoint() const;
  /// The peer of a connected socket; std::errc::not_connected for another one.
  [[nodiscard]] result<ip_endpoint> remote_endpoint() const;

 private:
  explicit udp_socket(detail::socket_ref socket) noexcept : datagram_socket(std::move(socket)) {}
  [[nodiscard]] bool is_v6() const noexcept;
  result<void> set(int level, int name, int value, const char* what);
  result<void> membership(bool join, const ip_endpoint& group, std::string_view interface);
};

}  // namespace troupe
