// The one-word mailbox: a bounded queue of many producers and one consumer,
// and the flag that says who schedules the consumer, in a single 64-bit word.
//
//    63      48 47                          4   3        2       1        0
//   [ count:16 | newest mail:44 (16-aligned) | suspended | urgent | waiters | closed ]
//
// Owned by a strand (strand.hpp), which is the consumer. Producers are any
// threads. Its memory is what is queued: a mail brings its own link.
//
//   - User mail is counted and bounded; system mail is not counted, is never
//     refused, and raises `urgent`, so that the consumer looks at it before
//     the next user mail.
//   - Mail hangs from the word newest first. The consumer detaches the whole
//     list at once and reverses it: no ABA, FIFO per sender.
//   - `count` covers queued mail and mail handed out but not yet credited.
//     So the bound holds for what is being worked on too, and "count is 0 and
//     nothing hangs here" is exactly "the consumer is idle". Whoever changes an
//     idle or a suspended word into one with work schedules the consumer: the
//     bound and the edge are one compare-and-swap.
//
//           push (schedules)                 suspend
//   idle ---------------------> scheduled ------------> suspended
//     ^                          |    ^                     |
//     +------ try_idle ----------+    +--- push_system -----+ (schedules)
//
// Cost: a push is one compare-and-swap. A consumer that finds a single mail
// handles it in place and pays one more for the whole visit; a batch costs one
// for detaching it, and that one also credits the batch before.
#pragma once

#include <cstdint>
#include <troupe/runtime/atomic.hpp>
#include <utility>

namespace troupe::detail {

class strand;
struct mail;

/// What a mail is, shared by all mails of a kind; static storage.
struct mail_kind {
  /// A system mail acts when the strand comes to it, and disposes of itself.
  /// Null for user mail, which the owner of the strand interprets.
  void (*act)(mail&, strand&) noexcept;
  /// Frees a mail that nobody will handle (its receiver is gone).
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

/// What became of a push. `wake`: it is queued, and the caller, nobody else,
/// must schedule the consumer.
enum class push_result : std::uint8_t { queued, wake, full, closed };

class mailbox {
 public:
  /// The largest bound that fits the word; the top count marks a dead mailbox.
  static constexpr std::uint32_t max_capacity = 0xfffe;

  constexpr mailbox() noexcept = default;
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;

  // -- producers: any thread ------------------------------------------------

  /// Queues user mail unless `capacity` mails are queued or being handled, or
  /// a sender waits for room (it must not be overtaken). Never waits.
  push_result try_push(mail& m, std::uint32_t capacity) noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((w & (closed_bit | waiters_bit)) != 0) {
        return (w & closed_bit) != 0 ? push_result::closed : push_result::full;
      }
      if (count_of(w) >= capacity) return push_result::full;
      m.next = mail_of(w);
      const std::uint64_t next = ((w & ~mail_mask) + one) | address(m);
      // Release publishes the mail; the consumer's acquire in `peek_single`
      // and `detach` sees it. The acquire half keeps the edge: whoever moves
      // the word away from idle sees what the last visit left in the strand.
      if (word_.compare_exchange_weak(w, next, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return is_idle(w) ? push_result::wake : push_result::queued;
      }
    }
  }

  /// Queues system mail: `queued` or `wake`, or `closed` when the consumer is
  /// dead and will never look again, so that the caller disposes of the mail.
  push_result push_system(mail& m) noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if (is_dead(w)) return push_result::closed;
      m.next = mail_of(w);
      const std::uint64_t next = (w & ~(mail_mask | suspended_bit)) | address(m) | urgent_bit;
      if (word_.compare_exchange_weak(w, next, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return is_idle(w) || (w & suspended_bit) != 0 ? push_result::wake : push_result::queued;
      }
    }
  }

  /// Announces a sender that waits for room; false when there is room or the
  /// mailbox is closed by now, so that the sender tries again. The caller
  /// holds the lock of the list of waiting senders.
  bool announce_waiter(std::uint32_t capacity) noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((w & closed_bit) != 0) return false;
      if ((w & waiters_bit) != 0) return true;
      if (count_of(w) < capacity) return false;
      if (word_.compare_exchange_weak(w, w | waiters_bit, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  /// Refuses user mail from now on; what is queued stays. Any thread.
  void close() noexcept { word_.fetch_or(closed_bit, std::memory_order_acq_rel); }

  // -- observers: any thread, a snapshot ------------------------------------

  [[nodiscard]] bool closed() const noexcept { return (load() & closed_bit) != 0; }
  /// After true, what the consumer has left behind may be read.
  [[nodiscard]] bool dead() const noexcept { return is_dead(word_.load(std::memory_order_seq_cst)); }
  [[nodiscard]] bool suspended() const noexcept { return (load() & suspended_bit) != 0; }
  /// User mail queued or being handled.
  [[nodiscard]] std::uint32_t depth() const noexcept {
    const std::uint64_t w = load();
    return is_dead(w) ? 0 : count_of(w);
  }

  // -- the consumer ---------------------------------------------------------

  /// Before anybody else sees the mailbox: as if the consumer were at work, so
  /// that no push says `wake` until it has ended this first visit with try_idle.
  void hold() noexcept { word_.store(visited, std::memory_order_relaxed); }

  /// System mail waits. Cheap: a load.
  [[nodiscard]] bool urgent() const noexcept { return (load() & urgent_bit) != 0; }
  [[nodiscard]] bool has_waiters() const noexcept { return (load() & waiters_bit) != 0; }

  /// The one user mail that hangs here, left in place, or null when there is
  /// none, more than one, or system mail. It must not be freed or sent on before
  /// try_idle or detach has unhooked it: the list may not see its address twice.
  [[nodiscard]] mail* peek_single() const noexcept {
    const std::uint64_t w = word_.load(std::memory_order_acquire);
    return count_of(w) == 1 && (w & urgent_bit) == 0 && (w & mail_mask) != visited ? mail_of(w) : nullptr;
  }

  /// The system mail that hangs here, taken, if it is all that has come since the last visit; null, and
  /// nothing has changed, otherwise. For a strand that was suspended: user mail may wait below.
  mail* take_single_system() noexcept {
    std::uint64_t w = word_.load(std::memory_order_acquire);
    if ((w & urgent_bit) == 0) return nullptr;
    mail* const m = mail_of(w);
    if (ends_not(m->next) || !m->is_system()) return nullptr;
    const std::uint64_t next = (w & ~(mail_mask | urgent_bit)) | visited;
    return word_.compare_exchange_strong(w, next, std::memory_order_acq_rel, std::memory_order_relaxed)
               ? m
               : nullptr;
  }

  /// Takes all that hangs here, gives back `handled` credits, and sorts it,
  /// oldest first, into `user` and `system`. `in_place` is the mail that
  /// peek_single() handed out and that still hangs at the end, or null.
  void detach(std::uint32_t handled, const mail* in_place, mail_queue& user, mail_queue& system) noexcept {
    take(handled, in_place, user, system, 0);
  }

  /// The same, and refuses user mail from now on.
  void close_and_detach(std::uint32_t handled, const mail* in_place, mail_queue& user,
                        mail_queue& system) noexcept {
    take(handled, in_place, user, system, closed_bit);
  }

  /// Gives back `handled` credits while work remains.
  void credit(std::uint32_t handled) noexcept { word_.fetch_sub(handled * one, std::memory_order_acq_rel); }

  /// Ends a visit: gives back the last `handled` credits and goes idle. False,
  /// and nothing has changed, when mail has come or a sender waits. After true
  /// another thread may run the consumer: touch nothing of it.
  bool try_idle(std::uint32_t handled, const mail* in_place) noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((w & mail_mask) != (in_place != nullptr ? address(*in_place) : visited)) return false;
      if ((w & (waiters_bit | urgent_bit)) != 0) return false;
      const std::uint64_t next = (w & ~mail_mask) - handled * one;
      if (word_.compare_exchange_weak(w, next, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  /// Ends a visit with the consumer waiting for something that arrives as
  /// system mail: user mail queues up without waking it. False, and nothing
  /// has changed, when system mail is there. After true touch nothing.
  bool try_suspend() noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((w & urgent_bit) != 0) return false;
      if (word_.compare_exchange_weak(w, w | suspended_bit, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  /// Counts `n` mails of waiting senders in, without a bound check: the consumer
  /// only hands out room that it has freed.
  void admit(std::uint32_t n) noexcept { word_.fetch_add(n * one, std::memory_order_acq_rel); }

  /// No sender waits any more. The caller holds the lock of the waiters' list.
  void clear_waiters() noexcept { word_.fetch_and(~waiters_bit, std::memory_order_acq_rel); }

  /// Ends the mailbox for good: false when mail is left, which the consumer
  /// must take first. After true nobody will ever schedule the consumer.
  bool try_die() noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((w & mail_mask) != visited || (w & (urgent_bit | waiters_bit)) != 0) return false;
      // Sequentially consistent: whoever loads "not dead" afterwards is known to
      // the dying consumer (watch_link.cpp).
      if (word_.compare_exchange_weak(w, closed_bit | dead_count, std::memory_order_seq_cst,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
  }

 private:
  // In the place of the newest mail: nothing hangs here, but the consumer is on a
  // visit. Without it a word whose system mail was taken would look idle, and the
  // next sender would schedule the strand a second time.
  static constexpr std::uint64_t visited = 16;
  static constexpr std::uint64_t closed_bit = 1;
  static constexpr std::uint64_t waiters_bit = 2;
  static constexpr std::uint64_t urgent_bit = 4;
  static constexpr std::uint64_t suspended_bit = 8;
  static constexpr std::uint64_t mail_mask = 0x0000'ffff'ffff'fff0;
  static constexpr std::uint64_t one = std::uint64_t{1} << 48;
  static constexpr std::uint64_t dead_count = std::uint64_t{0xffff} << 48;

  void take(std::uint32_t handled, const mail* in_place, mail_queue& user, mail_queue& system,
            std::uint64_t also) noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    while (!word_.compare_exchange_weak(w,
                                        (((w & ~(mail_mask | urgent_bit)) | visited) - handled * one) | also,
                                        std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
    // The list ends with null, with the mark, or before what hangs in place.
    mail* m = mail_of(w);
    mail_queue newer_user;
    if ((w & urgent_bit) == 0) {
      mail* const newest = m;
      mail* later = nullptr;
      while (m != in_place && ends_not(m)) later = std::exchange(m, std::exchange(m->next, later));
      if (later != nullptr) user.append(*later, *newest);
      return;
    }
    mail_queue newer_system;
    while (m != in_place && ends_not(m)) {
      mail* const older = m->next;
      (m->is_system() ? newer_system : newer_user).push_front(*m);
      m = older;
    }
    user.append(newer_user);
    system.append(newer_system);
  }

  // Neither null nor `visited`.
  static bool ends_not(const mail* m) noexcept { return reinterpret_cast<std::uint64_t>(m) > visited; }
  static std::uint32_t count_of(std::uint64_t w) noexcept { return static_cast<std::uint32_t>(w >> 48); }
  static bool is_dead(std::uint64_t w) noexcept { return (w & dead_count) == dead_count; }
  static mail* mail_of(std::uint64_t w) noexcept {
    return reinterpret_cast<mail*>(w &
                                   mail_mask);  // NOLINT(performance-no-int-to-ptr): the word is a pointer
  }
  static std::uint64_t address(const mail& m) noexcept { return reinterpret_cast<std::uint64_t>(&m); }
  static bool is_idle(std::uint64_t w) noexcept { return (w & ~(closed_bit | waiters_bit)) == 0; }

  [[nodiscard]] std::uint64_t load() const noexcept { return word_.load(std::memory_order_relaxed); }

  // word_: see the picture above.
  // Invariant: exactly one party, a run queue or a worker, holds the strand
  // while the word is neither idle nor suspended nor dead. Every transition is
  // a read-modify-write with acquire and release, so the state of the strand
  // passes from the worker that ended one visit to the one that starts the
  // next through the producer that woke it.
  // Broken by: tests/explore/mailbox_explore_test, tests/stress/mailbox_stress_test.
  atomic<std::uint64_t> word_{0};
};

}  // namespace troupe::detail
