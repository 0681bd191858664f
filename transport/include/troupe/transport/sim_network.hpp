// The simulated network: hosts, links and faults, all determined by the seed of the sim::runtime.
//
// On a sim::runtime every socket is simulated, without changes to user code: actors and tasks bind, connect,
// read and write through the same tcp_stream, tcp_listener and udp_socket. By default there is one host,
// "localhost", with 127.0.0.1 and ::1. A network adds hosts and faults:
//
//   troupe::sim::runtime rt({.seed = 7});
//   troupe::sim::network net(rt, {.link = {.latency = 2ms, .jitter = 1ms, .loss = 0.01}});
//   troupe::sim::host server(net, "server");
//   troupe::sim::host client(net, "client");
//   troupe::system store(server, {.name = "store"});     // its actors live on "server"
//   client.spawn(use(server.endpoint(6379)));            // and this task on "client"
//   rt.advance(1s);
//   net.partition(client, server);
//
// Actors and tasks that run on a host start their children there, too. Connections follow a minimal TCP:
// segments with sequence numbers are lost and retransmitted with exponential backoff, windows close when a
// reader is slow, and handshakes time out. So a fault appears in the same way, and after the same time, as on
// a real network.
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
struct host;
}  // namespace troupe::detail::simnet

namespace troupe::sim {

/// Options of the link from one host to another. Probabilities are from 0 to 1 and apply to each packet;
/// times are not negative.
struct link_options {
  /// The minimum delay of a packet.
  duration latency = std::chrono::microseconds(200);
  /// The maximum random delay in addition to `latency`.
  duration jitter = std::chrono::microseconds(100);
  /// Bytes a second; 0: without limit.
  std::uint64_t bandwidth = 0;
  /// Probability that a packet is lost. A stream retransmits it after a pause.
  double loss = 0;
  /// Probability that a datagram arrives twice.
  double duplicate = 0;
  /// Probability that a datagram is delayed, so that later ones overtake it.
  double reorder = 0;
  /// Probability that a middlebox resets the connection of a packet.
  double reset = 0;
};

/// Options of the network. Times and sizes are not 0.
struct network_options {
  /// The link between two hosts, unless set_link() has changed it.
  link_options link = {};
  /// The link within a host.
  link_options loopback = {.latency = std::chrono::microseconds(20), .jitter = std::chrono::microseconds(10)};
  /// Probability that a read gets only a part of the received bytes, and a write fills only a part of the
  /// buffer.
  double split = 0.25;
  /// The maximum number of a stream's bytes in one packet.
  std::size_t segment = 1460;
  /// The sizes of a stream's buffers in bytes, unless the socket's options set them.
  std::size_t receive_buffer = 64 * 1024;
  std::size_t send_buffer = 64 * 1024;
  /// A connection fails with ETIMEDOUT when the peer has sent no answer for this long.
  duration give_up = std::chrono::minutes(15);
  /// The pause before the first retransmission, in addition to the round-trip time; it doubles with each, up
  /// to two minutes.
  duration retransmit = std::chrono::milliseconds(200);
};

class host;

/// A handle on the network of a runtime. A runtime has one network, and all handles refer to it. Every
/// function takes effect at once, also when a task calls it.
/// Threads: only that of the runtime.
class network {
 public:
  /// Refers to the network of `on`.
  explicit network(sim::runtime& on);
  /// The same, and sets the network's options.
  /// Errors: throws troupe_error (invalid_argument) with the name of an option that is out of range.
  network(sim::runtime& on, const network_options& options);

  /// Sets the options of both links between `a` and `b`.
  /// Errors: as the constructor.
  void set_link(const host& a, const host& b, const link_options& o);
  /// The same for one direction.
  void set_link_one_way(const host& from, const host& to, const link_options& o);
  /// Drops all packets between the two, including those in flight, until heal(). Streams wait; they continue
  /// some time after heal(), or fail after network_options::give_up.
  void partition(const host& a, const host& b);
  /// The same for one direction, which makes half-open connections.
  void partition_one_way(const host& from, const host& to);
  /// Ends partition() and partition_one_way() between the two.
  void heal(const host& a, const host& b);
  /// Resets every connection between the two, at both ends.
  void reset_connections(const host& a, const host& b);

  /// A hash of the network's history: of every packet, its time and its fate. Runs that differ in any of them
  /// have different hashes.
  [[nodiscard]] std::uint64_t trace() const noexcept;
  /// The number of packets that arrived.
  [[nodiscard]] std::uint64_t delivered() const noexcept;
  /// The number of packets that were lost or dropped.
  [[nodiscard]] std::uint64_t dropped() const noexcept;
  /// The number of open sockets on all hosts.
  [[nodiscard]] std::size_t open_sockets() const noexcept;

 private:
  friend class host;
  sim::runtime* runtime_;
  std::shared_ptr<detail::simnet::kernel> kernel_;
};

/// A host of the network, and the runtime as seen from it: a system created on it, and tasks spawned on it,
/// run there. This handle must outlive them; the host itself lives as long as the runtime.
/// Threads: only that of the runtime.
class host final : public troupe::runtime {
 public:
  /// Refers to the host of this name, and creates it if there is none. A new host gets addresses from
  /// 10.0.0.0/8 and fd00::/8, in addition to its loopback addresses. Everything that is not started on
  /// another host runs on "localhost".
  host(const network& net, std::string_view name);

  /// The host's name.
  [[nodiscard]] const std::string& name() const noexcept;
  /// The host's IPv4 address with a port, for other hosts to connect to.
  [[nodiscard]] ip_endpoint endpoint(std::uint16_t port) const noexcept;
  /// The same with its IPv6 address.
  [[nodiscard]] ip_endpoint endpoint_v6(std::uint16_t port) const noexcept;

  /// Simulates a power failure: the host's sockets vanish without notice to their peers, and packets to it
  /// are dropped. Its root tasks are stopped; a system on it must be destroyed or killed by its owner. Code
  /// that still runs there gets ESHUTDOWN from every socket call.
  void crash();
  /// Starts the host again, without sockets: it answers packets of old connections with a reset. No effect if
  /// it is up.
  void restart();
  /// Whether it is up: false between crash() and restart().
  [[nodiscard]] bool is_up() const noexcept;

  /// Limits the number of open sockets; opening more fails with EMFILE.
  void limit_sockets(std::size_t max) noexcept;

  /// While it lives, sockets that this thread opens outside of tasks, such as a tcp_listener::bind() in a
  /// test, are opened on `at`. It has no effect inside a task.
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
  detail::simnet::host* host_;
};

}  // namespace troupe::sim
