// Small numbers for threads, so that what threads do alike can be kept apart by an index.
#pragma once

#include <troupe/runtime/config.hpp>

namespace troupe::detail {

inline constexpr unsigned numbered_threads = 16;

/// 0: not asked for yet; else the number and 1.
extern constinit thread_local unsigned number_of_thread;
TROUPE_NOINLINE void number_thread() noexcept;

/// This thread's number, below numbered_threads, which no other thread has while this one lives; where more
/// threads ask than there are numbers, the others get one that is not below. Any thread, also while it ends.
/// For functions that no coroutine inlines.
[[nodiscard]] inline unsigned thread_number() noexcept {
  if (number_of_thread == 0) [[unlikely]]
    number_thread();
  return number_of_thread - 1;
}

}  // namespace troupe::detail
