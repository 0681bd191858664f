// The socket behind a stream, for those parts of transport that are neither.
#pragma once

#include <troupe/transport/stream_socket.hpp>

#include "socket_state.hpp"

namespace troupe::detail {

struct socket_access {
  [[nodiscard]] static const socket_ref& of(const stream_socket& s) noexcept { return s.socket_; }
};

}  // namespace troupe::detail
