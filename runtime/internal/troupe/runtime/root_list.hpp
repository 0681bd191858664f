// The tasks of a runtime that have not ended, so that its end finds them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace troupe::detail {

class engine;
class root_task;

/// A task's place in the list.
struct root_link {
  root_link* before = nullptr;
  root_link* after = nullptr;
};

/// Owned by the engine. Any thread; a task that ends leaves in a time that does not grow with the others'.
class root_list {
 public:
  root_list() noexcept;

  /// False when the runtime ends: then the task is to be stopped at once.
  [[nodiscard]] bool add(root_task& t) noexcept;
  /// True when the task has kept `e` since leave_behind(), and is to let go of it.
  [[nodiscard]] bool remove(root_task& t) noexcept;

  /// Asks the tasks of this host of a simulated network to stop. On the simulated runtime only.
  void stop(std::uint16_t place) noexcept;
  /// Asks all tasks to stop, now and later ones: the runtime ends.
  void stop_all() noexcept;
  /// Whether all tasks have ended; until `deadline`, of the steady clock, it waits for them.
  [[nodiscard]] bool wait(std::int64_t deadline) noexcept;
  [[nodiscard]] bool empty() noexcept;
  /// Those that are left keep `e` from now on. Returns how many they are.
  [[nodiscard]] unsigned leave_behind(engine& e) noexcept;

 private:
  static void link(root_link& end, root_link& l) noexcept;
  static void unlink(root_link& l) noexcept;
  [[nodiscard]] bool none() const noexcept {
    return running_.after == &running_ && stopped_.after == &stopped_;
  }

  std::mutex lock_;
  std::condition_variable gone_;
  root_link running_;  // the ends of two circles: what runs, oldest first,
  root_link stopped_;  // and what stop_all() has asked to stop
  bool ending_ = false;
};

}  // namespace troupe::detail
