// What is left to do when a thread ends.
#pragma once

#include <pthread.h>

namespace troupe::detail {

/// Calls `f` at the end of each thread that asked for it: after the destructors of its thread_locals, among
/// those of its pthread keys. What one of these asks for is still done, which a thread_local of C++ would not
/// be: its destructors have run by then. Not done for the thread that calls exit(). Static; any thread.
class thread_end {
 public:
  explicit thread_end(void (*f)(void*)) noexcept : usable_(::pthread_key_create(&key_, f) == 0) {}
  thread_end(const thread_end&) = delete;
  thread_end& operator=(const thread_end&) = delete;

  /// For this thread; once is enough, and when `f` has been called it may be asked for again. False when the
  /// system has no key or no memory left for it.
  [[nodiscard]] bool ask() noexcept { return usable_ && ::pthread_setspecific(key_, this) == 0; }

 private:
  ::pthread_key_t key_{};
  const bool usable_;
};

}  // namespace troupe::detail
