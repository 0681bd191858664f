// Options for UDP sockets.
#pragma once

#include <troupe/runtime/time.hpp>
#include <troupe/transport/endpoint.hpp>

namespace troupe {

/// Options of one socket. Use designated initializers.
struct udp_options {
  /// Bind to a multicast port that others of this machine have bound, too (SO_REUSEADDR).
  bool reuse_address = false;
  /// Share the port with other sockets of the same user: the kernel deals out
  /// the flows among them (SO_REUSEPORT).
  bool reuse_port = false;
  /// A socket bound to an IPv6 address speaks IPv4 as well; IPv4 peers are shown,
  /// and named, with their IPv4 address. Bind to ip_endpoint::any_v6().
  bool dual_stack = false;
  /// Allow sending to broadcast addresses (SO_BROADCAST).
  bool broadcast = false;
  /// Size of the kernel's buffers in bytes; 0: the system's default. What arrives
  /// while the receive buffer is full is dropped, and counted: kernel_drops().
  int receive_buffer = 0;
  int send_buffer = 0;
  /// The local address of a connected socket; port 0 and no address: the kernel chooses.
  ip_endpoint from = {};
  /// How long one receive may wait.
  duration read_deadline = forever;
  /// How long one send may wait for room in the kernel's buffer.
  duration write_deadline = std::chrono::seconds(10);
};

}  // namespace troupe
