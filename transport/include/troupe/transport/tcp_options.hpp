// Options for TCP connections and listeners.
#pragma once

#include <troupe/runtime/time.hpp>

namespace troupe {

/// Options of one connection. Use designated initializers.
struct tcp_options {
  /// Send small writes at once instead of collecting them (TCP_NODELAY).
  bool no_delay = true;
  /// Let the kernel probe a silent peer (SO_KEEPALIVE), which detects one that has
  /// vanished. The times are the system's where they are 0; they
  /// are whole seconds, rounded up.
  bool keep_alive = false;
  /// Silence before the first probe (TCP_KEEPIDLE; usually two hours).
  duration keep_alive_idle{};
  /// Between two probes (TCP_KEEPINTVL).
  duration keep_alive_interval{};
  /// Probes without an answer after which the connection is lost (TCP_KEEPCNT).
  int keep_alive_count = 0;
  /// Size of the kernel's buffers in bytes; 0: the kernel decides and adapts.
  int receive_buffer = 0;
  int send_buffer = 0;
  /// How long one read may wait for the first byte: the idle timeout.
  duration read_deadline = forever;
  /// How long one write_all may take as a whole, counted from its first wait. A peer that has not taken the
  /// bytes by then is cut: every wait for an untrusted peer is bounded in time, too.
  duration write_deadline = std::chrono::seconds(10);
};

/// Options of a listener.
struct listen_options {
  /// Connections the kernel queues until they are accepted; it caps this at net.core.somaxconn.
  int backlog = 1024;
  /// Listen on a port whose last connections are still in TIME_WAIT (SO_REUSEADDR).
  bool reuse_address = true;
  /// Let other sockets of the same user listen there too; the kernel deals out
  /// the connections among them (SO_REUSEPORT).
  bool reuse_port = false;
  /// A listener at an IPv6 address takes IPv4 as well; peers that come over IPv4
  /// are shown with their IPv4 address. Listen at ip_endpoint::any_v6().
  bool dual_stack = false;
  /// Options of accepted connections.
  tcp_options accepted = {};
};

}  // namespace troupe
