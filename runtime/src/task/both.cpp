// both() and either(): starting the two tasks, and ending one when the other has ended. On their strand.
#include <troupe/runtime/both.hpp>

namespace troupe::detail {

bool pair_awaiter::start() noexcept {
  begin_task(0);
  if (over_[0] && (first_ends_ || failure_)) {
    over_[1] = true;  // never begun
  } else {
    begin_task(1);
    // The first may have ended meanwhile, if the second has woken it.
    for (const unsigned i : {0U, 1U}) {
      if (over_[i] && (first_ends_ || failure_)) end_other(i);
    }
  }
  busy_ = false;
  if (!all_over()) return true;
  unlink();
  return false;
}

void pair_awaiter::begin_task(unsigned i) noexcept {
  promise_base& p = tasks_[i].promise();
  p.finished = &task_finished;
  p.context = this;
  owner().resume(p.handle);
}

void pair_awaiter::end_other(unsigned i) noexcept {
  const unsigned other = 1 - i;
  if (!over_[other]) owner().cancel_below(tasks_[other].promise(), over_[other]);
}

void pair_awaiter::task_finished(promise_base& p, strand&) noexcept {
  auto& self = *static_cast<pair_awaiter*>(p.context);
  const unsigned i = &p == &self.tasks_[0].promise() ? 0 : 1;
  self.over_[i] = true;
  if (p.how == outcome::error && !self.failure_) {
    self.failure_ = std::move(static_cast<task_promise<void>&>(p).exception);
  }
  self.tasks_[i] = task<void>();  // destroys the frame before another coroutine continues
  if (self.busy_) return;
  if (!self.over_[1 - i] && (self.first_ends_ || self.failure_)) {
    self.busy_ = true;
    self.end_other(i);
    self.busy_ = false;
  }
  if (self.all_over()) self.complete();
}

void pair_awaiter::abandon(leaf& l) noexcept {
  auto& self = static_cast<pair_awaiter&>(l);
  self.busy_ = true;
  for (const unsigned i : {0U, 1U}) {
    if (!self.over_[i] && self.tasks_[i]) self.owner().cancel_below(self.tasks_[i].promise(), self.over_[i]);
  }
}

}  // namespace troupe::detail
