// The awaiter a coroutine is suspended on until its socket is ready.
#pragma once

#include "socket/socket_error.hpp"
#include "socket/socket_state.hpp"

#include <troupe/runtime/detail/strand.hpp>
#include <troupe/runtime/detail/wake_timer.hpp>
#include <troupe/runtime/task.hpp>

#include <cstdint>
#include <system_error>

namespace troupe::detail {

/// No deadline, where a time of the runtime's clock is asked for.
inline constexpr std::int64_t no_deadline = INT64_MAX;

/// When a wait that starts now and may last `d` must end.
[[nodiscard]] inline std::int64_t deadline_in(duration d) noexcept {
  return d == forever ? no_deadline : due_in(d);
}

/// `co_await readiness(socket, direction, deadline)`: why the wait ended. No
/// error: try the operation now, which may still find nothing. Otherwise
/// errc::timeout, errc::closed (the stream was closed meanwhile), or what the
/// reactor refused with. The awaiting coroutine holds a socket_ref.
class [[nodiscard]] readiness final : public leaf {
 public:
  readiness(socket_state& s, direction d, std::int64_t deadline) noexcept
      : leaf(&abandon), socket_(s), deadline_(deadline), direction_(d) {}
  ~readiness() { withdraw(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) {
    return suspend(h.promise());
  }
  /// False: `p` goes on at once.
  bool suspend(promise_base& p) { return !begin(p) || start(); }
  std::error_code await_resume() const noexcept { return why_; }

 private:
  friend struct socket_wake;
  /// False: nothing to wait for, `why_` says it; the leaf is unlinked.
  bool start();
  /// Takes the wake back from the thread that would finish it.
  void forget_wake() noexcept;
  static void abandon(leaf& l) noexcept;
  static void on_deadline(leaf& l) noexcept;
  static void on_wake(leaf& l) noexcept;

  socket_state& socket_;
  socket_wake* wake_ = nullptr;
  wake_timer* timer_ = nullptr;
  std::int64_t deadline_;
  std::error_code why_ = no_failure;
  direction direction_;
};

}  // namespace troupe::detail
