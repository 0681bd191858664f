// Small numbers for threads, for data of which each thread has its own element, by an index.
//
// Internal to Troupe's own sources.
#pragma once

#include <troupe/runtime/config.hpp>

namespace troupe::detail {

inline constexpr unsigned numbered_threads = 16;

/// 0: not asked for yet; else the number + 1.
extern constinit thread_local unsigned number_of_thread;
TROUPE_NOINLINE void number_thread() noexcept;

/// This thread's number, below numbered_threads, which no other thread has while this one lives; when all
/// numbers are taken, a number that is not below. Any thread, also while it ends. For functions that no
/// coroutine inlines.
[[nodiscard]] inline unsigned thread_number() noexcept {
  if (number_of_thread == 0) [[unlikely]]
    number_thread();
  return number_of_thread - 1;
}

}  // namespace troupe::detail
