// A host of the simulated network: its addresses, its ports, and the delivery of packets to sockets.
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

/// An address and port that a socket has taken. Freed by its last holder.
struct binding {
  ip_endpoint at;
  bool dual_stack = false;     // an IPv6 socket that IPv4 reaches, too
  bool share_port = false;     // SO_REUSEPORT
  bool reuse_address = false;  // SO_REUSEADDR

  /// Whether packets for `to` are for this.
  [[nodiscard]] bool takes(const ip_endpoint& to) const noexcept;
};

struct machine {
  machine(kernel& k, std::uint16_t number, std::string called);

  kernel& net;
  const std::uint16_t id;
  const std::string name;
  const ip_endpoint v4;  // port 0
  const ip_endpoint v6;
  bool up = true;
  unsigned boots = 0;  // how often it went down
  std::size_t open_sockets = 0;
  std::size_t most_sockets = SIZE_MAX;

  // -- addresses and ports ----------------------------------------------------

  [[nodiscard]] bool has_address(const ip_endpoint& e) const noexcept;
  /// Takes `at`, with a free port when its port is 0. Null and `error` when that cannot be.
  [[nodiscard]] std::shared_ptr<binding> bind(protocol p, binding wanted, int& error);
  /// The address that packets to `to` come from.
  [[nodiscard]] ip_endpoint source_for(const ip_endpoint& to) const noexcept;

  // -- streams ----------------------------------------------------------------

  std::map<flow_end, std::shared_ptr<tcp_endpoint>> streams;
  std::vector<listening_socket*> listeners;  // they take themselves out
  std::vector<datagram_port*> ports;

  /// A stream ended in order: its last packets may yet be repeated, and are acknowledged then.
  void remember(const flow_end& e, std::uint64_t expected);

  // -- packets ----------------------------------------------------------------

  void receive(packet p);
  void crash() noexcept;

 private:
  void receive_syn(const packet& p);
  void receive_for_nobody(const packet& p);
  void receive_datagram(packet p);
  [[nodiscard]] bool is_taken(protocol p, const binding& b) const noexcept;

  std::vector<std::weak_ptr<binding>> bound_[2];
  std::map<flow_end, std::uint64_t> ended_;
  std::deque<flow_end> ended_order_;
};

[[nodiscard]] bool is_any(const ip_endpoint& e) noexcept;
[[nodiscard]] bool is_loopback(const ip_endpoint& e) noexcept;

}  // namespace troupe::detail::simnet
