// The tasks of a runtime that have not ended, so that the end of the runtime finds them.
//
// Internal to Troupe's own sources.
#pragma once

#include <troupe/runtime/detail/mutex.hpp>

#include <condition_variable>
#include <cstdint>

namespace troupe::detail {

class engine;
class root_task;

/// A task's place in the list.
struct root_link {
  root_link* before = nullptr;
  root_link* after = nullptr;
};

/// Owned by the engine. Any thread. A task that ends is removed in O(1).
class root_list {
 public:
  root_list() noexcept;

  /// False when the runtime ends: then the caller stops the task at once.
  [[nodiscard]] bool add(root_task& t) noexcept;
  /// True when the task has kept the engine since leave_behind(), and must release it.
  [[nodiscard]] bool remove(root_task& t) noexcept;

  /// Asks the tasks on this host of a simulated network to stop. On the simulated runtime only.
  void stop(std::uint16_t place) noexcept;
  /// Asks all tasks to stop, present and later ones: the runtime ends.
  void stop_all() noexcept;
  /// Waits until all tasks have ended, at most until `deadline` on the steady clock; whether they have.
  [[nodiscard]] bool wait(std::int64_t deadline) noexcept;
  [[nodiscard]] bool empty() noexcept;
  /// The tasks that are left keep `e` alive from now on. Returns their number.
  [[nodiscard]] unsigned leave_behind(engine& e) noexcept;

 private:
  static void link(root_link& end, root_link& l) noexcept;
  static void unlink(root_link& l) noexcept;
  [[nodiscard]] bool none() const noexcept TROUPE_REQUIRES(lock_) {
    return running_.after == &running_ && stopped_.after == &stopped_;
  }

  mutex lock_;
  std::condition_variable gone_;
  // The ends of two circles: tasks that run, oldest first, and those that stop_all() has asked to stop.
  root_link running_ TROUPE_GUARDED_BY(lock_);
  root_link stopped_ TROUPE_GUARDED_BY(lock_);
  bool ending_ TROUPE_GUARDED_BY(lock_) = false;
};

}  // namespace troupe::detail
