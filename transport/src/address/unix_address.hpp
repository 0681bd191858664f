// Names of unix sockets: in the kernel's form, and as files.
#pragma once

#include "address/sockaddr.hpp"

#include <troupe/runtime/error.hpp>
#include <troupe/transport/detail/socket_ref.hpp>
#include <troupe/transport/unix_options.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace troupe::detail {

/// "<what> <path>: why, and what to do".
[[nodiscard]] error unix_error(std::error_code code, std::string_view what, std::string_view path);
/// The address of `path` in `into`, or why there is none.
[[nodiscard]] std::optional<error> to_address(std::string_view path, std::string_view what,
                                              socket_address& into);
/// The name in an address that the kernel has filled; empty where it has none.
[[nodiscard]] std::string name_of(const socket_address& a);

/// A socket of `type` with these options, named by `path` in errors.
[[nodiscard]] result<socket_ref> open_unix(int type, std::string_view what, const std::string& path,
                                           const unix_options& o);
/// Both ends of a connection.
[[nodiscard]] result<std::pair<socket_ref, socket_ref>> open_unix_pair(int type, const unix_options& o);

/// Identifies the file that we bound, so that no other file is removed later.
struct bound_file {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};
/// Binds `fd` to `path`; replaces a stale socket file.
[[nodiscard]] result<bound_file> bind_unix(int fd, int type, const std::string& path, unsigned permissions);
/// Removes the file at `path` if it is still `ours`.
void remove_file(const std::string& path, bound_file ours) noexcept;

}  // namespace troupe::detail
