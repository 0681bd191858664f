// ref.ask: sends the request, waits for the reply, and takes the request back. On the strand of the asker.
#include "messaging/ask_canceller.hpp"
#include "messaging/wait_graph.hpp"

#include <troupe/actors/ask.hpp>
#include <troupe/actors/system_core.hpp>

#include <algorithm>

namespace troupe::detail {

void ask_envelope_base::take_back() noexcept {
  request_state expected = request_state::wanted;
  while (!state.compare_exchange_weak(expected, request_state::abandoned, std::memory_order_acq_rel,
                                      std::memory_order_relaxed) &&
         expected != request_state::abandoned) {
    expected = request_state::wanted;
    spin_pause();
  }
}

void drop_owed(ask_envelope_base& e) noexcept {
  strand* const here = current_strand();
  if (cell* const by = here != nullptr ? cell::of(*here) : nullptr) {
    by->drop_owed(e);
  } else {
    kind_of(e).refuse(e, error(errc::closed));
  }
}

std::int64_t due_of_ask(cell* from, duration deadline) noexcept {
  const std::int64_t own = deadline == forever ? INT64_MAX : due_in(deadline);
  return from != nullptr ? std::min(own, from->due_of_handling()) : own;
}

bool ask_leaf::start(promise_base& p, ask_envelope_base& e) {
  if (!begin(p)) return true;
  cell* const from = cell::of(owner());
  if (from == to_ || to_ == nullptr || (from != nullptr && from->stop_asked())) [[unlikely]] {
    if (comes_too_late(from)) return end_at_once(p);
  }
  e.wait_on(*this, owner());
  sent_ = &e;
  e.due = due_of_ask(from, deadline_);
  if (cancels_) e.cancel = slab_new<ask_canceller>(*to_);
  if (from != nullptr) {
    e.wait.store(from->announce_wait(*to_, wait_kind::reply).bits(), std::memory_order_relaxed);
  }
  const push_result r = deliver(*to_, e);
  if (r == push_result::full || r == push_result::closed) [[unlikely]] {
    code_ = r == push_result::full ? errc::full : errc::closed;
    if (from != nullptr) end_edge(owner(), e);
    sent_ = nullptr;
    return end_at_once(p);
  }
  if (from != nullptr && closes_cycle(e)) [[unlikely]]
    return end_at_once(p);
  if (e.due != INT64_MAX) timer_ = wake_timer::arm_at(*this, e.due, &on_timeout);
  return true;
}

// Whether there is no receiver, or its reply could only come after the end of the asker; then sets code_ and
// why_.
bool ask_leaf::comes_too_late(cell* from) {
  if (to_ != nullptr && from == to_) {
    code_ = errc::would_deadlock;
    why_ = owned<error>(new error(refuse_self(*from, wait_kind::reply)));
    return true;
  }
  if (to_ != nullptr && !to_->waits_for_end_of(*from)) return false;
  code_ = errc::closed;
  return true;
}

// Refused at once: the coroutine goes on, in this slice if its budget allows that.
bool ask_leaf::end_at_once(promise_base& p) noexcept {
  unlink();
  return gives_way(p);
}

// The request is on its way, and the edge counts from the push on. The push, a read-modify-write, orders the
// store of this edge before the load of the other one.
bool ask_leaf::closes_cycle(ask_envelope_base& e) {
  const wait_id id(e.wait.load(std::memory_order_relaxed));
  if (!id) return false;
  cell& from = static_cast<cell&>(owner());
  from.waits().confirm(id);
  fence_after_rmw();
  if (!may_close_cycle(from, *to_)) [[likely]]
    return false;
  return closes_cycle_now(from, id);
}

bool ask_leaf::closes_cycle_now(cell& from, wait_id id) {
  std::optional<error> cycle = refuse_cycle(from, id);
  if (!cycle) return false;
  withdraw_for(std::move(*cycle));
  return true;
}

// Takes the request back.
void ask_leaf::withdraw_for(error cycle) {
  code_ = errc::would_deadlock;
  why_ = owned<error>(new error(std::move(cycle)));
  sent_->take_back();
  forget_(*this);
}

bool ask_leaf::refuse(leaf& l, error cycle) {
  auto& self = static_cast<ask_leaf&>(l);
  self.withdraw_for(std::move(cycle));
  self.complete();
  return true;
}

void end_edge(strand& asker, const ask_envelope_base& e) noexcept {
  if (const wait_id id(e.wait.load(std::memory_order_relaxed)); id) {
    static_cast<cell&>(asker).waits().over(id);
  }
}

void ask_leaf::give_up() noexcept {
  wake_timer::disarm(timer_);
  ask_envelope_base* const e = std::exchange(sent_, nullptr);
  if (e == nullptr) return;
  end_edge(owner(), *e);
  if (ask_canceller* const c = e->cancel) {
    e->take_back();
    c->send();
  }
  e->abandon();
}

void ask_leaf::forget_canceller(ask_envelope_base& e) noexcept {
  slab_delete(std::exchange(e.cancel, nullptr));
}

void ask_leaf::on_timeout(leaf& l) noexcept {
  auto& self = static_cast<ask_leaf&>(l);
  wake_timer::fired(self.timer_);
  self.code_ = errc::timeout;
  self.time_out();
}

}  // namespace troupe::detail
