// The simulated network: hosts, links and faults, all from the seed of the
// sim::runtime.
//
// On a sim::runtime every socket is simulated, without changes to user code: it
// binds, connects, reads and writes through the same tcp_stream, tcp_listener and
// udp_socket. Without set-up there is one host, "localhost" with 127.0.0.1 and
// ::1. A network adds hosts and injects faults:
//
//   troupe::sim::runtime rt({.seed = 7});
//   troupe::sim::network net(rt, {.link = {.latency = 2ms, .jitter = 1ms, .loss = 0.01}});
//   troupe::sim::host server(net, "server");
//   troupe::sim::host client(net, "client");
//   troupe::system store(server, {.name = "store"});     // its actors live on "server"
//   client.spawn(use(server.endpoint(6379)));                  // and so do tasks, on "client"
//   rt.advance(1s);
//   net.partition(client, server);
//
// Code on a host starts its tasks and actors on the same host. Connections are a
// small model of TCP: segments with sequence numbers travel, are lost, and are
// retransmitted with growing pauses; windows close when a reader is slow;
// handshakes time out. So a fault shows as on a real network, and as late.
#pragma once

#include <troupe/runtime/sim.hpp>
#include <troupe/transport/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace troupe::detail::simnet {
class kernel;
struct machine;
}  // namespace troupe::detail::simnet

namespace troupe::sim {

/// The quality of a link from one host to another. Probabilities are from 0 to 1, for each packet; times are
/// not negative.
struct link_options {
  duration latency = std::chrono::microseconds(200);
  /// Up to this much additional latency, at random.
  duration jitter = std::chrono::microseconds(100);
  /// Bytes a second; 0: without limit.
  std::uint64_t bandwidth = 0;
  /// The packet never arrives. A stream sends it again, after a pause.
  double loss = 0;
  /// A datagram arrives twice.
  double duplicate = 0;
  /// A datagram is held back, so that later ones overtake it.
  double reorder = 0;
  /// A middlebox resets the connection that this packet belongs to.
  double reset = 0;
};

/// Times and sizes are not 0.
struct network_options {
  /// Between two hosts, until set_link() says otherwise.
  link_options link = {};
  /// Within a host.
  link_options loopback = {.latency = std::chrono::microseconds(20), .jitter = std::chrono::microseconds(10)};
  /// How often a read gets only a part of what has arrived, and a write places
  /// only a part of what there is room for.
  double split = 0.25;
  /// Bytes of a stream that one packet carries.
  std::size_t segment = 1460;
  /// Bytes of a stream's buffers, unless the socket's options say otherwise.
  std::size_t receive_buffer = 64 * 1024;
  std::size_t send_buffer = 64 * 1024;
  /// A connection fails (ETIMEDOUT) when the peer has answered nothing for this long.
  duration give_up = std::chrono::minutes(15);
  /// The pause before the first repetition, beyond the time a packet and its answer
  /// need; it doubles with each, up to two minutes.
  duration retransmit = std::chrono::milliseconds(200);
};

class host;

/// A handle on the network of a runtime, of which there is one: copies and other
/// handles refer to the same. On the runtime's thread only. Every function takes
/// effect at once, also when it is called from a task.
class network {
 public:
  explicit network(sim::runtime& on);
  /// The same, and gives the network these options. Throws troupe_error, with the name of the option, when
  /// one of them is invalid.
  network(sim::runtime& on, const network_options& options);

  /// A link's own options, both ways, or one way. Throws as the constructor does.
  void set_link(const host& a, const host& b, const link_options& o);
  void set_link_one_way(const host& from, const host& to, const link_options& o);
  /// Packets between the two are dropped, those under way too, until heal(). Streams
  /// wait, and go on some time after that, or fail when they have waited too long.
  void partition(const host& a, const host& b);
  /// The same for one direction: half-open connections come from this.
  void partition_one_way(const host& from, const host& to);
  void heal(const host& a, const host& b);
  /// Both ends of every connection between the two see a reset.
  void reset_connections(const host& a, const host& b);

  /// A digest of what has happened on the network so far: two runs that differ in
  /// any packet, its time or its fate, differ in this.
  [[nodiscard]] std::uint64_t trace() const noexcept;
  /// Packets that arrived, and that were lost or dropped.
  [[nodiscard]] std::uint64_t delivered() const noexcept;
  [[nodiscard]] std::uint64_t dropped() const noexcept;
  /// Sockets that are open, on all hosts.
  [[nodiscard]] std::size_t open_sockets() const noexcept;

 private:
  friend class host;
  sim::runtime* runtime_;
  std::shared_ptr<detail::simnet::kernel> kernel_;
};

/// A machine of the network, and the runtime as seen from there: a system made on
/// it, and tasks given to it, run on it. Needs to outlive what runs on it; the
/// machine itself stays for as long as the runtime. On the runtime's thread only.
class host final : public troupe::runtime {
 public:
  /// The host of this name; creates it if there is none. It gets its own addresses
  /// from 10.0.0.0/8 and fd00::/8 in addition to loopback. Everything that was not
  /// started through another host runs on "localhost".
  host(const network& net, std::string_view name);

  [[nodiscard]] const std::string& name() const noexcept;
  /// The host's address with a port, for others to connect to.
  [[nodiscard]] ip_endpoint endpoint(std::uint16_t port) const noexcept;
  [[nodiscard]] ip_endpoint endpoint_v6(std::uint16_t port) const noexcept;

  /// The machine loses its power: its sockets are gone without notice to the peers;
  /// packets to it vanish. Its root tasks are stopped; the owner of a system on it
  /// destroys or kills that. Code that still runs there gets ESHUTDOWN from every
  /// socket call.
  void crash();
  /// The machine is back, with no sockets: packets of old connections are answered
  /// with a reset. No effect when it is up.
  void restart();
  [[nodiscard]] bool is_up() const noexcept;

  /// At most this many sockets may be open here at once; opening more fails with EMFILE.
  void limit_sockets(std::size_t most) noexcept;

  /// While it lives, what this thread opens outside of tasks, such as a
  /// tcp_listener::bind() in a test, is opened on `at`. Inside of a task it changes nothing.
  class visit {
   public:
    explicit visit(const host& at) noexcept;
    ~visit();
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;

   private:
    detail::engine* engine_;
    std::uint16_t place_;
  };

 private:
  friend class network;

  std::shared_ptr<detail::simnet::kernel> kernel_;
  detail::simnet::machine* machine_;
};

}  // namespace troupe::sim
