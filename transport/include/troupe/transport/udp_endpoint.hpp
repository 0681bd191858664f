// A UDP socket as an actor: datagrams in and out as messages.
//
//   struct handler {
//     using accepts = troupe::protocol<troupe::udp_datagram>;
//     void started(troupe::context& ctx) {
//       socket = ctx.spawn(troupe::udp_endpoint, {.name = "udp"},
//                          troupe::udp_endpoint_options{.bind = at, .consumer = ctx.self<handler>()});
//     }
//     void handle(troupe::udp_datagram m) { ... socket.tell(...) ... }
//
// Datagrams that arrived together are received with one system call.
#pragma once

#include <troupe/actors/inbox.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/endpoint_metrics.hpp>
#include <troupe/transport/udp_options.hpp>

#include <cstddef>
#include <vector>

namespace troupe {

/// To an endpoint: bytes and their receiver. From it: bytes and their sender.
struct TROUPE_SHARED udp_datagram {
  std::vector<std::byte> bytes;
  ip_endpoint peer;
};

struct udp_endpoint_options {
  /// Port 0: the kernel picks one; see on_bound.
  ip_endpoint bind = ip_endpoint::loopback();
  udp_options socket = {};
  /// Receives the datagrams; empty: they are counted and dropped. The endpoint does not wait for it: what
  /// does not fit into its mailbox is dropped, for UDP has no way to slow down a sender.
  ref<udp_datagram> consumer = {};
  /// The longest datagram to receive. Longer ones are dropped.
  std::size_t max_datagram = 2048;
  /// The most that are received at a time.
  std::size_t batch = 32;
  endpoint_monitor monitor = {};
  /// Called on the actor's strand when the socket is bound.
  void (*on_bound)(const ip_endpoint& at) = nullptr;
};

/// An actor, to be spawned by the actor that handles its datagrams, or to be a child of a supervisor. When
/// its socket cannot be opened it fails, with an error that says why.
///
/// Four kinds of datagrams are dropped, and counted as `dropped` in the figures: those that came while the
/// consumer's mailbox was full; those too long for max_datagram; those the kernel refused to send, for their
/// length or address; and those the kernel dropped because the socket's buffer was full, a count that is read
/// when a whole batch has come at once. Datagrams to be sent wait in the mailbox while the kernel has no
/// room, up to socket.write_deadline.
task<void> udp_endpoint(context& ctx, inbox<udp_datagram> in, udp_endpoint_options options);

}  // namespace troupe
