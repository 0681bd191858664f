// Starting and ending the wait of a coroutine for its socket. On the strand that waits.
#include "socket/readiness.hpp"

#include <troupe/runtime/detail/slab.hpp>

#include <utility>

namespace troupe::detail {

bool readiness::start() {
  if (!socket_.is_open()) {
    why_ = make_error_code(errc::closed);
  } else {
    why_ = socket_.attach(direction_);
  }
  if (why_) {
    unlink();
    return false;
  }
  wake_ = socket_.take_wake();
  wake_->wait_on(*this, owner());
  const socket_state::announced found = socket_.announce(direction_, *wake_);
  if (found == socket_state::announced::waiting) [[likely]] {
    if (deadline_ != no_deadline) timer_ = wake_timer::arm_at(*this, deadline_, &on_deadline);
    return true;
  }
  if (found == socket_state::announced::closed) why_ = make_error_code(errc::closed);
  if (found == socket_state::announced::busy) why_ = make_error_code(errc::invalid_argument);
  socket_.keep_wake(std::exchange(wake_, nullptr));
  unlink();
  return false;
}

void readiness::forget_wake() noexcept {
  socket_wake* const w = std::exchange(wake_, nullptr);
  if (w == nullptr) return;
  if (socket_.retract(direction_, *w)) {
    socket_.keep_wake(w);
  } else {
    w->abandon();
    socket_.mark_ready(direction_);  // its mail would have said it, but has no receiver now
  }
}

void readiness::abandon(leaf& l) noexcept {
  auto& self = static_cast<readiness&>(l);
  wake_timer::disarm(self.timer_);
  self.forget_wake();
}

void readiness::on_deadline(leaf& l) noexcept {
  auto& self = static_cast<readiness&>(l);
  wake_timer::fired(self.timer_);
  self.forget_wake();
  self.why_ = make_error_code(errc::timeout);
  if (self.direction_ == direction::read) self.socket_.ended_by = socket_state::ending::idle;
  self.complete();
}

void readiness::on_wake(leaf& l) noexcept {
  auto& self = static_cast<readiness&>(l);
  wake_timer::disarm(self.timer_);
  self.socket_.keep_wake(std::exchange(self.wake_, nullptr));
  self.socket_.mark_ready(self.direction_);
  if (!self.socket_.is_open()) self.why_ = make_error_code(errc::closed);
  self.complete();
}

void socket_wake::act(mail& m, strand&) noexcept {
  auto& self = static_cast<socket_wake&>(m);
  if (still_wanted(self)) readiness::on_wake(*self.target);
}

void socket_wake::dispose(mail& m) noexcept {
  dispose_late(static_cast<socket_wake&>(m));
}

}  // namespace troupe::detail
