// A host of the simulated network: its addresses, its ports, and the sockets that receive its packets.
//
// Owned by the kernel, for as long as that lives. On the simulation's thread.
#pragma once

#include "sim/protocol/datagram_port.hpp"
#include "sim/protocol/listening_socket.hpp"
#include "sim/protocol/packet.hpp"
#include "sim/protocol/tcp_endpoint.hpp"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe::detail::simnet {

class kernel;

enum class protocol : std::uint8_t { tcp, udp };

/// An address and port that a socket is bound to. Shared; the port is free when the last owner releases it.
struct binding {
  ip_endpoint at;
  bool dual_stack = false;     // an IPv6 socket that also receives IPv4
  bool share_port = false;     // SO_REUSEPORT
  bool reuse_address = false;  // SO_REUSEADDR

  /// Whether this is where packets to `to` are delivered.
  [[nodiscard]] bool takes(const ip_endpoint& to) const noexcept;
};

struct host {
  host(kernel& k, std::uint16_t number, std::string called);

  kernel& net;
  const std::uint16_t id;
  const std::string name;
  const ip_endpoint v4;  // port 0
  const ip_endpoint v6;
  bool up = true;
  unsigned boots = 0;  // number of crashes
  std::size_t open_sockets = 0;
  std::size_t max_sockets = SIZE_MAX;

  // -- addresses and ports ----------------------------------------------------

  [[nodiscard]] bool has_address(const ip_endpoint& e) const noexcept;
  /// Binds to `wanted`, with a free port if its port is 0. On failure returns null and sets `error`.
  [[nodiscard]] std::shared_ptr<binding> bind(protocol p, binding wanted, int& error);
  /// The source address of packets to `to`.
  [[nodiscard]] ip_endpoint source_for(const ip_endpoint& to) const noexcept;

  // -- streams ----------------------------------------------------------------

  std::map<flow_end, std::shared_ptr<tcp_endpoint>> streams;
  std::vector<listening_socket*> listeners;  // they remove themselves
  std::vector<datagram_port*> ports;

  /// Records that a stream ended in order, so that retransmissions of its last packets are acknowledged.
  void remember(const flow_end& e, std::uint64_t expected);

  // -- packets ----------------------------------------------------------------

  void receive(packet p);
  void crash() noexcept;

 private:
  void receive_syn(const packet& p);
  void receive_unclaimed(const packet& p);
  void receive_datagram(packet p);
  [[nodiscard]] bool is_taken(protocol p, const binding& b) const noexcept;

  std::vector<std::weak_ptr<binding>> bound_[2];
  std::map<flow_end, std::uint64_t> ended_;
  std::deque<flow_end> ended_order_;
};

[[nodiscard]] bool is_any(const ip_endpoint& e) noexcept;
[[nodiscard]] bool is_loopback(const ip_endpoint& e) noexcept;

}  // namespace troupe::detail::simnet
