// Accepting a connection, for listeners of every kind.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/detail/socket_ref.hpp>

namespace troupe::detail {

/// The next connection of `listener`, with the options that it holds. One at a
/// time; errors as tcp_listener::accept() describes them.
[[nodiscard]] task<result<socket_ref>> accept_on(socket_ref listener);

}  // namespace troupe::detail
