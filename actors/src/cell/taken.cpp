// Messages and requests that a handler has taken over: moved out of their mail, or answered later. On the
// strand of the actor.
#include "cell/extras.hpp"

#include <troupe/actors/actor.hpp>
#include <troupe/actors/system_core.hpp>

namespace troupe::detail {

// -- messages -------------------------------------------------------------------

// Hands a message to the coroutine that waits for it. As in a class with handlers, a notice that it does not
// accept is dropped, and another message that it does not accept is a dead letter. An exception from moving
// the message is a crash.
void cell::hand_over(mail& m) noexcept {
  const message_kind& kind = kind_of(m);
  try {
    if (receiver_->take(*receiver_->waiting, m)) {
      receiver_->taken = &kind;
      receiver_->received(*std::exchange(receiver_->waiting, nullptr));
      return;
    }
    if (&kind == message_id<down>()) {
      kind.retire(m);
    } else {
      lose_unhandled(m);
    }
  } catch (...) {
    handling_ = &m;
    counted_ = false;  // it was credited already
    crash(failure_of(*this, std::current_exception()));
  }
}

void cell::lose_unhandled(mail& m) noexcept {
  const message_kind& k = kind_of(m);
  core_->lose(*this, m, dead_letter_cause::unhandled);
  try {
    k.refuse(m, error(make_error_code(errc::unhandled), std::string("the actor has no handler for ") + k.name,
                      path()));
  } catch (const std::bad_alloc&) {
    k.refuse(m, error(errc::unhandled));
  }
}

void cell::lose_taken(const message_kind& k, const void* message) noexcept {
  if (life_ == life::running) core_->lose(*this, k, message, dead_letter_cause::crashed);
}

// -- requests that were taken ---------------------------------------------------

void cell::drop_owed(ask_envelope_base& e) noexcept {
  if (life_ == life::running) {
    try {
      extras().dropped.push_back(e);
      request(order_dropped);
      return;
    } catch (const std::bad_alloc&) {
      // No memory to keep it: it is answered at once, without the cause.
    }
  }
  kind_of(e).refuse(e, error_of_owed());
}

void cell::answer_dropped() noexcept {
  cell_extras* const x = extras_if_any();
  if (x == nullptr) return;
  while (mail* const m = x->dropped.pop_front()) kind_of(*m).refuse(*m, error_of_owed());
}

// The error for an asker to whom this incarnation owed an answer.
error cell::error_of_owed() const {
  if (life_ == life::running) return errc::closed;  // it was just dropped
  const cell_extras* const x = extras_if_any();
  if (x != nullptr && x->why && exit_reason_is_abnormal()) {
    return {make_error_code(errc::actor_failed), "the actor crashed while it owed the answer", path(),
            *x->why};
  }
  if (!may_restart()) return errc::closed;
  return {make_error_code(errc::actor_failed), "the actor was restarted while it owed the answer", path()};
}

}  // namespace troupe::detail
