// Access to the socket behind a stream, for parts of transport outside the stream and the socket.
#pragma once

#include "socket/socket_state.hpp"

#include <troupe/transport/tcp_stream.hpp>

namespace troupe::detail {

struct socket_access {
  [[nodiscard]] static const socket_ref& of(const stream_socket& s) noexcept { return s.socket_; }
  [[nodiscard]] static socket_ref take(stream_socket s) noexcept { return std::move(s.socket_); }
  [[nodiscard]] static tcp_stream stream(socket_ref s) noexcept { return tcp_stream(std::move(s)); }
};

}  // namespace troupe::detail
