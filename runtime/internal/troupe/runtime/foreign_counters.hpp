// The counters of threads that are not workers of an engine: each thread has its own block, as workers do.
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/counters.hpp>
#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/thread_number.hpp>

#include <array>

namespace troupe::detail {

/// Internal to Troupe's own sources. Owned by the engine. Any thread that keeps it alive.
class foreign_counters {
 public:
  template <class F>
  void count(F&& add) noexcept {
    const unsigned n = thread_number();
    if (n < numbered_threads) [[likely]] {
      add(own_[n]);
    } else {
      const scoped_lock guard(lock_);
      add(common_);
    }
  }
  // Reads common_ without the lock: each counter is an atomic, and a sum need not be one moment's.
  void add_to(runtime_counters& sum) const noexcept TROUPE_NO_THREAD_SAFETY_ANALYSIS {
    for (const place& p : own_) p.add_to(sum);
    common_.add_to(sum);
  }

 private:
  struct alignas(cache_line) place : counter_block {};

  std::array<place, numbered_threads> own_;  // by thread_number()
  spinlock lock_;
  counter_block common_ TROUPE_GUARDED_BY(lock_);  // of all threads without a number
};

}  // namespace troupe::detail
