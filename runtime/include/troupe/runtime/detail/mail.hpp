// Mail: the entries of a mailbox, their kinds, and lists of them.
//
// A mail belongs to its sender until it is pushed, then to the strand that receives it.
#pragma once

#include <cstdint>
#include <utility>

namespace troupe::detail {

class strand;
struct mail;

/// The operations of one kind of mail; static storage.
struct mail_kind {
  /// A system mail acts when the strand comes to it, and disposes of itself.
  /// Null for user mail, which the owner of the strand interprets.
  void (*act)(mail&, strand&) noexcept;
  /// Frees a mail that will not be handled, because its receiver has ended.
  void (*dispose)(mail&) noexcept;
};

/// The link that every message, reply, timer and notice starts with.
struct alignas(16) mail {
  mail* next;
  const mail_kind* kind;

  explicit constexpr mail(const mail_kind& k) noexcept : next(nullptr), kind(&k) {}
  [[nodiscard]] bool is_system() const noexcept { return kind->act != nullptr; }
};

/// An intrusive first-in-first-out list. Not thread-safe.
class mail_queue {
 public:
  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  [[nodiscard]] mail* front() const noexcept { return head_; }

  void push_back(mail& m) noexcept {
    m.next = nullptr;
    (head_ == nullptr ? head_ : tail_->next) = &m;
    tail_ = &m;
  }
  void push_front(mail& m) noexcept {
    m.next = head_;
    if (head_ == nullptr) tail_ = &m;
    head_ = &m;
  }
  mail* pop_front() noexcept {
    mail* m = head_;
    if (m != nullptr) head_ = m->next;
    return m;
  }
  /// Appends a list, of which the last link is null. O(1).
  void append(mail& first, mail& last) noexcept {
    (head_ == nullptr ? head_ : tail_->next) = &first;
    tail_ = &last;
  }
  /// Appends all of `other`, which is empty afterwards. O(1).
  void append(mail_queue& other) noexcept {
    if (other.head_ == nullptr) return;
    (head_ == nullptr ? head_ : tail_->next) = other.head_;
    tail_ = other.tail_;
    other.head_ = nullptr;
  }

 private:
  mail* head_ = nullptr;
  mail* tail_ = nullptr;
};

/// The outcome of a push. `wake`: it is queued, and the caller, and no other thread, must schedule the
/// consumer.
enum class push_result : std::uint8_t { queued, wake, full, closed };

/// Another result of try_push_here() and push_system_here() of one_word_mailbox: no outcome yet.
inline constexpr push_result not_here{4};

/// The sentinel in place of a mail while none is queued but the consumer is on a visit: see one_word_mailbox.
inline constexpr std::uintptr_t visit_mark = 16;

/// Neither null nor the sentinel.
[[nodiscard]] inline bool is_mail(const mail* m) noexcept {
  return reinterpret_cast<std::uintptr_t>(m) > visit_mark;
}

/// Sorts the list that a mailbox held, newest first, into two lists, oldest first, and appends it there. The
/// list ends with null, with the sentinel, or before `in_place`. `mixed`: it may have system mail in it.
/// O(n).
inline void sort_mail(mail* m, const mail* in_place, bool mixed, mail_queue& user,
                      mail_queue& system) noexcept {
  if (!mixed) {
    mail* const newest = m;
    mail* later = nullptr;
    while (m != in_place && is_mail(m)) later = std::exchange(m, std::exchange(m->next, later));
    if (later != nullptr) user.append(*later, *newest);
    return;
  }
  mail_queue newer_user;
  mail_queue newer_system;
  while (m != in_place && is_mail(m)) {
    mail* const older = m->next;
    (m->is_system() ? newer_system : newer_user).push_front(*m);
    m = older;
  }
  user.append(newer_user);
  system.append(newer_system);
}

}  // namespace troupe::detail
