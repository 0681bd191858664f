// Options for unix sockets, and how they are named.
//
// A name is a path in the file system, or, after an '@', an abstract name ("@bus"),
// which leaves no file behind. A file whose name begins with
// an '@' is "./@name". A path has at most 107 bytes.
#pragma once

#include <troupe/runtime/time.hpp>

namespace troupe {

/// Options of one socket. Use designated initializers.
struct unix_options {
  /// Size of the kernel's buffers in bytes; 0: the system's default.
  int receive_buffer = 0;
  int send_buffer = 0;
  /// How long one read may wait for the first byte, or one receive for a datagram.
  duration read_deadline = forever;
  /// How long one write may take as a whole, or one send may wait for the receiver.
  duration write_deadline = std::chrono::seconds(10);
};

/// Options of a listener.
struct unix_listen_options {
  /// Connections the kernel queues until they are accepted; further clients wait.
  int backlog = 1024;
  /// The permissions of the file, as for chmod, e.g. 0660; 0: those that the umask leaves.
  unsigned permissions = 0;
  /// Options of accepted connections.
  unix_options accepted = {};
};

}  // namespace troupe
