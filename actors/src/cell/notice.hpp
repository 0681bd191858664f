// What an actor handles before its user mail, and what is not counted by its mailbox: timers that are due,
// and ends of actors that it watches.
//
// A notice is part of the timer or the watch it is from, and becomes a message only when the actor comes to
// it: until then it is taken back in O(1), and what is taken back needs no message to be freed.
#pragma once

#include <cstddef>

namespace troupe::detail {

class cell;
struct mail;

struct notice {
  explicit constexpr notice(mail* (*f)(notice&, cell&)) noexcept : take(f) {}

  /// Makes the message. It is out of the queue by then, and may free itself. May throw what copying a
  /// message throws: that is a crash of the actor.
  mail* (*take)(notice&, cell&);
  notice* next = nullptr;
  notice* previous = nullptr;
};

/// First in, first out; on the strand of the actor.
class notice_queue {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

  void push_back(notice& n) noexcept {
    n.next = nullptr;
    n.previous = last_;
    (last_ != nullptr ? last_->next : first_) = &n;
    last_ = &n;
  }
  /// `n` is in this queue.
  void remove(notice& n) noexcept {
    (n.previous != nullptr ? n.previous->next : first_) = n.next;
    (n.next != nullptr ? n.next->previous : last_) = n.previous;
  }
  notice* pop_front() noexcept {
    notice* const n = first_;
    if (n != nullptr) remove(*n);
    return n;
  }

 private:
  notice* first_ = nullptr;
  notice* last_ = nullptr;
};

/// The message of the first notice, of which there is one; null when it could not be made, and `c` has
/// crashed for that. On the strand.
mail* next_notice(cell& c) noexcept;

}  // namespace troupe::detail
