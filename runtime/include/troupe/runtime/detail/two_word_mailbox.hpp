// The two-word form of the mailbox: the same calls with the same meaning as one_word_mailbox (mailbox.hpp),
// on a separate pointer and count, under a lock.
//
// For mailboxes that do not fit into one word: bounds above 65534, and mail at addresses of more than 48
// bits. One suite of tests runs both forms. A call waits while another thread holds the lock; a thread that
// is preempted there keeps the others waiting.
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/detail/assert.hpp>
#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/mail.hpp>
#include <troupe/runtime/detail/spinlock.hpp>

#include <cstdint>
#include <utility>

namespace troupe::detail {

class alignas(16) two_word_mailbox {
 public:
  static constexpr std::uint32_t max_capacity = 0x7fff'ffff;

  two_word_mailbox() noexcept = default;
  two_word_mailbox(const two_word_mailbox&) = delete;
  two_word_mailbox& operator=(const two_word_mailbox&) = delete;

  // -- producers: any thread ------------------------------------------------

  TROUPE_NOINLINE push_result try_push(mail& m, std::uint32_t capacity) noexcept {
    const scoped_lock guard(lock_);
    if (has(closed_flag)) return push_result::closed;
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    if (has(waiters_flag) || count >= capacity) return push_result::full;
    count_.store(count + 1, std::memory_order_relaxed);
    hang(m);
    return std::exchange(idle_, false) ? push_result::wake : push_result::queued;
  }

  push_result try_push_here(mail& m, std::uint32_t capacity) noexcept { return try_push(m, capacity); }
  push_result push_elsewhere(mail& m, std::uint32_t capacity) noexcept { return try_push(m, capacity); }

  push_result push_system_here(mail& m) noexcept { return push_system(m); }
  push_result push_system_elsewhere(mail& m) noexcept { return push_system(m); }
  TROUPE_NOINLINE push_result push_system(mail& m) noexcept {
    const scoped_lock guard(lock_);
    if (has(dead_flag)) return push_result::closed;
    const bool wakes = std::exchange(idle_, false) || has(suspended_flag);
    clear(suspended_flag);
    set(urgent_flag);
    hang(m);
    return wakes ? push_result::wake : push_result::queued;
  }

  TROUPE_NOINLINE bool announce_waiter(std::uint32_t capacity) noexcept {
    const scoped_lock guard(lock_);
    if (has(closed_flag)) return false;
    if (!has(waiters_flag) && count_.load(std::memory_order_relaxed) < capacity) return false;
    set(waiters_flag);
    return true;
  }

  TROUPE_NOINLINE void close() noexcept {
    const scoped_lock guard(lock_);
    set(closed_flag);
  }

  // -- observers: any thread, a snapshot ------------------------------------

  [[nodiscard]] bool closed() const noexcept { return has(closed_flag); }
  [[nodiscard, gnu::noinline]] bool dead() const noexcept {
    // A load is not enough: the lock orders this before or after try_die(), with all that the two threads
    // did.
    const scoped_lock guard(lock_);
    return has(dead_flag);
  }
  [[nodiscard]] bool suspended() const noexcept { return has(suspended_flag); }
  [[nodiscard]] std::uint32_t depth() const noexcept {
    return has(dead_flag) ? 0 : count_.load(std::memory_order_relaxed);
  }

  // -- the consumer ---------------------------------------------------------

  // Without the lock: no other thread sees the mailbox yet.
  void hold() noexcept TROUPE_NO_THREAD_SAFETY_ANALYSIS { idle_ = false; }
  [[nodiscard]] bool urgent() const noexcept { return has(urgent_flag); }
  [[nodiscard]] bool perhaps_urgent() const noexcept { return urgent(); }
  [[nodiscard]] bool perhaps_has_waiters() const noexcept { return has_waiters(); }
  [[nodiscard]] bool has_waiters() const noexcept { return has(waiters_flag); }

  [[nodiscard]] mail* peek_single() const noexcept {
    const scoped_lock guard(lock_);
    return count_.load(std::memory_order_relaxed) == 1 && !has(urgent_flag) ? newest_ : nullptr;
  }

  TROUPE_NOINLINE mail* take_single_system() noexcept {
    const scoped_lock guard(lock_);
    if (!has(urgent_flag) || has(waiters_flag) || newest_->next != nullptr || !newest_->is_system())
      return nullptr;
    clear(urgent_flag);
    return std::exchange(newest_, nullptr);
  }

  void detach(std::uint32_t handled, const mail* in_place, mail_queue& user, mail_queue& system) noexcept {
    take(handled, in_place, user, system, 0);
  }
  void close_and_detach(std::uint32_t handled, const mail* in_place, mail_queue& user,
                        mail_queue& system) noexcept {
    take(handled, in_place, user, system, closed_flag);
  }

  TROUPE_NOINLINE void credit(std::uint32_t handled) noexcept {
    const scoped_lock guard(lock_);
    give_back(handled);
  }

  TROUPE_NOINLINE bool try_idle(std::uint32_t handled, const mail* in_place) noexcept {
    const scoped_lock guard(lock_);
    if (newest_ != in_place || has(waiters_flag | urgent_flag)) return false;
    newest_ = nullptr;
    give_back(handled);
    idle_ = true;
    return true;
  }

  TROUPE_NOINLINE bool try_suspend() noexcept {
    const scoped_lock guard(lock_);
    if (has(urgent_flag)) return false;
    set(suspended_flag);
    return true;
  }

  TROUPE_NOINLINE void admit(std::uint32_t n) noexcept {
    const scoped_lock guard(lock_);
    count_.store(count_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  TROUPE_NOINLINE void clear_waiters() noexcept {
    const scoped_lock guard(lock_);
    clear(waiters_flag);
  }

  TROUPE_NOINLINE bool try_die() noexcept {
    const scoped_lock guard(lock_);
    if (newest_ != nullptr || has(waiters_flag | urgent_flag)) return false;
    set(closed_flag | dead_flag);
    return true;
  }

 private:
  static constexpr std::uint32_t closed_flag = 1;
  static constexpr std::uint32_t waiters_flag = 2;
  static constexpr std::uint32_t urgent_flag = 4;
  static constexpr std::uint32_t suspended_flag = 8;
  static constexpr std::uint32_t dead_flag = 16;

  [[nodiscard]] bool has(std::uint32_t any) const noexcept {
    return (flags_.load(std::memory_order_relaxed) & any) != 0;
  }
  void set(std::uint32_t f) noexcept TROUPE_REQUIRES(lock_) {
    flags_.store(flags_.load(std::memory_order_relaxed) | f, std::memory_order_relaxed);
  }
  void clear(std::uint32_t f) noexcept TROUPE_REQUIRES(lock_) {
    flags_.store(flags_.load(std::memory_order_relaxed) & ~f, std::memory_order_relaxed);
  }
  void hang(mail& m) noexcept TROUPE_REQUIRES(lock_) { m.next = std::exchange(newest_, &m); }
  void give_back(std::uint32_t handled) noexcept TROUPE_REQUIRES(lock_) {
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    TROUPE_ASSERT(count >= handled, "a mailbox gets back no more credit than it has handed out");
    count_.store(count - handled, std::memory_order_relaxed);
  }

  TROUPE_NOINLINE void take(std::uint32_t handled, const mail* in_place, mail_queue& user, mail_queue& system,
                            std::uint32_t also) noexcept {
    mail* newest = nullptr;
    bool mixed = false;
    {
      const scoped_lock guard(lock_);
      newest = std::exchange(newest_, nullptr);
      mixed = has(urgent_flag);
      clear(urgent_flag);
      set(also);
      give_back(handled);
    }
    sort_mail(newest, in_place, mixed, user, system);
  }

  mutable spinlock lock_;
  bool idle_ TROUPE_GUARDED_BY(lock_) = true;  // the consumer is idle, and the next push schedules it
  mail* newest_ TROUPE_GUARDED_BY(lock_) = nullptr;
  // flags_ and count_: written under lock_, whose release and acquire order them; observers read them without
  // it, relaxed, as a snapshot. The consumer sees all writes before its last call here. Broken by:
  // tests/runtime/mailbox_test, tests/stress/mailbox_stress_test.
  atomic<std::uint32_t> flags_{0};
  atomic<std::uint32_t> count_{0};
};

}  // namespace troupe::detail
