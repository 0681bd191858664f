// Opens a socket and applies options to it.
#pragma once

#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/tcp_options.hpp>

#include <system_error>

namespace troupe::detail {

/// A non-blocking socket with close-on-exec, or -1 and `failed`.
[[nodiscard]] int open_socket(int family, int type, std::error_code& failed) noexcept;
/// A TCP socket for the family of `e`, or -1 and `failed`.
[[nodiscard]] int open_tcp(const ip_endpoint& e, std::error_code& failed) noexcept;
/// Applies those of `o` that are socket options.
[[nodiscard]] std::error_code apply(int fd, const tcp_options& o) noexcept;
[[nodiscard]] std::error_code set_flag(int fd, int level, int name, int value) noexcept;
/// Where `fd` is bound.
[[nodiscard]] ip_endpoint bound_to(int fd) noexcept;

}  // namespace troupe::detail
