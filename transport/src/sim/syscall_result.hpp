// Results of the simulated system calls: errno, and the lookup of a descriptor.
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

/// Returns f(descriptor of `fd`); fails with EBADF if there is none, and with ENOMEM if `f` throws.
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

/// Binds `d` to any free port, unless it is bound. Returns an error number.
[[nodiscard]] int bind_any(descriptor& d);

}  // namespace troupe::detail::simnet
