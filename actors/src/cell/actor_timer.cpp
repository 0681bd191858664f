// Timers of an actor: started, cancelled and turned into messages on its strand; fired by the timers' worker.
#include "cell/actor_timer.hpp"

#include "cell/extras.hpp"

#include <troupe/actors/system_core.hpp>

namespace troupe::detail {

std::uint64_t actor_timer::start(cell& c, std::int64_t first, std::int64_t period, missed_tick how, mail& m,
                                 copier copy) {
  actor_timer* t = nullptr;
  try {
    cell_extras& x = c.extras();
    t = slab_new<actor_timer>(c, x.next_timer, period, how, m, copy);
    ++x.next_timer;
    x.timers.add(*t);
  } catch (...) {
    m.kind->dispose(m);
    throw;
  }
  t->due_ = deadline_after(c.home().now(), duration(first));
  c.home().arm(*t, t->due_);  // a constructor may run on any thread
  return t->number_;
}

void actor_timer::destroy(actor_timer* t) noexcept {
  mail* const left = t->message_;
  slab_delete(t);
  if (left != nullptr) left->kind->dispose(*left);  // runs a user-defined destructor
}

// The timer is out of the index. Frees it now or, when its mail is under way, on arrival.
void actor_timer::drop(cell& c) noexcept {
  if (state_ == state::due) {
    c.extras_if_any()->notices.remove(*this);
  } else if (!home->cancel(*this)) {
    state_ = state::cancelled;
    return;
  }
  destroy(this);
}

bool actor_timer::cancel(cell& c, std::uint64_t number) noexcept {
  cell_extras* const x = c.extras_if_any();
  actor_timer* const t = x != nullptr ? x->timers.find(number) : nullptr;
  if (t == nullptr) return false;
  x->timers.remove(*t);
  t->drop(c);
  return true;
}

void actor_timer::cancel_all(cell& c) noexcept {
  if (cell_extras* const x = c.extras_if_any()) {
    x->timers.clear([&c](actor_timer& t) { t.drop(c); });
  }
}

void actor_timer::fire_it(timer& t) noexcept {
  auto& self = static_cast<actor_timer&>(t);
  self.target_->post(self);
}

void actor_timer::act(mail& m, strand& s) noexcept {
  auto& self = static_cast<actor_timer&>(m);
  if (self.state_ == state::cancelled) {
    destroy(&self);
    return;
  }
  self.state_ = state::due;
  static_cast<cell&>(s).extras_if_any()->notices.push_back(self);
}

// A periodic timer is armed again only here, so at most one tick waits to be handled.
mail* actor_timer::take_it(notice& n, cell& c) {
  auto& self = static_cast<actor_timer&>(n);
  if (self.period_ == 0) {
    mail* const m = std::exchange(self.message_, nullptr);
    c.extras_if_any()->timers.remove(self);
    destroy(&self);
    return m;
  }
  // In the queue again while the message is copied: an exception ends the incarnation, which frees the timer.
  c.extras_if_any()->notices.push_back(self);
  mail* const m = self.copy_(*self.message_);
  c.extras_if_any()->notices.remove(self);
  self.arm_again(c);
  return m;
}

void actor_timer::arm_again(cell& c) noexcept {
  const std::int64_t now = c.home().now();
  if (how_ == missed_tick::delay) due_ = now;
  if (how_ == missed_tick::skip && now > due_) due_ += (now - due_) / period_ * period_;
  due_ = deadline_after(due_, duration(period_));
  state_ = state::armed;
  this_worker()->timers.arm(*this, due_);
}

void actor_timer::dispose_it(mail& m) noexcept {
  destroy(&static_cast<actor_timer&>(m));
}

}  // namespace troupe::detail
