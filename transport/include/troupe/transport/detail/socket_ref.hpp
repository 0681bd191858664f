// The handle behind every stream and listener. Internal to Troupe: what it
// refers to is in transport/src, so that no system header is needed here.
#pragma once

#include <utility>

namespace troupe::detail {

class socket_state;
struct socket_access;

/// Shares a socket_state: the stream holds one, and so does each operation
/// under way, so that a stream may be closed and destroyed meanwhile.
class socket_ref {
 public:
  socket_ref() noexcept = default;
  /// Takes over a share that the caller holds.
  explicit socket_ref(socket_state* s) noexcept : state_(s) {}
  socket_ref(const socket_ref& other) noexcept;
  socket_ref(socket_ref&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  socket_ref& operator=(socket_ref other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~socket_ref();

  [[nodiscard]] socket_state* get() const noexcept { return state_; }
  socket_state* operator->() const noexcept { return state_; }
  socket_state& operator*() const noexcept { return *state_; }
  explicit operator bool() const noexcept { return state_ != nullptr; }

 private:
  socket_state* state_ = nullptr;
};

}  // namespace troupe::detail
