// What threads count that are no workers of an engine: each in a place of its own, as workers do.
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/counters.hpp>
#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/thread_number.hpp>

#include <array>

namespace troupe::detail {

/// Owned by the engine. Any thread that keeps it alive.
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
  void add_to(runtime_counters& sum) const noexcept {
    for (const place& p : own_) p.add_to(sum);
    common_.add_to(sum);
  }

 private:
  struct alignas(cache_line) place : counter_block {};

  std::array<place, numbered_threads> own_;  // by thread_number()
  spinlock lock_;
  counter_block common_;  // written under the lock: of all other threads
};

}  // namespace troupe::detail
