// A worker's own queue: a ring of runnables and the slot for the one just woken.
//
// Internal to Troupe's own sources. The owner pushes at the tail and pops at the head; a thief takes half
// from the head. First in, first out, so that nothing starves. The scheme is that of Go's run queue
// (runtime/proc.go: runqput, runqgrab): a thief copies the pointers first and then claims them with one
// compare-and-swap of the head, which fails if another thread has moved it; the counters are 64 bits wide and
// never wrap, which rules out ABA.
//
// The slot holds the runnable woken last: the data it is about to read is still in this core's cache. It is
// the owner's until a thief asks for it (steal_slot).
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/runnable.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace troupe::detail {

/// `Size` is a power of two.
template <std::size_t Size = 256>
class run_queue {
 public:
  static_assert(Size >= 2 && (Size & (Size - 1)) == 0);
  static constexpr std::size_t capacity = Size;

  /// `shared`: other threads may call the thieves' functions; without them the owner needs no
  /// read-modify-write.
  explicit run_queue(bool shared = true) noexcept : shared_(shared) {}
  run_queue(const run_queue&) = delete;
  run_queue& operator=(const run_queue&) = delete;

  // -- the owner ------------------------------------------------------------

  /// False when the ring is full.
  bool push(runnable& r) noexcept {
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head >= Size) return false;
    ring_[tail % Size].store(&r, std::memory_order_relaxed);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  /// The oldest runnable, or null.
  runnable* pop() noexcept {
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
      if (head == tail) return nullptr;
      runnable* const r = ring_[head % Size].load(std::memory_order_relaxed);
      if (!shared_) {
        head_.store(head + 1, std::memory_order_relaxed);
        return r;
      }
      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
        return r;
      }
    }
  }

  /// Takes the older half out of a full ring, for the overflow list, and returns how many; 0 when a thief was
  /// faster, and then there is room.
  std::size_t take_half(std::array<runnable*, Size / 2>& out) noexcept {
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (tail_.load(std::memory_order_relaxed) - head < Size) return 0;
    for (std::size_t i = 0; i < Size / 2; ++i) {
      out[i] = ring_[(head + i) % Size].load(std::memory_order_relaxed);
    }
    return head_.compare_exchange_strong(head, head + Size / 2, std::memory_order_acq_rel,
                                         std::memory_order_relaxed)
               ? Size / 2
               : 0;
  }

  /// Puts `r` into the slot and returns the runnable that was there, or null.
  runnable* put_slot(runnable& r) noexcept {
    runnable* const old = slot_.load(std::memory_order_relaxed);
    if (old == nullptr || !shared_) {  // only the owner fills the slot, so an empty one stays empty
      slot_.store(&r, std::memory_order_release);
      return old;
    }
    return slot_.exchange(&r, std::memory_order_acq_rel);
  }

  /// Empties the slot; null when it was empty or a thief was faster.
  runnable* take_slot() noexcept {
    runnable* const r = slot_.load(std::memory_order_relaxed);
    if (r == nullptr) return nullptr;
    if (!shared_) {
      slot_.store(nullptr, std::memory_order_relaxed);
      return r;
    }
    return slot_.exchange(nullptr, std::memory_order_acq_rel);
  }

  /// A mark behind the runnables that the ring holds now.
  [[nodiscard]] std::uint64_t end_mark() const noexcept { return tail_.load(std::memory_order_relaxed); }
  /// Whether all runnables before the mark have left the ring.
  [[nodiscard]] bool passed(std::uint64_t mark) const noexcept {
    return head_.load(std::memory_order_relaxed) >= mark;
  }

  [[nodiscard]] bool slot_filled() const noexcept { return slot_.load(std::memory_order_relaxed) != nullptr; }

  // -- any thread -----------------------------------------------------------

  /// Runnables in the ring; a snapshot, exact for the owner when no thief steals.
  [[nodiscard]] std::size_t size() const noexcept {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    return tail > head ? static_cast<std::size_t>(tail - head) : 0;
  }
  [[nodiscard]] bool empty() const noexcept { return size() == 0 && !slot_filled(); }

  // -- thieves --------------------------------------------------------------

  /// Moves half of the ring (rounded up) into `own`, which belongs to the calling thread, has an empty ring
  /// and is not this queue; returns one of them for the caller to run, or null when there was nothing to
  /// take.
  runnable* steal_into(run_queue& own) noexcept {
    const std::uint64_t own_tail = own.tail_.load(std::memory_order_relaxed);
    for (;;) {
      // Acquire pairs with the owner's release of tail_ in push and the claim of other thieves on head_: the
      // pointers between are published.
      std::uint64_t head = head_.load(std::memory_order_acquire);
      const std::uint64_t tail = tail_.load(std::memory_order_acquire);
      if (tail <= head) return nullptr;
      const std::uint64_t n = (tail - head + 1) / 2;
      if (n > Size / 2) continue;  // head and tail were read at different times
      runnable* const first = ring_[head % Size].load(std::memory_order_relaxed);
      for (std::uint64_t i = 1; i < n; ++i) {
        own.ring_[(own_tail + i - 1) % Size].store(ring_[(head + i) % Size].load(std::memory_order_relaxed),
                                                   std::memory_order_relaxed);
      }
      if (head_.compare_exchange_weak(head, head + n, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        own.tail_.store(own_tail + n - 1, std::memory_order_release);
        return first;
      }
    }
  }

  /// Takes the runnable in the slot, or null. A thief's last resort.
  runnable* steal_slot() noexcept {
    if (!slot_filled()) return nullptr;
    return slot_.exchange(nullptr, std::memory_order_acq_rel);
  }

 private:
  // head_: index of the oldest runnable. Advanced by compare-and-swap by owner and thieves; the thread that
  // advances it past a runnable owns that runnable. Its release half pairs with the owner's acquire in push:
  // a thief's reads of the ring happen before the owner writes the same entry again. tail_: index behind the
  // newest. Written by the owner only; its release publishes the runnable, and pairs with the thief's
  // acquire. slot_: filled by the owner only, emptied by either, by exchange, whose acquire pairs with the
  // release of the fill. Broken by: tests/explore/run_queue_explore_test, tests/stress/run_queue_stress_test.
  alignas(cache_line) atomic<std::uint64_t> head_{0};
  alignas(cache_line) atomic<std::uint64_t> tail_{0};
  atomic<runnable*> slot_{nullptr};
  const bool shared_;
  std::array<atomic<runnable*>, Size> ring_{};
};

}  // namespace troupe::detail
