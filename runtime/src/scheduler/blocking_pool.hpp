// Threads for calls that block: started on demand, bounded, gone when idle.
#pragma once

#include <troupe/runtime/blocking.hpp>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace troupe::detail {

class engine;

/// Owned by the engine, in which each of its threads has a share. What waits in its queue belongs to a
/// suspended coroutine each, so the queue is bounded by those.
class blocking_pool {
 public:
  blocking_pool(engine& e, unsigned most) : engine_(e), most_(most) {}
  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  /// Any thread. On the simulated runtime the call runs at once, here.
  void submit(blocking_call& call);
  /// The runtime ends: what has not begun does not begin, and what runs is waited for, because it runs user
  /// code, until `deadline`. Returns who called what does not return; its threads are left behind.
  [[nodiscard]] std::vector<std::string> stop(std::int64_t deadline);

 private:
  /// A thread of the pool, or one that stands in for it, in a call.
  struct visit {
    blocking_call* call;
    visit* next;
    visit** link;
  };

  void loop();
  void run(blocking_call& call, std::unique_lock<std::mutex>& guard) noexcept;

  engine& engine_;
  const unsigned most_;
  std::mutex lock_;
  std::condition_variable work_;
  std::condition_variable quiet_;
  mail_queue queue_;
  visit* running_ = nullptr;
  unsigned threads_ = 0;
  unsigned idle_ = 0;
  unsigned queued_ = 0;
  bool stopping_ = false;
};

}  // namespace troupe::detail
