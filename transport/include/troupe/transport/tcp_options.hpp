// What a TCP connection and a listener can be told.
#pragma once

#include <troupe/runtime/time.hpp>

namespace troupe {

/// Options of one connection. Use designated initialisers.
struct tcp_options {
  /// Send small writes at once instead of collecting them (TCP_NODELAY).
  bool no_delay = true;
  /// Let the kernel probe a silent peer (SO_KEEPALIVE); its times are the system's.
  bool keep_alive = false;
  /// Size of the kernel's buffers in bytes; 0: the kernel decides and adapts.
  int receive_buffer = 0;
  int send_buffer = 0;
  /// How long one read may wait for the first byte: the idle timeout.
  duration read_deadline = forever;
  /// How long one write_all may take as a whole. A peer that has not taken the
  /// bytes by then is cut, so what waits for a stranger is bounded in time too.
  duration write_deadline = std::chrono::seconds(10);
};

/// Options of a listener.
struct listen_options {
  /// Connections the kernel queues while nobody accepts; it caps this at net.core.somaxconn.
  int backlog = 1024;
  /// Listen on a port whose last connections are still in TIME_WAIT (SO_REUSEADDR).
  bool reuse_address = true;
  /// What accepted connections start with.
  tcp_options accepted = {};
};

}  // namespace troupe
