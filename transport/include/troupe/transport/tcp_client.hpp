// A TCP connection as an actor that reconnects.
//
//   auto upstream = troupe::supervisor("app")
//       .child<consumer>("consumer")
//       .child(troupe::tcp_client, "upstream", {.mailbox = {.capacity = 256}},
//              troupe::tcp_client_options{.connect = at, .consumer = consumer});
//   ...
//   if (client.tell(troupe::tcp_send{bytes}) == troupe::send_result::full) { /* it is down, or slow */ }
//
//   mailbox --> write            tcp_received --> consumer, at its pace
//   connect, wait longer and longer, connect ...   tcp_up, tcp_down --> observer
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
/// From a client: received bytes, in order, without message boundaries.
struct tcp_received {
  std::vector<std::byte> bytes;
};
/// From a client: it is connected, for the nth time.
struct tcp_up {
  ip_endpoint peer;
  std::uint64_t connection = 1;
};
/// From a client: it lost its connection, or could not connect; it goes on trying. `peer` is the endpoint it
/// was given, or 0.0.0.0 with the port if it was given a name.
struct tcp_down {
  ip_endpoint peer;
  error why;
};

struct tcp_client_options {
  ip_endpoint connect;
  /// A name instead of connect's address, whose port is used: resolved again for each attempt.
  std::string host = {};
  /// Resolves it; null: system_resolver().
  troupe::resolver* resolver = nullptr;
  tcp_options connection = {};
  duration connect_deadline = std::chrono::seconds(5);
  /// The pause before the next attempt. It starts over once a connection has lasted for (initial + max) / 2.
  troupe::backoff reconnect = {.initial = std::chrono::milliseconds(100), .max = std::chrono::seconds(10)};
  /// Receives what the peer sends; empty: it is read and dropped.
  ref<tcp_received> consumer = {};
  /// Notified by tell() when the connection goes up or down; the client does not wait for it.
  ref<tcp_up, tcp_down> observer = {};
  /// How long a client that drains waits for the peer's end of the stream, once it has sent all and ended its
  /// own.
  duration farewell = std::chrono::seconds(1);
  /// Bytes of one tcp_received at most.
  std::size_t chunk = std::size_t{16} * 1024;
  endpoint_monitor monitor = {};
};

/// An actor, to be spawned, or to be a child of a supervisor.
///
/// It connects, and when the connection ends or cannot be made, tries again after a pause that grows. While
/// it is down, messages wait in its mailbox, and one that it has taken out; a full mailbox refuses, or makes
/// its senders wait, as always. Nothing else is buffered. It reads only while the consumer has room: a slow
/// consumer slows down the peer.
///
/// Delivery is at most once. Messages that waited are sent in order on the next connection. Three things are
/// lost with a connection: bytes in the kernel that the peer has not read, an amount that cannot be known;
/// the message whose write failed half-way, which counts as `dropped` in the figures; and what the peer sent
/// and the client had not read yet. Nothing is sent twice.
///
/// An actor that drains (on_stop::drain) sends what is queued before it ends, if it is, or gets, connected
/// within its shutdown time. Then it closes gracefully: it ends its half of the stream, and delivers what
/// still comes until the peer has ended the other. It fails when its consumer has ended.
task<void> tcp_client(context& ctx, inbox<tcp_send> in, tcp_client_options options);

}  // namespace troupe
