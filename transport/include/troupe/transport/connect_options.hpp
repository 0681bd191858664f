// What a connection to a name can be told.
#pragma once

#include <troupe/runtime/time.hpp>
#include <troupe/transport/resolver.hpp>
#include <troupe/transport/tcp_options.hpp>

namespace troupe {

/// Options of tcp_stream::connect() with a name. Use designated initializers.
struct connect_options {
  /// What the connection starts with.
  tcp_options stream = {};
  /// Which addresses are tried.
  ip_family family = ip_family::any;
  /// Who is asked for them; null: system_resolver().
  troupe::resolver* resolver = nullptr;
  /// How long one address has to answer before the next is tried at the same time.
  duration attempt_delay = std::chrono::milliseconds(250);
};

}  // namespace troupe
