// Helpers shared by the system calls of the simulated network.
#pragma once

#include "sim/descriptor.hpp"

#include <cerrno>
#include <utility>

namespace troupe::detail::simnet {

inline int fail(int error) noexcept {
  errno = error;
  return -1;
}
inline int done_or(int error) noexcept {
  return error == 0 ? 0 : fail(error);
}

/// The result of `f` on the descriptor; a lack of memory becomes an error number.
template <class F>
auto with(int fd, F&& f) noexcept -> decltype(f(std::declval<descriptor&>())) {
  const auto d = descriptor_at(fd);
  if (!d) return fail(EBADF);
  try {
    return f(*d);
  } catch (...) {
    return fail(ENOMEM);
  }
}

/// Gives `d` any free port, unless it has one. An error number.
[[nodiscard]] int bind_any(descriptor& d);

}  // namespace troupe::detail::simnet
