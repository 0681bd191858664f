#include <troupe/actors/ask.hpp>
#include <troupe/actors/system_core.hpp>

#include "wait_graph.hpp"

namespace troupe::detail {

bool ask_leaf::start(promise_base& p, ask_envelope_base& e) {
  if (!begin(p)) return true;
  cell* const from = cell::of(owner());
  if (from == to_) {
    // The reply could only come after the handler that waits for it.
    code_ = errc::would_deadlock;
    why_ = std::make_unique<error>(refuse_self(*from, wait_kind::reply));
    unlink();
    return false;
  }
  e.wait_on(*this, owner());
  sent_ = &e;
  if (from != nullptr) {
    e.wait.store(from->waits().announce(*to_, wait_kind::reply).bits(), std::memory_order_relaxed);
  }
  switch (deliver(*to_, e)) {
    case push_result::full:
      code_ = errc::full;
      break;
    case push_result::closed:
      code_ = errc::closed;
      break;
    default:
      if (from != nullptr && closes_cycle(e)) return false;
      if (deadline_ != forever) timer_ = wake_timer::arm(*this, deadline_, &on_timeout);
      return true;
  }
  if (from != nullptr) from->waits().clear();
  sent_ = nullptr;
  unlink();
  return false;
}

// The request is on its way. From the push on the edge counts; that it precedes
// the look at the other edge is what the push is for.
bool ask_leaf::closes_cycle(ask_envelope_base& e) {
  const wait_id id(e.wait.load(std::memory_order_relaxed));
  if (!id) return false;
  cell& from = static_cast<cell&>(owner());
  from.waits().confirm(id);
  fence_after_rmw();
  if (!to_->waits().look() || !from.may_be_awaited()) [[likely]]
    return false;
  std::optional<error> cycle = refuse_cycle(from, id);
  if (!cycle) return false;
  code_ = errc::would_deadlock;
  why_ = std::make_unique<error>(std::move(*cycle));
  e.in_vain.store(true, std::memory_order_relaxed);
  forget_(*this);
  unlink();
  return true;
}

void ask_leaf::give_up() noexcept {
  wake_timer::disarm(timer_);
  ask_envelope_base* const e = std::exchange(sent_, nullptr);
  if (e == nullptr) return;
  if (e->wait.load(std::memory_order_relaxed) != 0) static_cast<cell&>(owner()).waits().clear();
  e->abandon();
}

void ask_leaf::on_timeout(leaf& l) noexcept {
  auto& self = static_cast<ask_leaf&>(l);
  wake_timer::fired(self.timer_);
  self.code_ = errc::timeout;
  self.time_out();
}

}  // namespace troupe::detail
