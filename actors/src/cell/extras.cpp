// The rarely needed fields of a cell: options and their validation, the deadline, and timed orders.
#include "cell/extras.hpp"

#include "cell/watch_link.hpp"
#include "mailbox/lossy_mailbox.hpp"

#include <troupe/actors/system_core.hpp>

#include <algorithm>

namespace troupe::detail {

cell_extras::cell_extras() = default;
cell_extras::~cell_extras() = default;

std::int64_t cell_extras::end_no_later_than(std::int64_t due) noexcept {
  std::int64_t at = deadline.load(std::memory_order_relaxed);
  while (due < at && !deadline.compare_exchange_weak(at, due, std::memory_order_relaxed)) {
  }
  return std::min(due, at);
}

bool options_are_usual(const spawn_options& o) noexcept {
  constexpr restart_budget budget;
  return o.name.empty() && o.register_as.empty() && o.shutdown == default_shutdown &&
         o.backoff.initial.count() == 0 && o.restarts.max == budget.max &&
         o.restarts.within == budget.within && o.mailbox.policy == reject &&
         o.mailbox.capacity <= mailbox::max_capacity && o.mailbox.when_restarted == on_restart::keep;
}

std::string wrong_options(const spawn_options& o) {
  if (o.mailbox.capacity == 0 || o.mailbox.capacity > two_word_mailbox::max_capacity) {
    return "mailbox.capacity must be 1 to " + std::to_string(two_word_mailbox::max_capacity) + ", not " +
           std::to_string(o.mailbox.capacity);
  }
  if (o.shutdown.count() <= 0 && o.shutdown != brutal) {
    return "shutdown must be a positive duration, or troupe::brutal";
  }
  if (o.restarts.within.count() <= 0) return "restarts.within must be a positive duration";
  if (o.backoff.initial.count() < 0 || o.backoff.max.count() < 0) return "backoff must not be negative";
  if (o.backoff.initial > o.backoff.max) {
    return "backoff.initial must not exceed backoff.max: set max as well, or leave both out";
  }
  if (!(o.backoff.jitter >= 0 && o.backoff.jitter <= 1)) return "backoff.jitter must be between 0 and 1";
  if (o.name.starts_with('~')) return "a name must not begin with '~', which stands for actors without one";
  if (o.name.find('/') != std::string::npos) return "a name must not contain '/'";
  return {};
}

void order_timer::arm(cell& c, std::uint32_t order, std::int64_t due, order_timer*& slot) {
  disarm(slot);
  slot = slab_new<order_timer>(c, order, &slot);
  c.home().arm(*slot, due);  // a constructor may stop a child on any thread
}

void order_timer::disarm(order_timer*& slot) noexcept {
  order_timer* const t = std::exchange(slot, nullptr);
  if (t == nullptr) return;
  if (t->home->cancel(*t)) {
    slab_delete(t);
  } else {
    t->slot_ = nullptr;  // its mail is in the mailbox, and frees it there
  }
}

void order_timer::fire_it(timer& t) noexcept {
  auto& self = static_cast<order_timer&>(t);
  self.cell_->post(self);
}

void order_timer::act(mail& m, strand&) noexcept {
  auto& self = static_cast<order_timer&>(m);
  if (self.slot_ != nullptr) {
    *self.slot_ = nullptr;
    self.cell_->request(self.order_);
  }
  slab_delete(&self);
}

void order_timer::dispose_it(mail& m) noexcept {
  slab_delete(&static_cast<order_timer&>(m));
}

}  // namespace troupe::detail
