// A strand: a serial place for coroutines and messages to run in.
//
// Everything that runs in Troupe runs on a strand: an actor is one, a spawned
// task is one. A strand is run by one worker at a time, in slices; between two
// slices it may move to another worker. Whatever a coroutine waits for comes
// back as system mail to its strand, so a frame is only resumed, stopped and
// destroyed there, and cancellation needs no locks.
//
// What a coroutine is suspended on is a leaf. The strand keeps its leaves in a
// list; to cancel is to abandon each leaf's operation and to unwind the chain of
// coroutines above it as "stopped": destructors run, no exception is thrown.
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/detail/assert.hpp>
#include <troupe/runtime/detail/inspection_gate.hpp>
#include <troupe/runtime/detail/mailbox.hpp>
#include <troupe/runtime/detail/runnable.hpp>

#include <coroutine>
#include <cstdint>
#include <string>

namespace troupe::detail {

class engine;
class worker;
class strand;

enum class outcome : std::uint8_t { running, value, error, stopped };

/// What every Troupe coroutine's promise starts with.
struct promise_base {
  std::coroutine_handle<> handle;
  promise_base* parent = nullptr;  // the coroutine that awaits this one; null for a root
  /// For a root: called on the strand, after the coroutine has suspended for
  /// the last time or was unwound; owns the frame from then on.
  void (*finished)(promise_base&, strand&) noexcept = nullptr;
  void* context = nullptr;  // for `finished`
  outcome how = outcome::running;
  bool catches_stop = false;    // unwinding ends here: the parent sees outcome::stopped
  bool yields_to_stop = false;  // cancel_yielding() is for what is suspended here or below
};

/// What a coroutine is suspended on. Lives in the coroutine's frame.
class leaf {
 public:
  leaf(const leaf&) = delete;
  leaf& operator=(const leaf&) = delete;

 protected:
  /// `abandon` withdraws the operation: afterwards nothing refers to the leaf.
  explicit leaf(void (*abandon)(leaf&) noexcept) noexcept : abandon_(abandon) {}
  ~leaf() = default;

  /// For the destructor of the final class: the frame is destroyed while it
  /// is suspended here.
  void withdraw() noexcept {
    if (linked()) drop();
  }

  /// Suspends `p` on this leaf. False when the strand is being stopped: do not
  /// start the operation, stay suspended, the strand unwinds the coroutine.
  bool begin(promise_base& p) noexcept;
  /// The operation is over: resumes the coroutine. On the strand.
  void complete() noexcept;
  /// Takes the leaf out of the list without resuming: the operation ended
  /// before the coroutine had to wait.
  void unlink() noexcept;
  [[nodiscard]] bool linked() const noexcept { return owner_ != nullptr; }
  [[nodiscard]] strand& owner() const noexcept { return *owner_; }

 private:
  friend class strand;
  TROUPE_NOINLINE void join(strand& s) noexcept;
  void drop() noexcept;

  leaf* prev_ = nullptr;
  leaf* next_ = nullptr;
  strand* owner_ = nullptr;
  promise_base* awaiting_ = nullptr;
  void (*abandon_)(leaf&) noexcept;
};

class strand : public runnable {
 public:
  strand(const strand&) = delete;
  strand& operator=(const strand&) = delete;

  [[nodiscard]] engine& home() const noexcept { return *home_; }
  /// The host of a simulated network that this runs on; 0 everywhere else.
  [[nodiscard]] std::uint16_t place() const noexcept { return place_; }
  /// What this is, for reports. Called by the watchdog while the strand runs.
  [[nodiscard]] std::string describe() const { return type_->describe(*this); }

  /// Shares in the strand's memory. Any thread that has one. The last one out frees it.
  void share() noexcept { share_many(1); }
  void share_many(std::uint32_t n) noexcept {
    [[maybe_unused]] const std::uint32_t before = shares_.fetch_add(n, std::memory_order_relaxed);
    TROUPE_ASSERT(before != 0, "a share in a strand comes from a holder of one");
  }
  /// Gives back `n` shares, of which none is the last.
  void release_many(std::uint32_t n) noexcept {
    [[maybe_unused]] const std::uint32_t before = shares_.fetch_sub(n, std::memory_order_release);
    TROUPE_ASSERT(before > n, "none of the shares in a strand that are given back at once is the last");
  }
  void release() noexcept {
    if (release_last()) type_->free(*this);
  }
  /// The same, but leaves it to the caller to free the strand: true when it must.
  [[nodiscard]] bool release_last() noexcept {
    const std::uint32_t before = shares_.fetch_sub(1, std::memory_order_acq_rel);
    TROUPE_ASSERT(before != 0, "each share in a strand is given back once");
    if (before != 1) return false;
    wait_for_inspection();
    return true;
  }
  [[nodiscard]] mailbox& box() noexcept { return box_; }
  [[nodiscard]] const mailbox& box() const noexcept { return box_; }

  /// Sends system mail; disposes of it when the strand is dead. Any thread that
  /// keeps the strand alive.
  void post(mail& m) noexcept;
  /// Schedules after a push said `wake`. Any thread that keeps the engine alive.
  void wake() noexcept;

  // -- on the strand only ---------------------------------------------------

  /// Resumes a coroutine and deals with what it leaves behind: a root that
  /// finished, a chain to unwind, a hop budget that ran out.
  void resume(std::coroutine_handle<> h) noexcept;
  /// Stops every suspended await: each chain unwinds to its root or to the
  /// nearest as_result. Awaits begun later stop at once.
  void cancel_awaits() noexcept;
  /// Stops the awaits of the coroutines below `root` only, until `over`: what
  /// that resumes sets it once `root` has ended, for its frame may be somebody
  /// else's by then.
  void cancel_below(promise_base& root, const bool& over) noexcept;
  /// Stops the awaits of the coroutines that yield to a stop, and of those below them, and
  /// what these begin to await instead.
  void cancel_yielding() noexcept;
  /// Awaits may be begun again (an actor was restarted).
  void allow_awaits() noexcept { cancelled_ = false; }
  [[nodiscard]] bool awaits_cancelled() const noexcept { return cancelled_; }
  /// What it waits for, when that is exactly one thing; else null.
  [[nodiscard]] leaf* only_wait() const noexcept {
    return leaves_ != nullptr && leaves_->next_ == nullptr ? leaves_ : nullptr;
  }

 protected:
  /// What sets one type of strand apart; static storage.
  struct type {
    std::string (*describe)(const strand&);
    void (*free)(strand&) noexcept;
    /// It is about to wait for one thing more than it does; may be null.
    void (*waits_for_more)(strand&) noexcept;
  };
  /// Starts with two shares, the strand's own, until it is dead, and its owner's,
  /// or with more for whoever else gets one at once.
  strand(engine& home, run_fn f, const type& t, std::uint16_t place, std::uint32_t shares = 2) noexcept
      : runnable(f), home_(&home), type_(&t), shares_(shares), place_(place) {}
  ~strand() = default;

  /// Resumes what yielded, or what the last slice's hop budget cut off.
  void resume_deferred() noexcept;
  [[nodiscard]] bool has_deferred() const noexcept { return deferred_ != nullptr; }

  mailbox box_;

 private:
  friend class leaf;
  TROUPE_NOINLINE void post_from_outside(mail& m) noexcept;
  TROUPE_NOINLINE void post_elsewhere(mail& m, worker& w) noexcept;
  void settle(worker& w) noexcept;
  /// Stops one suspended await of a coroutine that `concerns` is true of, or that is below such a one;
  /// false when there is none.
  template <class F>
  bool cancel_one(F concerns) noexcept;
  std::coroutine_handle<> unwind(promise_base* p, worker& w) noexcept;

  engine* home_;
  const type* type_;
  leaf* leaves_ = nullptr;
  promise_base* deferred_ = nullptr;
  // shares_: the release half of each decrement orders a holder's last touch
  // before the free; the acquire half makes the last one see them all. Broken
  // by: any test under ASan or TSan.
  atomic<std::uint32_t> shares_;
  const std::uint16_t place_;
  bool cancelled_ = false;
};

/// The strand that runs on this thread; null outside of a slice.
TROUPE_NOINLINE strand* current_strand() noexcept;

// -- for task.hpp: all act on the worker of this thread -----------------------

/// Counts one await hop; false when the slice's budget is used up.
TROUPE_NOINLINE bool consume_budget() noexcept;
/// The coroutine to continue with in the next slice.
TROUPE_NOINLINE void defer(promise_base& p) noexcept;
/// A root has come to its end.
TROUPE_NOINLINE void note_finished(promise_base& p) noexcept;

/// For an await that is over without having waited: false when the coroutine may go on at once, else it
/// stays suspended, and goes on in the next slice.
inline bool gives_way(promise_base& p) noexcept {
  if (consume_budget()) return false;
  defer(p);
  return true;
}

/// Transfers to `next`, or ends the slice when the hop budget is used up. The
/// budget also bounds the stack where symmetric transfer is no tail call.
inline std::coroutine_handle<> hop(promise_base& next) noexcept {
  if (consume_budget()) return next.handle;
  defer(next);
  return std::noop_coroutine();
}

}  // namespace troupe::detail
