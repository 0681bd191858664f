// How a parent supervises the end of the children that were told to end. On the parent's strand.
//
//   told ---- due: its own time, or the parent's ----> killed ---- grace ----> checked, again and again
//                                                      at two checks in a row in a handler, its orders
//                                                      unread: wedged
//
// Each child has its own due time, in its plan. One timer of the parent is set for the earliest; when it
// fires, all children are checked, and the next check comes no sooner than the time this one takes.
//
// C++ cannot end a handler that does not return. Its actor is cut off from the tree: it is refused mail,
// reported as wedged, and its memory is left alone, because its thread still uses it. If the handler returns
// after all, the actor ends by itself.
#include "cell/extras.hpp"
#include "cell/watch_link.hpp"
#include "mailbox/lossy_mailbox.hpp"

#include <troupe/actors/system_core.hpp>

#include <algorithm>

namespace troupe::detail {

namespace {

// From the order to end at once to the first check, and between two checks.
constexpr std::int64_t grace = 100'000'000;  // ns
// An upper estimate of the time to check one child.
constexpr std::int64_t glance = 1'000;  // ns

constexpr std::uint32_t kills = cell::order_kill | cell::order_kill_incarnation;
constexpr std::uint32_t ends = cell::order_stop | cell::order_recycle | kills;

}  // namespace

// It was told to end and has not read its orders, and a worker runs it: it is not merely queued. Any thread;
// `running` is only compared.
bool cell::is_stuck() const noexcept {
  if ((orders_.load(std::memory_order_acquire) & ends) == 0) return false;
  return std::ranges::any_of(core_->home().workers(), [this](const auto& w) {
    return w->running.load(std::memory_order_relaxed) == static_cast<const strand*>(this);
  });
}

// -- orders -------------------------------------------------------------------------

void cell::end_child(cell& child, std::uint32_t order) noexcept {
  child.request(order);
  expect_end_of(child, order);
}

void cell::end_all_children(std::uint32_t order) noexcept {
  children_told_ = true;
  tell_children(order);
  for (cell* c = children_.youngest(); c != nullptr; c = c->links.older) expect_end_of(*c, order);
}

// Tasks end with the incarnation, also when it keeps its children.
void cell::end_tasks(std::uint32_t order) noexcept {
  std::uint32_t n = 0;
  for (cell* c = children_.youngest(); c != nullptr; c = c->links.older) {
    if (!c->behaviour_->fails_with_owner) continue;
    ++n;
    end_child(*c, order);
  }
  if (n != 0 || extras_if_any() != nullptr) extras().tasks_ending = n;
}

// The child has just been told to end: sets its due time to the least of its own time and its parent's.
void cell::expect_end_of(cell& child, std::uint32_t order) noexcept {
  const std::int64_t now = core_->home().now();
  const cell_extras* const theirs = child.extras_if_any();
  const cell_extras* const mine = extras_if_any();
  bool at_once = (order & kills) != 0;
  std::int64_t due = INT64_MAX;
  if (at_once) {
    due = now + grace;
  } else {
    const duration allowed = shutdown_of(theirs);
    at_once = allowed == brutal;
    due = at_once ? now + grace : deadline_after(now, allowed);
    if (theirs != nullptr) due = std::min(due, theirs->deadline.load(std::memory_order_relaxed));
    if (mine != nullptr) due = std::min(due, mine->deadline.load(std::memory_order_relaxed));
  }
  if (child.plan_.known()) {
    if (child.plan_.due() <= due && child.plan_.at_once() >= at_once) return;  // told before
    due = std::min(due, child.plan_.due());
  }
  if (due == INT64_MAX) return;  // no limit
  child.plan_.set(due, at_once, false);
  look_at(due);
}

// -- checks -------------------------------------------------------------------------

void cell::look_at(std::int64_t when) noexcept {
  cell_extras& x = extras();
  if (x.inspect_timer != nullptr && x.inspect_due <= when) return;
  x.inspect_due = when;
  order_timer::arm(*this, order_inspect, when, x.inspect_timer);
}

// Not checked at once: most children that others have told end before a check would come.
void cell::look_after_children_soon() noexcept {
  request(order_inspect);
}

void cell::look_after_children() noexcept {
  if (!has_children()) return;
  cell_extras& x = extras();
  const std::int64_t now = core_->home().now();
  if (x.inspect_timer != nullptr || x.inspect_due == 0) {  // another thread has told a child
    look_at(now + std::max(grace, x.inspect_pause));
    return;
  }
  if (now < x.inspect_due) {
    look_at(x.inspect_due);
    return;
  }
  x.inspect_due = 0;
  std::vector<cell*> wedged;
  std::int64_t next = INT64_MAX;
  std::int64_t n = 0;
  cell* c = nullptr;
  {
    const scoped_lock guard(lock_);  // children of the root are added by other threads, as the youngest
    c = children_.youngest();
  }
  for (; c != nullptr; c = c->links.older) {
    ++n;
    if (!c->plan_.known()) {
      const std::uint32_t told = c->orders_.load(std::memory_order_acquire) & ends;
      if (told == 0 && !(c->box_.closed() && !c->box_.dead())) continue;
      expect_end_of(*c, told != 0 ? told : order_stop);
      if (!c->plan_.known()) continue;
    }
    if (now >= c->plan_.due() && judge_late(*c, now)) {
      c->share();
      wedged.push_back(c);
    } else {
      next = std::min(next, c->plan_.due());
    }
  }
  x.inspect_pause = n * glance;
  if (next != INT64_MAX) look_at(std::max(next, now + x.inspect_pause));
  for (cell* const lost : wedged) {
    quarantine(*lost);
    lost->release();
  }
}

// The child is past its due time; true when it is wedged.
bool cell::judge_late(cell& child, std::int64_t now) noexcept {
  const bool stuck = child.is_stuck();
  if (stuck && child.plan_.suspect()) return true;
  const bool unread = (child.orders_.load(std::memory_order_relaxed) & ends) != 0;
  const cell_extras* const mine = extras_if_any();
  const bool own_time = child.behaviour_->stop_within != nullptr && !unread && !child.plan_.at_once() &&
                        now < mine->deadline.load(std::memory_order_relaxed);
  if (own_time) {  // it has its own deadline, and kills itself then
    child.plan_.set(now + default_shutdown.count(), false, false);
    return false;
  }
  // Again, if it was killed before: a child that hangs in a hook or a destructor has read that order.
  child.request(order_kill_incarnation);
  child.plan_.set(now + grace, true, stuck);
  return false;
}

// Empties the mailbox of a wedged child: requests are answered with an error, other messages become dead
// letters. Mail that the child has already taken out, to handle it as a batch, is left. If the handler
// returns just now, the child reads its orders first and handles no more user mail.
void cell::answer_for(cell& child, const std::string& where) noexcept {
  mail_queue queued;
  mail_queue system;
  child.box().detach(0, child.in_place_, queued, system);  // except the one it works on
  const auto refuse = [&](mail& m) {
    core_->lose(child, m, dead_letter_cause::closed);
    kind_of(m).refuse(m, error(make_error_code(errc::actor_failed),
                               "the actor is wedged: the handler before this request has not returned", where,
                               error(errc::stuck)));
  };
  std::uint32_t n = 0;
  while (mail* const m = system.pop_front()) child.post(*m);
  while (mail* const m = queued.pop_front()) {
    refuse(*m);
    ++n;
  }
  if (n != 0) child.box().credit(n);
  if (lossy_mailbox* const queue = child.extras().lossy.get()) {
    while (mail* const m = queue->pop()) refuse(*m);
  }
}

void cell::quarantine(cell& child) noexcept {
  const std::string where = child.path();
  child.extras().quarantined.store(true, std::memory_order_release);
  child.box().close();
  child.fail_waiters();
  answer_for(child, where);
  core_->home().count([](counter_block& c) { c.wedged.add(); });
  core_->home().log(log_level::error,
                    where +
                        ": wedged: its handler has not returned; it is cut off from the tree, and its thread "
                        "is abandoned. Move blocking calls into co_await blocking(...)");
  core_->add_wedged(where);
  child.tell_children(order_kill);
  core_->unregister(child);
  tell_watchers(child);
  unlink_child(child);  // this cell's share of it stays until its exit_ comes, if ever
  if (life_ == life::ending) {
    if (keeping_ && child.behaviour_->fails_with_owner) --extras().tasks_ending;
    stop_next_child();
  } else if (life_ == life::running && behaviour_->supervises != nullptr) {
    behaviour_->supervises->child_ended(*this, child);
  }
}

// Any thread; relaxed: the flag is set before the cell is unlinked and does not change back.
bool cell::was_quarantined(const cell& child) noexcept {
  const cell_extras* const x = child.extras_if_any();
  return x != nullptr && x->quarantined.load(std::memory_order_relaxed);
}

}  // namespace troupe::detail
