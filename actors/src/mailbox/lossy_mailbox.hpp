// The queue of an actor whose mailbox may lose messages.
//
// Only the consumer can remove mail that hangs in the mailbox's word, so the user mail of such an actor waits
// here instead, under a lock, and only a bell, one preallocated system mail, goes through the word:
//
//   push:     queue was empty, no bell under way -> ring
//   consumer: the bell arrives -> pop(), until the queue is empty
//
// Invariant: while mail is queued, the bell is under way, or the consumer is in a visit, or suspended in a
// handler, after which it calls pop().
#pragma once

#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/mailbox_policy.hpp>
#include <troupe/runtime/detail/mutex.hpp>

#include <exception>
#include <list>
#include <unordered_map>

namespace troupe::detail {

/// Owned by its cell, from construction on. Any thread, unless marked.
class lossy_mailbox {
 public:
  lossy_mailbox(std::uint32_t capacity, const mailbox_policy& p) noexcept
      : capacity_(capacity), key_of_(p.key_of) {}
  lossy_mailbox(const lossy_mailbox&) = delete;
  lossy_mailbox& operator=(const lossy_mailbox&) = delete;
  ~lossy_mailbox();

  /// Queues `m`, and removes the mail that it displaces into `lost`, which the caller disposes of; that is
  /// `m` itself when memory is short. closed: the caller still owns `m`. The key function runs on the
  /// caller's thread, without the lock.
  push_result push(cell& owner, mail& m, mail*& lost) noexcept;
  /// The oldest mail, or null; in `fault` the exception that its key function threw: the actor crashes on
  /// such a message instead of handling it. The consumer only.
  [[nodiscard]] mail* pop(std::exception_ptr& fault) noexcept;
  /// The same, for mail that will not be handled.
  [[nodiscard]] mail* pop() noexcept {
    std::exception_ptr fault;
    return pop(fault);
  }

  [[nodiscard]] std::uint32_t depth() noexcept {
    const scoped_lock guard(lock_);
    return static_cast<std::uint32_t>(queue_.size());
  }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  struct bell final : mail {
    explicit bell(lossy_mailbox& m) noexcept : mail(kind_of), of(&m) {}
    static void act(mail& m, strand&) noexcept;
    static void ignore(mail&) noexcept {}
    static constexpr mail_kind kind_of{&act, &ignore};
    lossy_mailbox* of;
  };
  struct hash {
    std::size_t operator()(const coalescing_key& k) const noexcept {
      return std::hash<std::string>{}(k.text) ^ static_cast<std::size_t>(k.number * 0x9e3779b97f4a7c15ULL);
    }
  };
  struct entry {
    mail* what;
    std::exception_ptr fault;             // of its key
    const coalescing_key* key = nullptr;  // in by_key_; null: no key
  };
  using queue = std::list<entry>;
  struct asked_key {
    bool keyed = false;
    coalescing_key key;
    std::exception_ptr fault;
  };

  asked_key key_for(mail& m) const noexcept;
  void enqueue(mail& m, asked_key& k, mail*& lost) TROUPE_REQUIRES(lock_);
  mail* take(queue::iterator at, std::exception_ptr& fault) noexcept TROUPE_REQUIRES(lock_);

  const std::uint32_t capacity_;
  bool (*const key_of_)(mail&, coalescing_key&);
  mutex lock_;
  queue queue_ TROUPE_GUARDED_BY(lock_);  // oldest first
  std::unordered_map<coalescing_key, queue::iterator, hash> by_key_ TROUPE_GUARDED_BY(lock_);
  bool ringing_ TROUPE_GUARDED_BY(lock_) = false;  // the bell is under way
  bell bell_{*this};
};

}  // namespace troupe::detail
