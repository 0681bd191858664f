// Finds cycles of waits. Any thread; one at a time follows edges.
#include "messaging/wait_graph.hpp"

#include <troupe/actors/ref.hpp>
#include <troupe/actors/system_core.hpp>
#include <troupe/runtime/detail/inspection_gate.hpp>
#include <troupe/runtime/detail/mutex.hpp>

#include <sched.h>
#include <string>
#include <vector>

namespace troupe::detail {
namespace {

// One walk at a time: of two cells that close a cycle at once, the second finds it open again.
constinit mutex walk_lock;

struct wait_hop {
  cell* from;
  wait_id id;
};

// Whether edges lead from `from` back to it. They may also lead into a cycle that does not contain it, which
// Brent's algorithm detects (R. P. Brent, BIT 20, 1980).
bool leads_back(const cell& from) noexcept TROUPE_REQUIRES(walk_lock) {
  const cell* seen = &from;
  unsigned steps = 0;
  unsigned steps_max = 1;
  for (const cell* at = &from;;) {
    const wait_id id = at->waits().look();
    if (!id) return false;
    at = &id.to();
    if (at == &from) return true;
    if (at == seen) return false;
    if (++steps == steps_max) {
      seen = at;
      steps = 0;
      steps_max *= 2;
    }
  }
}

std::vector<wait_hop> follow(cell& from) TROUPE_REQUIRES(walk_lock) {
  std::vector<wait_hop> path;
  cell* at = &from;
  do {
    const wait_id id = at->waits().look();
    if (!id || path.size() > 100'000) return {};
    path.push_back({at, id});
    at = &id.to();
  } while (at != &from);
  return path;
}

// Waits for an event that another thread is just about to make happen; false when that takes too long.
template <class F>
bool soon(F&& happens) noexcept {
  for (unsigned spins = 0; !happens(); ++spins) {
    if (spins == 1000) return false;
    spin_pause();
  }
  return true;
}

// Whether the edge is still there, and its wait can no longer end by itself.
bool holds(const wait_hop& h, const cell* walker) noexcept {
  const wait_edge& edge = h.from->waits();
  // Announced: its thread is between that and confirm(), and does not block there.
  for (unsigned spins = 0; edge.look() == h.id && !edge.confirmed(h.id); ++spins) {
    spins < 64 ? spin_pause() : static_cast<void>(sched_yield());
  }
  if (edge.look() != h.id) return false;
  const cell& to = h.id.to();
  switch (h.id.kind()) {
    case wait_kind::reply:
      return true;
    case wait_kind::room:
      // A cell gives its room to waiting senders before it is suspended.
      return &to == walker ? !to.will_make_room() : soon([&] { return to.box().suspended(); });
    case wait_kind::later:
      // The reply may have been under way before the edge was announced.
      return h.from == walker || soon([&] { return h.from->box().suspended(); });
  }
  return false;
}

const char* verb_of(wait_kind k) noexcept {
  return k == wait_kind::room ? " waits for room in " : " asks ";
}

error refusal(const cell& from, std::string_view text) {
  from.core().home().count([](counter_block& c) { c.deadlocks.add(); });
  return {make_error_code(errc::would_deadlock), "waiting would close a cycle: " + std::string(text),
          from.path()};
}

// Each edge of the path is read twice, and all for the first time before any for the second time. A cell that
// was seen twice in the same wait was in it all the time and sent no answer; so the edge into it that was
// there at the second read is there at the end, and with it the whole cycle.
std::optional<error> find_cycle(cell& from, wait_id id, const cell* walker) TROUPE_REQUIRES(walk_lock) {
  // Keeps the cells that an edge leads to in memory. A cell that a visible edge leads to has not yet
  // answered, and so is not dead; a thread that frees it afterwards waits at the gate.
  const held_gate gate;
  seq_cst_fence();
  if (!leads_back(from)) return std::nullopt;
  const std::vector<wait_hop> path = follow(from);
  if (path.empty() || path.front().id != id) return std::nullopt;
  std::string text;
  for (const wait_hop& h : path) {
    if (!holds(h, walker)) return std::nullopt;
    if (!text.empty()) text += ", ";
    text += h.from->path() + verb_of(h.id.kind()) + h.id.to().path();
  }
  return refusal(from, text);
}

}  // namespace

std::optional<error> refuse_cycle(cell& from, wait_id id) {
  const scoped_lock one_at_a_time(walk_lock);
  std::optional<error> cycle = find_cycle(from, id, &from);
  if (cycle) from.waits().clear();
  return cycle;
}

// Under the lock, so that no other wait is refused because of this edge yet: the request may be refused
// itself. No edge leads into a mailbox that loses mail, because its key function is user code.
push_result deliver_forwarded(ask_envelope_base& e, cell& to, std::optional<error>& cycle) noexcept {
  const wait_id before(e.wait.load(std::memory_order_relaxed));
  if (!before || e.awaited_later || to.capacity() == 0) return deliver(to, e);
  const scoped_lock one_at_a_time(walk_lock);
  wait_edge& edge = static_cast<cell*>(e.waiter)->waits();
  const wait_id id = edge.lead_to(before, to);
  if (!id) return deliver(to, e);
  e.wait.store(id.bits(), std::memory_order_relaxed);
  seq_cst_fence();
  if (to.waits().look()) cycle = find_cycle(static_cast<cell&>(*e.waiter), id, nullptr);
  const push_result r = cycle ? push_result::closed : deliver(to, e);
  if (r == push_result::full || r == push_result::closed) edge.end(id);
  return r;
}

// The cell is about to be suspended. A cycle is looked for when a wait begins. If another cell of the cycle
// had work left then, which hid the cycle, it is found when that cell suspends again, here: the edge it came
// with is still there (wait_edge::to_be_looked_at). True when the wait was refused, and its coroutine has
// gone on.
bool cell::refuse_wait() noexcept {
  const wait_id id = waits_.look();
  leaf* const l = only_wait();
  if (!id || l == nullptr || !id.to().waits().look() || !may_be_awaited()) return false;
  std::optional<error> cycle = refuse_cycle(*this, id);
  if (!cycle) return false;
  switch (id.kind()) {
    case wait_kind::reply:
      return ask_leaf::refuse(*l, std::move(*cycle));
    case wait_kind::room:
      return send_awaiter::refuse(*l, std::move(*cycle));
    case wait_kind::later:
      return pending_leaf::refuse(*l, std::move(*cycle));
  }
  return false;
}

error refuse_self(cell& from, wait_kind k) {
  const std::string path = from.path();
  return refusal(from, path + verb_of(k) + path);
}

void hand_on_wait(ask_envelope_base& e) noexcept {
  const wait_id id(e.wait.load(std::memory_order_relaxed));
  wait_edge& edge = static_cast<cell*>(e.waiter)->waits();
  e.awaited_later ? edge.end(id) : edge.hand_on(id);
}

void end_wait(ask_envelope_base& e) noexcept {
  static_cast<cell*>(e.waiter)->waits().end(wait_id(e.wait.load(std::memory_order_relaxed)));
}

}  // namespace troupe::detail
