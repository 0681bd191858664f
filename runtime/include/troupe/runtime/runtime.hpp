// The runtime: a pool of workers that runs strands, with timers, I/O and a pool for blocking calls. It does
// not know actors; troupe::system builds those on top.
#pragma once

#include <troupe/runtime/counters.hpp>
#include <troupe/runtime/detail/shared_ref.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/log.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace troupe {

struct runtime_options {
  /// Worker threads; 0: one for each core this process may use.
  unsigned workers = 0;
  /// No worker threads: one worker, which runs on the thread that waits in block_on() or ends the runtime,
  /// and only meanwhile. A message then never leaves its core and a system call finds a process with one
  /// thread, which saves a few percent of a network server's time. Without threads no watchdog runs: a long
  /// handler is not reported, and one that never returns keeps shutdown waiting. Several threads may wait;
  /// one of them runs the ready work, for all.
  bool current_thread = false;
  /// Prefix of the threads' names and of log lines.
  std::string name = "troupe";
  /// Threads for blocking(): started on demand, at most this many.
  unsigned blocking_threads = 64;
  /// A slice that runs longer than this is reported.
  duration long_handler = std::chrono::milliseconds(10);
  /// How long the end of the runtime waits. A task that has not stopped by then, or a call of blocking() that
  /// has not returned, is abandoned and reported.
  duration shutdown = std::chrono::seconds(5);
  /// Null: stderr_log().
  log_sink* log = nullptr;
};

namespace detail {
class engine;

void add_share(engine& e) noexcept;
void drop_share(engine& e) noexcept;
/// Held by the runtime and by other objects that use the engine, such as its threads.
using engine_ref = shared_ref<engine>;

/// A task without a parent, and the strand it runs on. Shared by the runtime, while it runs, and by a thread
/// that waits for it.
class root_task;

void add_share(root_task& t) noexcept;
void drop_share(root_task& t) noexcept;
using root_task_ref = shared_ref<root_task>;

/// Starts `t` as a root on a new strand.
root_task_ref start_root(engine& e, task<void> t, std::uint16_t place);
/// How the task ended. Blocks the calling thread, which is not a worker; a runtime without threads is driven
/// instead, and a simulation that gets stuck stops the task.
result<outcome> wait_root(engine& e, root_task& t);

template <class T>
struct slot_for {
  std::optional<T> value;
};
template <>
struct slot_for<void> {};

/// Awaits `a`, a task or a reference to any other awaitable.
template <class T, class A>
task<void> into_slot(A a, slot_for<T>& slot, std::exception_ptr& failure) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(a);
    } else {
      slot.value.emplace(co_await std::move(a));
    }
  } catch (...) {
    failure = std::current_exception();
  }
}

}  // namespace detail

/// Owns the workers. Its destructor stops all tasks, waits for them and for calls of blocking(), and joins
/// the threads. Tasks and calls that have not ended when runtime_options::shutdown has passed are abandoned
/// with their threads, and a log line names them.
/// Threads: all functions are thread-safe. Not to be destroyed on one of its own workers. A child of fork()
/// has none of the threads: it may exec or _exit, but not use its parent's runtime.
class runtime {
 public:
  /// Starts the threads.
  /// Errors: throws troupe_error with errc::invalid_argument for an option out of range, std::system_error
  /// when the system refuses a thread or a descriptor.
  explicit runtime(runtime_options options = {});
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs a task to its end and returns its value.
  /// Errors: cancelled when the task was stopped; on_worker at once on a worker, where co_await is to be
  /// used; on the simulated runtime stuck, after the task was stopped, when no event is left. An exception of
  /// the task is rethrown.
  /// Threads: any that is not a worker.
  /// Blocks: the calling thread, until the task has ended.
  template <class T>
  typename detail::as_result_of<T>::type block_on(task<T> t) {
    return wait_for<T, task<T>>(std::move(t));
  }
  /// The same for any other awaitable.
  template <class A>
    requires(!detail::is_task<std::remove_cvref_t<A>>::value)
  auto block_on(A&& a) {
    return wait_for<std::decay_t<detail::await_result_t<A>>, std::remove_reference_t<A>&>(a);
  }

  /// Starts a task that the runtime owns: it runs on a new strand and is stopped when the runtime ends.
  /// Errors: an exception that leaves the task is logged.
  /// Threads: any.
  void spawn(task<void> t);

  /// The time on the runtime's clock.
  [[nodiscard]] time_point now() const noexcept;
  /// The number of workers.
  [[nodiscard]] unsigned workers() const noexcept;
  /// The sum of the counters of all threads.
  [[nodiscard]] runtime_counters counters() const;
  [[nodiscard]] detail::engine& engine() const noexcept { return *engine_; }
  /// The host of a simulated network on which the tasks of this object run; else 0.
  [[nodiscard]] std::uint16_t place() const noexcept { return place_; }

 protected:
  struct simulated {
    std::uint64_t seed;
    duration max_slice_time;
  };
  runtime(runtime_options options, simulated how);
  /// The same runtime, seen from one host of its simulated network.
  runtime(const runtime& whole, std::uint16_t place);
  /// Sets a deadline (ns) for the destructor, for a caller that has used up a part of the time already. The
  /// destructor waits at least for a moment.
  void end_by(std::int64_t t) noexcept { end_by_ = t; }
  /// Asks all root tasks on this host to stop.
  void stop_all() noexcept;

 private:
  result<detail::outcome> wait(task<void> t);
  template <class T, class A>
  typename detail::as_result_of<T>::type wait_for(A&& a) {
    detail::slot_for<T> slot;
    std::exception_ptr failure;
    result<detail::outcome> how = wait(detail::into_slot<T, A>(std::forward<A>(a), slot, failure));
    if (!how) return std::unexpected(how.error());
    if (failure) std::rethrow_exception(failure);
    if (*how == detail::outcome::stopped) return std::unexpected(error(errc::cancelled));
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return std::move(*slot.value);
    }
  }

  detail::engine_ref engine_;
  std::int64_t end_by_ = INT64_MAX;
  std::uint16_t place_ = 0;
  bool whole_ = true;  // its destructor ends the engine
};

}  // namespace troupe
