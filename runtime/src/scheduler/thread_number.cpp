// The numbers of threads: taken at first use, given back at the end of the thread.
#include "scheduler/thread_end.hpp"

#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/thread_number.hpp>

#include <bit>
#include <cstdint>

namespace troupe::detail {

constinit thread_local unsigned number_of_thread = 0;

namespace {

// free_numbers: a bit for each number that no thread has. The release of a number given back pairs with the
// acquire of the next thread that takes it: the writes of the former to its element precede those of the
// latter. Broken by: tests/runtime/scheduler/foreign_thread_test.
constinit atomic<std::uint32_t> free_numbers{(std::uint32_t{1} << numbered_threads) - 1};

void give_number_back(void*) {
  if (number_of_thread - 1 < numbered_threads)
    free_numbers.fetch_or(std::uint32_t{1} << (number_of_thread - 1), std::memory_order_release);
  number_of_thread = 0;
}

}  // namespace

[[gnu::cold]] void number_thread() noexcept {
  static thread_end end(&give_number_back);
  std::uint32_t free = free_numbers.load(std::memory_order_relaxed);
  while (free != 0 && end.ask()) {
    const auto n = static_cast<unsigned>(std::countr_zero(free));
    if (free_numbers.compare_exchange_weak(free, free & (free - 1), std::memory_order_acquire,
                                           std::memory_order_relaxed)) {
      number_of_thread = n + 1;
      return;
    }
  }
  number_of_thread = 1 + numbered_threads;
}

}  // namespace troupe::detail
