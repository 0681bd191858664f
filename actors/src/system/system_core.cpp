// The root, dead letters, names and wedged actors of a system. Any thread.
#include "cell/extras.hpp"
#include "system/name_registry.hpp"
#include "system/sink_list.hpp"

#include <troupe/actors/system_core.hpp>

#include <algorithm>
#include <chrono>

namespace troupe::detail {

namespace {

// The root as a supervisor: each of its children has its own budget.
constexpr supervising each_alone{
    [](cell&) noexcept {},
    [](cell& root, cell& child) noexcept { root.judge_alone(child); },
    [](cell&, cell&) noexcept {},
};

// The root of the tree: it handles no messages, and owns all actors.
constexpr behaviour root_behaviour{
    "root",
    0,
    [](const message_kind*) noexcept { return false; },
    [](cell&) {},
    [](cell&) noexcept {},
    [](cell&) noexcept {},
    nullptr,
    nullptr,
    [](cell&, mail& m) { m.kind->dispose(m); },
    false,
    &each_alone,
};

}  // namespace

void check_handler_task(bool there) {
  if (there) return;
  throw troupe_error(error(make_error_code(errc::invalid_argument), "the handler returned an empty task"));
}

void leave_unhandled(cell& c) noexcept {
  c.lose_unhandled(c.take_handling());
}

system_core::system_core(system& owner, engine& e, std::uint16_t place, duration shutdown)
    : owner_(owner),
      engine_(engine_ref::share_of(e)),
      place_(place),
      names_(std::make_unique<name_registry>()),
      sinks_(std::make_unique<sink_list>()) {
  spawn_options o;
  o.stop_children = stop_order::parallel;
  o.shutdown = shutdown;
  void* const memory = slab_allocate(sizeof(cell));
  root_ = new (memory) cell(*this, nullptr, root_behaviour, o, false);
}

system_core::~system_core() {
  root_->release();
}

void system_core::end() noexcept {
  sinks_->end();
}

// -- dead letters -----------------------------------------------------------------

void system_core::lose(const cell& to, mail& m, dead_letter_cause why) noexcept {
  const message_kind& k = kind_of(m);
  // An asker is told by an error; only a message whose loss is not reported to its sender is a dead letter.
  const bool asked = k.is_request && static_cast<ask_envelope_base&>(m).waiter != nullptr;
  if (asked && why != dead_letter_cause::crashed) return;
  lose(to, k, k.payload(m), why);
}

void system_core::lose(const cell& to, const message_kind& k, const void* message,
                       dead_letter_cause why) noexcept {
  engine_->count([](counter_block& c) { c.dead_letters.add(); });
  if (!sinks_->wants_letters()) return;
  try {
    sinks_->show(dead_letter(to.path(), why, k, message));
  } catch (const std::bad_alloc&) {
    // No memory for its path: it is counted, but not shown.
  }
}

void system_core::subscribe(dead_letter_sink& s) {
  sinks_->add(s);
}

void system_core::unsubscribe(dead_letter_sink& s) noexcept {
  sinks_->remove(s);
}

// -- names ------------------------------------------------------------------------

void register_child(cell& child, const std::string& name) {
  if (child.core().register_name(name, child)) return;
  throw troupe_error(error(make_error_code(errc::name_taken),
                           "register_as: another actor is registered as '" + name + "'", child.path()));
}

// Not for an actor of another system: this system is not told of its end.
bool system_core::register_name(const std::string& name, cell& c) {
  return &c.core() == this && names_->add(name, c);
}

void system_core::unregister(cell& c) noexcept {
  names_->remove_all(c);
}

cell* system_core::find_name(std::string_view name) {
  return names_->find(name);
}

cell* system_core::find_path(std::string_view path) {
  cell* at = root_;
  at->share();
  while (!path.empty()) {
    if (path.front() == '/') {
      path.remove_prefix(1);
      continue;
    }
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    cell* found = nullptr;
    {
      const scoped_lock guard(at->lock());
      found = at->child_named(part);
      if (found != nullptr) found->share();
    }
    at->release();
    if (found == nullptr) return nullptr;
    at = found;
  }
  if (at != root_) return at;
  at->release();  // users may not stop, kill or watch the root
  return nullptr;
}

// -- wedged actors ------------------------------------------------------------------

void system_core::add_wedged(const std::string& path) {
  const scoped_lock guard(lock_);
  wedged_.push_back(path);
}

void system_core::remove_wedged(const std::string& path) noexcept {
  const scoped_lock guard(lock_);
  const auto at = std::ranges::find(wedged_, path);
  if (at != wedged_.end()) wedged_.erase(at);
}

std::vector<std::string> system_core::wedged() {
  const scoped_lock guard(lock_);
  return wedged_;
}

// -- the end ------------------------------------------------------------------------

void system_core::root_ended() noexcept {
  engine& e = *engine_;  // outlives this worker's slice; *this may be freed once the lock is free
  {
    const scoped_lock guard(lock_);
    ended_ = true;
    changed_.notify_all();
  }
  e.notify_drivers();
}

bool system_core::root_has_ended() {
  const scoped_lock guard(lock_);
  return ended_;
}

bool system_core::wait_for_root(std::int64_t deadline) {
  if (!engine_->has_threads()) return engine_->drive([this] { return root_has_ended(); }, deadline);
  const auto until = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline));
  mutex_lock guard(lock_);
  while (!ended_ && guard.wait_until(changed_, until)) {
  }
  return ended_;
}

}  // namespace troupe::detail
