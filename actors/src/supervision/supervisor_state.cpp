// How a supervisor comes up, and how it handles crashes and ends of its children. On its strand. Its answers
// to requests are in supervisor_calls.cpp.
#include "supervision/supervisor_state.hpp"

#include <troupe/actors/system_core.hpp>

#include <algorithm>

namespace troupe::detail {

namespace {

error ignored(const std::string& where) {
  return {make_error_code(errc::ignored), "its constructor threw ignore_start", where};
}

}  // namespace

supervisor_state::supervisor_state(context& self, const std::shared_ptr<const supervisor_spec>& s,
                                   const std::shared_ptr<start_report>& r)
    : me_(static_cast<cell&>(self)), spec_(s), report_(r) {
  for (const child_spec& c : spec_->children) append(c);
  if (options().strategy == strategy::partitioned) {
    const std::uint32_t n = partitions_of(me_);
    for (std::uint32_t i = 0; i < n; ++i) {
      auto partition = std::make_shared<supervisor_spec>();
      partition->name = std::to_string(i);
      partition->options = {.strategy = strategy::dynamic,
                            .restarts = options().restarts,
                            .max_children = options().max_children};
      append(make_child_spec(std::move(partition)));
    }
  }
  group_ = cursor_ = members_.begin();
  ending_ = members_.end();
}

supervisor_state::members::iterator supervisor_state::append(child_spec c) {
  members_.push_back({.spec = std::move(c), .place = next_place_++});
  const auto at = std::prev(members_.end());
  ids_.emplace(at->spec.id, at);
  return at;
}

supervisor_state::members::iterator supervisor_state::by_id(const std::string& id) noexcept {
  const auto at = ids_.find(id);
  return at != ids_.end() ? at->second : members_.end();
}

// -- coming up --------------------------------------------------------------------

void supervisor_state::go_on() noexcept {
  switch (phase_) {
    case phase::coming_up:
      break;
    case phase::ending_group:
      end_group();
      return;
    case phase::starting_group:
      start_group();
      return;
    case phase::steady:
      return;
  }
  while (cursor_ != members_.end()) {
    const auto at = cursor_;
    member& m = *at;
    if (m.child == nullptr) {
      if (me_.is_told_to_end()) return;                     // the order comes next
      if (me_.epoch() != 0 && m.spec.factory->used_up()) {  // moved into a child of an earlier incarnation
        ++cursor_;
        forget(at);
        continue;
      }
      const auto child = start(at);
      if (!child && child.error() == errc::ignored) {
        ++cursor_;
        if (m.spec.options.restart == restart::temporary) forget(at);
        continue;
      }
      if (!child) {
        fail_start(m.spec.id, child.error());
        return;
      }
    }
    if (!m.child->is_up()) return;  // goes on when that one is up
    m.at = progress::running;
    ++cursor_;
  }
  become_steady();
}

void supervisor_state::become_steady() noexcept {
  if (phase_ == phase::starting_group) {
    for (member& m : members_) m.spared = false;
  }
  phase_ = phase::steady;
  if (!me_.is_up()) {
    me_.set_up(true);
    if (report_) {
      {
        const scoped_lock guard(report_->lock);
        report_->up = true;
        report_->changed.notify_all();
      }
      me_.home().notify_drivers();
    } else {
      me_.parent()->request(cell::order_child_up);
    }
  }
  // A member of a group that crashed while the others were still coming up.
  const auto crashed = std::ranges::find(members_, progress::waiting, &member::at);
  if (crashed != members_.end()) begin_group(crashed);
}

void supervisor_state::fail_start(const std::string& id, error why) noexcept {
  me_.fail(exit_kind::error, error(make_error_code(errc::start_failed),
                                   "child '" + id + "' could not be started", me_.path(), std::move(why)));
}

// The child's constructor runs here. The child takes its place among its siblings, which are stopped in
// reverse.
result<any_ref> supervisor_state::start(members::iterator m) {
  const std::string where = me_.path() + "/" + m->spec.id;
  try {
    cell* const child = m->spec.factory->start(me_, m->spec.options);
    cells_.emplace(child, m);
    m->child = child;
    ending_ = members_.end();  // a group that ends does so with this one
    m->revive = false;
    m->at = progress::starting;
    if (child->is_up()) m->at = progress::running;
    if (std::next(m) != members_.end()) {
      auto older = m;
      cell* before = nullptr;
      while (before == nullptr && older != members_.begin()) before = (--older)->child;
      me_.place_child(*child, before);
    }
    return any_ref(child);
  } catch (const ignore_start&) {
    return std::unexpected(ignored(where));
  } catch (...) {
    return std::unexpected(error::from_exception(std::current_exception(), where));
  }
}

result<any_ref> supervisor_state::start_dynamic(child_spec c) {
  const std::string where = me_.path() + "/" + c.id;
  try {
    any_ref child(c.factory->start(me_, c.options));
    cells_.emplace(child.cell(), members_.end());
    ++alive_;
    if (c.options.restart != restart::temporary) dynamic_.emplace(child.cell(), std::move(c));
    return child;
  } catch (const ignore_start&) {
    return std::unexpected(ignored(where));
  } catch (...) {
    return std::unexpected(error::from_exception(std::current_exception(), where));
  }
}

void supervisor_state::forget(members::iterator m) noexcept {
  if (group_ == m) ++group_;
  if (cursor_ == m) ++cursor_;
  if (ending_ == m) ++ending_;
  ids_.erase(m->spec.id);
  members_.erase(m);
}

// -- crashes ----------------------------------------------------------------------

bool supervisor_state::admit(cell& child, member* m) noexcept {
  if (m != nullptr && m->spec.budget && !m->window.admit(*m->spec.budget, me_.home().now())) {
    me_.give_up_on(child, *m->spec.budget);
    return false;
  }
  cell_extras& x = me_.extras();
  if (x.admit_restart(me_)) return true;
  me_.give_up_on(child, x.budget);
  return false;
}

void supervisor_state::child_crashed(cell& child) noexcept {
  const auto known = cells_.find(&child);
  if (known == cells_.end()) {  // its constructor threw, after other actors had got its ref
    child.request(cell::order_give_up);
    return;
  }
  if (known->second == members_.end()) {  // of a dynamic supervisor
    if (admit(child, nullptr)) child.request(cell::order_restart);
    return;
  }
  const auto it = known->second;
  member& m = *it;
  if (m.at == progress::stopping) {
    child.request(cell::order_give_up);
    return;
  }
  if (phase_ == phase::coming_up && it == cursor_) {
    child.request(cell::order_give_up);
    const exit_reason why = child.reason();
    fail_start(m.spec.id, why.cause() != nullptr ? *why.cause() : error(errc::actor_failed));
    return;
  }
  if (phase_ == phase::ending_group && !precedes(it, group_)) {
    m.at = progress::waiting;  // told to end or crashed: one group, one unit of the budget
    child.request(cell::order_acknowledge);
    end_group();
    return;
  }
  if (!admit(child, &m)) return;
  if (!grouped()) {
    m.at = progress::starting;
    child.request(cell::order_restart);
    return;
  }
  m.at = progress::waiting;
  child.request(cell::order_acknowledge);  // a stop need not wait for the group
  if (phase_ != phase::coming_up) begin_group(it);
}

bool supervisor_state::precedes(members::const_iterator a, members::const_iterator b) const noexcept {
  return b == members_.end() || a->place < b->place;
}

void supervisor_state::begin_group(members::iterator first) noexcept {
  group_ = companions_of(options().strategy) == companions::all ? members_.begin() : first;
  ending_ = members_.end();
  phase_ = phase::ending_group;
  // By an order to itself, so that requests that have come meanwhile are handled, also in a restart loop.
  me_.request(cell::order_child_up);
}

// Stops the members in reverse, one after the other.
void supervisor_state::end_group() noexcept {
  for (; ending_ != group_; --ending_) {
    member& m = *std::prev(ending_);
    if (m.child == nullptr || m.at == progress::waiting) continue;
    if (m.at == progress::ending || m.at == progress::stopping) return;
    m.at = progress::ending;
    me_.end_child(*m.child,
                  m.spec.options.restart == restart::temporary ? cell::order_stop : cell::order_recycle);
    return;
  }
  phase_ = phase::starting_group;
  cursor_ = group_;
  start_group();
}

// Starts the members in order, each when the one before it is up.
void supervisor_state::start_group() noexcept {
  for (; cursor_ != members_.end(); ++cursor_) {
    member& m = *cursor_;
    if (m.child == nullptr) {
      if (!m.revive || m.spared) continue;
      if (me_.is_told_to_end()) return;
      const auto child = start(cursor_);
      if (!child && child.error() != errc::ignored) {
        cell_extras& x = me_.extras();
        if (x.admit_restart(me_)) {
          begin_group(cursor_);
        } else {
          give_up("child '" + m.spec.id + "' could not be restarted, and the restart budget is used up",
                  child.error());
        }
        return;
      }
      if (!child) continue;
    }
    if (m.at == progress::waiting) {
      m.at = progress::starting;
      m.child->request(cell::order_restart);
      return;
    }
    if (m.at == progress::starting) {
      if (!m.child->is_up()) return;
      m.at = progress::running;
    }
  }
  become_steady();
}

// -- ends -------------------------------------------------------------------------

void supervisor_state::child_ended(cell& child) noexcept {
  const auto known = cells_.find(&child);
  if (known == cells_.end()) return;
  const auto it = known->second;
  cells_.erase(known);
  const bool wedged = cell::was_quarantined(child);  // its strand may still run: its fields are not read
  const auto waits = stops_.extract(&child);
  if (!waits.empty()) {
    for (reply_to<void>& r : waits.mapped()) r.send({});
  }
  if (it == members_.end()) {
    --alive_;
    auto again = dynamic_.extract(&child);
    if (wedged && waits.empty() && !again.empty()) replace_dynamic(std::move(again.mapped()));
    return;
  }
  member& m = *it;
  const progress was = m.at;
  const restart type = m.spec.options.restart;
  m.child = nullptr;
  m.at = progress::none;
  m.revive = wedged ? type != restart::temporary : type == restart::permanent && child.stop_asked();
  if (phase_ == phase::coming_up && it == cursor_) {
    fail_start(m.spec.id,
               error(make_error_code(errc::closed), "it ended while the tree was starting", child.path()));
    return;
  }
  if (phase_ == phase::starting_group && it == cursor_) ++cursor_;
  const bool significant = m.spec.significant;
  if (type == restart::temporary) {
    forget(it);
  } else if (wedged && was != progress::stopping && phase_ == phase::steady) {
    replace(it);
  }
  if (!wedged) apply_auto_shutdown(child, significant);
  go_on();
}

// A wedged child does not come back; a new actor with a new address replaces it.
void supervisor_state::replace(members::iterator m) noexcept {
  if (!may_replace(m->spec.id)) return;
  if (grouped()) {
    begin_group(m);
  } else if (const auto fresh = start(m); !fresh && fresh.error() != errc::ignored) {
    fail_start(m->spec.id, fresh.error());
  }
}

void supervisor_state::replace_dynamic(child_spec c) noexcept {
  const std::string id = c.id;
  if (!may_replace(id)) return;
  if (const auto fresh = start_dynamic(std::move(c)); !fresh && fresh.error() != errc::ignored) {
    fail_start(id, fresh.error());
  }
}

// Takes one restart from the budget; gives up when none is left.
bool supervisor_state::may_replace(const std::string& id) noexcept {
  if (me_.extras().admit_restart(me_)) return true;
  give_up("child '" + id + "' is wedged, and the restart budget is used up", error(errc::stuck));
  return false;
}

void supervisor_state::give_up(std::string text, error why) noexcept {
  me_.fail(exit_kind::restart_limit,
           error(make_error_code(errc::restart_limit), std::move(text), me_.path(), std::move(why)));
}

void supervisor_state::apply_auto_shutdown(const cell& child, bool significant) noexcept {
  if (!significant || child.stop_asked() || options().auto_shutdown == auto_shutdown::never) return;
  const bool others =
      std::ranges::any_of(members_, [](const member& m) { return m.spec.significant && m.child != nullptr; });
  if (options().auto_shutdown == auto_shutdown::all_significant && others) return;
  me_.stop_self(exit_reason(exit_kind::shutdown, error(make_error_code(errc::closed),
                                                       "its significant child has ended", child.path())));
}

// -- as a behaviour ---------------------------------------------------------------

namespace {

using args =
    class_behaviour<supervisor_state, std::shared_ptr<const supervisor_spec>, std::shared_ptr<start_report>>;

constexpr supervising children{
    [](cell& c) noexcept { args::box::of(c).state().child_up(); },
    [](cell& c, cell& child) noexcept { args::box::of(c).state().child_crashed(child); },
    [](cell& c, cell& child) noexcept { args::box::of(c).state().child_ended(child); },
};

constexpr behaviour make_behaviour() {
  behaviour b = args::value;
  b.name = "supervisor";
  b.supervises = &children;
  return b;
}

constexpr behaviour supervisor_behaviour = make_behaviour();

}  // namespace

// Kept arguments live as long as the cell, and never change.
std::uint32_t partitions_of(cell& supervisor) noexcept {
  const auto& spec = std::get<0>(args::box::of(supervisor).arguments);
  if (spec->options.strategy != strategy::partitioned) return 0;
  return spec->options.partitions != 0 ? spec->options.partitions : supervisor.home().options().workers;
}

cell* start_supervisor(cell& parent, const std::shared_ptr<const supervisor_spec>& spec,
                       const spawn_options& o, const std::shared_ptr<start_report>& report) {
  return spawn_cell<supervisor_state>(parent, supervisor_behaviour, o, spec, report);
}

}  // namespace troupe::detail
