// A TCP connection as an actor that reconnects.
//
//   auto upstream = troupe::supervisor("app")
//       .child<consumer>("consumer")
//       .child(troupe::tcp_client, "upstream", {.mailbox = {.capacity = 256}},
//              troupe::tcp_client_options{.connect = at, .consumer = consumer});
//   ...
//   if (client.tell(troupe::tcp_send{bytes}) == troupe::send_result::full) { /* it is down, or slow */ }
//
//   mailbox --> write                  tcp_received --> consumer, with backpressure
//   connect, backoff, connect ...      tcp_up, tcp_down --> observer
#pragma once

#include <troupe/actors/inbox.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/endpoint_metrics.hpp>
#include <troupe/transport/resolver.hpp>
#include <troupe/transport/tcp_options.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// To a client: bytes for the peer.
struct tcp_send {
  std::vector<std::byte> bytes;
};
/// From a client: received bytes, in order, without regard to message boundaries.
struct tcp_received {
  std::vector<std::byte> bytes;
};
/// From a client: it is connected, for the `connection`th time.
struct tcp_up {
  ip_endpoint peer;
  std::uint64_t connection = 1;
};
/// From a client: the connection has ended or could not be made; the client keeps trying. `peer` is the
/// address it connects to; 0.0.0.0 with the port if that is a name.
struct tcp_down {
  ip_endpoint peer;
  error why;
};

/// Options of a tcp_client. Use designated initializers.
struct tcp_client_options {
  /// The address to connect to.
  ip_endpoint connect;
  /// A name to connect to instead of connect's address; the port is that of `connect`. Resolved for each
  /// attempt.
  std::string host = {};
  /// Resolves `host`; null: system_resolver().
  troupe::resolver* resolver = nullptr;
  tcp_options connection = {};
  duration connect_deadline = std::chrono::seconds(5);
  /// The pause before the next attempt. Reset once a connection has lasted for (initial + max) / 2.
  troupe::backoff reconnect = {.initial = std::chrono::milliseconds(100), .max = std::chrono::seconds(10)};
  /// Gets the received bytes; if empty, they are read and dropped.
  ref<tcp_received> consumer = {};
  /// Notified by tell() when the connection goes up or down.
  ref<tcp_up, tcp_down> observer = {};
  /// How long a draining client that has sent all and ended its half waits for the peer to end the other
  /// half.
  duration close_deadline = std::chrono::seconds(1);
  /// The maximum size of a tcp_received, in bytes.
  std::size_t chunk = std::size_t{16} * 1024;
  endpoint_monitor monitor = {};
};

/// Connects and keeps connected. An actor: spawn it, or make it a child of a supervisor.
///
/// When the connection ends or cannot be made, it reconnects with backoff. While it is down, messages wait in
/// its mailbox, and one outside it; a full mailbox refuses messages, or makes send() wait, as for any actor.
/// Nothing else is buffered. It reads only while the consumer has room, so a slow consumer slows down the
/// peer.
///
/// Delivery is at most once; nothing is sent twice. Queued messages are sent in order on the next connection.
/// Lost with a connection are: bytes handed to the kernel that the peer had not read, which cannot be
/// detected; the message whose write failed, which counts as `dropped`; and bytes from the peer that were not
/// yet read.
///
/// If it drains (on_stop::drain), it sends the queued messages before it ends, provided that it is, or gets,
/// connected within its shutdown time. Then it ends its half of the stream, and passes on received bytes
/// until the peer has ended the other half.
/// Errors: the actor fails when its consumer has ended.
/// Threads: its own strand.
task<void> tcp_client(context& ctx, inbox<tcp_send> in, tcp_client_options options);

}  // namespace troupe
