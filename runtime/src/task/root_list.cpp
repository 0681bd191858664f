// The list of a runtime's tasks. See root_list.hpp for owner and threads.
#include "task/root_task.hpp"

#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/root_list.hpp>

#include <chrono>

namespace troupe::detail {

root_list::root_list() noexcept : running_{&running_, &running_}, stopped_{&stopped_, &stopped_} {}

void root_list::link(root_link& end, root_link& l) noexcept {
  l.before = end.before;
  l.after = &end;
  end.before->after = &l;
  end.before = &l;
}

void root_list::unlink(root_link& l) noexcept {
  l.before->after = l.after;
  l.after->before = l.before;
}

bool root_list::add(root_task& t) noexcept {
  const scoped_lock guard(lock_);
  link(ending_ ? stopped_ : running_, t);
  return !ending_;
}

bool root_list::remove(root_task& t) noexcept {
  const scoped_lock guard(lock_);
  unlink(t);
  if (ending_ && none()) gone_.notify_all();
  return t.keeps_engine_;
}

// Without the lock, which the end of a task takes: on the simulated runtime no other thread changes the list.
void root_list::stop(std::uint16_t place) noexcept TROUPE_NO_THREAD_SAFETY_ANALYSIS {
  for (root_link* l = running_.after; l != &running_; l = l->after) {
    auto& t = static_cast<root_task&>(*l);
    if (t.place() == place) t.stop();
  }
}

void root_list::stop_all() noexcept {
  for (;;) {
    root_task* t = nullptr;
    {
      const scoped_lock guard(lock_);
      ending_ = true;
      if (running_.after == &running_) return;
      t = &static_cast<root_task&>(*running_.after);
      unlink(*t);
      link(stopped_, *t);
      t->share();
    }
    // Without the lock: stopping posts mail, and the end of a task takes the lock.
    t->stop();
    t->release();
  }
}

bool root_list::empty() noexcept {
  const scoped_lock guard(lock_);
  return none();
}

bool root_list::wait(std::int64_t deadline) noexcept {
  mutex_lock guard(lock_);
  const auto until = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline));
  while (!none() && guard.wait_until(gone_, until)) {
  }
  return none();
}

unsigned root_list::leave_behind(engine& e) noexcept {
  const scoped_lock guard(lock_);
  unsigned n = 0;
  for (root_link* l = stopped_.after; l != &stopped_; l = l->after, ++n) {
    static_cast<root_task&>(*l).keeps_engine_ = true;
    e.share();
  }
  return n;
}

}  // namespace troupe::detail
