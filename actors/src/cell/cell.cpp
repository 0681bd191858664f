// A cell's slices, and how mail is handled in them. Each runs on the worker that took the cell, which owns
// the strand for that time. Ends and restarts are in lifecycle.cpp, children in children.cpp and
// quarantine.cpp.
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
  if (parent != nullptr) box_.hold();  // until launch: the state is not constructed yet
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
      capacity_ = 0;  // the word refuses user mail, and deliver() puts it into the queue
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

// The last share of a cell may keep the last share of its parent, and so on: a loop, because a tree may be
// deep.
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

// The asker has given up on this request.
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

// The most common visit: one message for an actor at rest, handled where it hangs in the mailbox. Everything
// else is done by visit().
void cell::run_slice(runnable& r, worker& w) noexcept {
  auto& c = static_cast<cell&>(static_cast<strand&>(r));
  if (c.has_deferred()) [[unlikely]] {
    c.resume_deferred();  // at the beginning only: a coroutine that yields in this slice goes on in another
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
        // Going idle unhooks the mail and gives its credit back in one step; afterwards the cell may be
        // running elsewhere.
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

// The other common visit: the completion that a coroutine waits for has arrived, nothing else has, and the
// coroutine waits again afterwards. False when something is left to do.
bool cell::resume_awaiting(worker& w) noexcept {
  if (has_late_system_mail()) return false;
  const wait_id before = waits_.own();
  mail* const m = box_.take_single_system();
  if (m == nullptr) return false;
  w.running_message.store(nullptr, std::memory_order_relaxed);  // not a user message
  m->kind->act(*m, *this);
  return await_again(w, before);
}

// Out of line and in tail position: its variables need not be kept across the coroutine's turn.
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

// Suspended in its handler, with no credit to give back, no mail to take in and no end under way. May be
// falsely false when the mailbox lives elsewhere (two_word_mailbox), which takes the slow path.
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

// No coroutine, no pending mail, and not in an unusual state.
bool cell::at_rest() const noexcept {
  if (handler_ != nullptr || receiver_ != nullptr || !pending_.empty()) return false;
  if (life_.load(std::memory_order_relaxed) != life::running || stop_asked_ || handled_ != 0) return false;
  const cell_extras* const x = extras_if_any();
  return x == nullptr || (x->notices.empty() && x->late_system.empty());
}

// -- the visit: a loop over steps ---------------------------------------------------

// The outcome of a step, which says how the loop goes on.
enum class visit_state : std::uint8_t {
  next_step,  // the step had nothing to do
  again,      // it did something: from the first step
  over,       // the cell may be running elsewhere by now, and is not touched any more
};

// Invariant: on its way out the cell is in exactly one of three places: idle or suspended in its mailbox's
// word, queued with a worker, or dead.
void cell::visit(worker& w) noexcept {
  const wait_id waited = waits_.own();
  std::uint32_t left = worker::quantum;
  if (w.simulated) [[unlikely]]
    left = 1 + static_cast<std::uint32_t>(w.home().sim().next() % worker::quantum);
  for (;;) {
    w.running.store(this, std::memory_order_relaxed);
    visit_state s = finish_in_place(w);
    if (s == visit_state::next_step) s = take_signals();
    if (s == visit_state::next_step) s = leave_or_yield(waited, left, w);
    if (s == visit_state::next_step) s = take_user_mail(left, w);
    if (s == visit_state::next_step) s = go_idle(w);
    if (s == visit_state::over) return;
  }
}

// Retires the mail whose handler has returned. For a mail that was handled where it hangs, going idle is
// tried first: it unhooks the mail and gives its credit back in one step.
[[gnu::always_inline]] inline visit_state cell::finish_in_place(worker& w) noexcept {
  if (handling_ != nullptr && handler_ == nullptr) finish_handling(w);
  if (in_place_ == nullptr || handling_ != nullptr) return visit_state::next_step;
  mail& done = *std::exchange(in_place_, nullptr);
  w.clear_running();
  if (!stop_asked_ && !leaving_ && life_ == life::running && box_.try_idle(1, &done)) {
    kind_of(done).retire(done);  // the cell may be running elsewhere by now
    return visit_state::over;
  }
  absorb(1, &done);
  return visit_state::again;
}

// Acts on system mail, and on a stop that the actor has asked for itself.
[[gnu::always_inline]] inline visit_state cell::take_signals() noexcept {
  if (box_.urgent() || has_late_system_mail()) {
    absorb(std::exchange(handled_, 0), nullptr);
    return visit_state::again;
  }
  if (leaving_ && (handler_ == nullptr || receiver_ != nullptr)) {
    begin_end(leaving_reason());
    leaving_ = false;
    return visit_state::again;
  }
  return visit_state::next_step;
}

// Ends the visit of a cell that handles no user mail now: its coroutine has to go on in another slice or
// waits for something, its incarnation ends, or the slice is used up.
[[gnu::always_inline]] inline visit_state cell::leave_or_yield(wait_id waited, std::uint32_t left,
                                                               worker& w) noexcept {
  if (has_deferred()) {
    w.clear_running();
    w.push_yielded(*this);
    return visit_state::over;
  }
  if ((handler_ != nullptr && !is_receiving()) || life_ != life::running) return suspend(waited, w);
  if (left != 0) return visit_state::next_step;
  if (handled_ != 0) box_.credit(std::exchange(handled_, 0));
  if (box_.has_waiters() && box_.depth() <= capacity_ / 2) serve_waiters();
  w.clear_running();
  w.push_yielded(*this);
  return visit_state::over;
}

// Leaves the cell suspended in its mailbox's word, from which only system mail schedules it again; a dead
// one ends.
[[gnu::always_inline]] inline visit_state cell::suspend(wait_id waited, worker& w) noexcept {
  if (life_ == life::dead) return try_terminate() ? visit_state::over : visit_state::again;
  if (handled_ != 0) box_.credit(std::exchange(handled_, 0));
  if (box_.has_waiters() && life_ == life::running) serve_waiters();
  if (waits_.to_be_looked_at(waited) && refuse_wait()) return visit_state::again;
  w.clear_running();
  return !has_late_system_mail() && box_.try_suspend() ? visit_state::over : visit_state::again;
}

// Handles what was taken from the mailbox, as one batch where nothing else can come between, or else the
// next notice or message.
[[gnu::always_inline]] inline visit_state cell::take_user_mail(std::uint32_t& left, worker& w) noexcept {
  if (!pending_.empty() && receiver_ == nullptr && !has_notices()) {
    handle_batch(left, w);
    return visit_state::again;
  }
  bool counted = false;
  mail* const m = next_mail(counted);
  if (m == nullptr) return life_ != life::running ? visit_state::again : visit_state::next_step;
  --left;
  handle(*m, counted, w);
  return visit_state::again;
}

// Nothing is at hand: leaves the cell idle, unless it drains its mailbox or senders wait for room.
[[gnu::always_inline]] inline visit_state cell::go_idle(worker& w) noexcept {
  if (stop_asked_) {
    end_when_drained();
    return visit_state::again;
  }
  if (box_.has_waiters()) {
    serve_waiters();
    return visit_state::again;
  }
  const std::uint32_t handled = std::exchange(handled_, 0);  // not to be touched once idle
  w.clear_running();
  if (box_.try_idle(handled, nullptr)) return visit_state::over;
  absorb(handled, nullptr);
  return visit_state::again;
}

// It was told to stop and drains: ends once its mailbox is empty.
void cell::end_when_drained() noexcept {
  if (box_.depth() != handled_) {
    take_mail(std::exchange(handled_, 0), nullptr);
  } else if (is_receiving() && receiver_->drained != nullptr) {
    receiver_->drained(*std::exchange(receiver_->waiting, nullptr));
  } else {
    begin_end(exit_reason(exit_kind::shutdown));
  }
}

// The next mail to handle: notices first, then user mail. A single mail is left hanging in the mailbox while
// it is handled, which saves a read-modify-write.
mail* cell::next_mail(bool& counted) noexcept {
  if (cell_extras* const x = extras_if_any()) {
    if (!x->notices.empty()) return next_notice(*this);
  }
  if (capacity_ == 0) [[unlikely]] {
    if (cell_extras* const x = extras_if_any(); x->lossy != nullptr) {
      std::exception_ptr fault;
      mail* const m = x->lossy->pop(fault);
      if (!fault) return m;
      handling_ = m;  // an exception of its key counts as one of its handler
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

// Takes in all mail that hangs in the mailbox, and acts on system mail at once. `done` is a mail that was
// handled in place: it is unhooked here, and can be retired then.
void cell::absorb(std::uint32_t handled, mail* done) noexcept {
  mail_queue system;
  if (cell_extras* const x = extras_if_any()) system.append(x->late_system);
  box_.detach(handled, done != nullptr ? done : std::exchange(in_place_, nullptr), pending_, system);
  if (done != nullptr) kind_of(*done).retire(*done);
  if (system.empty()) return;
  worker_here()->running_message.store(nullptr, std::memory_order_relaxed);  // not a user message
  while (mail* const m = system.pop_front()) m->kind->act(*m, *this);
}

// The same while other work is under way: system mail is kept for later.
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

// Handles the messages of a batch one after the other until something else has to be done, which is left to
// visit().
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
  e.cancel = nullptr;  // its memory may soon be used for another one
  if (handler_ == nullptr) return;
  handler_over_ = false;
  cancel_below(*handler_, handler_over_);
}

// -- senders that wait ----------------------------------------------------------

// Hands freed room to waiting senders, oldest first. Mail that hangs in the mailbox was sent before they
// began to wait, so it is taken in first.
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
