// The one-word mailbox: a bounded queue of many producers and one consumer, and the flags that say which
// thread schedules the consumer, in a single 64-bit word.
//
//    63      48 47                          4   3        2       1        0
//   [ count:16 | newest mail:44 (16-aligned) | suspended | urgent | waiters | closed ]
//
// Owned by a strand (strand.hpp), which is the consumer. Producers are any threads. It allocates nothing: a
// mail brings its own link.
//
//   - User mail is counted and bounded; system mail is not counted, is never refused, and raises `urgent`, so
//     that the consumer looks at it before the next user mail.
//   - Mail hangs from the word newest first. The consumer detaches the whole list at once and reverses it: no
//     ABA, FIFO per sender.
//   - `count` covers queued mail and mail handed out but not yet credited. So the bound includes mail that is
//     being handled, and "count is 0 and nothing hangs here" is exactly "the consumer is idle". The thread
//     that changes an idle or a suspended word into one with work schedules the consumer: the bound and the
//     edge are one compare-and-swap.
//
//           push (schedules)                 suspend
//   idle ---------------------> scheduled ------------> suspended
//     ^                          |    ^                     |
//     +------ try_idle ----------+    +--- push_system -----+ (schedules)
//
// A mailbox with a bound that the count cannot hold lives elsewhere, in its two-word form: then the word is
// the address of that form, with all other bits set, which no one-word state ever has. Each call finds that
// out where it would have refused, or continued on its slower path.
//
// Cost: a push is one compare-and-swap. A consumer that finds a single mail handles it in place and pays one
// more for the whole visit; a batch costs one for detaching it, and that one also credits the batch before.
#pragma once

#include <troupe/runtime/detail/assert.hpp>
#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/mail.hpp>
#include <troupe/runtime/detail/two_word_mailbox.hpp>

#include <cstdint>

namespace troupe::detail {

class one_word_mailbox {
 public:
  /// The largest bound that fits the word; the top count marks a dead mailbox, or one that lives elsewhere.
  static constexpr std::uint32_t max_capacity = 0xfffe;

  constexpr one_word_mailbox() noexcept = default;
  one_word_mailbox(const one_word_mailbox&) = delete;
  one_word_mailbox& operator=(const one_word_mailbox&) = delete;

  /// From now on all calls go to `m`, which lives as long as this. To be called before another thread sees
  /// the mailbox, and before any other call but hold().
  void live_in(two_word_mailbox& m) noexcept {
    if (load() != 0) m.hold();
    TROUPE_ASSERT((address(m) & ~mail_mask) == 0,
                  "the two-word form of a mailbox has an address that fits its word");
    word_.store(address(m) | ~mail_mask, std::memory_order_relaxed);
  }

  // -- producers: any thread ------------------------------------------------

  /// Queues user mail unless `capacity` mails are queued or being handled, or a sender waits for room (it
  /// must not be overtaken).
  push_result try_push(mail& m, std::uint32_t capacity) noexcept {
    const push_result r = try_push_here(m, capacity);
    return r == not_here ? push_elsewhere(m, capacity) : r;
  }
  /// The same, but `not_here`, and nothing has changed, when the mailbox lives elsewhere: for a caller whose
  /// fast path must not need a stack frame for that. Never waits.
  push_result try_push_here(mail& m, std::uint32_t capacity) noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((w & (closed_bit | waiters_bit)) != 0) {
        return is_elsewhere(w) ? not_here : (w & closed_bit) != 0 ? push_result::closed : push_result::full;
      }
      if (count_of(w) >= capacity) return push_result::full;
      m.next = mail_of(w);
      const std::uint64_t next = ((w & ~mail_mask) + one) | address(m);
      // Release publishes the mail; the consumer's acquire in `peek_single` and `detach` sees it. The acquire
      // half keeps the edge: the thread that moves the word away from idle sees the state that the last visit
      // left in the strand.
      if (word_.compare_exchange_weak(w, next, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return is_idle(w) ? push_result::wake : push_result::queued;
      }
    }
  }

  /// The rest of try_push() after try_push_here() returned `not_here`.
  push_result push_elsewhere(mail& m, std::uint32_t capacity) noexcept {
    return elsewhere(load()).try_push(m, capacity);
  }

  /// Queues system mail: `queued` or `wake`, or `closed` when the consumer is dead and will never look again,
  /// so that the caller disposes of the mail.
  push_result push_system(mail& m) noexcept {
    const push_result r = push_system_here(m);
    return r == not_here ? push_system_elsewhere(m) : r;
  }
  /// The two halves of push_system(), as those of try_push().
  push_result push_system_elsewhere(mail& m) noexcept { return elsewhere(load()).push_system(m); }
  push_result push_system_here(mail& m) noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if (has_top_count(w)) return is_elsewhere(w) ? not_here : push_result::closed;
      m.next = mail_of(w);
      const std::uint64_t next = (w & ~(mail_mask | suspended_bit)) | address(m) | urgent_bit;
      if (word_.compare_exchange_weak(w, next, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return is_idle(w) || (w & suspended_bit) != 0 ? push_result::wake : push_result::queued;
      }
    }
  }

  /// Announces a sender that waits for room; false when there is room or the mailbox is closed by now, so
  /// that the sender tries again. The caller holds the lock of the list of waiting senders.
  bool announce_waiter(std::uint32_t capacity) noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((w & closed_bit) != 0) return is_elsewhere(w) && elsewhere(w).announce_waiter(capacity);
      if ((w & waiters_bit) != 0) return true;
      if (count_of(w) < capacity) return false;
      if (word_.compare_exchange_weak(w, w | waiters_bit, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  /// Refuses user mail from now on; queued mail stays. Any thread.
  void close() noexcept {
    if (const std::uint64_t w = load(); is_elsewhere(w)) [[unlikely]]
      return elsewhere(w).close();
    word_.fetch_or(closed_bit, std::memory_order_acq_rel);
  }

  // -- observers: any thread, a snapshot ------------------------------------

  [[nodiscard]] bool closed() const noexcept {
    return (load() & closed_bit) != 0 && !elsewhere_not(&two_word_mailbox::closed);
  }
  /// After true, the state that the consumer has left may be read.
  [[nodiscard]] bool dead() const noexcept {
    const std::uint64_t w = word_.load(std::memory_order_seq_cst);
    return has_top_count(w) && (!is_elsewhere(w) || elsewhere(w).dead());
  }
  [[nodiscard]] bool suspended() const noexcept {
    return (load() & suspended_bit) != 0 && !elsewhere_not(&two_word_mailbox::suspended);
  }
  /// User mail queued or being handled.
  [[nodiscard]] std::uint32_t depth() const noexcept {
    const std::uint64_t w = load();
    if (has_top_count(w)) return is_elsewhere(w) ? elsewhere(w).depth() : 0;
    return count_of(w);
  }

  // -- the consumer ---------------------------------------------------------

  /// Marks the consumer as running, so that no push says `wake` until it has ended this first visit with
  /// try_idle. To be called before another thread sees the mailbox.
  void hold() noexcept { word_.store(visited, std::memory_order_relaxed); }

  /// System mail waits. Cheap: a load.
  [[nodiscard]] bool urgent() const noexcept {
    return perhaps_urgent() && !elsewhere_not(&two_word_mailbox::urgent);
  }
  /// False only when urgent() is: for loops that check at each step.
  [[nodiscard]] bool perhaps_urgent() const noexcept { return (load() & urgent_bit) != 0; }
  /// False only when has_waiters() is.
  [[nodiscard]] bool perhaps_has_waiters() const noexcept { return (load() & waiters_bit) != 0; }
  [[nodiscard]] bool has_waiters() const noexcept {
    return perhaps_has_waiters() && !elsewhere_not(&two_word_mailbox::has_waiters);
  }

  /// The one user mail that hangs here, left in place, or null when there is none, more than one, or system
  /// mail. It must not be freed or sent on before try_idle or detach has unhooked it: the list may not see
  /// its address twice. Null when the mailbox lives elsewhere.
  [[nodiscard]] mail* peek_single() const noexcept {
    const std::uint64_t w = word_.load(std::memory_order_acquire);
    return count_of(w) == 1 && (w & urgent_bit) == 0 && (w & mail_mask) != visited ? mail_of(w) : nullptr;
  }

  /// Takes the system mail that hangs here, if nothing else has come since the last visit; null, and nothing
  /// has changed, otherwise, or where a sender waits. For a strand that was suspended: user mail may wait
  /// below.
  mail* take_single_system() noexcept {
    std::uint64_t w = word_.load(std::memory_order_acquire);
    // A mailbox that lives elsewhere has all bits set, so it takes the slow path of those that have waiters.
    if ((w & (urgent_bit | waiters_bit)) != urgent_bit) return nullptr;
    mail* const m = mail_of(w);
    if (is_mail(m->next) || !m->is_system()) return nullptr;
    const std::uint64_t next = (w & ~(mail_mask | urgent_bit)) | visited;
    return word_.compare_exchange_strong(w, next, std::memory_order_acq_rel, std::memory_order_relaxed)
               ? m
               : nullptr;
  }

  /// Takes all mail that hangs here, gives back `handled` credits, and sorts the mail, oldest first, into
  /// `user` and `system`. `in_place` is the mail that peek_single() handed out and that still hangs at the
  /// end, or null.
  void detach(std::uint32_t handled, const mail* in_place, mail_queue& user, mail_queue& system) noexcept {
    take(handled, in_place, user, system, 0);
  }

  /// The same, and refuses user mail from now on.
  void close_and_detach(std::uint32_t handled, const mail* in_place, mail_queue& user,
                        mail_queue& system) noexcept {
    take(handled, in_place, user, system, closed_bit);
  }

  /// Gives back `handled` credits while work remains.
  void credit(std::uint32_t handled) noexcept {
    if (const std::uint64_t w = load(); is_elsewhere(w)) [[unlikely]]
      return elsewhere(w).credit(handled);
    word_.fetch_sub(handled * one, std::memory_order_acq_rel);
  }

  /// Ends a visit: gives back the last `handled` credits and goes idle. False, and nothing has changed, when
  /// mail has come or a sender waits. After true another thread may run the consumer: touch nothing of it.
  bool try_idle(std::uint32_t handled, const mail* in_place) noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((w & mail_mask) != (in_place != nullptr ? address(*in_place) : visited)) {
        return is_elsewhere(w) && elsewhere(w).try_idle(handled, in_place);
      }
      if ((w & (waiters_bit | urgent_bit)) != 0) return false;
      const std::uint64_t next = (w & ~mail_mask) - handled * one;
      if (word_.compare_exchange_weak(w, next, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  /// Ends a visit with the consumer waiting for an event that arrives as system mail: user mail queues up
  /// without waking it. False, and nothing has changed, when system mail is there. After true touch nothing.
  bool try_suspend() noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((w & urgent_bit) != 0) return is_elsewhere(w) && elsewhere(w).try_suspend();
      if (word_.compare_exchange_weak(w, w | suspended_bit, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  /// Counts `n` mails of waiting senders in, without a bound check: the consumer only hands out room that it
  /// has freed.
  void admit(std::uint32_t n) noexcept {
    if (const std::uint64_t w = load(); is_elsewhere(w)) return elsewhere(w).admit(n);
    word_.fetch_add(n * one, std::memory_order_acq_rel);
  }

  /// No sender waits any more. The caller holds the lock of the waiters' list.
  void clear_waiters() noexcept {
    if (const std::uint64_t w = load(); is_elsewhere(w)) return elsewhere(w).clear_waiters();
    word_.fetch_and(~waiters_bit, std::memory_order_acq_rel);
  }

  /// Ends the mailbox forever: false when mail is left, which the consumer must take first. After true no
  /// thread will ever schedule the consumer.
  bool try_die() noexcept {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((w & mail_mask) != visited || (w & (urgent_bit | waiters_bit)) != 0) {
        return is_elsewhere(w) && elsewhere(w).try_die();
      }
      // Sequentially consistent: a thread that loads "not dead" afterwards is known to the dying consumer
      // (watch_link.cpp).
      if (word_.compare_exchange_weak(w, closed_bit | dead_count, std::memory_order_seq_cst,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
  }

 private:
  // In place of the newest mail: nothing hangs here, but the consumer is on a visit. Without this sentinel a
  // word whose system mail was taken would look idle, and the next sender would schedule the strand a second
  // time.
  static constexpr std::uint64_t visited = visit_mark;
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
    if (is_elsewhere(w)) [[unlikely]] {
      return also == 0 ? elsewhere(w).detach(handled, in_place, user, system)
                       : elsewhere(w).close_and_detach(handled, in_place, user, system);
    }
    while (!word_.compare_exchange_weak(w,
                                        (((w & ~(mail_mask | urgent_bit)) | visited) - handled * one) | also,
                                        std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
    sort_mail(mail_of(w), in_place, (w & urgent_bit) != 0, user, system);
  }

  static std::uint32_t count_of(std::uint64_t w) noexcept { return static_cast<std::uint32_t>(w >> 48); }
  static bool has_top_count(std::uint64_t w) noexcept { return w >= dead_count; }
  // A dead word has no mail in it.
  static bool is_elsewhere(std::uint64_t w) noexcept { return w >= (dead_count | visited); }
  static two_word_mailbox& elsewhere(std::uint64_t w) noexcept {
    return *reinterpret_cast<two_word_mailbox*>(  // NOLINT(performance-no-int-to-ptr): the word is a pointer
        w & mail_mask);
  }
  static mail* mail_of(std::uint64_t w) noexcept {
    return reinterpret_cast<mail*>(w &
                                   mail_mask);  // NOLINT(performance-no-int-to-ptr): the word is a pointer
  }
  // Whether the mailbox lives elsewhere, and `flag` is not set there. Out of line, so that the check of a
  // flag that is clear here stays a test of memory.
  [[nodiscard, gnu::noinline, gnu::cold]] bool elsewhere_not(bool (two_word_mailbox::*flag)()
                                                                 const noexcept) const noexcept {
    const std::uint64_t w = load();
    return is_elsewhere(w) && !(elsewhere(w).*flag)();
  }
  template <class T>
  static std::uint64_t address(const T& m) noexcept {
    return reinterpret_cast<std::uint64_t>(&m);
  }
  static bool is_idle(std::uint64_t w) noexcept { return (w & ~(closed_bit | waiters_bit)) == 0; }

  [[nodiscard]] std::uint64_t load() const noexcept { return word_.load(std::memory_order_relaxed); }

  // word_: see the picture above.
  // Invariant: exactly one run queue or one worker holds the strand while the word is neither idle nor
  // suspended nor dead. Every transition is a read-modify-write with acquire and release, so the state of the
  // strand passes from the worker that ended one visit to the one that starts the next through the producer
  // that woke it. Broken by: tests/explore/mailbox_explore_test, tests/stress/mailbox_stress_test.
  atomic<std::uint64_t> word_{0};
};

/// The form that strands use: the two-word form in builds with the CMake option TROUPE_TWO_WORD_MAILBOX, for
/// processes whose memory has addresses of more than 48 bits or with tags.
#ifdef TROUPE_TWO_WORD_MAILBOX
using mailbox = two_word_mailbox;
#else
using mailbox = one_word_mailbox;
#endif

}  // namespace troupe::detail
