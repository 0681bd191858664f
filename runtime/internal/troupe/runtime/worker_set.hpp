// A set of workers as a bitmap: a search costs one load for each 64 workers.
//
// Internal to Troupe's own sources. Owned by the engine, which has two: the workers whose ring may hold work,
// and those that the watchdog finds overdue. Any thread.
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/detail/atomic.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace troupe::detail {

class worker_set {
 public:
  /// For workers 0 to `workers` - 1; empty.
  explicit worker_set(unsigned workers)
      : count_((workers + bits_of_word - 1) / bits_of_word), words_(std::make_unique<word[]>(count_)) {}
  worker_set(const worker_set&) = delete;
  worker_set& operator=(const worker_set&) = delete;

  void insert(unsigned i) noexcept {
    words_[i / bits_of_word].bits.fetch_or(bit(i), std::memory_order_relaxed);
  }
  void erase(unsigned i) noexcept {
    words_[i / bits_of_word].bits.fetch_and(~bit(i), std::memory_order_relaxed);
  }
  [[nodiscard]] bool contains(unsigned i) const noexcept {
    return (words_[i / bits_of_word].bits.load(std::memory_order_relaxed) & bit(i)) != 0;
  }

  /// Calls `f(i)` for each member i, in one pass that begins with `start` and wraps around, until it returns
  /// true; whether it did.
  template <class F>
  bool find(unsigned start, F f) const {
    const unsigned first = start / bits_of_word;
    const std::uint64_t from_start = ~std::uint64_t{0} << (start % bits_of_word);
    for (unsigned k = 0; k <= count_; ++k) {
      const unsigned w = (first + k) % count_;
      std::uint64_t bits = words_[w].bits.load(std::memory_order_relaxed);
      if (k == 0) bits &= from_start;
      if (k == count_) bits &= ~from_start;
      for (; bits != 0; bits &= bits - 1) {
        if (f(w * bits_of_word + static_cast<unsigned>(std::countr_zero(bits)))) return true;
      }
    }
    return false;
  }

 private:
  static constexpr unsigned bits_of_word = 64;
  static constexpr std::uint64_t bit(unsigned i) noexcept { return std::uint64_t{1} << (i % bits_of_word); }

  // bits: relaxed throughout, for a member says only where to look. The set of overdue workers is written by
  // the watchdog only. In the set of filled rings, the bit of a worker is written by that worker only: set
  // before it fills its ring, cleared when it finds the ring empty and goes to search. So a clear bit means
  // an empty ring, in the order in which the worker sees it; and a thread that needs the newest value,
  // because it is about to sleep, has a fence before its load which pairs with the fence of the push
  // (parking.hpp). Broken by: tests/explore/worker_set_explore_test.
  struct alignas(cache_line) word {
    atomic<std::uint64_t> bits{0};
  };
  unsigned count_;
  std::unique_ptr<word[]> words_;
};

/// One worker's bit in the set of filled rings. Its own thread only.
class ring_bit {
 public:
  /// `shared`: there are thieves; else the set is left alone.
  ring_bit(worker_set& filled, unsigned i, bool shared) noexcept : filled_(filled), i_(i), set_(!shared) {}
  ring_bit(const ring_bit&) = delete;
  ring_bit& operator=(const ring_bit&) = delete;

  /// To be called before a runnable is put into the ring.
  void set() noexcept {
    if (set_) [[likely]]
      return;
    set_ = true;
    filled_.insert(i_);
  }
  /// The ring is empty, and its worker goes to search. Not called without thieves.
  void clear() noexcept {
    if (!set_) return;
    set_ = false;
    filled_.erase(i_);
  }

 private:
  worker_set& filled_;
  const unsigned i_;
  bool set_;
};

}  // namespace troupe::detail
