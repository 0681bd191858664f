// Supervision trees as values: building, checking and printing them; and the calls of supervisor_ref. Any
// thread.
#include "cell/extras.hpp"
#include "supervision/supervisor_state.hpp"

#include <troupe/actors/supervisor_spec.hpp>
#include <troupe/actors/system_core.hpp>

#include <algorithm>
#include <unordered_set>

namespace troupe {

supervisor::supervisor(std::string name, supervisor_options options)
    : spec_(new detail::supervisor_spec{std::move(name), options, {}}) {}

supervisor::supervisor(const supervisor& o) : spec_(new detail::supervisor_spec(*o.spec_)) {}

supervisor::supervisor(supervisor&&) noexcept = default;

supervisor& supervisor::operator=(supervisor o) noexcept {
  spec_ = std::move(o.spec_);
  return *this;
}

supervisor::~supervisor() = default;

void supervisor::add(std::string id, const child_options& options,
                     detail::owned<const detail::child_factory> f) {
  std::shared_ptr<const detail::child_factory> shared(f.release());
  spec_->children.push_back(detail::make_child_spec(std::move(id), options, std::move(shared)));
}

supervisor& supervisor::child(supervisor below) & {
  std::shared_ptr<const detail::supervisor_spec> shared(below.spec_.release());
  spec_->children.push_back(detail::make_child_spec(std::move(shared)));
  return *this;
}

const std::string& supervisor::name() const noexcept {
  return spec_->name;
}

namespace detail {

void throw_used_up(const cell& parent, const std::string& id) {
  throw troupe_error(
      error(make_error_code(errc::invalid_argument),
            "its arguments were moved into its first start: make it temporary, or give it arguments "
            "that can be copied",
            parent.path() + "/" + id));
}

child_spec make_child_spec(std::string id, const child_options& o, std::shared_ptr<const child_factory> f) {
  child_spec c;
  c.options.name = id;
  c.options.register_as = o.register_as;
  c.options.mailbox = o.mailbox;
  c.options.restart = o.restart;
  c.options.shutdown = o.shutdown;
  c.options.backoff = o.backoff;
  c.options.restarts = o.restarts;
  c.options.stop_children = o.stop_children;
  c.options.keep_children = o.keep_children;
  c.id = std::move(id);
  c.factory = std::move(f);
  c.budget = o.budget;
  c.significant = o.significant;
  return c;
}

child_spec make_child_spec(std::shared_ptr<const supervisor_spec> below) {
  const supervisor_options& o = below->options;
  child_options c;
  c.restart = o.restart;
  c.shutdown = o.shutdown;
  c.register_as = o.register_as;
  c.significant = o.significant;
  c.backoff = o.backoff;
  c.restarts = o.restarts;
  if (o.strategy == strategy::dynamic) c.stop_children = stop_order::parallel;
  auto start = [below](cell& parent, const spawn_options& s) {
    return start_supervisor(parent, below, s, nullptr);
  };
  child_spec made =
      make_child_spec(below->name, c, std::make_shared<const child_factory_of<decltype(start)>>(start));
  made.below = std::move(below);
  return made;
}

std::optional<error> wrong_with(const child_spec& c, const supervisor_options& above,
                                const std::string& path) {
  const std::string where = path + "/" + c.id;
  const auto bad = [&](const std::string& text) {
    return error(make_error_code(errc::invalid_argument), text, where);
  };
  if (c.significant && c.options.restart == restart::permanent) {
    return bad(
        "a permanent child is always restarted and cannot be significant: make it transient or temporary");
  }
  if (c.significant && above.auto_shutdown == auto_shutdown::never) {
    return bad(
        "`significant` has no effect here: set auto_shutdown of its supervisor to any_significant or "
        "all_significant");
  }
  if (c.budget && c.budget->within.count() <= 0) return bad("budget.within must be a positive duration");
  if (above.strategy == strategy::dynamic && (c.significant || c.budget)) {
    return bad(
        "a dynamic supervisor has no settings for single children: leave out significant and budget, or use "
        "one_for_one");
  }
  if (c.factory->once() && c.options.restart != restart::temporary) {
    return bad(
        "it cannot be restarted, because its arguments cannot be copied: make it temporary, or give it "
        "arguments "
        "that can be copied");
  }
  if (const std::string wrong = wrong_options(c.options); !wrong.empty()) return bad(wrong);
  return std::nullopt;
}

}  // namespace detail

namespace {

std::optional<error> problem(const detail::supervisor_spec& s, const std::string& above) {
  const std::string path = above + "/" + s.name;
  const auto bad = [](const std::string& where, const std::string& text) {
    return error(make_error_code(errc::invalid_argument), text, where);
  };
  const supervisor_options& o = s.options;
  if (s.name.empty()) return bad(path, "a supervisor needs a name");
  if (o.restarts.within.count() <= 0) return bad(path, "restarts.within must be a positive duration");
  const bool is_group = o.strategy == strategy::one_for_all || o.strategy == strategy::rest_for_one;
  const bool counts = o.strategy == strategy::dynamic || o.strategy == strategy::partitioned;
  if (is_group && s.children.empty()) {
    return bad(path, "a group without children: give it some, or use one_for_one or dynamic");
  }
  if (counts && !s.children.empty()) {
    return bad(
        path + "/" + s.children.front().id,
        "a dynamic or partitioned supervisor has no children of its own: start them with start_child, or "
        "use one_for_one");
  }
  if (counts && o.max_children == 0) return bad(path, "max_children must be at least 1");
  if (!counts && o.max_children != UINT32_MAX) {
    return bad(path, "max_children is for dynamic and partitioned supervisors: leave it out");
  }
  std::unordered_set<std::string_view> ids;
  for (std::size_t i = 0; i < s.children.size(); ++i) {
    const detail::child_spec& c = s.children[i];
    const std::string where = path + "/" + c.id;
    if (c.id.empty()) return bad(where, "child " + std::to_string(i) + " needs an id");
    if (!ids.insert(c.id).second) return bad(where, "two children have this id: give each its own");
    if (auto wrong = detail::wrong_with(c, o, path)) return wrong;
    if (c.below) {
      if (auto found = problem(*c.below, path)) return found;
    }
  }
  return std::nullopt;
}

std::string_view name_of(strategy s) noexcept {
  switch (s) {
    case strategy::one_for_one:
      return "one_for_one";
    case strategy::one_for_all:
      return "one_for_all";
    case strategy::rest_for_one:
      return "rest_for_one";
    case strategy::dynamic:
      return "dynamic";
    case strategy::partitioned:
      return "partitioned";
  }
  return "?";
}

std::string_view name_of(restart r) noexcept {
  return r == restart::permanent ? "permanent" : r == restart::transient ? "transient" : "temporary";
}

void write(std::string& out, const detail::supervisor_spec& s, const std::string& indent) {
  out += s.name + "  " + std::string(name_of(s.options.strategy)) + ", at most " +
         std::to_string(s.options.restarts.max) + " restarts in " +
         std::to_string(s.options.restarts.within.count() / 1'000'000) + " ms\n";
  for (const detail::child_spec& c : s.children) {
    const bool last = &c == &s.children.back();
    out += indent + (last ? "└─ " : "├─ ");
    if (c.below) {
      write(out, *c.below, indent + (last ? "   " : "│  "));
    } else {
      out += c.id + "  " + std::string(name_of(c.options.restart)) + (c.significant ? ", significant" : "") +
             '\n';
    }
  }
}

}  // namespace

result<void> supervisor::check() const {
  if (auto found = problem(*spec_, "")) return std::unexpected(std::move(*found));
  return {};
}

std::string to_text(const supervisor& tree) {
  std::string out;
  write(out, tree.spec(), "");
  return out;
}

// -- requests to a running supervisor ----------------------------------------------

namespace detail {

supervisor_orders orders_of(const supervisor_ref& s) {
  if (s) s.cell()->share();
  return supervisor_orders(s.cell());
}

}  // namespace detail

namespace {

task<result<any_ref>> ask_to_start(supervisor_ref whom, detail::child_spec child) {
  if (!whom) {
    co_return std::unexpected(
        error(make_error_code(errc::not_running), "the supervisor does not exist or does not run"));
  }
  co_return co_await detail::orders_of(whom).ask(detail::start_child{std::move(child)},
                                                 supervisor_ref::patience);
}

}  // namespace

task<result<any_ref>> supervisor_ref::begin_child(std::string id, const child_options& options,
                                                  detail::owned<const detail::child_factory> f) const {
  std::shared_ptr<const detail::child_factory> shared(f.release());
  const bool once = shared->once();
  detail::child_spec spec = detail::make_child_spec(std::move(id), options, std::move(shared));
  if (once) spec.options.restart = restart::temporary;
  return ask_to_start(*this, std::move(spec));
}

task<result<supervisor_ref>> supervisor_ref::start_child(const supervisor& below) const {
  // Checked here: the supervisor that is asked checks its own child only, not that child's tree.
  if (auto found = problem(below.spec(), *this ? path() : std::string())) {
    return [](error wrong) -> task<result<supervisor_ref>> {
      co_return std::unexpected(std::move(wrong));
    }(std::move(*found));
  }
  auto spec = std::make_shared<const detail::supervisor_spec>(below.spec());
  return started<supervisor_ref>(ask_to_start(*this, detail::make_child_spec(std::move(spec))));
}

detail::ask_awaiter<detail::stop_child> supervisor_ref::stop_child(std::string id) const {
  return detail::orders_of(*this).ask(detail::stop_child{std::move(id)}, patience);
}

detail::ask_awaiter<detail::restart_child> supervisor_ref::restart_child(std::string id) const {
  return detail::orders_of(*this).ask(detail::restart_child{std::move(id)}, patience);
}

detail::ask_awaiter<detail::remove_child> supervisor_ref::remove_child(std::string id) const {
  return detail::orders_of(*this).ask(detail::remove_child{std::move(id)}, patience);
}

detail::ask_awaiter<detail::list_children> supervisor_ref::children() const {
  return detail::orders_of(*this).ask(detail::list_children{}, patience);
}

supervisor_ref supervisor_ref::partition(std::uint64_t key) const {
  if (!*this) return {};
  const std::uint64_t n = detail::partitions_of(*cell());  // partitions that do not run count too
  if (n == 0) return {};
  const std::string wanted = std::to_string(key % n);
  detail::cell* found = nullptr;
  cell()->for_each_child([&](detail::cell& c) {
    if (found == nullptr && c.name() == wanted) {
      found = &c;
      found->share();
    }
  });
  return supervisor_ref(found);
}

}  // namespace troupe
