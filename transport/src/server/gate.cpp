// Opens a gate and wakes the coroutine that waits at it. Both run on one strand.
#include "server/gate.hpp"

#include <utility>

namespace troupe::detail {

void gate::open() noexcept {
  open_ = true;
  if (waiting_ == nullptr || std::exchange(waiting_->known_ready_, true)) return;
  waiting_->wake_->finish(gate_wake::kind_of);
}

void gate::awaiter::start() {
  wake_ = slab_new<gate_wake>();
  wake_->wait_on(*this, owner());
  gate_.waiting_ = this;
}

void gate::awaiter::abandon(leaf& l) noexcept {
  auto& self = static_cast<awaiter&>(l);
  self.gate_.waiting_ = nullptr;
  gate_wake* const w = std::exchange(self.wake_, nullptr);
  if (self.known_ready_) {
    w->abandon();
  } else {
    slab_delete(w);
  }
}

void gate::awaiter::woken() noexcept {
  gate_.waiting_ = nullptr;
  slab_delete(std::exchange(wake_, nullptr));
  complete();
}

void gate_wake::act(mail& m, strand&) noexcept {
  auto& self = static_cast<gate_wake&>(m);
  if (!still_wanted(self)) return;
  static_cast<gate::awaiter&>(*self.target).woken();
}

void gate_wake::dispose(mail& m) noexcept {
  dispose_late(static_cast<gate_wake&>(m));
}

}  // namespace troupe::detail
