// Clean-up at the end of a thread.
#pragma once

#include <pthread.h>

namespace troupe::detail {

/// Calls `f` at the end of each thread that asked for it: after the destructors of its thread_locals, among
/// those of its pthread keys. A request made by one of these destructors is still served, which a
/// thread_local of C++ could not do: its destructors have run by then. Not called for the thread that calls
/// exit(). Static; any thread.
class thread_end {
 public:
  explicit thread_end(void (*f)(void*)) noexcept : usable_(::pthread_key_create(&key_, f) == 0) {}
  thread_end(const thread_end&) = delete;
  thread_end& operator=(const thread_end&) = delete;

  /// Requests the call for this thread. Once is enough; after `f` was called, it may be requested again.
  /// False when the system has no key or no memory left.
  [[nodiscard]] bool ask() noexcept { return usable_ && ::pthread_setspecific(key_, this) == 0; }

 private:
  ::pthread_key_t key_{};
  const bool usable_;
};

}  // namespace troupe::detail
