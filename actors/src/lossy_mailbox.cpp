#include "lossy_mailbox.hpp"

namespace troupe::detail {

lossy_mailbox::~lossy_mailbox() {
  for (mail* const m : queue_) m->kind->dispose(*m);
}

push_result lossy_mailbox::push(cell& owner, mail& m, mail*& lost) {
  lost = nullptr;
  bool ring = false;
  {
    const std::scoped_lock guard(lock_);
    // The consumer closes the word first, and empties this queue under the lock
    // afterwards: what is pushed before that is found.
    if (owner.box().closed()) return push_result::closed;
    coalescing_key key;
    const bool keyed = key_of_ != nullptr && key_of_(m, key);
    if (keyed) {
      if (const auto at = by_key_.find(key); at != by_key_.end()) {
        lost = std::exchange(*at->second, &m);
        return push_result::queued;
      }
    }
    const bool was_empty = queue_.empty();
    const auto at = queue_.insert(queue_.end(), &m);
    if (keyed) {
      try {
        by_key_.emplace(std::move(key), at);
      } catch (...) {
        queue_.erase(at);
        throw;
      }
    }
    if (queue_.size() > capacity_) lost = take(queue_.begin());
    ring = was_empty && !ringing_;
    if (ring) ringing_ = true;
  }
  if (ring) owner.post(bell_);
  return push_result::queued;
}

mail* lossy_mailbox::pop() noexcept {
  const std::scoped_lock guard(lock_);
  return queue_.empty() ? nullptr : take(queue_.begin());
}

mail* lossy_mailbox::take(queue::iterator at) noexcept {
  mail* const m = *at;
  coalescing_key key;
  if (key_of_ != nullptr && key_of_(*m, key)) by_key_.erase(key);
  queue_.erase(at);
  return m;
}

void lossy_mailbox::bell::act(mail& m, strand&) noexcept {
  lossy_mailbox& of = *static_cast<bell&>(m).of;
  const std::scoped_lock guard(of.lock_);
  of.ringing_ = false;
}

}  // namespace troupe::detail
