// The watchdog: one thread, awake only while work runs.
//
// Every millisecond it looks at each worker. One that has been in the same
// slice since the last look is overdue: what waits behind that slice goes to an
// idle worker, its timers fire and its sockets are polled from here, so that
// one blocking handler stops nothing else. Work that waits while workers sleep,
// at two looks in a row, wakes one of them. A slice that lasts longer than
// runtime_options.long_handler is reported once, with the actor's path and the
// message.
#pragma once

#include "scheduler/worker_governor.hpp"

#include <troupe/runtime/detail/atomic.hpp>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace troupe::detail {

class engine;
class worker;

/// Owned by the engine; its thread ends in stop().
class watchdog {
 public:
  explicit watchdog(engine& e);
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

  /// Work is about to run: sees that the watchdog is awake. Any thread; a load
  /// when it is awake already.
  void wake_up() noexcept;
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
  bool left_waiting_ = false;  // what rescue() saw
  unsigned active_;            // what governor_ said last
  std::mutex lock_;
  std::condition_variable changed_;
  bool stopping_ = false;
  // asleep_: set by the watchdog before it looks for the last time whether all
  // workers are parked; read by a worker after it has left the list of
  // sleepers. Both sides fence in between, so one of them sees the other.
  atomic<bool> asleep_{false};
  std::thread thread_;
};

}  // namespace troupe::detail
