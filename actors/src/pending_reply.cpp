#include <troupe/actors/pending_reply.hpp>
#include <troupe/actors/system_core.hpp>

namespace troupe::detail {
namespace {

// Where the reply comes to. Looked for before anything is allocated.
std::int64_t due_here(duration deadline) {
  if (current_strand() == nullptr) {
    throw troupe_error(
        error(make_error_code(errc::invalid_argument),
              "request() belongs into an actor or a task; from outside, block_on(ref.ask(...))"));
  }
  return deadline == forever ? INT64_MAX : due_in(deadline);
}

}  // namespace

pending_leaf::pending_leaf(void (*abandon)(leaf&) noexcept, duration deadline)
    : leaf(abandon), forget_(abandon), due_(due_here(deadline)) {}

pending_leaf::pending_leaf(void (*abandon)(leaf&) noexcept, pending_leaf& o) noexcept
    : leaf(abandon), sent_(std::exchange(o.sent_, nullptr)), code_(o.code_), forget_(abandon), due_(o.due_) {
  if (sent_ != nullptr) sent_->target = this;
}

void pending_leaf::start(cell& to, ask_envelope_base& e) {
  strand& here = *current_strand();
  if (&here == static_cast<strand*>(&to)) {
    code_ = errc::would_deadlock;  // as for an ask: the reply could only come after who waits for it
    return;
  }
  e.wait_on(*this, here);
  sent_ = &e;
  switch (deliver(to, e)) {
    case push_result::full:
      code_ = errc::full;
      break;
    case push_result::closed:
      code_ = errc::closed;
      break;
    default:
      return;
  }
  sent_ = nullptr;
}

void pending_leaf::suspend(promise_base& p) {
  if (!begin(p)) return;
  if (due_ != INT64_MAX) timer_ = wake_timer::arm_at(*this, due_, &on_timeout);
}

void pending_leaf::give_up() noexcept {
  wake_timer::disarm(timer_);
  if (sent_ != nullptr) std::exchange(sent_, nullptr)->abandon();
}

void pending_leaf::on_reply(leaf& l) noexcept {
  auto& self = static_cast<pending_leaf&>(l);
  self.sent_ = nullptr;
  if (!self.linked()) return;  // it was not awaited yet
  wake_timer::disarm(self.timer_);
  self.complete();
}

void pending_leaf::on_timeout(leaf& l) noexcept {
  auto& self = static_cast<pending_leaf&>(l);
  wake_timer::fired(self.timer_);
  self.code_ = errc::timeout;
  self.forget_(self);
  self.complete();
}

}  // namespace troupe::detail
