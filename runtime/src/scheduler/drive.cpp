// A runtime without threads of its own is driven by whoever waits for something that runs on it.
#include <troupe/runtime/engine.hpp>

#include <chrono>

namespace troupe::detail {

bool engine::drive_until(predicate done, std::int64_t deadline) {
  if (sim_) {
    while (!done()) {
      if (sim_->now > deadline) return false;  // what is always busy takes time, too
      if (!sim_step() && !sim_advance(deadline)) return done();
    }
    return true;
  }
  std::unique_lock turn(turn_lock_);
  while (driven_ && !done()) {
    if (deadline == INT64_MAX) {
      turn_changed_.wait(turn);
    } else {
      const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(deadline)};
      if (turn_changed_.wait_until(turn, until) == std::cv_status::timeout) return done();
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
  const std::scoped_lock turn(turn_lock_);
  turn_changed_.notify_all();
}

}  // namespace troupe::detail
