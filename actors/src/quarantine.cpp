// Handlers that never return. C++ cannot end them, so their actor is cut off from the tree:
// it is refused mail, reported as wedged, and its memory is left alone, for its thread is
// still in there. Should the handler return after all, the actor ends by itself.
#include <algorithm>
#include <troupe/actors/system_core.hpp>

#include "extras.hpp"
#include "watch_link.hpp"

namespace troupe::detail {

namespace {

// From the end of the shutdown time, when a kill is due, to the verdict.
constexpr std::int64_t grace = 100'000'000;  // ns

constexpr std::uint32_t ends = cell::order_stop | cell::order_kill | cell::order_slay | cell::order_recycle;

}  // namespace

// Told to end, but it has not looked, and a worker is inside of it: not merely waiting for
// its turn. Any thread; `running` is compared only.
bool cell::is_stuck() const noexcept {
  if ((orders_.load(std::memory_order_acquire) & ends) == 0) return false;
  return std::ranges::any_of(core_->home().workers(), [this](const auto& w) {
    return w->running.load(std::memory_order_relaxed) == static_cast<const strand*>(this);
  });
}

// `child` has just been told to end. One timer for all children: it fires when the last of
// them should have reacted.
void cell::expect_end_of(const cell& child) noexcept {
  const cell_extras* const theirs = child.extras_if_any();
  const duration allowed = theirs != nullptr ? theirs->shutdown : default_shutdown;
  cell_extras& x = extras();
  const std::int64_t now = core_->home().now();
  std::int64_t due = std::min(allowed == brutal ? now : deadline_after(now, allowed),
                              x.deadline.load(std::memory_order_relaxed));
  if (exit_kind_ == exit_kind::killed && life_ == life::ending) due = now;
  if (due == INT64_MAX) return;  // it may take as long as it likes
  x.inspect_due = std::max(x.inspect_due, due + grace);
  if (x.inspect_timer == nullptr) order_timer::arm(*this, order_inspect, due + grace, x.inspect_timer);
}

void cell::expect_end_of_all() noexcept {
  const cell* slowest = nullptr;
  duration most{};
  for_each_child([&](cell& c) {
    const cell_extras* const theirs = c.extras_if_any();
    const duration allowed = theirs != nullptr ? theirs->shutdown : default_shutdown;
    if (slowest == nullptr || allowed > most) {
      slowest = &c;
      most = allowed;
    }
  });
  if (slowest != nullptr) expect_end_of(*slowest);
}

void cell::look_for_stuck_children() noexcept {
  if (youngest_child_ == nullptr) return;
  cell_extras* const x = &extras();
  const std::int64_t now = core_->home().now();
  if (x->inspect_due == 0) {  // somebody else has told a child to end
    const cell* told = nullptr;
    for_each_child([&](cell& c) {
      if ((c.orders_.load(std::memory_order_relaxed) & ends) != 0) told = &c;
    });
    if (told != nullptr) expect_end_of(*told);
    return;
  }
  const std::int64_t due =
      life_ == life::ending
          ? std::min(x->inspect_due,
                     deadline_after(x->deadline.load(std::memory_order_relaxed), duration(grace)))
          : x->inspect_due;
  if (now < due) {
    order_timer::arm(*this, order_inspect, due, x->inspect_timer);
    return;
  }
  std::vector<cell*> stuck;
  bool pending = false;
  if (life_ == life::ending) tell_children(order_kill);
  for_each_child([&](cell& c) {
    if (c.is_stuck()) {
      c.share();
      stuck.push_back(&c);
    } else {
      pending = pending || (c.orders_.load(std::memory_order_relaxed) & ends) != 0;
    }
  });
  x->inspect_due = 0;
  if (pending || life_ == life::ending) {
    x->inspect_due = now + grace;
    order_timer::arm(*this, order_inspect, x->inspect_due, x->inspect_timer);
  }
  for (cell* const c : stuck) {
    quarantine(*c);
    c->release();
  }
}

void cell::quarantine(cell& child) noexcept {
  const std::string where = child.path();
  child.extras().quarantined.store(true, std::memory_order_release);
  child.box().close();
  child.fail_waiters();
  core_->home().count([](counter_block& c) { c.wedged.add(); });
  core_->home().log(log_level::error,
                    where +
                        ": wedged: its handler has not returned; it is cut off from the tree, and "
                        "its thread is left behind. What blocks belongs into co_await blocking(...)");
  core_->add_wedged(where);
  child.tell_children(order_kill);
  core_->unregister(child);
  tell_watchers(child);
  unlink_child(child);  // our share of it stays until its exit_ comes, if ever
  if (life_ == life::ending) {
    stop_next_child();
  } else if (life_ == life::running && behaviour_->supervises != nullptr) {
    behaviour_->supervises->child_ended(*this, child);
  }
}

// Its handler has returned after all, and it has ended.
bool cell::was_quarantined(const cell& child) noexcept {
  const cell_extras* const x = child.extras_if_any();
  return x != nullptr && x->quarantined.load(std::memory_order_relaxed);
}

}  // namespace troupe::detail
