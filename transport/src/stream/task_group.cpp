// Starting and stopping the tasks of a task_group.
#include "stream/task_group.hpp"

namespace troupe::detail {

void task_group::start(task<void> t) {
  side& s = sides_.emplace_back(this, &t.promise());
  ++running_;
  s.root->finished = &finished;
  s.root->context = &s;
  const std::coroutine_handle<> h = t.release();
  current_strand()->resume(h);
}

void task_group::stop_all() noexcept {
  for (side& s : sides_) {
    if (s.root == nullptr) continue;
    bool over = false;
    s.over = &over;
    current_strand()->cancel_below(*s.root, over);
  }
}

void task_group::finished(promise_base& p, strand&) noexcept {
  side& s = *static_cast<side*>(p.context);
  task_group& group = *s.group;
  if (p.how == outcome::error && !group.failure_) {
    group.failure_ = static_cast<task_promise_base&>(p).exception;
  }
  p.handle.destroy();
  s.root = nullptr;
  if (s.over != nullptr) *s.over = true;
  --group.running_;
  group.news_ = true;
  // May end the group, so it is the last thing.
  if (group.waiter_ != nullptr) group.waiter_->wake();
}

}  // namespace troupe::detail
