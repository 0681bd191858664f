// Two tasks side by side on one strand: co_await both(a, b), co_await either(a, b).
//
// They take turns, at their awaits, so they may share what the strand owns without a lock: the two
// directions of a connection, say. Neither outlives the await.
#pragma once

#include <troupe/runtime/task.hpp>

#include <exception>

namespace troupe {
namespace detail {

class [[nodiscard("nothing happens until it is awaited")]] pair_awaiter final : public leaf {
 public:
  /// `first_ends`: when one has ended the other is cancelled.
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
  bool busy_ = true;  // in start(), or cancelling: not the time to resume whoever waits
};

}  // namespace detail

/// Runs both, and waits until both have ended. When one throws, the other is cancelled at its
/// present await, and the exception goes on from here. On a strand.
[[nodiscard]] inline detail::pair_awaiter both(task<void> a, task<void> b) noexcept {
  return {std::move(a), std::move(b), false};
}

/// Runs both until one of them ends, or throws: then the other is cancelled at its present await, and
/// has unwound when this returns.
[[nodiscard]] inline detail::pair_awaiter either(task<void> a, task<void> b) noexcept {
  return {std::move(a), std::move(b), true};
}

}  // namespace troupe
