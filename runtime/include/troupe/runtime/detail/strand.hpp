// A strand: a serial place for coroutines and messages to run in.
//
// All work in Troupe runs on a strand: an actor is one, a spawned task is one. A strand is run by one worker
// at a time, in slices; between two slices it may move to another worker. An event that a coroutine waits for
// comes back as system mail to its strand, so a frame is only resumed, stopped and destroyed there, and
// cancellation needs no locks.
//
// A coroutine is suspended on a leaf. The strand keeps its leaves in a list; to cancel is to abandon each
// leaf's operation and to unwind the chain of coroutines above it as "stopped": destructors run, no exception
// is thrown.
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/detail/assert.hpp>
#include <troupe/runtime/detail/inspection_gate.hpp>
#include <troupe/runtime/detail/mailbox.hpp>
#include <troupe/runtime/detail/runnable.hpp>
#include <troupe/runtime/detail/share_count.hpp>
#include <troupe/runtime/detail/thread_safety.hpp>

#include <coroutine>
#include <cstdint>
#include <string>

namespace troupe::detail {

class engine;
class worker;
class strand;

/// The role of the thread that runs a slice of a strand. A worker has it by protocol, not by a lock: the
/// strand is in its hands while the mailbox's word is neither idle nor suspended. One role stands for all
/// strands, so the analysis sees that a caller is on a strand, not on which one.
class TROUPE_CAPABILITY("strand") strand_role {};
inline constexpr strand_role on_strand{};
/// The caller runs on the strand that it is about to touch: at the entry points, which the analysis cannot
/// follow. No code is generated.
inline void assert_on_strand() noexcept TROUPE_ASSERT_CAPABILITY(on_strand) {}

enum class outcome : std::uint8_t { running, value, error, stopped };

/// The base of every Troupe coroutine's promise.
struct promise_base {
  std::coroutine_handle<> handle;
  promise_base* parent = nullptr;  // the coroutine that awaits this one; null for a root
  /// For a root: called on the strand, after the coroutine has suspended for the last time or was unwound;
  /// owns the frame from then on.
  void (*finished)(promise_base&, strand&) noexcept = nullptr;
  void* context = nullptr;  // for `finished`
  outcome how = outcome::running;
  bool catches_stop = false;    // unwinding ends here: the parent sees outcome::stopped
  bool yields_to_stop = false;  // cancel_yielding() stops an await here or below
};

/// The operation that a coroutine is suspended on. Lives in the coroutine's frame; on its strand only.
class leaf {
 public:
  leaf(const leaf&) = delete;
  leaf& operator=(const leaf&) = delete;

 protected:
  /// `abandon` withdraws the operation: afterwards nothing refers to the leaf.
  explicit leaf(void (*abandon)(leaf&) noexcept) noexcept : abandon_(abandon) {}
  ~leaf() = default;

  /// For the destructor of the final class: the frame is destroyed while it is suspended here.
  void withdraw() noexcept {
    assert_on_strand();
    if (linked()) drop();
  }

  /// Suspends `p` on this leaf. False when the strand is being stopped: do not start the operation, stay
  /// suspended, the strand unwinds the coroutine.
  bool begin(promise_base& p) noexcept;
  /// The operation is over: resumes the coroutine.
  void complete() noexcept;
  /// Takes the leaf out of the list without resuming: the operation ended before the coroutine had to wait.
  void unlink() noexcept;
  [[nodiscard]] bool linked() const noexcept { return owner_ != nullptr; }
  [[nodiscard]] strand& owner() const noexcept { return *owner_; }

 private:
  friend class strand;
  TROUPE_NOINLINE void join(strand& s) noexcept TROUPE_REQUIRES(on_strand);
  void drop() noexcept TROUPE_REQUIRES(on_strand);

  leaf* prev_ TROUPE_GUARDED_BY(on_strand) = nullptr;
  leaf* next_ TROUPE_GUARDED_BY(on_strand) = nullptr;
  strand* owner_ = nullptr;
  promise_base* awaiting_ = nullptr;
  void (*abandon_)(leaf&) noexcept;
};

class strand : public runnable {
 public:
  strand(const strand&) = delete;
  strand& operator=(const strand&) = delete;

  [[nodiscard]] engine& home() const noexcept { return *home_; }
  /// The host of a simulated network that this runs on; 0 elsewhere.
  [[nodiscard]] std::uint16_t place() const noexcept { return place_; }
  /// A name for reports. Called by the watchdog while the strand runs.
  [[nodiscard]] std::string describe() const { return type_->describe(*this); }

  /// Shares in the strand's memory. Any thread that has one. The last holder frees it.
  void share() noexcept { shares_.add(); }
  void share_many(std::uint32_t n) noexcept { shares_.add(n); }
  /// Gives back `n` shares, of which none is the last.
  void release_many(std::uint32_t n) noexcept { shares_.drop_some(n); }
  void release() noexcept {
    if (release_last()) type_->free(*this);
  }
  /// The same, but leaves it to the caller to free the strand: true when it must.
  [[nodiscard]] bool release_last() noexcept {
    if (!shares_.drop()) return false;
    wait_for_inspection();
    return true;
  }
  [[nodiscard]] mailbox& box() noexcept { return box_; }
  [[nodiscard]] const mailbox& box() const noexcept { return box_; }

  /// Sends system mail; disposes of it when the strand is dead. Any thread that keeps the strand alive.
  void post(mail& m) noexcept;
  /// Schedules after a push said `wake`. Any thread that keeps the engine alive.
  void wake() noexcept;

  // -- on the strand only ---------------------------------------------------

  /// Resumes a coroutine and handles its outcome: a root that finished, a chain to unwind, a hop budget that
  /// ran out.
  void resume(std::coroutine_handle<> h) noexcept;
  /// Stops every suspended await: each chain unwinds to its root or to the nearest as_result. Awaits begun
  /// later stop at once.
  void cancel_awaits() noexcept;
  /// Stops the awaits of the coroutines below `root` only, until `over`: a coroutine that this resumes sets
  /// it once `root` has ended, for then its frame may have been reused.
  void cancel_below(promise_base& root, const bool& over) noexcept;
  /// Stops the awaits of the coroutines that yield to a stop, and of those below them, and the awaits that
  /// these begin instead.
  void cancel_yielding() noexcept;
  /// Awaits may be begun again (an actor was restarted).
  void allow_awaits() noexcept {
    assert_on_strand();
    cancelled_ = false;
  }
  [[nodiscard]] bool awaits_cancelled() const noexcept {
    assert_on_strand();
    return cancelled_;
  }
  /// The leaf that it waits on, when that is exactly one; else null.
  [[nodiscard]] leaf* only_wait() const noexcept {
    assert_on_strand();
    return leaves_ != nullptr && leaves_->next_ == nullptr ? leaves_ : nullptr;
  }

 protected:
  /// The operations of one type of strand; static storage.
  struct type {
    std::string (*describe)(const strand&);
    void (*free)(strand&) noexcept;
    /// It is about to wait on one more leaf; may be null.
    void (*waits_for_more)(strand&) noexcept;
  };
  /// Starts with two shares, the strand's own, until it is dead, and its owner's, or with more for other
  /// holders.
  strand(engine& home, run_fn f, const type& t, std::uint16_t place, std::uint32_t shares = 2) noexcept
      : runnable(f), home_(&home), type_(&t), shares_(shares), place_(place) {}
  ~strand() = default;

  /// Resumes the coroutine that yielded, or that the last slice's hop budget cut off.
  void resume_deferred() noexcept;
  [[nodiscard]] bool has_deferred() const noexcept {
    assert_on_strand();
    return deferred_ != nullptr;
  }

  mailbox box_;

 private:
  friend class leaf;
  TROUPE_NOINLINE void post_from_outside(mail& m) noexcept;
  TROUPE_NOINLINE void post_elsewhere(mail& m, worker& w) noexcept;
  void settle(worker& w) noexcept TROUPE_REQUIRES(on_strand);
  /// Stops one suspended await of a coroutine for which `concerns` is true, or that is below such a one;
  /// false when there is none.
  template <class F>
  bool cancel_one(F concerns) noexcept TROUPE_REQUIRES(on_strand);
  std::coroutine_handle<> unwind(promise_base* p, worker& w) noexcept TROUPE_REQUIRES(on_strand);

  engine* home_;
  const type* type_;
  leaf* leaves_ TROUPE_GUARDED_BY(on_strand) = nullptr;
  promise_base* deferred_ TROUPE_GUARDED_BY(on_strand) = nullptr;
  share_count shares_;
  const std::uint16_t place_;
  bool cancelled_ TROUPE_GUARDED_BY(on_strand) = false;
};

/// The strand that runs on this thread; null outside a slice.
TROUPE_NOINLINE strand* current_strand() noexcept;

// -- for task.hpp: all act on the worker of this thread -----------------------

/// Counts one await hop; false when the slice's budget is used up.
TROUPE_NOINLINE bool consume_budget() noexcept;
/// The coroutine to continue with in the next slice.
TROUPE_NOINLINE void defer(promise_base& p) noexcept;
/// A root has come to its end.
TROUPE_NOINLINE void note_finished(promise_base& p) noexcept;

/// For an await that is over without having waited: false when the coroutine may continue at once; else it
/// stays suspended, and continues in the next slice.
inline bool gives_way(promise_base& p) noexcept {
  if (consume_budget()) return false;
  defer(p);
  return true;
}

/// Transfers to `next`, or ends the slice when the hop budget is used up. The budget also bounds the stack
/// where symmetric transfer is not a tail call.
inline std::coroutine_handle<> hop(promise_base& next) noexcept {
  if (consume_budget()) return next.handle;
  defer(next);
  return std::noop_coroutine();
}

inline void add_share(strand& s) noexcept {
  s.share();
}
inline void drop_share(strand& s) noexcept {
  s.release();
}

}  // namespace troupe::detail
