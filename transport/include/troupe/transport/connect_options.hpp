// Options for connecting to a name.
#pragma once

#include <troupe/runtime/time.hpp>
#include <troupe/transport/resolver.hpp>
#include <troupe/transport/tcp_options.hpp>

namespace troupe {

/// Options of tcp_stream::connect() with a name. Use designated initializers.
struct connect_options {
  /// Options of the new connection.
  tcp_options stream = {};
  /// Which addresses are tried.
  ip_family family = ip_family::any;
  /// The resolver to use; null: system_resolver().
  troupe::resolver* resolver = nullptr;
  /// How long one address has to answer before the next is tried in parallel.
  duration attempt_delay = std::chrono::milliseconds(250);
};

}  // namespace troupe
