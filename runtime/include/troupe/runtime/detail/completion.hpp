// The handshake between a suspended coroutine and the thread that completes its wait from elsewhere: a reply,
// a blocking call, a socket that became ready.
//
//   waiter:     wait_on(strand), then lets the completer see it ... act(): the
//               leaf resumes, or, when it was abandoned, nothing does
//   completer:  stores the outcome, finish(): the completion travels to the
//               waiter's strand as system mail
//
// Whether the answer is still wanted is decided on the waiter's strand alone: abandon() clears `target`
// there, and the mail frees itself whenever it arrives. So the completer never touches a frame, a late answer
// is dropped safely, and neither side needs an atomic of its own: the mailbox orders everything. The share
// that abandon() takes keeps the strand's memory for a late answer. Each completion is finished exactly once,
// by the completer that holds it.
#pragma once

#include <troupe/runtime/detail/slab.hpp>
#include <troupe/runtime/detail/strand.hpp>

namespace troupe::detail {

/// Base of the state that the two sides share. Lives in the slab, not in a frame.
struct completion : mail {
  explicit completion(const mail_kind& k) noexcept : mail(k) {}

  /// The waiter, on its strand, before it lets the completer see this.
  void wait_on(leaf& l, strand& s) noexcept {
    waiter = &s;
    target = &l;
  }

  /// The completer, once the outcome is stored; must not touch the completion afterwards. `as` acts, or
  /// disposes, on arrival.
  void finish(const mail_kind& as) noexcept {
    kind = &as;
    waiter->post(*this);
  }

  /// The waiter gives up; from here the completion belongs to the completer.
  void abandon() noexcept {
    target = nullptr;
    waiter->share();
  }

  strand* waiter = nullptr;  // null: no coroutine waits for the outcome
  leaf* target = nullptr;    // on the waiter's strand only
};

/// For `act` of a completion of type C that has arrived. True when the leaf still waits; otherwise the
/// completion is freed.
template <class C>
[[nodiscard]] bool still_wanted(C& c) noexcept {
  if (c.target != nullptr) return true;
  strand* const s = c.waiter;
  slab_delete(&c);
  s->release();
  return false;
}

/// `dispose` for a completion of type C: its waiter is dead, and so has given up.
template <class C>
void dispose_late(C& c) noexcept {
  strand* const s = c.waiter;
  slab_delete(&c);
  s->release();
}

}  // namespace troupe::detail
