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

/// A UDP socket. Move-only; its destructor closes it.
/// Errors: those of detail::datagram_socket. They are values and never the end of the socket: it stays
/// usable after any but errc::closed.
/// Threads and cancellation: those of detail::datagram_socket.
class udp_socket : public detail::datagram_socket {
 public:
  /// No socket: every operation yields errc::closed.
  udp_socket() noexcept = default;

  /// Receives what is sent to `at`; port 0 lets the kernel choose.
  /// Errors: invalid_argument for dual_stack with an IPv4 address; otherwise the system's code, such as
  /// std::errc::address_in_use.
  /// Threads: any.
  [[nodiscard]] static result<udp_socket> bind(ip_endpoint at, udp_options options = {});
  /// Talks to `to` only: datagrams from others are not received. Sends nothing. When no socket has the port,
  /// the host may report it, and the next operation yields std::errc::connection_refused.
  /// Errors: those of bind(), also for options.from.
  /// Threads: any.
  [[nodiscard]] static result<udp_socket> connect(ip_endpoint to, udp_options options = {});

  /// A datagram that was received.
  struct datagram {
    std::size_t size = 0;       ///< bytes that are in the buffer
    std::size_t full_size = 0;  ///< bytes that were sent
    ip_endpoint from;
    /// The buffer was too small, and the end of the datagram is lost.
    [[nodiscard]] bool truncated() const noexcept { return full_size > size; }
  };

  /// The next datagram, in `into`; one without bytes is a datagram, too.
  /// Errors: those above; timeout after read_deadline; std::errc::connection_refused on a connected socket.
  /// Cancellation: a wait that is stopped leaves all datagrams in the kernel's buffer.
  [[nodiscard]] task<result<datagram>> receive_from(std::span<std::byte> into);
  /// The same without waiting; nullopt: nothing is there.
  [[nodiscard]] result<std::optional<datagram>> try_receive_from(std::span<std::byte> into);

  /// Sends one datagram; waits while the kernel's buffer is full. `bytes` must stay in place meanwhile.
  /// Errors: those above; timeout after write_deadline; std::errc::message_size if it is too long;
  /// std::errc::permission_denied for a broadcast address without the option broadcast. It is not sent then.
  /// Cancellation: a wait that is stopped sends nothing.
  [[nodiscard]] task<result<void>> send_to(std::span<const std::byte> bytes, ip_endpoint to);
  /// The same to the peer of a connected socket.
  /// Errors: those of send_to(); std::errc::destination_address_required if it is not connected.
  [[nodiscard]] task<result<void>> send(std::span<const std::byte> bytes);
  /// As send_to() without waiting; false: the kernel has no room.
  [[nodiscard]] result<bool> try_send_to(std::span<const std::byte> bytes, ip_endpoint to);

  /// Waits for the first datagram, and receives all that are there, up to batch.capacity(). Replaces the
  /// content of the batch. Yields how many there are, at least 1.
  /// Errors: those of receive_from().
  /// Cancellation: the batch is empty; all datagrams stay in the kernel's buffer.
  /// Cost: one system call (recvmmsg) for all.
  [[nodiscard]] task<result<std::size_t>> receive_batch(datagram_batch& batch);
  /// Sends all of the batch; waits while the kernel's buffer is full. A datagram that the kernel refuses
  /// does not stop the others: batch.refused(). Yields how many were sent.
  /// Errors: those above; timeout after write_deadline, counted from the first wait: a part may have been
  /// sent.
  /// Cancellation: a part of the batch may have been sent.
  /// Cost: usually one system call (sendmmsg) for all.
  [[nodiscard]] task<result<std::size_t>> send_batch(datagram_batch& batch);

  // -- groups: multicast.cpp ------------------------------------------------------

  /// Receives what is sent to the multicast address of `group` (its port does not matter) and the bound
  /// port, as it comes in at `interface`, e.g. "eth0"; empty: the one that the kernel's routes choose.
  /// Errors: invalid_argument if `group` is not a multicast address of the socket's family, or there is no
  /// such interface.
  result<void> join(ip_endpoint group, std::string_view interface = {});
  /// Ends a join() of the same group and interface.
  /// Errors: those of join().
  result<void> leave(ip_endpoint group, std::string_view interface = {});
  /// How many hops datagrams to a group may take (TTL); 1, the default: the local network only.
  result<void> set_multicast_ttl(int hops);
  /// Whether this machine receives what this socket sends to a group it has joined; the default is yes.
  result<void> set_multicast_loopback(bool on);
  /// The interface through which datagrams to groups leave; empty: the kernel chooses.
  /// Errors: invalid_argument if there is no such interface.
  result<void> set_multicast_interface(std::string_view interface);
  /// Whether it may send to broadcast addresses (SO_BROADCAST); the default is udp_options::broadcast.
  result<void> set_broadcast(bool on);

  /// The address to which it is bound.
  /// Errors: closed.
  [[nodiscard]] result<ip_endpoint> local_endpoint() const;
  /// The peer of a connected socket.
  /// Errors: closed; std::errc::not_connected if it is not connected.
  [[nodiscard]] result<ip_endpoint> remote_endpoint() const;

 private:
  explicit udp_socket(detail::socket_ref socket) noexcept : datagram_socket(std::move(socket)) {}
  [[nodiscard]] bool is_v6() const noexcept;
  result<void> set(int level, int name, int value, const char* what);
  result<void> membership(bool join, const ip_endpoint& group, std::string_view interface);
};

}  // namespace troupe
