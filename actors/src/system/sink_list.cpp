// Shows dead letters to sinks, and waits for the calls of a sink that is removed. Any thread.
#include "system/sink_list.hpp"

#include <algorithm>

namespace troupe::detail {

thread_local const sink_list::showing* sink_list::innermost = nullptr;

bool sink_list::is_showing() const noexcept {
  const showing* s = innermost;
  while (s != nullptr && s->of != this) s = s->outer;
  return s != nullptr;
}

void sink_list::show(const dead_letter& letter) noexcept {
  std::shared_ptr<const entries> all;
  {
    const scoped_lock guard(lock_);
    all = all_;
  }
  const showing here{this, innermost};
  innermost = &here;
  for (const std::shared_ptr<entry>& e : *all) {
    {
      const scoped_lock guard(lock_);
      if (e->removed) continue;
      ++e->inside;
    }
    e->sink->write(letter);
    const scoped_lock guard(lock_);
    --e->inside;
    if (e->removed) left_.notify_all();
  }
  innermost = here.outer;
}

void sink_list::add(dead_letter_sink& s) {
  const auto fresh = std::make_shared<entry>(&s);
  const scoped_lock guard(lock_);
  auto more = std::make_shared<entries>(*all_);
  more->push_back(fresh);
  all_ = std::move(more);
  any_.store(true, std::memory_order_relaxed);
}

void sink_list::remove(dead_letter_sink& s) noexcept {
  mutex_lock guard(lock_);
  const auto at = std::ranges::find_if(*all_, [&s](const auto& e) { return e->sink == &s && !e->removed; });
  if (at == all_->end()) return;
  const std::shared_ptr<entry> gone = *at;
  gone->removed = true;
  try {
    auto fewer = std::make_shared<entries>(*all_);
    std::erase_if(*fewer, [](const auto& e) { return e->removed; });
    any_.store(!fewer->empty(), std::memory_order_relaxed);
    all_ = std::move(fewer);
  } catch (const std::bad_alloc&) {
    // It is marked as removed, and leaves the list at the next change.
  }
  while (innermost == nullptr && gone->inside != 0) guard.wait(left_);
}

void sink_list::end() noexcept {
  mutex_lock guard(lock_);
  any_.store(false, std::memory_order_relaxed);
  for (const std::shared_ptr<entry>& e : *all_) e->removed = true;
  if (innermost != nullptr) return;
  while (is_busy(*all_)) guard.wait(left_);
}

bool sink_list::is_busy(const entries& all) noexcept {
  return std::ranges::any_of(all, [](const auto& e) { return e->inside != 0; });
}

}  // namespace troupe::detail
