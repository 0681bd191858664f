// How a cell makes children, and how it handles the end of one. On the parent's strand, except for children
// of the root, which any thread may spawn.
#include "cell/extras.hpp"
#include "cell/watch_link.hpp"
#include "system/name_text.hpp"

#include <troupe/actors/system_core.hpp>

#include <algorithm>
#include <memory>
#include <vector>

namespace troupe::detail {

namespace {

// Buckets for one more named child, allocated before the lock is taken. If another thread adds a child first
// (the root's children come from any thread) there may be too few, which only makes the chains longer.
std::vector<cell*> buckets_for_names(cell& parent) {
  cell_extras& x = parent.extras();
  std::size_t wanted = 0;
  {
    const scoped_lock guard(parent.lock());
    wanted = x.named.wanted_buckets();
  }
  return std::vector<cell*>(wanted);
}

}  // namespace

cell* cell::make_child(const behaviour& b, const spawn_options& o) {
  const bool usual = options_are_usual(o);
  if (!usual || o.mailbox.capacity == 0) {
    // The path is made for an error only: its cost grows with the depth of the tree.
    if (const std::string wrong = wrong_options(o); !wrong.empty()) {
      throw troupe_error(error(make_error_code(errc::invalid_argument), wrong,
                               path() + (o.name.empty() ? "" : "/" + o.name)));
    }
  }
  const bool named = !o.name.empty();
  std::vector<cell*> buckets = named ? buckets_for_names(*this) : std::vector<cell*>();
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
    if (closed_to_children_) {
      refused = errc::closed;
    } else if (named && child_named(o.name) != nullptr) {
      refused = errc::name_taken;
    } else {
      if (named) {
        extras().named.rehash(buckets);
        extras().named.add(*child);
      }
      child->serial_ = next_serial_++;
      children_.add(*child);
    }
    // A ref to the child may outlive this actor and still tells its path, so the child has a share. Shares
    // are taken in bulk, one atomic operation for 64, except for the root, whose children other threads may
    // add until its end.
    if (is_root()) {
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
  (void)child->free_unborn();  // this actor lives
  throw troupe_error(error(make_error_code(refused),
                           refused == errc::closed ? "spawn: the parent is ending and takes no more children"
                                                   : "spawn: a child named '" + o.name + "' exists already",
                           path()));
}

cell* cell::child_named(std::string_view wanted) const {
  if (!wanted.starts_with('~')) {
    const cell_extras* const x = extras_if_any();
    return x != nullptr ? x->named.find(wanted) : nullptr;
  }
  cell* c = children_.youngest();
  // A child that has ended stays in the list until this actor handles its end, but its name is free.
  while (c != nullptr && (c->box().dead() || name_text(*c).view() != wanted)) c = c->links.older;
  return c;
}

namespace {

// The most shares that a parent keeps ready for its next children: more are given back.
constexpr std::uint16_t most_prepaid = 192;

}  // namespace

// Frees the cell and gives back its share of the parent. Returns the parent when that was its last share.
cell* cell::free_unborn() noexcept {
  delete extras_if_any();
  const std::size_t bytes = sizeof(cell) + behaviour_->size;
  cell* const above = parent_;
  std::destroy_at(this);
  slab_deallocate(this, bytes);
  if (above == nullptr) return nullptr;
  const worker* const w = worker_here();
  if (w != nullptr && w->current == above && above->parent_ != nullptr && above->life_ != life::dead) {
    if (++above->prepaid_ == most_prepaid) {  // on its own strand: kept for the next child
      above->prepaid_ = most_prepaid / 2;
      above->release_many(most_prepaid - most_prepaid / 2);
    }
    return nullptr;
  }
  return above->release_last() ? above : nullptr;
}

void cell::unlink_child(cell& child) noexcept {
  const scoped_lock guard(lock_);
  if (const cell_extras* const its = child.extras_if_any(); its != nullptr && !its->name.empty()) {
    extras().named.remove(child);
  }
  children_.remove(child);
}

void cell::tell_children(std::uint32_t order) noexcept {
  cell* at = nullptr;
  for (;;) {
    cell* next = nullptr;
    {
      const scoped_lock guard(lock_);
      // If `at` was unlinked meanwhile, because its constructor threw on another thread, its links are gone:
      // start again at the youngest. An order that is given twice is harmless.
      const bool listed = at != nullptr && children_.still_has(*at);
      next = listed ? at->links.older : children_.youngest();
      if (next != nullptr) next->share();
    }
    if (at != nullptr) at->release();
    if (next == nullptr) return;
    next->request(order);
    at = next;
  }
}

// The constructor threw. Whatever it has sent, armed or started by then is handled as at any other end; so
// are actors that found the child in the tree.
void cell::discard_child(cell& child) noexcept {
  const cell_extras* const x = child.extras_if_any();
  const bool bare = child.children_.empty() && (x == nullptr || (x->timers.empty() && x->watching.empty()));
  if (bare && child.box_.try_die()) {
    child.life_ = life::dead;
    core_->unregister(child);
    tell_watchers(child);
    if (is_root()) {
      // Another thread: children are only unlinked on this cell's strand, which may wait for this one's end.
      child.release_many(2);
      post(child.exit_);  // with the last share
    } else {
      unlink_child(child);
      child.release_many(2);
      child.release();
    }
  } else {
    child.release();  // the share of the caller, who gets no ref
    child.request(order_start_failed);
    child.wake();  // its mailbox was held until now
  }
}

void cell::discard_raw_child(cell& child) noexcept {
  child.raw_ = true;
  discard_child(child);
}

void cell::launch(cell& child) noexcept {
  child.has_state_ = true;
  if (child.behaviour_->supervises == nullptr) child.set_up(true);
  child.core_->home().count([](counter_block& c) { c.spawned.add(); });
  if (child.behaviour_->started != nullptr) child.request(order_start);
  // Until now its mailbox was held, so that nothing ran it. Mail that has arrived meanwhile is handled now.
  if (child.leaving_ || !child.box_.try_idle(0, nullptr)) child.wake();
}

// A parent outlives its children, except one that it has cut off.
void cell::exit_mail::parent_gone(mail& m) noexcept {
  cell& child = cell::of_exit(static_cast<exit_mail&>(m));
  if (child.life_ == life::dead) {
    child.core_->remove_wedged(child.path());
    child.release();
  } else {
    child.request(order_give_up);
  }
}

void cell::exit_mail::act(mail& m, strand& s) noexcept {
  auto& parent = static_cast<cell&>(s);
  auto& child = cell::of_exit(static_cast<exit_mail&>(m));
  if (was_quarantined(child)) {
    parent_gone(m);
    return;
  }
  child.plan_.clear();
  if (child.life_ == life::dead) {
    parent.child_exited(child);
  } else {
    parent.child_crashed(child);
  }
}

void cell::place_child(cell& child, cell* older) noexcept {
  const scoped_lock guard(lock_);
  children_.place(child, older);
}

void cell::child_exited(cell& child) noexcept {
  unlink_child(child);
  if (life_ == life::ending) {
    if (keeping_ && child.behaviour_->fails_with_owner) --extras().tasks_ending;
    stop_next_child();
  } else if (life_ == life::running) {
    if (child.behaviour_->fails_with_owner && child.exit_reason_is_abnormal()) {
      const exit_reason why = child.reason();
      crash(error(make_error_code(errc::actor_failed), "one of its tasks failed", path(),
                  why.cause() != nullptr ? *why.cause() : error(errc::actor_failed)));
      child.release();
      return;
    }
    const bool failed = child.restart_ == restart::temporary && child.exit_reason_is_abnormal();
    if (failed && !child.crash_logged_)
      core_->home().log(log_level::error, child.path() + " ended: " + child.reason().to_string());
    if (behaviour_->supervises != nullptr) behaviour_->supervises->child_ended(*this, child);
  }
  child.release();
}

void cell::child_crashed(cell& child) noexcept {
  if (life_ != life::running && !(life_ == life::crashed && keep_children_) && !keeping_) {
    child.request(order_give_up);
    return;
  }
  if (behaviour_->supervises != nullptr) {
    behaviour_->supervises->child_crashed(*this, child);
    return;
  }
  cell_extras& x = extras();
  if (x.admit_restart(*this)) {
    child.request(order_restart);
  } else {
    give_up_on(child, x.budget);
  }
}

// Children of the root are unrelated; every other supervisor has one budget for all its children.
void cell::judge_alone(cell& child) noexcept {
  cell_extras& x = child.extras();
  if (x.own_window.admit(x.budget, core_->home().now())) {
    child.request(order_restart);
  } else {
    give_up_on(child, x.budget);
  }
}

bool cell_extras::admit_restart(cell& of) {
  const scoped_lock guard(of.lock());
  return window.admit(budget, of.home().now());
}

// One restart too many: the child ends, and this cell fails; its own parent decides what follows.
void cell::give_up_on(cell& child, const restart_budget& budget) noexcept {
  const exit_reason why = child.reason();
  std::string text = "more than " + std::to_string(budget.max) + " restarts within " +
                     std::to_string(budget.within.count() / 1'000'000) + " ms";
  core_->home().log(log_level::error, (is_root() ? child.path() : path()) + ": gives up: " + text + "; " +
                                          child.path() + " ended with " + why.to_string());
  if (is_root()) child.exit_kind_ = exit_kind::restart_limit;
  child.request(order_give_up);
  if (is_root()) return;  // the root never fails
  fail(exit_kind::restart_limit,
       error(make_error_code(errc::restart_limit), std::move(text), path(),
             why.cause() != nullptr
                 ? *why.cause()
                 : error(make_error_code(errc::actor_failed), "ended as " + why.to_string(), child.path())));
}

}  // namespace troupe::detail
