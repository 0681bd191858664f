// drop_oldest and coalesce: which mail a full mailbox gives up. push() on any thread, pop() by the consumer.
#include "mailbox/lossy_mailbox.hpp"

namespace troupe::detail {

lossy_mailbox::~lossy_mailbox() {
  for (const entry& e : queue_) e.what->kind->dispose(*e.what);
}

// Runs the user's key function, which may throw, send, and take long: not under the lock.
lossy_mailbox::asked_key lossy_mailbox::key_for(mail& m) const noexcept {
  asked_key k;
  if (key_of_ == nullptr) return k;
  try {
    k.keyed = key_of_(m, k.key);
  } catch (...) {
    k.fault = std::current_exception();
  }
  return k;
}

push_result lossy_mailbox::push(cell& owner, mail& m, mail*& lost) noexcept {
  lost = nullptr;
  bool ring = false;
  asked_key k = key_for(m);
  {
    const scoped_lock guard(lock_);
    // The consumer closes the word first, and empties this queue under the lock afterwards: mail that is
    // pushed before that is found.
    if (owner.box().closed()) return push_result::closed;
    const bool was_empty = queue_.empty();
    try {
      enqueue(m, k, lost);
    } catch (const std::bad_alloc&) {
      lost = &m;
      return push_result::queued;
    }
    ring = was_empty && !ringing_;
    if (ring) ringing_ = true;
  }
  if (ring) owner.post(bell_);
  return push_result::queued;
}

void lossy_mailbox::enqueue(mail& m, asked_key& k, mail*& lost) {
  if (k.keyed) {
    if (const auto same = by_key_.find(k.key); same != by_key_.end()) {
      lost = std::exchange(same->second->what, &m);
      return;
    }
  }
  const auto at = queue_.insert(queue_.end(), entry{&m, std::move(k.fault)});
  if (k.keyed) {
    try {
      at->key = &by_key_.emplace(std::move(k.key), at).first->first;
    } catch (...) {
      queue_.erase(at);
      throw;
    }
  }
  std::exception_ptr fault;
  if (queue_.size() > capacity_) lost = take(queue_.begin(), fault);
}

mail* lossy_mailbox::pop(std::exception_ptr& fault) noexcept {
  const scoped_lock guard(lock_);
  return queue_.empty() ? nullptr : take(queue_.begin(), fault);
}

mail* lossy_mailbox::take(queue::iterator at, std::exception_ptr& fault) noexcept {
  mail* const m = at->what;
  fault = std::move(at->fault);
  if (at->key != nullptr) by_key_.erase(by_key_.find(*at->key));
  queue_.erase(at);
  return m;
}

void lossy_mailbox::bell::act(mail& m, strand&) noexcept {
  lossy_mailbox& of = *static_cast<bell&>(m).of;
  const scoped_lock guard(of.lock_);
  of.ringing_ = false;
}

}  // namespace troupe::detail
