// system::inspect: a snapshot of the tree as a value, and its text. Any thread.
#include "cell/extras.hpp"
#include "mailbox/lossy_mailbox.hpp"
#include "system/inspection.hpp"

#include <troupe/actors/inspect.hpp>
#include <troupe/actors/ref.hpp>
#include <troupe/actors/system_core.hpp>

#include <algorithm>
#include <new>

namespace troupe {

std::string_view to_string(actor_state s) noexcept {
  switch (s) {
    case actor_state::running:
      return "running";
    case actor_state::suspended:
      return "suspended";
    case actor_state::starting:
      return "starting";
    case actor_state::wedged:
      return "wedged";
    case actor_state::stopping:
      return "stopping";
    case actor_state::restarting:
      return "restarting";
    case actor_state::ended:
      return "ended";
  }
  return "?";
}

// -- the tree as a value ------------------------------------------------------------

actor_info::actor_info(const actor_info& o) : actor_facts(o) {
  struct copy {
    const actor_info* from;
    actor_info* to;
  };
  std::vector<copy> todo{{&o, this}};
  while (!todo.empty()) {
    const copy c = todo.back();
    todo.pop_back();
    c.to->children.resize(c.from->children.size());
    for (std::size_t i = 0; i < c.from->children.size(); ++i) {
      const actor_info& from = c.from->children[i];
      static_cast<actor_facts&>(c.to->children[i]) = from;
      if (!from.children.empty()) todo.push_back({&from, &c.to->children[i]});
    }
  }
}

actor_info& actor_info::operator=(const actor_info& o) {
  actor_info copy(o);
  return *this = std::move(copy);
}

actor_info::~actor_info() {
  try {
    std::vector<std::vector<actor_info>> left;
    const auto take = [&left](actor_info& a) {
      if (!a.children.empty()) left.push_back(std::move(a.children));
    };
    take(*this);
    while (!left.empty()) {
      std::vector<actor_info> some = std::move(left.back());
      left.pop_back();
      for (actor_info& a : some) take(a);
    }
  } catch (const std::bad_alloc&) {
    // No memory for the list: the rest is destroyed with its parents, by recursion.
  }
}

std::size_t actor_info::count() const noexcept {
  std::size_t n = 0;
  detail::for_each_actor(*this, [&n](const actor_info&) { ++n; });
  return n;
}

// -- reading it -----------------------------------------------------------------------

namespace detail {

namespace {

std::string path_below(const actor_info* above, const std::string& name) {
  if (above == nullptr) return name;
  std::string path = above->path.size() > 1 ? above->path + "/" + name : "/" + name;
  if (path.size() > actor_facts::longest_path) {
    path = "..." + path.substr(path.size() - actor_facts::longest_path + 3);
  }
  return path;
}

actor_state state_of(life l, cell& c) noexcept {
  switch (l) {
    case life::running:
      return c.parent() != nullptr && !c.is_up() ? actor_state::starting
             : c.box().suspended()               ? actor_state::suspended
                                                 : actor_state::running;
    case life::ending:
      return actor_state::stopping;
    case life::crashed:
      return actor_state::restarting;
    case life::dead:
      break;
  }
  return actor_state::ended;
}

// The children, oldest first, with a share of each. They are read after the lock, which is held only briefly.
std::vector<any_ref> children_of(cell& c) {
  std::vector<any_ref> all;
  std::size_t n = 0;
  c.for_each_child([&n](cell&) { ++n; });
  if (n == 0) return all;
  all.reserve(n + 16);
  c.for_each_child([&all](cell& child) {
    if (all.size() == all.capacity() || child.box().dead()) return;
    child.share();
    all.emplace_back(&child);
  });
  std::ranges::reverse(all);
  return all;
}

}  // namespace

void inspection::read(cell& c, const actor_info* above, actor_info& into) {
  into.name = c.parent() == nullptr ? "/" : c.name();
  into.path = above == nullptr ? c.path() : path_below(above, into.name);
  into.type = c.acts().name;
  into.depth = c.box().depth();
  into.capacity = c.capacity();
  into.epoch = c.epoch();
  into.state = state_of(c.life_.load(std::memory_order_relaxed), c);
  cell_extras* const x = c.extras_if_any();
  if (x == nullptr) return;
  if (x->lossy != nullptr) {
    into.depth = x->lossy->depth();
    into.capacity = x->lossy->capacity();
  }
  const std::int64_t now = c.home().now();
  into.restarts = x->restarts.load(std::memory_order_relaxed);
  if (const std::int64_t since = x->up_since.load(std::memory_order_relaxed); since != 0) {
    into.up = duration(std::max<std::int64_t>(now - since, 0));
  }
  const scoped_lock guard(c.lock());
  into.recent_restarts = static_cast<std::uint32_t>(x->window.recent(x->budget, now));
}

struct inspection::visit {
  any_ref who;
  const actor_info* above;
  actor_info* into;
};

actor_info inspection::look(cell& c) {
  actor_info tree;
  std::vector<visit> todo;
  c.share();
  todo.push_back({any_ref(&c), nullptr, &tree});
  while (!todo.empty()) {
    const visit v = std::move(todo.back());
    todo.pop_back();
    read(*v.who.cell(), v.above, *v.into);
    std::vector<any_ref> below = children_of(*v.who.cell());
    v.into->children.resize(below.size());
    for (std::size_t i = 0; i < below.size(); ++i) {
      todo.push_back({std::move(below[i]), v.into, &v.into->children[i]});
    }
  }
  return tree;
}

}  // namespace detail

// -- as text ----------------------------------------------------------------------------

namespace {

constexpr std::size_t most_levels = 100;

void write_line(std::string& out, const actor_info& a) {
  out += a.name + "  [" + a.type + "] " + std::string(to_string(a.state)) + "  mailbox " +
         std::to_string(a.depth) + "/" + std::to_string(a.capacity);
  if (a.restarts != 0) out += "  restarts " + std::to_string(a.restarts);
  if (a.recent_restarts != 0) out += "  recent child restarts: " + std::to_string(a.recent_restarts);
  if (a.up.count() != 0) out += "  up " + std::to_string(a.up.count() / 1'000'000) + " ms";
  out += '\n';
}

void write(std::string& out, const actor_info& a, const std::string& indent, std::size_t most,
           std::size_t levels) {
  write_line(out, a);
  if (levels == 0 && !a.children.empty()) {
    out += indent + "└─ and " + std::to_string(a.count() - 1) + " below\n";
    return;
  }
  std::size_t shown = 0;
  for (const actor_info& c : a.children) {
    const bool last = shown + 1 == a.children.size() || shown + 1 > most;
    if (shown == most) {
      out += indent + "└─ and " + std::to_string(a.children.size() - most) + " more\n";
      break;
    }
    out += indent + (last ? "└─ " : "├─ ");
    write(out, c, indent + (last ? "   " : "│  "), most, levels - 1);
    ++shown;
  }
}

}  // namespace

std::string to_text(const actor_info& tree, std::size_t most_children) {
  std::string out;
  write(out, tree, "", most_children, most_levels);
  return out;
}

}  // namespace troupe
