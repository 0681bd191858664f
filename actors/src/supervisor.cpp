#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/system_core.hpp>

#include "extras.hpp"
#include "supervisor_state.hpp"

namespace troupe {

supervisor::supervisor(std::string name, supervisor_options options)
    : spec_(std::make_shared<detail::supervisor_spec>()) {
  spec_->name = std::move(name);
  spec_->options = options;
}

void supervisor::add(std::string id, const child_options& o, bool is_supervisor,
                     std::shared_ptr<const detail::child_factory> f) {
  spawn_options s;
  s.name = id;
  s.mailbox = o.mailbox;
  s.restart = o.restart;
  s.shutdown = o.shutdown;
  s.backoff = o.backoff;
  s.restarts = o.restarts;
  s.stop_children = o.stop_children;
  spec_->children.push_back({std::move(id), std::move(s), std::move(f), is_supervisor});
}

supervisor&& supervisor::child(supervisor below) && {
  const supervisor_options& o = below.spec_->options;
  child_options c;
  c.restart = o.restart;
  c.shutdown = o.shutdown;
  c.backoff = o.backoff;
  c.restarts = o.restarts;
  std::shared_ptr<const detail::supervisor_spec> spec = std::move(below.spec_);
  std::string id = spec->name;
  add(std::move(id), c, true,
      detail::make_child_factory([spec](detail::cell& parent, const spawn_options& s) {
        return detail::start_supervisor(parent, spec, s, nullptr);
      }));
  spec_->children.back().below = spec;
  return std::move(*this);
}

namespace {

std::optional<error> problem(const detail::supervisor_spec& s, const std::string& above) {
  const std::string path = above + "/" + s.name;
  const auto bad = [](const std::string& where, const std::string& text) {
    return error(make_error_code(errc::invalid_argument), text, where);
  };
  if (s.name.empty()) return bad(path, "a supervisor needs a name");
  if (s.options.restarts.within.count() <= 0) return bad(path, "restarts.within must be a positive duration");
  for (std::size_t i = 0; i < s.children.size(); ++i) {
    const detail::child_spec& c = s.children[i];
    const std::string where = path + "/" + c.id;
    if (c.id.empty()) return bad(where, "child " + std::to_string(i) + " needs an id");
    if (c.options.shutdown.count() <= 0) return bad(where, "shutdown must be a positive duration");
    for (std::size_t j = 0; j < i; ++j) {
      if (s.children[j].id == c.id) {
        return bad(where, "two children have this id: give each its own");
      }
    }
    try {
      detail::check_options(c.options, where);
    } catch (const troupe_error& e) {
      return e.why();
    }
    if (c.below) {
      if (auto found = problem(*c.below, path)) return found;
    }
  }
  return std::nullopt;
}

}  // namespace

result<void> supervisor::check() const {
  if (auto found = problem(*spec_, "")) return std::unexpected(std::move(*found));
  return {};
}

namespace detail {

namespace {

using box =
    actor_box<supervisor_state, std::shared_ptr<const supervisor_spec>, std::shared_ptr<start_report>>;

constexpr behaviour supervisor_behaviour{
    "supervisor",
    sizeof(box),
    [](const message_kind*) noexcept { return false; },
    &box::construct,
    &box::destroy,
    &box::destroy_arguments,
    [](cell& c) { box::of(c).state().start_children(); },
    nullptr,
    [](cell&, mail& m) { m.kind->dispose(m); },
    true,
    [](cell& c) { box::of(c).state().start_children(); },
    [](cell& c, const cell& child) noexcept { return box::of(c).state().awaited == &child; },
};

}  // namespace

void supervisor_state::start_children() noexcept {
  // Another supervisor below may have said so, after a restart.
  if (awaited != nullptr && !awaited->is_up()) return;
  if (me.is_up()) return;
  awaited = nullptr;
  while (next < spec->children.size()) {
    const child_spec& c = spec->children[next++];
    try {
      cell* const child = c.factory->start(me, c.options);
      if (c.is_supervisor) awaited = child;  // ours, so it stays while we wait for it
      child->release();
    } catch (...) {
      fail_start(error(make_error_code(errc::start_failed), "child '" + c.id + "' could not be started",
                       me.path(), error::from_exception(std::current_exception(), me.path() + "/" + c.id)));
      return;
    }
    if (awaited != nullptr && !awaited->is_up()) return;  // goes on when that one is up
    awaited = nullptr;
  }
  me.set_up(true);
  if (report) {
    const std::scoped_lock guard(report->lock);
    report->up = true;
    report->changed.notify_all();
  } else {
    me.parent()->request(cell::order_child_up);
  }
}

void supervisor_state::fail_start(error why) noexcept {
  me.fail(exit_kind::error, std::move(why));
}

cell* start_supervisor(cell& parent, const std::shared_ptr<const supervisor_spec>& spec,
                       const spawn_options& o, const std::shared_ptr<start_report>& report) {
  return spawn_cell<supervisor_state>(parent, supervisor_behaviour, o, spec, report);
}

}  // namespace detail
}  // namespace troupe
