// A runtime without worker threads: a thread that waits for a task of it runs the ready work meanwhile. Any
// thread outside.
#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/engine.hpp>

#include <chrono>

namespace troupe::detail {

bool engine::drive_until(predicate done, std::int64_t deadline) {
  if (sim_) {
    while (!done()) {
      if (sim_->now > deadline) return false;  // work that is always busy takes virtual time, too
      if (!sim_step() && !sim_advance(deadline)) return done();
    }
    return true;
  }
  mutex_lock turn(turn_lock_);
  while (driven_ && !done()) {
    if (deadline == INT64_MAX) {
      turn.wait(turn_changed_);
    } else {
      const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(deadline)};
      if (!turn.wait_until(turn_changed_, until)) return done();
    }
  }
  if (driven_) return true;
  driven_ = true;
  turn.unlock();
  const bool over = first_worker().drive(done, deadline);
  turn.lock();
  driven_ = false;
  turn_changed_.notify_all();
  return over;
}

void engine::notify_drivers() noexcept {
  if (has_threads() || sim_) return;
  const scoped_lock turn(turn_lock_);
  turn_changed_.notify_all();
}

}  // namespace troupe::detail
