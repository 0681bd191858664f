#include <algorithm>
#include <troupe/actors/inspect.hpp>
#include <troupe/actors/system_core.hpp>

#include "extras.hpp"
#include "inspection.hpp"
#include "lossy_mailbox.hpp"

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

std::size_t actor_info::count() const noexcept {
  std::size_t n = 1;
  for (const actor_info& c : children) n += c.count();
  return n;
}

namespace detail {

actor_info inspection::look(cell& c) {
  actor_info info;
  info.name = c.parent() == nullptr ? "/" : c.name();
  info.path = c.path();
  info.type = c.acts().name;
  info.depth = c.box().depth();
  info.capacity = c.capacity();
  if (const cell_extras* const x = c.extras_if_any(); x != nullptr && x->lossy != nullptr) {
    info.depth = x->lossy->depth();
    info.capacity = x->lossy->capacity();
  }
  info.epoch = c.epoch();
  if (cell_extras* const x = c.extras_if_any()) {
    const std::int64_t now = c.home().now();
    info.restarts = x->restarts.load(std::memory_order_relaxed);
    if (const std::int64_t since = x->up_since.load(std::memory_order_relaxed); since != 0) {
      info.up = duration(std::max<std::int64_t>(now - since, 0));
    }
    const scoped_lock guard(c.lock());
    info.recent_restarts = static_cast<std::uint32_t>(x->window.recent(x->budget, now));
  }
  switch (c.life_.load(std::memory_order_relaxed)) {
    case life::running:
      info.state = c.parent() != nullptr && !c.is_up() ? actor_state::starting
                   : c.box().suspended()               ? actor_state::suspended
                                                       : actor_state::running;
      break;
    case life::ending:
      info.state = actor_state::stopping;
      break;
    case life::crashed:
      info.state = actor_state::restarting;
      break;
    case life::dead:
      info.state = actor_state::ended;
      break;
  }
  // Children are looked at outside of the lock: it is for a few instructions.
  std::vector<cell*> below;
  {
    std::size_t n = 0;
    c.for_each_child([&n](cell&) { ++n; });
    below.reserve(n + 16);
    c.for_each_child([&below](cell& child) {
      if (below.size() == below.capacity()) return;
      child.share();
      below.push_back(&child);
    });
  }
  info.children.reserve(below.size());
  for (auto at = below.rbegin(); at != below.rend(); ++at) {
    info.children.push_back(look(**at));
    (*at)->release();
  }
  return info;
}

}  // namespace detail

namespace {

void write(std::string& out, const actor_info& a, const std::string& indent, std::size_t most) {
  out += a.name + "  [" + a.type + "] " + std::string(to_string(a.state)) + "  mailbox " +
         std::to_string(a.depth) + "/" + std::to_string(a.capacity);
  if (a.restarts != 0) out += "  restarts " + std::to_string(a.restarts);
  if (a.recent_restarts != 0) out += "  below, lately " + std::to_string(a.recent_restarts);
  if (a.up.count() != 0) out += "  up " + std::to_string(a.up.count() / 1'000'000) + " ms";
  out += '\n';
  std::size_t shown = 0;
  for (const actor_info& c : a.children) {
    const bool last = shown + 1 == a.children.size() || shown + 1 > most;
    if (shown == most) {
      out += indent + "└─ and " + std::to_string(a.children.size() - most) + " more\n";
      break;
    }
    out += indent + (last ? "└─ " : "├─ ");
    write(out, c, indent + (last ? "   " : "│  "), most);
    ++shown;
  }
}

}  // namespace

std::string to_text(const actor_info& tree, std::size_t most_children) {
  std::string out;
  write(out, tree, "", most_children);
  return out;
}

}  // namespace troupe
