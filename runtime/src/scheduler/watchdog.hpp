// The watchdog: one thread, awake only while work runs.
//
// Every millisecond it looks at each worker. A worker that has been in the same slice since the last look is
// overdue: the work behind that slice goes to an idle worker, and the watchdog fires its timers and polls its
// sockets, so that one blocking handler delays nothing else. Work that waits while workers sleep, at two
// looks in a row, wakes one of them. A slice that lasts longer than runtime_options.long_handler is reported
// once, with the actor's path and the message.
#pragma once

#include "scheduler/worker_governor.hpp"

#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/mutex.hpp>

#include <condition_variable>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace troupe::detail {

class engine;
class worker;

/// Owned by the engine; its thread ends in stop(). Unless a function says otherwise, only that thread calls
/// it.
class watchdog {
 public:
  explicit watchdog(engine& e);
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

  /// Makes sure that the watchdog is awake, because work is about to run. Any thread; a load when it is awake
  /// already.
  void wake_up() noexcept;
  /// Ends the thread. The thread that owns the engine.
  void stop() noexcept;

 private:
  struct sample {
    std::uint64_t slice = 0;
    std::int64_t since = 0;
    bool reported = false;
    bool overdue = false;  // in the engine's set
  };

  void loop() noexcept;
  bool observe(worker& w, sample& s, std::int64_t now) noexcept;
  void rescue() noexcept;
  void spread_work(std::int64_t now, bool stuck) noexcept;
  void report(worker& w, std::int64_t ran, std::uint64_t slice) noexcept;
  [[nodiscard]] static std::string describe(const worker& w, std::uint64_t slice);

  engine& engine_;
  std::vector<sample> samples_;
  worker_governor governor_;
  bool left_waiting_ = false;  // the result of the last rescue()
  unsigned active_;            // the last result of governor_
  mutex lock_;
  std::condition_variable changed_;
  bool stopping_ TROUPE_GUARDED_BY(lock_) = false;
  // asleep_: set by the watchdog before it checks for the last time whether all workers are parked; read by a
  // worker after it has left the list of sleepers. Relaxed: the fences of both sides in between pair, so one
  // of them sees the other. Broken by: tests/stress/foreign_timer_test.
  atomic<bool> asleep_{false};
  std::thread thread_;
};

}  // namespace troupe::detail
