// How a cell ends, starts anew, and looks after its children.
#include <troupe/actors/system_core.hpp>
#include <troupe/actors/until_stopped.hpp>

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
  if ((orders & (order_bury | order_restart)) != 0) exit_out_ = false;  // the parent has answered
  if ((orders & order_kill) != 0) {
    on_kill();
  } else if ((orders & order_stop) != 0) {
    on_stop();
  }
  if (life_ == life::crashed) {
    // While exit_ is on its way to the parent, it must not be posted again: a
    // cell that is stopped meanwhile waits for the answer.
    if (exit_out_) return;
    if (stop_asked_ || (orders & order_bury) != 0) {
      bury();
    } else if ((orders & order_restart) != 0) {
      on_restart();
    }
  } else if ((orders & order_unborn) != 0) {
    restart_ = restart::temporary;
    begin_end(exit_reason(exit_kind::error,
                          error(make_error_code(errc::start_failed), "its constructor threw", path())));
  } else {
    if ((orders & order_start) != 0 && life_ == life::running) call_started();
    if ((orders & order_child_up) != 0 && life_ == life::running) behaviour_->child_up(*this);
    if ((orders & order_crash) != 0 && life_ == life::running) {
      crash(error(make_error_code(errc::actor_failed), "made to crash by a test", path()));
    }
  }
}

void cell::on_stop() noexcept {
  if (stop_asked_) return;
  stop_asked_ = true;
  box_.close();
  fail_waiters();
  if (life_ == life::crashed) return;  // act_on_orders buries it
  if (life_ == life::running && !drain_) begin_end(exit_reason(exit_kind::shutdown));
  if (life_ == life::dead) return;
  // Not done at once: it drains, or waits for children. From here the clock runs.
  const cell_extras* const x = extras_if_any();
  const duration own = x != nullptr ? x->shutdown : spawn_options{}.shutdown;
  std::int64_t due = deadline_after(core_->home().now(), own);
  if (parent_ != nullptr) {
    if (const cell_extras* const above = parent_->extras_if_any()) due = std::min(due, above->deadline);
  }
  cell_extras& mine = extras();
  mine.deadline = std::min(mine.deadline, due);
  if (mine.deadline != INT64_MAX) order_timer::arm(*this, order_kill, mine.deadline, mine.kill_timer);
  stop_scope::cancel_all(*this);
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
    for_each_child([](cell& c) { c.request(order_kill); });
  }
}

// Takes effect after the present handler, when the visit comes to it; a handler
// that is a coroutine comes to its end first.
void cell::stop_self() noexcept {
  leaving_ = true;
}

// -- the end of an incarnation --------------------------------------------------

exit_reason cell::reason() const {
  const cell_extras* const x = extras_if_any();
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
  end_timers_and_watches();
  cancel_awaits();
  if (handling_ != nullptr) {
    mail& m = take_handling();
    kind_of(m).refuse(m, error(errc::closed));
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
  } else if (parallel_stop_) {
    if (!std::exchange(children_told_, true)) for_each_child([](cell& c) { c.request(order_stop); });
  } else {
    youngest->request(order_stop);
  }
}

void cell::children_gone() noexcept {
  children_told_ = false;
  if (cell_extras* const x = extras_if_any()) order_timer::disarm(x->kill_timer);
  if (has_state_) {
    if (behaviour_->stopping != nullptr && !killed_) {
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
    life_ = life::crashed;
    exit_out_ = true;
    parent_->post(exit_);
  } else {
    bury();
  }
}

bool cell::may_restart() const noexcept {
  if (parent_ == nullptr || stop_asked_ || killed_) return false;
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
  }
  try {
    behaviour_->construct(*this);
  } catch (...) {
    const std::string where = path();
    begin_end(exit_reason(exit_kind::error,
                          error(make_error_code(errc::start_failed), "could not be constructed again", where,
                                error::from_exception(std::current_exception(), where))));
    return;
  }
  has_state_ = true;
  if (behaviour_->started != nullptr) call_started();
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
  }
  core_->home().count([](counter_block& c) { c.ended.add(); });
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
  if (cell_extras* const x = extras_if_any()) {
    while (mail* const m = x->notices.pop_front()) m->kind->dispose(*m);
  }
  worker_here()->let_go();
  if (!box_.try_die()) return false;
  // From here nobody else runs this cell; whoever hears of its end finds it ended.
  tell_watchers(*this);
  if (has_names()) core_->unregister(*this);
  if (prepaid_ != 0) release_many(std::exchange(prepaid_, 0));
  if (parent_ != nullptr) {
    parent_->post(exit_);
  } else {
    core_->root_ended();
  }
  release();
  return true;
}

bool cell::has_names() noexcept {
  const cell_extras* const x = extras_in_order();
  if (x == nullptr) return false;
  const scoped_lock guard(lock_);
  return !x->registered_names.empty();
}

// -- children ---------------------------------------------------------------------

cell* cell::make_child(const behaviour& b, const spawn_options& o) {
  const bool usual = options_are_usual(o);
  if (!usual || o.mailbox.capacity - 1 >= mailbox::max_capacity) {
    check_options(o, path() + (o.name.empty() ? "" : "/" + o.name));
  }
  const std::size_t bytes = sizeof(cell) + b.size;
  void* const memory = slab_allocate(bytes);
  cell* child = nullptr;
  if (spawn_hooks* const hooks = core_->hooks()) [[unlikely]] {
    spawn_options changed = o;
    const behaviour& instead = hooks->prepare(b, changed);
    child = new (memory) cell(*core_, this, instead, changed, options_are_usual(changed));
  } else {
    child = new (memory) cell(*core_, this, b, o, usual);
  }
  errc refused{};
  {
    const scoped_lock guard(lock_);
    if (barren_) {
      refused = errc::closed;
    } else if (!o.name.empty() && child_named(o.name) != nullptr) {
      refused = errc::name_taken;
    } else {
      child->serial_ = next_serial_++;
      child->older_ = youngest_child_;
      if (youngest_child_ != nullptr) youngest_child_->younger_ = child;
      youngest_child_ = child;
    }
    // A ref to the child may outlive this actor, and still tells its path, so
    // the child has a share. Bought in bulk, an atomic operation for every 64,
    // but for the root, whose children come from other threads to its very end.
    if (parent_ == nullptr) {  // not guardian_, for its neighbours are written on the strand
      share();
    } else {
      if (prepaid_ == 0) {
        prepaid_ = 64;
        share_many(64);
      }
      --prepaid_;
    }
  }
  if (refused == errc{}) return child;
  child->free_unborn();
  throw troupe_error(error(make_error_code(refused),
                           refused == errc::closed
                               ? "spawn: the parent is ending and takes no children any more"
                               : "spawn: there is a child named '" + o.name + "' already",
                           path()));
}

cell* cell::child_named(std::string_view wanted) const {
  cell* c = youngest_child_;
  // One that has ended keeps its place until this actor comes to know, but not its name.
  while (c != nullptr && (c->box().dead() || c->name() != wanted)) c = c->older_;
  return c;
}

void cell::free_unborn() noexcept {
  delete extras_if_any();
  const std::size_t bytes = sizeof(cell) + behaviour_->size;
  cell* const above = parent_;
  std::destroy_at(this);
  slab_deallocate(this, bytes);
  if (above == nullptr) return;
  const worker* const w = worker_here();
  if (w != nullptr && w->current == above && above->parent_ != nullptr && above->life_ != life::dead) {
    ++above->prepaid_;  // on its own strand: to be had again
  } else {
    above->release();
  }
}

void cell::unlink_child(cell& child) noexcept {
  const scoped_lock guard(lock_);
  (child.younger_ != nullptr ? child.younger_->older_ : youngest_child_) = child.older_;
  if (child.older_ != nullptr) child.older_->younger_ = child.younger_;
  child.older_ = child.younger_ = nullptr;
}

// The constructor threw. What it has sent, armed or started by then, and whoever
// found the child in the tree, is dealt with as at any other end.
void cell::discard_child(cell& child) noexcept {
  const cell_extras* const x = child.extras_if_any();
  const bool bare =
      child.youngest_child_ == nullptr && (x == nullptr || (x->timers == nullptr && x->watching == nullptr));
  if (bare && child.box_.try_die()) {
    child.life_ = life::dead;
    tell_watchers(child);
    if (child.has_names()) core_->unregister(child);
    unlink_child(child);
    child.release_many(2);
    child.release();
  } else {
    child.release();  // the share of the caller, who gets no ref
    child.request(order_unborn);
    child.wake();  // its mailbox was held until now
  }
}

void cell::discard_raw_child(cell& child) noexcept {
  unlink_child(child);
  child.free_unborn();
}

void cell::launch(cell& child) noexcept {
  child.has_state_ = true;
  child.core_->home().count([](counter_block& c) { c.spawned.add(); });
  if (child.behaviour_->started != nullptr) child.request(order_start);
  // Until now its mailbox was held, so that nothing ran it. What has come meanwhile runs now.
  if (child.leaving_ || !child.box_.try_idle(0, nullptr)) child.wake();
}

void cell::exit_mail::act(mail& m, strand& s) noexcept {
  auto& parent = static_cast<cell&>(s);
  auto& child = cell::of_exit(static_cast<exit_mail&>(m));
  if (child.life_ == life::dead) {
    parent.child_exited(child);
  } else {
    parent.child_crashed(child);
  }
}

void cell::child_exited(cell& child) noexcept {
  const bool failed = child.restart_ == restart::temporary && child.exit_kind_ == exit_kind::error;
  if (failed && life_ == life::running) {
    core_->home().log(log_level::error, child.path() + " ended: " + child.reason().to_string());
  }
  unlink_child(child);
  child.release();
  if (life_ == life::ending) {
    stop_next_child();
  } else if (awaits_start_of(child)) {
    fail(exit_kind::error,
         error(make_error_code(errc::start_failed), "a child ended while the tree was starting", path()));
  }
}

bool cell::awaits_start_of(const cell& child) noexcept {
  return behaviour_->awaits_start_of != nullptr && life_ == life::running &&
         behaviour_->awaits_start_of(*this, child);
}

void cell::child_crashed(cell& child) noexcept {
  if (life_ != life::running) {
    child.request(order_bury);
    return;
  }
  const exit_reason why = child.reason();
  if (awaits_start_of(child)) {
    child.request(order_bury);
    fail(exit_kind::error,
         error(make_error_code(errc::start_failed), "a child failed while the tree was starting", path(),
               why.why() != nullptr ? *why.why() : error(errc::actor_failed)));
    return;
  }
  // The root keeps a budget for each of its children: they have nothing to do
  // with each other. Everybody else answers for all of his.
  cell_extras& x = guardian_ ? child.extras() : extras();
  const std::int64_t now = core_->home().now();
  if (x.window.admit(x.budget, now)) {
    child.request(order_restart);
    return;
  }
  const std::string text = "more than " + std::to_string(x.budget.max) + " restarts within " +
                           std::to_string(x.budget.within.count() / 1'000'000) + " ms";
  core_->home().log(log_level::error, (guardian_ ? child.path() : path()) + ": gives up: " + text + "; " +
                                          child.path() + " ended with " + why.to_string());
  if (guardian_) {
    child.exit_kind_ = exit_kind::restart_limit;
    child.request(order_bury);
    return;
  }
  child.request(order_bury);
  error cause = why.why() != nullptr ? *why.why() : error(errc::actor_failed);
  fail(exit_kind::restart_limit, error(make_error_code(errc::restart_limit), text, path(), std::move(cause)));
}

}  // namespace troupe::detail
