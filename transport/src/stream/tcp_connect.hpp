// Connecting to one address.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/detail/socket_ref.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/tcp_options.hpp>

#include <cstdint>

namespace troupe::detail {

/// A connected socket, or an error by `deadline`, a time of the runtime's clock.
[[nodiscard]] task<result<socket_ref>> connect_to(ip_endpoint to, std::int64_t deadline, tcp_options options);

}  // namespace troupe::detail
