// co_await until_stopped(ctx, t): a wait that ends early when its actor is told to stop.
//
// An actor that drains (on_stop::drain) is not cancelled when it is stopped: its handler runs to its end,
// within the shutdown time. A wait for an event that may never come, such as the next bytes of an idle
// client, would use up that time. Such a wait goes through until_stopped.
#pragma once

#include <troupe/actors/detail/cell.hpp>
#include <troupe/runtime/task.hpp>

namespace troupe {

/// The awaiter that until_stopped() returns: await it in the same expression, for a result<T>.
template <class T>
class [[nodiscard]] until_stopped_awaiter {
 public:
  using result_type = typename as_result_awaiter<T>::result_type;

  until_stopped_awaiter(detail::cell& c, task<T> t) noexcept : inner_(std::move(t)), cell_(&c) {}

  [[nodiscard]] bool await_ready() const noexcept { return cell_->stop_asked() && detail::consume_budget(); }
  template <detail::troupe_promise P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
    if (cell_->stop_asked()) {  // not started; but the coroutine yields its turn
      detail::defer(parent.promise());
      return std::noop_coroutine();
    }
    inner_.promise().yields_to_stop = true;
    return inner_.await_suspend(parent);
  }
  result_type await_resume() { return inner_.await_resume(); }

 private:
  as_result_awaiter<T> inner_;
  detail::cell* cell_;
};

/// Awaits `t` until it is done or the actor of `ctx` is told to stop.
/// Errors: errc::cancelled when the actor is told to stop: the wait of `t` is cancelled and `t` unwinds. When
/// the actor was told before, `t` is not started.
/// Threads: the strand of the actor.
/// Cancellation: an actor that does not drain is cancelled as a whole when it is stopped, as in any other
/// wait.
template <class T>
until_stopped_awaiter<T> until_stopped(context& ctx, task<T> t) noexcept {
  return {detail::self_cell(ctx), std::move(t)};
}
/// The same for any other awaitable, such as sleep_for().
template <class A>
  requires(!detail::is_task<std::remove_cvref_t<A>>::value)
auto until_stopped(context& ctx, A&& a) {
  return until_stopped(ctx, detail::as_task_by_reference(a));
}

}  // namespace troupe
