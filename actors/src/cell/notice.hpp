// Notices: timers that are due, and ends of watched actors. An actor handles them before its user mail, and
// its mailbox does not count them.
//
// A notice is part of the timer or the watch that it comes from, and becomes a message only when the actor
// handles it: until then it is taken back in O(1), and there is no message to free.
#pragma once

#include <cstddef>

namespace troupe::detail {

class cell;
struct mail;

struct notice {
  explicit constexpr notice(mail* (*f)(notice&, cell&)) noexcept : take(f) {}

  /// Makes the message. The notice is out of the queue by then, and may free itself. An exception, which
  /// copying a message may throw, is a crash of the actor.
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

/// The message of the first notice; there must be one. Null when making it threw, which has crashed `c`. On
/// the strand.
mail* next_notice(cell& c) noexcept;

}  // namespace troupe::detail
