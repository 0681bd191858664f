// Arming, firing and forgetting a wake_timer. See wake_timer.hpp for owner and threads.
#include <troupe/runtime/detail/wake_timer.hpp>
#include <troupe/runtime/engine.hpp>

namespace troupe::detail {

std::int64_t due_in(duration d) noexcept {
  worker& w = *worker_here();
  const std::int64_t slack = w.home().simulated() ? 0 : worker::clock_slack;
  return deadline_after(deadline_after(w.recent_now(), d), duration(slack));
}

wake_timer* wake_timer::arm(leaf& l, duration d, action on_fire) {
  return arm_at(l, due_in(d), on_fire);
}

wake_timer* wake_timer::arm_at(leaf& l, std::int64_t due, action on_fire) {
  worker& w = *worker_here();
  auto* const t = slab_new<wake_timer>(*w.current, l, on_fire);
  w.timers.arm(*t, due);
  return t;
}

void wake_timer::forget(wake_timer& t) noexcept {
  if (t.home->cancel(t)) {
    slab_delete(&t);
  } else {
    t.leaf_ = nullptr;  // its mail is in the mailbox, and frees it there
  }
}

void wake_timer::fire_it(timer& t) noexcept {
  auto& self = static_cast<wake_timer&>(t);
  self.waiter_->post(self);
}

void wake_timer::act(mail& m, strand&) noexcept {
  auto& self = static_cast<wake_timer&>(m);
  if (self.leaf_ == nullptr) {
    slab_delete(&self);
  } else {
    // The leaf still has the pointer, and clears it there: by fired() or disarm().
    self.on_fire_(*self.leaf_);
  }
}

void wake_timer::dispose_it(mail& m) noexcept {
  slab_delete(&static_cast<wake_timer&>(m));
}

}  // namespace troupe::detail
