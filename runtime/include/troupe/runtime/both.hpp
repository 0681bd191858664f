// Two concurrent tasks on one strand: co_await both(a, b), co_await either(a, b).
//
// They take turns, at their awaits, so they may share the strand's data without a lock: for example the two
// directions of a connection. Neither outlives the await.
#pragma once

#include <troupe/runtime/task.hpp>

#include <exception>

namespace troupe {
namespace detail {

class [[nodiscard("nothing happens until it is awaited")]] pair_awaiter final : public leaf {
 public:
  /// `first_ends`: when one has ended, the other is cancelled.
  pair_awaiter(task<void> a, task<void> b, bool first_ends) noexcept
      : leaf(&abandon), tasks_{std::move(a), std::move(b)}, first_ends_(first_ends) {}
  ~pair_awaiter() { withdraw(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) {
    return !begin(h.promise()) || start() || gives_way(h.promise());
  }
  void await_resume() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  /// False: both have ended already; the leaf is unlinked.
  bool start() noexcept;
  void begin_task(unsigned i) noexcept;
  void end_other(unsigned i) noexcept;
  [[nodiscard]] bool all_over() const noexcept { return over_[0] && over_[1]; }
  static void task_finished(promise_base& p, strand& s) noexcept;
  static void abandon(leaf& l) noexcept;

  task<void> tasks_[2];
  std::exception_ptr failure_;
  bool over_[2] = {false, false};
  bool first_ends_;
  bool busy_ = true;  // in start(), or cancelling: the waiting coroutine must not be resumed
};

}  // namespace detail

/// Runs both tasks, and waits until both have ended.
/// Errors: when one throws, the other is cancelled at its present await, and then the exception is rethrown.
/// Threads: on a strand.
/// Cancellation: both unwind.
[[nodiscard]] inline detail::pair_awaiter both(task<void> a, task<void> b) noexcept {
  return {std::move(a), std::move(b), false};
}

/// Runs both tasks until one of them ends or throws: then the other is cancelled at its present await, and
/// has unwound when the await returns.
/// Errors: an exception of the first to end is rethrown.
/// Threads: on a strand.
/// Cancellation: both unwind.
[[nodiscard]] inline detail::pair_awaiter either(task<void> a, task<void> b) noexcept {
  return {std::move(a), std::move(b), true};
}

}  // namespace troupe
