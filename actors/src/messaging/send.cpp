// ref.send: waits for room in a full mailbox. On the strand of the sender, except finish_with()
// (send_wait.hpp).
#include "cell/extras.hpp"
#include "messaging/send_wait.hpp"
#include "messaging/wait_graph.hpp"

#include <troupe/actors/send.hpp>
#include <troupe/actors/system_core.hpp>

namespace troupe::detail {

send_wait& cell_extras::pop_waiter() noexcept {
  send_wait& s = *first_waiter;
  first_waiter = s.later;
  (first_waiter != nullptr ? first_waiter->earlier : last_waiter) = nullptr;
  s.later = nullptr;
  s.listed = false;
  return s;
}

bool send_wait::enqueue() noexcept {
  const scoped_lock guard(receiver->lock());
  // The receiver clears the flag under this lock, so a waiter in the list is always announced.
  if (!receiver->box().announce_waiter(receiver->capacity())) return false;
  cell_extras& x = receiver->extras();
  earlier = x.last_waiter;
  later = nullptr;
  (x.last_waiter != nullptr ? x.last_waiter->later : x.first_waiter) = this;
  x.last_waiter = this;
  listed = true;
  return true;
}

bool send_wait::leave() noexcept {
  const scoped_lock guard(receiver->lock());
  if (!listed) return false;
  cell_extras& x = *receiver->extras_if_any();
  (earlier != nullptr ? earlier->later : x.first_waiter) = later;
  (later != nullptr ? later->earlier : x.last_waiter) = earlier;
  listed = false;
  return true;
}

void send_wait::act(mail& m, strand&) noexcept {
  auto& self = static_cast<send_wait&>(m);
  if (!still_wanted(self)) return;
  auto& sender = static_cast<send_awaiter&>(*self.target);
  const verdict how = self.how;
  if (how == verdict::sent) {
    sender.wait_ = nullptr;
    slab_delete(&self);
    sender.over(errc{});
  } else {
    sender.leave_line();
    sender.over(errc::closed);
  }
}

send_awaiter::~send_awaiter() {
  withdraw();
  if (mail_ != nullptr) mail_->kind->dispose(*mail_);
}

void send_awaiter::leave_line() noexcept {
  mail_ = &wait_->give_envelope();
  slab_delete(std::exchange(wait_, nullptr));
}

// True when the outcome is known: sent, or closed.
bool send_awaiter::attempt() {
  if (to_ == nullptr) [[unlikely]] {
    code_ = errc::closed;
    return true;
  }
  switch (deliver(*to_, *mail_)) {
    case push_result::queued:
    case push_result::wake:
      mail_ = nullptr;
      return true;
    case push_result::closed:
      code_ = errc::closed;
      return true;
    case push_result::full:
      break;
  }
  if (current_strand() == to_) {  // only the sender itself could make room
    code_ = errc::would_deadlock;
    why_ = owned<error>(new error(refuse_self(*to_, wait_kind::room)));
    return true;
  }
  if (deadline_.count() <= 0) {
    code_ = errc::timeout;
    return true;
  }
  return false;
}

bool send_awaiter::suspend(promise_base& p) {
  if (this_worker()->hops == 0) {  // its turn is over: the send goes on in the next slice
    if (!begin(p)) return true;
    if (attempt()) {
      unlink();
      defer(p);
      return true;
    }
  } else if (!begin(p)) {
    return true;
  }
  auto* const w = slab_new<send_wait>(*to_, *std::exchange(mail_, nullptr));
  w->wait_on(*this, owner());
  cell* const from = cell::of(owner());
  if (from != nullptr) w->wait = from->announce_wait(*to_, wait_kind::room);
  for (;;) {
    if (w->enqueue()) break;
    // Room appeared, or the receiver ended, between the attempt and now.
    mail_ = &w->give_envelope();
    if (attempt()) {
      if (from != nullptr) from->waits().end(w->wait);
      slab_delete(w);
      unlink();
      return false;
    }
    w->envelope = std::exchange(mail_, nullptr);
  }
  wait_ = w;
  if (from != nullptr && closes_cycle(*from, w->wait)) return gives_way(p);
  if (deadline_ != forever) timer_ = wake_timer::arm(*this, deadline_, &timed_out);
  return true;
}

bool send_awaiter::closes_cycle(cell& from, wait_id id) {
  if (!id) return false;
  from.waits().confirm(id);
  seq_cst_fence();
  std::optional<error> cycle = refuse_cycle(from, *to_, id);
  if (!cycle || !withdraw_for(std::move(*cycle))) return false;
  unlink();
  return true;
}

// Leaves the list of waiting senders; false when it was served at the same moment.
bool send_awaiter::withdraw_for(error cycle) {
  if (!wait_->leave()) return false;
  code_ = errc::would_deadlock;
  why_ = owned<error>(new error(std::move(cycle)));
  leave_line();
  return true;
}

bool send_awaiter::refuse(leaf& l, error cycle) {
  auto& self = static_cast<send_awaiter&>(l);
  if (!self.withdraw_for(std::move(cycle))) return false;
  self.over(errc::would_deadlock);
  return true;
}

void send_awaiter::over(errc code) noexcept {
  wake_timer::disarm(timer_);
  code_ = code;
  complete();
}

void send_awaiter::abandon(leaf& l) noexcept {
  auto& self = static_cast<send_awaiter&>(l);
  wake_timer::disarm(self.timer_);
  send_wait* const w = std::exchange(self.wait_, nullptr);
  if (w == nullptr) return;
  if (w->wait) static_cast<cell&>(self.owner()).waits().end(w->wait);
  if (w->leave()) {
    slab_delete(w);
  } else {
    w->abandon();
  }
}

void send_awaiter::timed_out(leaf& l) noexcept {
  auto& self = static_cast<send_awaiter&>(l);
  wake_timer::fired(self.timer_);
  // Served at the same moment: then it was in time, and the mail is under way.
  if (!self.wait_->leave()) return;
  if (self.wait_->wait) static_cast<cell&>(self.owner()).waits().end(self.wait_->wait);
  self.leave_line();
  self.code_ = errc::timeout;
  self.complete();
}

}  // namespace troupe::detail
