#include "extras.hpp"

#include <algorithm>
#include <troupe/actors/system_core.hpp>

#include "lossy_mailbox.hpp"

namespace troupe::detail {

cell_extras::cell_extras() = default;
cell_extras::~cell_extras() = default;

bool restart_window::admit(const restart_budget& budget, std::int64_t now) {
  while (first_ < times_.size() && now - times_[first_] > budget.within.count()) ++first_;
  if (first_ > times_.size() / 2) {
    times_.erase(times_.begin(), times_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  if (times_.size() - first_ >= budget.max) return false;
  times_.push_back(now);
  return true;
}

std::size_t restart_window::recent(const restart_budget& budget, std::int64_t now) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(times_, [&](std::int64_t t) { return now - t <= budget.within.count(); }));
}

duration backoff_delay(const backoff& b, std::uint32_t step, std::uint64_t random) noexcept {
  std::int64_t d = b.first.count();
  for (std::uint32_t i = 0; i < step && d < b.most.count(); ++i) d *= 2;
  d = std::min(d, b.most.count());
  const double share = static_cast<double>(random >> 11) * 0x1.0p-53;  // in [0, 1)
  d -= static_cast<std::int64_t>(static_cast<double>(d) * b.jitter * share);
  return duration(std::max<std::int64_t>(d, 0));
}

bool options_are_usual(const spawn_options& o) noexcept {
  constexpr restart_budget budget;
  return o.name.empty() && o.shutdown == default_shutdown && o.backoff.first.count() == 0 &&
         o.restarts.max == budget.max && o.restarts.within == budget.within && o.mailbox.policy == reject &&
         o.mailbox.when_restarted == on_restart::keep;
}

std::string wrong_options(const spawn_options& o) {
  if (o.mailbox.capacity == 0 || o.mailbox.capacity > mailbox::max_capacity) {
    return "mailbox.capacity must be 1 to " + std::to_string(mailbox::max_capacity) + ", not " +
           std::to_string(o.mailbox.capacity);
  }
  if (o.shutdown.count() <= 0 && o.shutdown != brutal) {
    return "shutdown must be a positive duration, or troupe::brutal";
  }
  if (o.restarts.within.count() <= 0) return "restarts.within must be a positive duration";
  if (o.backoff.first.count() < 0 || o.backoff.most.count() < 0) return "backoff must not be negative";
  if (o.backoff.first > o.backoff.most && o.backoff.most.count() != 0) {
    return "backoff.first must not exceed backoff.most";
  }
  if (!(o.backoff.jitter >= 0 && o.backoff.jitter <= 1)) return "backoff.jitter must be between 0 and 1";
  if (o.name.starts_with('~')) return "a name must not begin with '~', which stands for actors without one";
  if (o.name.find('/') != std::string::npos) return "a name must not contain '/'";
  return {};
}

void order_timer::arm(cell& c, std::uint32_t order, std::int64_t due, order_timer*& slot) {
  disarm(slot);
  slot = slab_new<order_timer>(c, order, &slot);
  this_worker()->timers.arm(*slot, due);
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
