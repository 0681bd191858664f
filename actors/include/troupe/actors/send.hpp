// co_await r.send(m): waits for room in the receiver's mailbox.
#pragma once

#include <troupe/actors/detail/cell.hpp>
#include <troupe/runtime/detail/owned.hpp>
#include <troupe/runtime/detail/wake_timer.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>

#include <utility>

namespace troupe {

/// What became of a tell.
enum class send_result : std::uint8_t {
  ok,      ///< it is in the mailbox
  full,    ///< there is no room: shed load, or wait with send()
  closed,  ///< the receiver has ended or is stopping
};

/// How long send() waits unless told otherwise.
inline constexpr duration default_send_deadline = std::chrono::seconds(5);

namespace detail {

/// What does not depend on the message.
class send_awaiter : public leaf {
 public:
  /// `to` null: closed.
  send_awaiter(cell* to, mail& m, duration deadline) noexcept
      : leaf(&abandon), to_(to), mail_(&m), deadline_(deadline) {}
  send_awaiter(const send_awaiter&) = delete;
  send_awaiter& operator=(const send_awaiter&) = delete;
  ~send_awaiter();

  /// The common case: there is room.
  [[nodiscard]] bool await_ready() {
    if (!consume_budget()) return false;
    return attempt();
  }
  template <troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) {
    return suspend(h.promise());
  }
  result<void> await_resume() {
    if (code_ == errc{}) return {};
    return std::unexpected(why_ ? std::move(*why_) : error(code_));
  }

 protected:
  /// The mail that was not accepted, for the caller to free; null when it was.
  [[nodiscard]] mail* take_refused() noexcept {
    return code_ != errc{} ? std::exchange(mail_, nullptr) : nullptr;
  }

 private:
  friend struct send_wait;
  friend class cell;
  bool attempt();
  bool withdraw_for(error cycle);
  static bool refuse(leaf& l, error cycle);
  bool closes_cycle(cell& from, wait_id id);
  bool suspend(promise_base& p);
  void over(errc code) noexcept;
  /// Frees the place in the line of senders, and has its mail back.
  void leave_line() noexcept;
  static void abandon(leaf& l) noexcept;
  static void timed_out(leaf& l) noexcept;

  cell* to_;
  mail* mail_;
  duration deadline_;
  send_wait* wait_ = nullptr;
  wake_timer* timer_ = nullptr;
  errc code_{};
  owned<error> why_;  // what code_ does not say
};

}  // namespace detail
}  // namespace troupe
