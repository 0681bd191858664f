#include "actor_timer.hpp"

#include <troupe/actors/system_core.hpp>

#include "extras.hpp"

namespace troupe::detail {

namespace {

// Takes one mail out of a queue; false when it is not there.
bool remove(mail_queue& q, const mail* wanted) noexcept {
  mail_queue kept;
  bool found = false;
  while (mail* const m = q.pop_front()) {
    if (m == wanted) {
      found = true;
    } else {
      kept.push_back(*m);
    }
  }
  q.append(kept);
  return found;
}

}  // namespace

std::uint64_t actor_timer::start(cell& c, std::int64_t first, std::int64_t period, missed how, mail& m,
                                 copier copy) {
  cell_extras& x = c.extras();
  auto* const t = slab_new<actor_timer>(c, x.next_timer++, period, how, m, copy);
  t->next_ = x.timers;
  if (x.timers != nullptr) x.timers->previous_ = t;
  x.timers = t;
  t->due_ = deadline_after(c.home().now(), duration(first));
  c.home().local_worker().timers.arm(*t, t->due_);  // a constructor may run on any thread
  return t->number_;
}

void actor_timer::destroy(actor_timer* t) noexcept {
  if (t->message_ != nullptr) t->message_->kind->dispose(*t->message_);
  slab_delete(t);
}

void actor_timer::unlink() noexcept {
  cell_extras& x = *cell_->extras_if_any();
  (previous_ != nullptr ? previous_->next_ : x.timers) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

// Out of the list, and freed now or, when its mail is under way, on arrival.
void actor_timer::drop() noexcept {
  unlink();
  if (home->cancel(*this)) {
    destroy(this);
  } else {
    cell_ = nullptr;  // its mail is in the mailbox, and frees it there
  }
}

// Its message is not handled after all.
void actor_timer::take_back() noexcept {
  cell_extras& x = *cell_->extras_if_any();
  if (remove(x.notices, queued_)) queued_->kind->dispose(*queued_);
  queued_ = nullptr;
  actor_timer* before = nullptr;
  for (actor_timer* t = x.first_due; t != this; t = t->next_due_) before = t;
  (before != nullptr ? before->next_due_ : x.first_due) = next_due_;
  if (x.last_due == this) x.last_due = before;
}

bool actor_timer::cancel(cell& c, std::uint64_t number) noexcept {
  cell_extras* const x = c.extras_if_any();
  if (x == nullptr) return false;
  for (actor_timer* t = x->timers; t != nullptr; t = t->next_) {
    if (t->number_ != number) continue;
    if (t->queued_ != nullptr) t->take_back();
    if (t->spent()) {
      t->unlink();
      destroy(t);
    } else {
      t->drop();
    }
    return true;
  }
  return false;
}

void actor_timer::cancel_all(cell& c) noexcept {
  cell_extras* const x = c.extras_if_any();
  if (x == nullptr) return;
  while (x->timers != nullptr) cancel(c, x->timers->number_);
}

void actor_timer::fire_it(timer& t) noexcept {
  auto& self = static_cast<actor_timer&>(t);
  self.target_->post(self);
}

void actor_timer::act(mail& m, strand&) noexcept {
  auto& self = static_cast<actor_timer&>(m);
  if (self.cell_ == nullptr) {
    destroy(&self);
    return;
  }
  cell_extras& x = *self.cell_->extras_if_any();
  self.queued_ = self.period_ == 0 ? std::exchange(self.message_, nullptr) : self.copy_(*self.message_);
  x.notices.push_back(*self.queued_);
  self.next_due_ = nullptr;
  (x.first_due != nullptr ? x.last_due->next_due_ : x.first_due) = &self;
  x.last_due = &self;
}

// A period is armed anew only now, so at most one tick waits to be handled.
void actor_timer::notice_taken(cell& c, const mail& m) noexcept {
  cell_extras& x = *c.extras_if_any();
  actor_timer& self = *x.first_due;
  if (self.queued_ != &m) return;
  x.first_due = self.next_due_;
  self.queued_ = nullptr;
  if (self.spent()) {
    self.unlink();
    destroy(&self);
    return;
  }
  const std::int64_t now = c.home().now();
  switch (self.how_) {
    case missed::skip:
      self.due_ += self.period_ * (now > self.due_ ? (now - self.due_) / self.period_ + 1 : 1);
      break;
    case missed::delay:
      self.due_ = now + self.period_;
      break;
    case missed::burst:
      self.due_ += self.period_;
      break;
  }
  this_worker()->timers.arm(self, self.due_);
}

void actor_timer::dispose_it(mail& m) noexcept {
  destroy(&static_cast<actor_timer&>(m));
}

}  // namespace troupe::detail
