// The chat server as a supervision tree.
#pragma once

#include <troupe/actors.hpp>
#include <troupe/transport.hpp>

#include <cstdint>

namespace chat {

struct options {
  troupe::ip_endpoint listen = troupe::ip_endpoint::loopback(7010);
  /// Lines queued for a slow reader.
  std::uint32_t backlog = 64;
  void (*on_listening)(const troupe::ip_endpoint& at) = nullptr;
};

/// The tree /app: the lobby, and the TCP server whose connections are the members.
[[nodiscard]] troupe::supervisor server(const options& o);

}  // namespace chat
