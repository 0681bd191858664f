// co_await until_stopped(ctx, t): a wait that ends early when its actor is told to stop.
//
// An actor that drains (on_stop::drain) is not cancelled when it is stopped: its
// handler runs on to its end, within the shutdown time. What it waits for without
// having promised anything to anybody, the next bytes of a client say, would use
// up that time. Such a wait goes through until_stopped.
#pragma once

#include <troupe/actors/detail/cell.hpp>
#include <troupe/runtime/task.hpp>

namespace troupe {

/// What until_stopped() returns: await it, in the same expression, for a result<T>.
template <class T>
class [[nodiscard]] until_stopped_awaiter {
 public:
  using result_type = typename as_result_awaiter<T>::result_type;

  until_stopped_awaiter(detail::cell& c, task<T> t) noexcept : inner_(std::move(t)), cell_(&c) {}

  [[nodiscard]] bool await_ready() const noexcept { return cell_->stop_asked() && detail::consume_budget(); }
  template <detail::troupe_promise P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
    if (cell_->stop_asked()) {  // over without having begun, but its turn is too
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

/// Awaits `t` until it is done or the actor of `ctx` is told to stop. Then what `t` is
/// suspended on is cancelled, `t` unwinds, and the result is errc::cancelled; on an
/// actor that has been told to stop before, `t` is not begun. An actor that does
/// not drain is cancelled as a whole, as ever.
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
