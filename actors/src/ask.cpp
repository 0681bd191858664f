#include <troupe/actors/ask.hpp>
#include <troupe/actors/system_core.hpp>

namespace troupe::detail {

bool ask_leaf::start(promise_base& p, ask_envelope_base& e) {
  if (!begin(p)) return true;
  if (&owner() == static_cast<strand*>(to_)) {
    // The reply could only come after the handler that waits for it.
    code_ = errc::would_deadlock;
    unlink();
    return false;
  }
  e.wait_on(*this, owner());
  sent_ = &e;
  switch (deliver(*to_, e)) {
    case push_result::full:
      code_ = errc::full;
      break;
    case push_result::closed:
      code_ = errc::closed;
      break;
    default:
      if (deadline_ != forever) timer_ = wake_timer::arm(*this, deadline_, &on_timeout);
      return true;
  }
  sent_ = nullptr;
  unlink();
  return false;
}

void ask_leaf::give_up() noexcept {
  wake_timer::disarm(timer_);
  if (sent_ != nullptr) std::exchange(sent_, nullptr)->abandon();
}

void ask_leaf::on_timeout(leaf& l) noexcept {
  auto& self = static_cast<ask_leaf&>(l);
  wake_timer::fired(self.timer_);
  self.code_ = errc::timeout;
  self.time_out();
}

}  // namespace troupe::detail
