// The timer behind with_timeout: it cancels the awaits below a task. On the strand of the task.
#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/sleep.hpp>

namespace troupe::detail {

struct deadline_timer : timer, mail {
  deadline_timer(strand& s, promise_base& r) noexcept
      : timer(&fire_it), mail(kind_of), waiter(&s), root(&r) {}

  static void fire_it(timer& t) noexcept {
    auto& self = static_cast<deadline_timer&>(t);
    self.waiter->post(self);
  }
  static void act(mail& m, strand& s) noexcept {
    auto& self = static_cast<deadline_timer&>(m);
    cancel_timer* const user = self.user;
    promise_base* const root = self.root;
    slab_delete(&self);
    if (user != nullptr) {
      user->timer_ = nullptr;
      user->fired_ = true;
      bool over = false;
      user->over_ = &over;
      s.cancel_below(*root, over);
      if (!over) user->over_ = nullptr;
    }
  }
  static void dispose_it(mail& m) noexcept { slab_delete(&static_cast<deadline_timer&>(m)); }
  static constexpr mail_kind kind_of{&act, &dispose_it};

  strand* waiter;
  promise_base* root;
  cancel_timer* user = nullptr;
};

void cancel_timer::arm(promise_base& root, duration d) {
  worker& w = *this_worker();
  timer_ = slab_new<deadline_timer>(*w.current, root);
  timer_->user = this;
  w.timers.arm(*timer_, due_in(d));
}

void cancel_timer::disarm() noexcept {
  if (bool* const over = std::exchange(over_, nullptr)) *over = true;
  deadline_timer* const t = std::exchange(timer_, nullptr);
  if (t == nullptr) return;
  if (t->home->cancel(*t)) {
    slab_delete(t);
  } else {
    t->user = nullptr;  // its mail is in the mailbox, and frees it there
  }
}

}  // namespace troupe::detail
