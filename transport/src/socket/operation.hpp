// One operation under way on one direction of a socket.
#pragma once

#include "socket/socket_state.hpp"

#include <troupe/runtime/error.hpp>

#include <system_error>

namespace troupe::detail {

/// Marks the direction as in use for as long as it lives; false when another
/// operation has it. The coroutine that holds it holds a socket_ref too.
class operation {
 public:
  /// Null: nothing to mark, and not marked.
  operation(socket_state* s, direction d) noexcept
      : flag_(s != nullptr && !s->in_use[static_cast<unsigned>(d)] ? &s->in_use[static_cast<unsigned>(d)]
                                                                   : nullptr) {
    if (flag_ != nullptr) *flag_ = true;
  }
  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;
  ~operation() {
    if (flag_ != nullptr) *flag_ = false;
  }
  explicit operator bool() const noexcept { return flag_ != nullptr; }

 private:
  bool* flag_;
};

/// Whether an operation can start.
[[nodiscard]] inline bool may_begin(const socket_ref& s, direction d) noexcept {
  return s && s->is_open() && !s->in_use[static_cast<unsigned>(d)];
}
/// Why it cannot start.
[[nodiscard]] std::error_code refusal(const socket_ref& s) noexcept;
/// The same for one that has marked, or tried to mark, its direction; no error: it can.
[[nodiscard]] std::error_code refusal(const socket_ref& s, const operation& mine) noexcept;
/// The error that a user sees of one that was refused or failed: "<what> <where>: why".
[[nodiscard]] error operation_failure(const socket_ref& s, const char* what, std::error_code why);

}  // namespace troupe::detail
