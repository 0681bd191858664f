// Wakes the waiter of an async_event by mail to its own strand.
#include "server/async_event.hpp"

#include <utility>

namespace troupe::detail {

void async_event::set() noexcept {
  set_ = true;
  if (waiting_ == nullptr || std::exchange(waiting_->known_ready_, true)) return;
  waiting_->wake_->finish(async_event_wake::kind_of);
}

void async_event::awaiter::start() {
  wake_ = slab_new<async_event_wake>();
  wake_->wait_on(*this, owner());
  event_.waiting_ = this;
}

void async_event::awaiter::abandon(leaf& l) noexcept {
  auto& self = static_cast<awaiter&>(l);
  self.event_.waiting_ = nullptr;
  async_event_wake* const w = std::exchange(self.wake_, nullptr);
  if (self.known_ready_) {
    w->abandon();
  } else {
    slab_delete(w);
  }
}

void async_event::awaiter::woken() noexcept {
  event_.waiting_ = nullptr;
  slab_delete(std::exchange(wake_, nullptr));
  complete();
}

void async_event_wake::act(mail& m, strand&) noexcept {
  auto& self = static_cast<async_event_wake&>(m);
  if (!still_wanted(self)) return;
  static_cast<async_event::awaiter&>(*self.target).woken();
}

void async_event_wake::dispose(mail& m) noexcept {
  dispose_late(static_cast<async_event_wake&>(m));
}

}  // namespace troupe::detail
