// The error of an operation that may not start, or that failed.
#include "socket/operation.hpp"

#include "socket/socket_error.hpp"

namespace troupe::detail {

std::error_code refusal(const socket_ref& s) noexcept {
  return make_error_code(s && s->is_open() ? errc::invalid_argument : errc::closed);
}

std::error_code refusal(const socket_ref& s, const operation& mine) noexcept {
  return s && s->is_open() && mine ? no_failure : refusal(s);
}

error operation_failure(const socket_ref& s, const char* what, std::error_code why) {
  if (!s || why == errc::closed) return closed_error(what);
  if (why == errc::invalid_argument) return busy_error(what, s->name());
  return socket_error(why, what, s->name());
}

}  // namespace troupe::detail
