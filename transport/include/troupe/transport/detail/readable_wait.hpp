// The awaiter that wait_readable() of a stream returns. Every idle connection waits in one.
//
// It is an awaiter and not a task, so that it lives in the frame of the coroutine that awaits it: waiting for
// a client makes no frame of its own, and an idle connection does not keep one.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/detail/socket_ref.hpp>

#include <cstddef>

namespace troupe::detail {

class readiness;

/// Await it once, for a result<void>. Holds the socket: the stream may be closed or destroyed meanwhile.
class [[nodiscard]] readable_wait final {
 public:
  explicit readable_wait(const socket_ref& s) noexcept : socket_(s) {}
  readable_wait(const readable_wait&) = delete;
  readable_wait& operator=(const readable_wait&) = delete;
  ~readable_wait() {
    if (begun_) end();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) {
    return suspend(h.promise());
  }
  /// The direction is free from here on, though the awaiter lives to the end of the full expression.
  result<void> await_resume();

 private:
  enum class refusal : unsigned char { none, closed, busy };

  // Out of line: the coroutine may be resumed on another thread before it returns.
  bool suspend(promise_base& p);
  void end() noexcept;
  [[nodiscard]] readiness& wait() noexcept;

  socket_ref socket_;
  bool begun_ = false;  // there is a readiness in memory_, and the direction is marked as in use
  refusal refused_ = refusal::none;
  alignas(void*) std::byte memory_[96];
};

}  // namespace troupe::detail
