// How a cell ends, starts anew, and looks after its children.
#include <troupe/actors/system_core.hpp>

#include <algorithm>

#include "actor_timer.hpp"
#include "extras.hpp"
#include "lossy_mailbox.hpp"
#include "watch_link.hpp"

namespace troupe::detail {

// -- orders -------------------------------------------------------------------

void cell::request(std::uint32_t order) noexcept {
  if (orders_.fetch_or(order, std::memory_order_acq_rel) == 0) post(order_);
}

void cell::order_mail::act(mail&, strand& s) noexcept {
  static_cast<cell&>(s).act_on_orders();
}

void cell::act_on_orders() noexcept {
  const std::uint32_t orders = orders_.exchange(0, std::memory_order_acq_rel);
  if (life_ == life::dead) return;
  if ((orders & (order_bury | order_restart | order_heard)) != 0)
    exit_out_ = false;  // the parent has answered
  if ((orders & order_kill) != 0) {
    on_kill();
  } else if ((orders & order_stop) != 0) {
    on_stop();
  } else if ((orders & order_slay) != 0) {
    on_slay();
  } else if ((orders & order_recycle) != 0) {
    on_recycle();
  }
  if (life_ == life::crashed) {
    // While exit_ is on its way to the parent, it must not be posted again: a
    // cell that is stopped meanwhile waits for the answer.
    if (exit_out_) return;
    if (stop_asked_ || (orders & order_bury) != 0) {
      end_while_crashed();
    } else if ((orders & order_restart) != 0 && (orders & order_recycle) == 0) {
      on_restart();
    }
  } else if ((orders & order_unborn) != 0) {
    restart_ = restart::temporary;
    begin_end(exit_reason(exit_kind::error,
                          error(make_error_code(errc::start_failed), "its constructor threw", path())));
  } else {
    if ((orders & order_start) != 0 && life_ == life::running) call_started();
    if ((orders & order_inspect) != 0) look_for_stuck_children();
    if ((orders & order_child_up) != 0 && life_ == life::running) behaviour_->supervises->child_up(*this);
    if ((orders & order_crash) != 0 && life_ == life::running) {
      crash(error(make_error_code(errc::actor_failed), "made to crash by a test", path()));
    }
  }
}

void cell::on_stop() noexcept {
  if (stop_asked_) return;
  const cell_extras* const x = extras_if_any();
  const duration own = behaviour_->stop_within != nullptr ? behaviour_->stop_within(*this)
                       : x != nullptr                     ? x->shutdown
                                                          : spawn_options{}.shutdown;
  if (own == brutal) {
    on_kill();
    return;
  }
  stop_asked_ = true;
  box_.close();
  fail_waiters();
  if (life_ == life::crashed) return;  // act_on_orders buries it
  if (drain_ || has_children()) {
    // Not done at once. From here the clock runs; set before the children are told, who
    // look at it for their own.
    std::int64_t due = deadline_after(core_->home().now(), own);
    if (parent_ != nullptr) {
      if (const cell_extras* const above = parent_->extras_if_any()) {
        due = std::min(due, above->deadline.load(std::memory_order_relaxed));
      }
    }
    cell_extras& mine = extras();
    due = std::min(due, mine.deadline.load(std::memory_order_relaxed));
    mine.deadline.store(due, std::memory_order_relaxed);
    if (due != INT64_MAX) order_timer::arm(*this, order_kill, due, mine.kill_timer);
  }
  if (life_ == life::running && !drain_) begin_end(exit_reason(exit_kind::shutdown));
  if (life_ != life::dead) cancel_yielding();
}

void cell::on_kill() noexcept {
  killed_ = true;
  stop_asked_ = true;
  box_.close();
  fail_waiters();
  if (life_ == life::crashed) return;  // act_on_orders buries it
  if (life_ == life::running) begin_end(exit_reason(exit_kind::killed));
  if (life_ == life::ending) {
    exit_kind_ = exit_kind::killed;
    tell_children(order_kill);
  }
}

// Ends this incarnation at once; what comes then is up to the restart type.
void cell::on_slay() noexcept {
  if (life_ == life::running) begin_end(exit_reason(exit_kind::killed));
  if (life_ == life::ending) {
    exit_kind_ = exit_kind::killed;
    tell_children(order_kill);
  }
}

// The parent restarts a group, and this cell with it: the incarnation ends in order, within
// the shutdown time, the mailbox stays open, and the parent hears of it as of a crash.
void cell::on_recycle() noexcept {
  if (stop_asked_) return;
  if (life_ == life::crashed) {
    if (exit_out_) return;  // the parent is about to hear of it anyway
    cell_extras& x = extras();
    order_timer::disarm(x.restart_timer);
    x.waited = false;
    exit_out_ = true;
    parent_->post(exit_);
    return;
  }
  if (life_ != life::running) return;  // it ends by itself
  const cell_extras* const x = extras_if_any();
  const duration own = x != nullptr ? x->shutdown : spawn_options{}.shutdown;
  recycling_ = true;
  if (own == brutal) {
    on_slay();
    return;
  }
  begin_end(exit_reason(exit_kind::shutdown));
  if (life_ != life::ending || own == forever) return;
  order_timer::arm(*this, order_slay, deadline_after(core_->home().now(), own), extras().kill_timer);
}

// Takes effect after the present handler, when the visit comes to it; a handler
// that is a coroutine comes to its end first.
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
  fail(exit_kind::error, std::move(why));
}

void cell::fail(exit_kind kind, error why) noexcept {
  core_->home().count([](counter_block& c) { c.crashes.add(); });
  if (handling_ != nullptr && life_ == life::running) {
    // The mail it crashed on is lost for good, and its asker learns why.
    mail& m = take_handling();
    const message_kind& k = kind_of(m);
    core_->lose(*this, m, dead_letter_cause::crashed);
    k.refuse(m, error(make_error_code(errc::actor_failed), "the actor crashed while it handled the request",
                      path(), why));
  }
  begin_end(exit_reason(kind, std::move(why)));
}

// Waits are cancelled and children stopped; the state lives until they are gone.
void cell::begin_end(exit_reason why) noexcept {
  if (life_ != life::running) return;
  life_ = life::ending;
  exit_kind_ = why.kind();
  if (why.why() != nullptr) {
    extras().why = *why.why();
  } else if (cell_extras* const x = extras_if_any()) {
    x->why.reset();
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
  if (keep_children_ && may_restart()) {
    children_gone();  // they are not, but live on
    return;
  }
  if (guardian_) {  // the only one whose children are added by other threads
    const scoped_lock guard(lock_);
    barren_ = true;
  } else {
    barren_ = true;
  }
  stop_next_child();
}

void cell::end_timers_and_watches() noexcept {
  if (extras_if_any() == nullptr) return;
  drop_timers(*this);
  drop_watches(*this);
}

void cell::stop_next_child() noexcept {
  // Once barren the list only shrinks, and only here: no lock to look at it.
  cell* const youngest = youngest_child_;
  if (youngest == nullptr) {
    children_gone();
  } else if (exit_kind_ == exit_kind::killed) {
    if (!std::exchange(children_told_, true)) tell_children(order_kill);
    expect_end_of(*youngest);
  } else if (parallel_stop_) {
    if (!std::exchange(children_told_, true)) {
      tell_children(order_stop);
      expect_end_of_all();
    }
  } else {
    youngest->request(order_stop);
    expect_end_of(*youngest);
  }
}

void cell::children_gone() noexcept {
  children_told_ = false;
  if (cell_extras* const x = extras_if_any()) {
    order_timer::disarm(x->kill_timer);
    order_timer::disarm(x->inspect_timer);
    x->inspect_due = 0;
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
  // What hooks and destructors have armed since ends with the incarnation too.
  end_timers_and_watches();
  if (may_restart()) {
    if (const cell_extras* const x = extras_if_any(); x != nullptr && x->bounce_on_restart)
      bounce_for_restart();
    recycling_ = false;
    life_ = life::crashed;
    exit_out_ = true;
    parent_->post(exit_);
  } else {
    bury();
  }
}

// Crashed, and not to be restarted. Children that were kept for the next incarnation go first.
void cell::end_while_crashed() noexcept {
  stop_asked_ = true;
  if (youngest_child_ == nullptr) {
    bury();
    return;
  }
  life_ = life::ending;
  barren_ = true;
  stop_next_child();
}

bool cell::may_restart() const noexcept {
  if (parent_ == nullptr || stop_asked_ || killed_) return false;
  if (recycling_) return restart_ != restart::temporary;
  switch (restart_) {
    case restart::permanent:
      return true;
    case restart::transient:
      return exit_kind_ != exit_kind::normal && exit_kind_ != exit_kind::shutdown;
    case restart::temporary:
      break;
  }
  return false;
}

void cell::report_hook(const char* hook, const std::exception_ptr& e) noexcept {
  core_->home().log(log_level::error,
                    path() + ": its " + hook + " hook threw: " + error::from_exception(e).to_string());
}

// -- restart --------------------------------------------------------------------

void cell::on_restart() noexcept {
  if (life_ != life::crashed) return;
  cell_extras& x = extras();
  if (x.backoff.first.count() > 0 && !x.waited) {
    const std::int64_t now = core_->home().now();
    const std::int64_t quiet = (x.backoff.first.count() + x.backoff.most.count()) / 2;
    if (now - x.up_since >= quiet) x.backoff_step = 0;
    const duration pause = backoff_delay(x.backoff, x.backoff_step++, this_worker()->random());
    x.waited = true;
    order_timer::arm(*this, order_restart, deadline_after(now, pause), x.restart_timer);
    return;
  }
  x.waited = false;
  start_anew();
}

void cell::start_anew() noexcept {
  set_up(false);
  ++epoch_;
  allow_awaits();
  cell_extras& x = extras();
  ++x.restarts;
  x.up_since = core_->home().now();
  core_->home().count([](counter_block& c) { c.restarts.add(); });
  core_->home().log(log_level::info, path() + ": restarted (" + std::to_string(x.restarts.load()) +
                                         ") after " + reason().to_string());
  life_ = life::running;
  leaving_ = false;
  x.why.reset();
  {
    const scoped_lock guard(lock_);
    barren_ = false;
    if (parent_->parent_ != nullptr)
      x.window = {};  // the new incarnation's children are on their own account
  }
  try {
    behaviour_->construct(*this);
  } catch (const ignore_start&) {
    restart_ = restart::temporary;  // the parent knows what it was, and whether to keep it in mind
    begin_end(exit_reason(exit_kind::normal));
    return;
  } catch (...) {
    const std::string where = path();
    begin_end(exit_reason(exit_kind::error,
                          error(make_error_code(errc::start_failed), "could not be constructed again", where,
                                error::from_exception(std::current_exception(), where))));
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

// For good: nothing is accepted any more, and what is queued bounces. The cell
// dies, and all who watch are told, once no mail is under way to it.
void cell::bury() noexcept {
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
        *m, error(make_error_code(errc::actor_failed), "the actor crashed before it came to the request",
                  path(), reason().why() != nullptr ? *reason().why() : error(errc::actor_failed)));
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

bool cell::try_to_die() noexcept {
  mail_queue system;
  if (cell_extras* const x = extras_if_any()) system.append(x->late_system);
  box_.close_and_detach(std::exchange(handled_, 0), std::exchange(in_place_, nullptr), pending_, system);
  if (box_.has_waiters()) fail_waiters();  // closed by now, so no other comes
  while (mail* const m = system.pop_front()) m->kind->act(*m, *this);
  bounce_pending();
  worker_here()->let_go();
  if (!box_.try_die()) return false;
  // From here nobody else runs this cell; whoever hears of its end finds it ended, and its names free.
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
