// co_await sleep_for(d), and a deadline around any task. On a strand.
#pragma once

#include <troupe/runtime/detail/wake_timer.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {
namespace detail {

/// Suspends until a time on the runtime's clock.
class [[nodiscard]] sleep_awaiter final : public leaf {
 public:
  explicit sleep_awaiter(duration d) noexcept : leaf(&abandon), for_(d) {}
  sleep_awaiter(time_point t) noexcept : leaf(&abandon), for_(-1), until_(t) {}
  ~sleep_awaiter() { withdraw(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  void await_suspend(std::coroutine_handle<P> h) {
    if (begin(h.promise())) start();
  }
  void await_resume() const noexcept {}

 private:
  void start() {
    timer_ = for_.count() >= 0 ? wake_timer::arm(*this, for_, &over)
                               : wake_timer::arm_at(*this, until_.time_since_epoch().count(), &over);
  }
  static void over(leaf& l) noexcept {
    auto& self = static_cast<sleep_awaiter&>(l);
    wake_timer::fired(self.timer_);
    self.complete();
  }
  static void abandon(leaf& l) noexcept { wake_timer::disarm(static_cast<sleep_awaiter&>(l).timer_); }

  duration for_;
  time_point until_;
  wake_timer* timer_ = nullptr;
};

/// Arms a one-shot timer that cancels all awaits below `root`. Used by with_timeout.
class cancel_timer {
 public:
  cancel_timer() noexcept = default;
  cancel_timer(const cancel_timer&) = delete;
  cancel_timer& operator=(const cancel_timer&) = delete;
  ~cancel_timer() { disarm(); }
  void arm(promise_base& root, duration d);
  void disarm() noexcept;
  [[nodiscard]] bool fired() const noexcept { return fired_; }

 private:
  friend struct deadline_timer;
  struct deadline_timer* timer_ = nullptr;
  bool* over_ = nullptr;  // while it cancels: set by disarm() when the task has ended
  bool fired_ = false;
};

}  // namespace detail

/// Suspends for at least `d`.
/// Cancellation: ends at once, as stopped, when the owner stops.
[[nodiscard]] inline detail::sleep_awaiter sleep_for(duration d) noexcept {
  return detail::sleep_awaiter(d.count() < 0 ? duration::zero() : d);
}

/// Suspends until `t` on the runtime's clock.
/// Cancellation: as sleep_for().
[[nodiscard]] inline detail::sleep_awaiter sleep_until(time_point t) noexcept {
  return {t};
}

/// The awaitable of with_timeout(), which yields a result<T>.
template <class T>
class [[nodiscard]] timeout_awaiter {
 public:
  timeout_awaiter(task<T> t, duration d) noexcept : inner_(std::move(t)), for_(d) {}
  using result_type = typename as_result_awaiter<T>::result_type;

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <detail::troupe_promise P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) {
    if (for_ != forever) timer_.arm(inner_.promise(), for_);
    return inner_.await_suspend(parent);
  }
  result_type await_resume() {
    timer_.disarm();
    result_type r = inner_.await_resume();
    if (!r && timer_.fired() && r.error() == errc::cancelled) return std::unexpected(error(errc::timeout));
    return r;
  }

 private:
  as_result_awaiter<T> inner_;
  detail::cancel_timer timer_;
  duration for_;
};

/// Awaits `t` for at most `d`, and yields a result. When the time is up first, the await that `t` is
/// suspended on is cancelled, and `t` unwinds.
/// Errors: timeout; an exception of `t`, as an error; cancelled when the owner stops.
template <class T>
timeout_awaiter<T> with_timeout(task<T> t, duration d) noexcept {
  return timeout_awaiter<T>(std::move(t), d);
}
/// The same for any other awaitable, which must be awaited in the same expression.
template <class A>
  requires(!detail::is_task<std::remove_cvref_t<A>>::value)
auto with_timeout(A&& a, duration d) {
  return with_timeout(detail::as_task_by_reference(a), d);
}

}  // namespace troupe
