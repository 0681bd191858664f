// The life of a cell: its slices, and how mail is handled in them. How it
// ends, restarts and looks after its children is in lifecycle.cpp.
#include "cell/extras.hpp"
#include "mailbox/lossy_mailbox.hpp"
#include "messaging/send_wait.hpp"

#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/system_core.hpp>

namespace troupe::detail {

cell::cell(system_core& sys, cell* parent, const behaviour& b, const spawn_options& o, bool usual)
    : strand(sys.home(), &run_slice, type_of, parent != nullptr ? parent->place() : sys.place(),
             parent != nullptr ? 3 : 2),
      behaviour_(&b),
      capacity_(o.mailbox.capacity),
      restart_(b.restartable ? o.restart : restart::temporary),
      drain_(o.mailbox.when_stopped == on_stop::drain),
      parallel_stop_(o.stop_children == stop_order::parallel),
      keep_children_(o.keep_children),
      core_(&sys),
      parent_(parent) {
  if (parent != nullptr) box_.hold();  // until launch: the state is not there yet
  if (!usual) {
    cell_extras& x = extras();
    x.name = o.name;
    x.shutdown = o.shutdown;
    x.backoff = o.backoff;
    x.budget = o.restarts;
    x.policy = o.mailbox.policy;
    x.bounce_on_restart = o.mailbox.when_restarted == on_restart::bounce;
    if (x.policy.loses == mailbox_policy::loss::oldest) {
      x.lossy = std::make_unique<lossy_mailbox>(o.mailbox.capacity, x.policy);
      capacity_ = 0;  // so that the word refuses user mail, and deliver() comes to the queue
    }
#ifndef TROUPE_TWO_WORD_MAILBOX
    if (capacity_ > mailbox::max_capacity) box_.live_in(*(x.large = std::make_unique<two_word_mailbox>()));
#endif
    x.up_since = sys.home().now();
  }
}

cell& cell::of_exit(exit_mail& m) noexcept {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // a cell has no virtual base; both compilers define this
  return *reinterpret_cast<cell*>(reinterpret_cast<std::byte*>(&m) - offsetof(cell, exit_));
#pragma GCC diagnostic pop
}

cell_extras& cell::extras() {
  cell_extras* x = extras_.load(std::memory_order_acquire);
  if (x != nullptr) return *x;
  auto* const fresh = new cell_extras;
  if (extras_.compare_exchange_strong(x, fresh, std::memory_order_seq_cst, std::memory_order_acquire)) {
    return *fresh;
  }
  delete fresh;
  return *x;
}

// The last share of a cell may have kept the last of its parent, and so on: a loop, for a tree may be deep.
void cell::free_cell() noexcept {
  for (cell* c = this; c != nullptr;) {
    if (!c->raw_) c->behaviour_->destroy_arguments(*c);
    c = c->free_unborn();
  }
}

std::string cell::describe_cell(const strand& s) {
  return static_cast<const cell&>(s).path();
}

error failure_of(const cell& c, const std::exception_ptr& e) noexcept {
  try {
    return error::from_exception(e, c.path());
  } catch (...) {
    return error(errc::actor_failed);
  }
}

// -- slices -------------------------------------------------------------------

namespace {

// Whoever asked for it does not want it any more.
bool abandoned(const mail& m) noexcept {
  return kind_of(m).is_request && static_cast<const ask_envelope_base&>(m).state.load(
                                      std::memory_order_relaxed) == request_state::abandoned;
}

}  // namespace

[[gnu::always_inline]] inline void cell::receive(mail& m, worker& w) noexcept {
  const message_kind& k = kind_of(m);
  w.running_message.store(k.name, std::memory_order_relaxed);
  handling_ = &m;
  if (k.is_request && abandoned(m)) [[unlikely]]
    return;  // retired as it is
  try {
    behaviour_->receive(*this, m);
  } catch (...) {
    crash(failure_of(*this, std::current_exception()));
  }
}

// The visit most actors get most of the time: one message for an actor at rest,
// handled where it hangs. Everything else is for the loop below.
void cell::run_slice(runnable& r, worker& w) noexcept {
  auto& c = static_cast<cell&>(static_cast<strand&>(r));
  if (c.has_deferred()) [[unlikely]] {
    c.resume_deferred();  // in the beginning only: what gives way in this slice goes on in another
  } else if (c.at_rest()) [[likely]] {
    if (mail* const m = c.box_.peek_single()) {
      c.in_place_ = m;
      c.counted_ = true;
      c.receive(*m, w);
      if (c.handling_ == m && c.in_place_ == m && c.handler_ == nullptr && !c.leaving_) [[likely]] {
        c.handling_ = nullptr;
        c.in_place_ = nullptr;
        w.counters.handled.add();
        const message_kind& k = kind_of(*m);
        // Going idle unhooks the mail and gives its credit back in one step;
        // afterwards the cell may be running elsewhere.
        w.clear_running();
        if (c.box_.try_idle(1, m)) [[likely]] {
          k.retire(*m);
          return;
        }
        w.running.store(&c, std::memory_order_relaxed);
        c.absorb(1, m);
      }
    }
  } else if (c.handler_ != nullptr && c.resume_awaiting(w)) {
    return;
  }
  c.visit(w);
}

// The other common visit: what a coroutine waits for has come, nothing else has, and it waits again
// afterwards. False when something is left to do.
bool cell::resume_awaiting(worker& w) noexcept {
  if (has_late_system_mail()) return false;
  const wait_id before = waits_.own();
  mail* const m = box_.take_single_system();
  if (m == nullptr) return false;
  w.running_message.store(nullptr, std::memory_order_relaxed);  // no message of a user's
  m->kind->act(*m, *this);
  return await_again(w, before);
}

// Out of line, and in the place of the return: what it works with need not outlive the coroutine's turn.
bool cell::await_again(worker& w, wait_id before) noexcept {
  if (!awaits_only()) return false;
  if (waits_.to_be_looked_at(before)) [[unlikely]]
    return await_unless_refused(w);
  w.clear_running();
  return box_.try_suspend();
}

bool cell::await_unless_refused(worker& w) noexcept {
  if (refuse_wait()) return false;
  w.clear_running();
  return box_.try_suspend();
}

// Suspended in its handler, with nothing to give back, to take in or to end. Falsely no when the mailbox
// lives elsewhere, which has the long way.
bool cell::awaits_only() const noexcept {
  return handler_ != nullptr && (receiver_ == nullptr || receiver_->waiting == nullptr) &&
         life_.load(std::memory_order_relaxed) == life::running && !leaving_ && !has_deferred() &&
         handled_ == 0 && (in_place_ == nullptr || handling_ != nullptr) && !box_.perhaps_has_waiters() &&
         !has_late_system_mail();
}

bool cell::may_be_awaited() const noexcept {
  if (handling_ != nullptr && kind_of(*handling_).is_request) return true;
  const std::uint32_t known = handled_ + (handling_ != nullptr && counted_ ? 1 : 0);
  return box_.has_waiters() || capacity_ == 0 || box_.depth() > known;
}

// No coroutine, nothing at hand, and nothing unusual going on.
bool cell::at_rest() const noexcept {
  if (handler_ != nullptr || receiver_ != nullptr || !pending_.empty()) return false;
  if (life_.load(std::memory_order_relaxed) != life::running || stop_asked_ || handled_ != 0) return false;
  const cell_extras* const x = extras_if_any();
  return x == nullptr || (x->notices.empty() && x->late_system.empty());
}

// Invariant of the loop: on its way out the cell is in exactly one of three
// places: idle or suspended in its mailbox's word, queued with a worker, or dead.
void cell::visit(worker& w) noexcept {
  cell& c = *this;
  const wait_id waited = waits_.own();
  std::uint32_t left = worker::quantum;
  if (w.simulated) [[unlikely]]
    left = 1 + static_cast<std::uint32_t>(w.home().sim().next() % worker::quantum);
  for (;;) {
    w.running.store(&c, std::memory_order_relaxed);
    if (c.handling_ != nullptr && c.handler_ == nullptr) c.finish_handling(w);
    if (c.in_place_ != nullptr && c.handling_ == nullptr) {
      // The mail that was handled where it hung. Going idle is tried first: it
      // unhooks the mail and gives its credit back in one step.
      mail& done = *std::exchange(c.in_place_, nullptr);
      w.clear_running();
      if (!c.stop_asked_ && !c.leaving_ && c.life_ == life::running && c.box_.try_idle(1, &done)) {
        kind_of(done).retire(done);  // the cell may be running elsewhere by now
        return;
      }
      c.absorb(1, &done);
      continue;
    }
    if (c.box_.urgent() || c.has_late_system_mail()) {
      c.absorb(std::exchange(c.handled_, 0), nullptr);
      continue;
    }
    if (c.leaving_ && (c.handler_ == nullptr || c.receiver_ != nullptr)) {
      c.begin_end(c.leaving_reason());
      c.leaving_ = false;
      continue;
    }
    if (c.has_deferred()) {
      w.clear_running();
      w.push_yielded(c);
      return;
    }
    const bool receiving = c.receiver_ != nullptr && c.receiver_->waiting != nullptr;
    if ((c.handler_ != nullptr && !receiving) || c.life_ != life::running) {
      if (c.life_ == life::dead) {
        if (c.try_terminate()) return;
        continue;
      }
      if (c.handled_ != 0) c.box_.credit(std::exchange(c.handled_, 0));
      if (c.box_.has_waiters() && c.life_ == life::running) c.serve_waiters();
      if (c.waits_.to_be_looked_at(waited) && c.refuse_wait()) continue;
      w.clear_running();
      if (!c.has_late_system_mail() && c.box_.try_suspend()) return;
      continue;
    }
    if (left == 0) {
      if (c.handled_ != 0) c.box_.credit(std::exchange(c.handled_, 0));
      if (c.box_.has_waiters() && c.box_.depth() <= c.capacity_ / 2) c.serve_waiters();
      w.clear_running();
      w.push_yielded(c);
      return;
    }
    if (!c.pending_.empty() && c.receiver_ == nullptr && !c.has_notices()) {
      c.handle_batch(left, w);
      continue;
    }
    bool counted = false;
    mail* const m = c.next_mail(counted);
    if (m != nullptr) {
      --left;
      c.handle(*m, counted, w);
      continue;
    }
    if (c.life_ != life::running) continue;  // it crashed on what was to be next
    if (c.stop_asked_) {                     // it was to drain its mailbox first, and now it is empty
      if (c.box_.depth() == c.handled_) {
        if (receiving && c.receiver_->drained != nullptr) {
          c.receiver_->drained(*std::exchange(c.receiver_->waiting, nullptr));
        } else {
          c.begin_end(exit_reason(exit_kind::shutdown));
        }
      } else {
        c.take_mail(std::exchange(c.handled_, 0), nullptr);
      }
      continue;
    }
    if (c.box_.has_waiters()) {
      c.serve_waiters();
      continue;
    }
    const std::uint32_t handled = std::exchange(c.handled_, 0);  // not to be touched once idle
    w.clear_running();
    if (c.box_.try_idle(handled, nullptr)) return;
    c.absorb(handled, nullptr);
  }
}

// What to handle next: notices, then user mail. A single mail is left hanging
// in the mailbox while it is handled, which saves a read-modify-write.
mail* cell::next_mail(bool& counted) noexcept {
  if (cell_extras* const x = extras_if_any()) {
    if (!x->notices.empty()) return next_notice(*this);
  }
  if (capacity_ == 0) [[unlikely]] {
    if (cell_extras* const x = extras_if_any(); x->lossy != nullptr) {
      std::exception_ptr fault;
      mail* const m = x->lossy->pop(fault);
      if (!fault) return m;
      handling_ = m;  // what its key threw, the handler might have thrown
      counted_ = false;
      crash(failure_of(*this, fault));
      return nullptr;
    }
  }
  counted = true;
  if (mail* const m = pending_.pop_front()) return m;
  if (receiver_ != nullptr || handled_ != 0) return nullptr;
  in_place_ = box_.peek_single();
  return in_place_;
}

bool cell::has_late_system_mail() const noexcept {
  const cell_extras* const x = extras_if_any();
  return x != nullptr && !x->late_system.empty();
}

// Takes in what hangs in the mailbox, and acts on system mail at once. `done`
// is a mail that was handled in place: it is unhooked, and so can be retired.
void cell::absorb(std::uint32_t handled, mail* done) noexcept {
  mail_queue system;
  if (cell_extras* const x = extras_if_any()) system.append(x->late_system);
  box_.detach(handled, done != nullptr ? done : std::exchange(in_place_, nullptr), pending_, system);
  if (done != nullptr) kind_of(*done).retire(*done);
  if (system.empty()) return;
  worker_here()->running_message.store(nullptr, std::memory_order_relaxed);  // no message of a user's
  while (mail* const m = system.pop_front()) m->kind->act(*m, *this);
}

// The same in the middle of something: system mail is kept for later.
void cell::take_mail(std::uint32_t handled, mail* in_place) noexcept {
  mail_queue system;
  box_.detach(handled, in_place, pending_, system);
  handled_ = 0;
  in_place_ = nullptr;
  if (!system.empty()) extras().late_system.append(system);
}

void cell::handle(mail& m, bool counted, worker& w) noexcept {
  counted_ = counted;
  if (receiver_ != nullptr) {
    // A coroutine takes the mail over.
    w.running_message.store(kind_of(m).name, std::memory_order_relaxed);
    if (counted) ++handled_;
    w.counters.handled.add();
    if (abandoned(m)) [[unlikely]] {
      kind_of(m).retire(m);
      return;
    }
    hand_over(m);
    return;
  }
  receive(m, w);
  if (handler_ == nullptr) finish_handling(w);
}

// The messages of a batch one after the other, for as long as nothing else comes
// up; what does is left to the loop in visit().
void cell::handle_batch(std::uint32_t& left, worker& w) noexcept {
  counted_ = true;
  std::uint32_t n = left;
  do {
    mail* const m = pending_.pop_front();
    if (m == nullptr) break;
    --n;
    const message_kind& k = kind_of(*m);
    receive(*m, w);
    if (handler_ != nullptr) break;  // it goes on as a coroutine
    w.counters.handled.add();
    if (handling_ != m) break;  // given away, or crashed on
    handling_ = nullptr;
    ++handled_;
    k.retire(*m);
  } while (n != 0 && !leaving_ && !box_.perhaps_urgent());
  left = n;
}

bool cell::has_notices() const noexcept {
  const cell_extras* const x = extras_if_any();
  return x != nullptr && !x->notices.empty();
}

void cell::finish_handling(worker& w) noexcept {
  mail* const m = std::exchange(handling_, nullptr);
  w.counters.handled.add();
  if (m == nullptr || m == in_place_) return;  // given away, or retired once it is unhooked
  if (counted_) ++handled_;
  kind_of(*m).retire(*m);
}

mail& cell::take_handling() noexcept {
  mail& m = *std::exchange(handling_, nullptr);
  if (&m == in_place_) {
    take_mail(1, &m);
  } else if (counted_) {
    ++handled_;
  }
  return m;
}

void cell::run_handler(promise_base& p) noexcept {
  handler_ = &p;
  resume(p.handle);
}

void cell::cancel_handling(const ask_canceller& c) noexcept {
  if (handling_ == nullptr || !kind_of(*handling_).is_request) return;
  auto& e = static_cast<ask_envelope_base&>(*handling_);
  if (e.cancel != &c) return;
  e.cancel = nullptr;  // its address may be somebody else's soon
  if (handler_ == nullptr) return;
  handler_over_ = false;
  cancel_below(*handler_, handler_over_);
}

// -- senders that wait ----------------------------------------------------------

// Hands freed room to waiting senders, oldest first. What hangs in the mailbox
// was sent before they began to wait, so it is taken in first.
void cell::serve_waiters() noexcept {
  take_mail(handled_, in_place_);
  std::uint32_t room = capacity_ - std::min(capacity_, box_.depth());
  send_wait* served = nullptr;
  send_wait** last = &served;
  {
    cell_extras& x = extras();
    const scoped_lock guard(lock_);
    std::uint32_t admitted = 0;
    while (room > 0 && x.first_waiter != nullptr) {
      send_wait& s = x.pop_waiter();
      pending_.push_back(s.give_envelope());
      ++admitted;
      --room;
      *last = &s;
      last = &s.later;
    }
    if (admitted > 0) box_.admit(admitted);
    if (x.first_waiter == nullptr) box_.clear_waiters();
  }
  *last = nullptr;
  while (served != nullptr) {
    send_wait* const s = served;
    served = s->later;
    s->finish_with(send_wait::verdict::sent);
  }
}

void cell::fail_waiters() noexcept {
  for (;;) {
    send_wait* s = nullptr;
    {
      const scoped_lock guard(lock_);
      cell_extras* const x = extras_if_any();
      if (x == nullptr || x->first_waiter == nullptr) {
        box_.clear_waiters();
        return;
      }
      s = &x->pop_waiter();
    }
    s->finish_with(send_wait::verdict::closed);
  }
}

}  // namespace troupe::detail
