// The errors a socket's user sees: what was attempted, with which peer, and why it failed.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/transport/endpoint.hpp>

#include <string_view>
#include <system_error>

namespace troupe::detail {

/// What std::error_code() says. Copied where every operation makes one: the constructor calls into the
/// standard library for its category.
inline const std::error_code no_failure;

/// "<what> <where>: <the code's message>", and what to do where that is known.
[[nodiscard]] error socket_error(std::error_code code, std::string_view what, std::string_view where);
[[nodiscard]] inline error socket_error(std::error_code code, std::string_view what,
                                        const ip_endpoint& where) {
  return socket_error(code, what, where.to_string());
}
/// For a stream or listener that was never opened, or is closed.
[[nodiscard]] error closed_error(std::string_view what);
/// For a second operation of a kind on one socket.
[[nodiscard]] error busy_error(std::string_view what, std::string_view where);

}  // namespace troupe::detail
