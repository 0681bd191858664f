// Concurrent tasks on one strand, owned by a coroutine.
//
// A coroutine that has several things under way at once keeps one of these in
// its frame. The tasks are roots on its strand, so they need no locks between
// them; they end before the coroutine does, when it ends or is stopped.
// While some run, it waits for nothing but wait().
#pragma once

#include "socket/readiness.hpp"

#include <troupe/runtime/detail/strand.hpp>
#include <troupe/runtime/detail/wake_timer.hpp>
#include <troupe/runtime/task.hpp>

#include <cstddef>
#include <exception>
#include <list>

namespace troupe::detail {

class side_wait;

/// All of it on the strand of the coroutine that owns it. Does not move.
class task_group {
 public:
  task_group() noexcept = default;
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  /// Stops those that still run.
  ~task_group() { stop_all(); }

  /// Runs `t` until its first wait. What `t` refers to must outlive this.
  void start(task<void> t);
  /// Those that have not ended.
  [[nodiscard]] std::size_t running() const noexcept { return running_; }
  /// Each unwinds at the await it is suspended on.
  void stop_all() noexcept;
  /// `co_await` it: returns when one has ended since the last time, or at
  /// `until`. Throws on what has left one of them.
  [[nodiscard]] side_wait wait(std::int64_t until) noexcept;

 private:
  friend class side_wait;
  struct side {
    task_group* group;
    promise_base* root;
    bool* over = nullptr;  // while it is being stopped
  };
  static void finished(promise_base& p, strand& s) noexcept;

  std::list<side> sides_;
  std::size_t running_ = 0;
  bool news_ = false;
  side_wait* waiter_ = nullptr;
  std::exception_ptr failure_;
};

class [[nodiscard]] side_wait final : public leaf {
 public:
  side_wait(task_group& g, std::int64_t until) noexcept : leaf(&abandon), group_(g), until_(until) {}
  ~side_wait() { withdraw(); }

  [[nodiscard]] bool await_ready() const noexcept { return group_.news_; }
  template <troupe_promise P>
  void await_suspend(std::coroutine_handle<P> h) {
    if (begin(h.promise())) start();
  }
  void await_resume() {
    group_.news_ = false;
    if (group_.failure_) std::rethrow_exception(std::exchange(group_.failure_, nullptr));
  }

 private:
  friend class task_group;
  void start() {
    group_.waiter_ = this;
    if (until_ != no_deadline) timer_ = wake_timer::arm_at(*this, until_, &over);
  }
  void forget() noexcept {
    group_.waiter_ = nullptr;
    wake_timer::disarm(timer_);
  }
  void wake() noexcept {
    forget();
    complete();
  }
  static void over(leaf& l) noexcept {
    auto& self = static_cast<side_wait&>(l);
    wake_timer::fired(self.timer_);
    self.wake();
  }
  static void abandon(leaf& l) noexcept {
    auto& self = static_cast<side_wait&>(l);
    self.forget();
    // Now, not when the frame is destroyed: that may be later, and elsewhere.
    self.group_.stop_all();
  }

  task_group& group_;
  std::int64_t until_;
  wake_timer* timer_ = nullptr;
};

inline side_wait task_group::wait(std::int64_t until) noexcept {
  return {*this, until};
}

}  // namespace troupe::detail
