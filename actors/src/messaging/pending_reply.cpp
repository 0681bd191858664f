// ref.request: a request that is sent now and awaited later. On the strand that made it.
#include "messaging/wait_graph.hpp"

#include <troupe/actors/pending_reply.hpp>
#include <troupe/actors/system_core.hpp>

namespace troupe::detail {
namespace {

// The deadline of a request made here. Called before anything is allocated: throws outside of a strand.
std::int64_t due_here(duration deadline) {
  if (current_strand() == nullptr) {
    throw troupe_error(
        error(make_error_code(errc::invalid_argument),
              "request() must be called from an actor or a task; elsewhere use block_on(ref.ask(...))"));
  }
  return due_of_ask(cell::of(*current_strand()), deadline);
}

}  // namespace

pending_leaf::pending_leaf(void (*abandon)(leaf&) noexcept, duration deadline)
    : leaf(abandon), forget_(abandon), due_(due_here(deadline)) {}

pending_leaf::pending_leaf(void (*abandon)(leaf&) noexcept, pending_leaf& o) noexcept
    : leaf(abandon),
      sent_(std::exchange(o.sent_, nullptr)),
      code_(o.code_),
      forget_(abandon),
      to_(std::exchange(o.to_, nullptr)),
      due_(o.due_),
      why_(std::move(o.why_)) {
  if (sent_ != nullptr) sent_->target = this;
}

void pending_leaf::start(cell* receiver, ask_envelope_base& e) {
  if (receiver == nullptr) {
    code_ = errc::closed;
    return;
  }
  cell& to = *receiver;
  strand& here = *current_strand();
  if (&here == static_cast<strand*>(&to)) {
    code_ = errc::would_deadlock;  // as for an ask: the reply could only come after this handler
    why_ = owned<error>(new error(refuse_self(to, wait_kind::reply)));
    return;
  }
  const cell* const from = cell::of(here);
  if (from != nullptr && from->stop_asked() && to.waits_for_end_of(*from)) {
    code_ = errc::closed;
    return;
  }
  e.wait_on(*this, here);
  e.awaited_later = true;
  e.due = due_;
  sent_ = &e;
  switch (deliver(to, e)) {
    case push_result::full:
      code_ = errc::full;
      break;
    case push_result::closed:
      code_ = errc::closed;
      break;
    default:
      to.share();
      to_ = &to;
      return;
  }
  sent_ = nullptr;
}

bool pending_leaf::suspend(promise_base& p) {
  if (!begin(p)) return true;
  if (cell* const from = cell::of(owner()); from != nullptr && closes_cycle(*from)) {
    return gives_way(p);
  }
  if (due_ != INT64_MAX) timer_ = wake_timer::arm_at(*this, due_, &on_timeout);
  return true;
}

// The request was sent before, and its receiver may release it at any time. The receiver first releases it
// and then reads the edge; this side first sets the edge and then reads whether the receiver still holds the
// request. Both may miss a reply that is under way, which is found in the mailbox (wait_kind::later).
bool pending_leaf::closes_cycle(cell& from) {
  const wait_id id = from.announce_wait(*to_, wait_kind::later);
  if (!id) return false;
  sent_->wait.store(id.bits(), std::memory_order_relaxed);
  from.waits().confirm(id);
  seq_cst_fence();
  if (!sent_->held.load(std::memory_order_acquire)) {
    from.waits().clear();
    return false;
  }
  std::optional<error> cycle = refuse_cycle(from, *to_, id);
  if (!cycle || !sent_->held.load(std::memory_order_acquire)) return false;
  withdraw_for(std::move(*cycle));
  unlink();
  return true;
}

void pending_leaf::withdraw_for(error cycle) {
  code_ = errc::would_deadlock;
  why_ = owned<error>(new error(std::move(cycle)));
  sent_->take_back();
  forget_(*this);
}

bool pending_leaf::refuse(leaf& l, error cycle) {
  auto& self = static_cast<pending_leaf&>(l);
  if (!self.sent_->held.load(std::memory_order_acquire)) return false;
  self.withdraw_for(std::move(cycle));
  self.complete();
  return true;
}

void pending_leaf::give_up() noexcept {
  wake_timer::disarm(timer_);
  ask_envelope_base* const e = std::exchange(sent_, nullptr);
  if (e == nullptr) return;
  if (linked()) end_edge(owner(), *e);
  e->abandon();
}

void pending_leaf::on_reply(leaf& l) noexcept {
  auto& self = static_cast<pending_leaf&>(l);
  ask_envelope_base* const e = std::exchange(self.sent_, nullptr);
  if (!self.linked()) return;  // it was not awaited yet
  end_edge(self.owner(), *e);
  wake_timer::disarm(self.timer_);
  self.complete();
}

void pending_leaf::on_timeout(leaf& l) noexcept {
  auto& self = static_cast<pending_leaf&>(l);
  wake_timer::fired(self.timer_);
  self.code_ = errc::timeout;
  self.forget_(self);
  self.complete();
}

}  // namespace troupe::detail
