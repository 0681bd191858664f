// One datagram, in or out: the coroutines that udp_socket and unix_datagram share.
//
// Events are edges here as well, and a datagram that was received says nothing
// about the next one: the socket counts as ready until an attempt finds nothing.
#pragma once

#include "address/sockaddr.hpp"
#include "socket/operation.hpp"
#include "socket/run_operation.hpp"
#include "socket/socket_error.hpp"
#include "socket/socket_state.hpp"

#include <troupe/runtime/task.hpp>

#include <span>
#include <system_error>

namespace troupe::detail {

inline constexpr const char* receiving = "receive at";
inline constexpr const char* sending = "send from";

/// One attempt to receive: what came, or `got` stays false.
struct datagram_read {
  std::size_t size = 0;
  std::size_t full_size = 0;
  bool got = false;
};
TROUPE_NOINLINE std::error_code receive_datagram(socket_state& s, std::span<std::byte> into,
                                                 socket_address& from, datagram_read& read) noexcept;
/// One attempt to send; `to` may be null. False: the kernel has no room.
TROUPE_NOINLINE bool send_datagram(socket_state& s, std::span<const std::byte> bytes,
                                   const socket_address* to, std::error_code& why) noexcept;

/// One attempt to receive, as the user sees it; true when it is over. The type of
/// the peer brings read_peer(const socket_address&, Peer&) along.
template <class Datagram>
TROUPE_NOINLINE bool try_receive(socket_state& s, std::span<std::byte> into, Datagram& d,
                                 std::error_code& why) {
  if (!s.worth_trying(direction::read)) return false;
  socket_address from;
  datagram_read read;
  why = receive_datagram(s, into, from, read);
  if (why) return true;
  if (!read.got) return false;
  d.size = read.size;
  d.full_size = read.full_size;
  read_peer(from, d.from);
  return true;
}

template <class Datagram>
result<std::optional<Datagram>> try_receive_datagram_on(const socket_ref& s, std::span<std::byte> into) {
  const operation mine(s.get(), direction::read);
  std::error_code why = refusal(s, mine);
  Datagram d;
  if (!why && !try_receive(*s, into, d, why)) return std::nullopt;
  if (why) return std::unexpected(operation_failure(s, receiving, why));
  return d;
}

/// Receives one datagram.
template <class Datagram>
struct receive_attempt {
  static constexpr direction side = direction::read;
  std::span<std::byte> into;
  Datagram d = {};

  bool try_once(socket_state& s, std::error_code& why) { return try_receive(s, into, d, why); }
  TROUPE_NOINLINE result<Datagram> outcome(const socket_ref& s, std::error_code why) {
    if (why) return std::unexpected(operation_failure(s, receiving, why));
    return std::move(d);
  }
};

}  // namespace troupe::detail
