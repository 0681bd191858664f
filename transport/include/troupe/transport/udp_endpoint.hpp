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
// Datagrams that arrive together are received with one system call.
#pragma once

#include <troupe/actors/inbox.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/endpoint_metrics.hpp>
#include <troupe/transport/udp_options.hpp>

#include <cstddef>
#include <vector>

namespace troupe {

/// To an endpoint: bytes to send to `peer`. From an endpoint: bytes received from `peer`.
struct TROUPE_SHARED udp_datagram {
  std::vector<std::byte> bytes;
  ip_endpoint peer;
};

/// Options of a udp_endpoint. Use designated initializers.
struct udp_endpoint_options {
  /// The address to bind to. Port 0: the kernel picks one; see on_bound.
  ip_endpoint bind = ip_endpoint::loopback();
  udp_options socket = {};
  /// Gets received datagrams by tell(); if empty, they are counted and dropped. A datagram that its mailbox
  /// refuses is dropped, since UDP has no backpressure.
  ref<udp_datagram> consumer = {};
  /// The maximum size of a received datagram, in bytes. Longer ones are dropped.
  std::size_t max_datagram = 2048;
  /// The maximum number of datagrams received with one system call.
  std::size_t batch = 32;
  endpoint_monitor monitor = {};
  /// Called on the actor's strand when the socket is bound.
  void (*on_bound)(const ip_endpoint& at) = nullptr;
};

/// Sends and receives datagrams. An actor: spawn it from the actor that handles its datagrams, or make it a
/// child of a supervisor.
///
/// Dropped, and counted as `dropped` in its metrics, are datagrams that: arrive while the consumer's mailbox
/// is full; are longer than max_datagram; are refused by the kernel when sent, for their length or address;
/// or are dropped by the kernel because the socket's buffer is full, which is checked when several datagrams
/// arrive together, and for each 64th that arrives alone. Datagrams to send wait in the mailbox while the
/// kernel has no room, up to socket.write_deadline.
/// Errors: the actor fails if it cannot bind its socket; the error says why.
/// Threads: its own strand.
task<void> udp_endpoint(context& ctx, inbox<udp_datagram> in, udp_endpoint_options options);

}  // namespace troupe
