// The end of an incarnation, and the start of the next; on the strand of the cell. The orders to end are in
// orders.cpp.
#include "cell/actor_timer.hpp"
#include "cell/extras.hpp"
#include "cell/watch_link.hpp"
#include "mailbox/lossy_mailbox.hpp"
#include "supervision/restart_policy.hpp"

#include <troupe/actors/system_core.hpp>

#include <algorithm>

namespace troupe::detail {

// Takes effect after the present handler, in visit(); a handler that is a coroutine finishes first.
void cell::stop_self() noexcept {
  leaving_ = true;
}

void cell::stop_self(exit_reason why) {
  extras().leaving = std::move(why);
  leaving_ = true;
}

exit_reason cell::leaving_reason() noexcept {
  cell_extras* const x = extras_if_any();
  if (x == nullptr || !x->leaving) return exit_kind::normal;
  exit_reason why = std::move(*x->leaving);
  x->leaving.reset();
  return why;
}

// -- the end of an incarnation --------------------------------------------------

exit_reason cell::reason() const {
  const cell_extras* const x = extras_if_any();
  if (x != nullptr && x->quarantined.load(std::memory_order_acquire)) {
    return {exit_kind::wedged, error(make_error_code(errc::stuck), "its handler has not returned", path())};
  }
  if (x != nullptr && x->why) return {exit_kind_, *x->why};
  return exit_kind_;
}

void cell::crash(error why) noexcept {
  log_crash(why);
  fail(exit_kind::error, std::move(why));
}

void cell::fail(exit_kind kind, error why) noexcept {
  core_->home().count([](counter_block& c) { c.crashes.add(); });
  if (life_ == life::crashed || keeping_) {
    extras().failed_meanwhile = exit_reason(kind, std::move(why));
    return;
  }
  if (handling_ != nullptr && life_ == life::running) {
    // The mail it crashed on is lost; its asker is told the cause.
    mail& m = take_handling();
    const message_kind& k = kind_of(m);
    core_->lose(*this, m, dead_letter_cause::crashed);
    k.refuse(m, error(make_error_code(errc::actor_failed), "the actor crashed while it handled the request",
                      path(), why));
  } else if (receiver_ != nullptr && receiver_->taken != nullptr) {
    lose_taken(*std::exchange(receiver_->taken, nullptr), nullptr);
  }
  begin_end(exit_reason(kind, std::move(why)));
}

// Waits are cancelled and children stopped; the state lives until they are gone.
void cell::begin_end(exit_reason why) noexcept {
  if (life_ != life::running) return;
  life_ = life::ending;
  exit_kind_ = why.kind();
  if (why.cause() != nullptr) extras().why = *why.cause();
  if (cell_extras* const x = extras_if_any()) {
    if (why.cause() == nullptr) x->why.reset();
    x->leaving.reset();  // its own stop, which this end has overtaken
    answer_dropped();
  }
  leaving_ = false;
  set_up(false);
  end_timers_and_watches();
  cancel_awaits();
  if (handling_ != nullptr) {
    mail& m = take_handling();
    kind_of(m).refuse(m, may_restart() ? error(make_error_code(errc::actor_failed),
                                               "the actor was restarted while it handled the request", path())
                                       : error(errc::closed));
  }
  keeping_ = keep_children_ && may_restart();
  if (is_root()) {  // the only one whose children are added by other threads
    const scoped_lock guard(lock_);
    closed_to_children_ = true;
  } else {
    closed_to_children_ = true;
  }
  stop_next_child();
}

void cell::end_timers_and_watches() noexcept {
  if (extras_if_any() == nullptr) return;
  drop_timers(*this);
  drop_watches(*this);
}

// Once closed_to_children_ is set the list only shrinks, and only on this strand: it is read without the
// lock.
void cell::stop_next_child() noexcept {
  const std::uint32_t order = exit_kind_ == exit_kind::killed ? order_kill : order_stop;
  if (keeping_) {
    if (!std::exchange(children_told_, true)) end_tasks(order);
    if (const cell_extras* const x = extras_if_any(); x == nullptr || x->tasks_ending == 0) children_gone();
  } else if (children_.empty()) {
    children_gone();
  } else if (order == order_kill || parallel_stop_) {
    if (!children_told_) end_all_children(order);
  } else {
    end_child(*children_.youngest(), order);
  }
}

void cell::children_gone() noexcept {
  children_told_ = false;
  if (cell_extras* const x = extras_if_any()) {
    order_timer::disarm(x->kill_timer);
    if (!keeping_) {
      order_timer::disarm(x->inspect_timer);
      x->inspect_due = 0;
    }
  }
  if (has_state_) {
    if (behaviour_->stopping != nullptr && exit_kind_ != exit_kind::killed) {
      try {
        behaviour_->stopping(*this, reason());
      } catch (...) {
        report_hook("stopping", std::current_exception());
      }
    }
    behaviour_->destroy(*this);
    has_state_ = false;
  }
  // Timers and watches that hooks and destructors have made since end with the incarnation too.
  end_timers_and_watches();
  if (may_restart()) {
    if (const cell_extras* const x = extras_if_any(); x != nullptr && x->bounce_on_restart)
      bounce_for_restart();
    recycling_ = false;
    keeping_ = false;
    life_ = life::crashed;
    exit_out_ = true;
    parent_->post(exit_);
  } else {
    terminate();
  }
}

// Crashed, and not restarted. Children that were kept for the next incarnation end first.
void cell::end_while_crashed() noexcept {
  stop_asked_ = true;
  if (children_.empty()) {
    terminate();
    return;
  }
  life_ = life::ending;
  closed_to_children_ = true;
  end_by(deadline_after(core_->home().now(), extras().shutdown));
  stop_next_child();
}

bool cell::may_restart() const noexcept {
  if (is_root() || stop_asked_ || killed_) return false;
  return recycling_ ? restart_ != restart::temporary : restarts_after(restart_, exit_kind_);
}

// When it happens, and not only when the actor comes back: a backoff may take minutes.
void cell::log_crash(const error& why) noexcept {
  crash_logged_ = true;
  try {
    const std::string where = path();
    std::string line = where + ": crashed: ";
    line +=
        why.path() == where ? error(why.code(), std::string(why.text()), {}).to_string() : why.to_string();
    core_->home().log(log_level::warning, line);
  } catch (const std::bad_alloc&) {
    core_->home().log(log_level::warning, "an actor crashed, and there is no memory to say which");
  }
}

void cell::report_hook(const char* hook, const std::exception_ptr& e) noexcept {
  core_->home().log(log_level::error,
                    path() + ": its " + hook + " hook threw: " + error::from_exception(e).to_string());
}

// -- restart --------------------------------------------------------------------

void cell::restart_when_due() noexcept {
  cell_extras& x = extras();
  if (x.backoff.initial.count() > 0 && !x.waited) {
    const std::int64_t now = core_->home().now();
    const duration pause = x.pauses.next(x.backoff, x.up_since, now, this_worker()->random());
    x.waited = true;
    order_timer::arm(*this, order_restart, deadline_after(now, pause), x.restart_timer);
    return;
  }
  x.waited = false;
  start_anew();
}

void cell::start_anew() noexcept {
  set_up(false);
  // The cause of a crash has a line of its own.
  const std::string after = crash_logged_ ? std::string(to_string(exit_kind_)) : reason().to_string();
  crash_logged_ = false;
  ++epoch_;
  allow_awaits();
  cell_extras& x = extras();
  ++x.restarts;
  x.up_since = core_->home().now();
  core_->home().count([](counter_block& c) { c.restarts.add(); });
  core_->home().log(log_level::info,
                    path() + ": restarted (" + std::to_string(x.restarts.load()) + ") after " + after);
  life_ = life::running;
  leaving_ = false;
  x.why.reset();
  {
    const scoped_lock guard(lock_);
    closed_to_children_ = false;
    x.window = {};  // restarts of the old incarnation's children do not count
  }
  if (x.failed_meanwhile) {  // by a child that was kept
    const exit_reason failed = std::move(*x.failed_meanwhile);
    x.failed_meanwhile.reset();
    begin_end(failed);
    return;
  }
  try {
    behaviour_->construct(*this);
  } catch (const ignore_start&) {
    restart_ = restart::temporary;  // the parent has its restart type, and decides whether to keep the entry
    begin_end(exit_reason(exit_kind::normal));
    return;
  } catch (...) {
    const std::string where = path();
    error why(make_error_code(errc::start_failed), "could not be constructed again", where,
              error::from_exception(std::current_exception(), where));
    log_crash(why);
    begin_end(exit_reason(exit_kind::error, std::move(why)));
    return;
  }
  has_state_ = true;
  come_up();
  if (behaviour_->started != nullptr) call_started();
}

void cell::come_up() noexcept {
  if (behaviour_->supervises != nullptr) return;  // up when its children are
  set_up(true);
  if (parent_->behaviour_->supervises != nullptr) parent_->request(order_child_up);
}

void cell::call_started() noexcept {
  if (behaviour_->started == nullptr) return;
  try {
    behaviour_->started(*this);
  } catch (...) {
    report_hook("started", std::current_exception());
  }
}

// -- the end ----------------------------------------------------------------------

// For good: no more mail is accepted, and queued mail bounces. The cell dies, and its watchers are told, once
// no mail is under way to it.
void cell::terminate() noexcept {
  life_ = life::dead;
  if (cell_extras* const x = extras_if_any()) {
    order_timer::disarm(x->kill_timer);
    order_timer::disarm(x->restart_timer);
    order_timer::disarm(x->inspect_timer);
  }
  core_->home().count([](counter_block& c) { c.ended.add(); });
}

void cell::bounce_for_restart() noexcept {
  take_mail(std::exchange(handled_, 0), std::exchange(in_place_, nullptr));
  if (cell_extras* const x = extras_if_any(); x->lossy != nullptr) {
    while (mail* const m = x->lossy->pop()) pending_.push_back(*m);
  }
  std::uint32_t bounced = 0;
  while (mail* const m = pending_.pop_front()) {
    core_->lose(*this, *m, dead_letter_cause::crashed);
    kind_of(*m).refuse(
        *m, error(make_error_code(errc::actor_failed), "the actor crashed before it handled the request",
                  path(), reason().cause() != nullptr ? *reason().cause() : error(errc::actor_failed)));
    ++bounced;
  }
  if (capacity_ != 0 && bounced != 0) box_.credit(bounced);
}

void cell::bounce_pending() noexcept {
  if (const cell_extras* const x = extras_if_any(); x != nullptr && x->lossy != nullptr) {
    while (mail* const m = x->lossy->pop()) pending_.push_back(*m);
  }
  while (mail* const m = pending_.pop_front()) {
    core_->lose(*this, *m, dead_letter_cause::closed);
    const cell_extras* const x = extras_if_any();
    if (x != nullptr && x->why) {
      kind_of(*m).refuse(*m, error(make_error_code(errc::closed), "the actor has ended", {}, *x->why));
    } else {
      kind_of(*m).refuse(*m, error(errc::closed));
    }
  }
}

bool cell::try_terminate() noexcept {
  mail_queue system;
  if (cell_extras* const x = extras_if_any()) system.append(x->late_system);
  box_.close_and_detach(std::exchange(handled_, 0), std::exchange(in_place_, nullptr), pending_, system);
  if (box_.has_waiters()) fail_waiters();  // the mailbox is closed, so no sender joins them
  while (mail* const m = system.pop_front()) m->kind->act(*m, *this);
  bounce_pending();
  worker_here()->clear_running();
  if (!box_.try_die()) return false;
  // From here on no other thread runs this cell. An actor that is told of its end finds it ended, and its
  // names free.
  core_->unregister(*this);
  tell_watchers(*this);
  if (prepaid_ != 0) release_many(std::exchange(prepaid_, 0));
  if (parent_ != nullptr) {
    parent_->post(exit_);
  } else {
    core_->root_ended();
  }
  release();
  return true;
}

}  // namespace troupe::detail
