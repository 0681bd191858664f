// Threads for calls that block: started on demand, bounded, gone when idle.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <troupe/runtime/blocking.hpp>
#include <vector>

namespace troupe::detail {

class engine;

/// Owned by the engine. What waits in its queue belongs to a suspended
/// coroutine each, so the queue is bounded by those.
class blocking_pool {
 public:
  blocking_pool(engine& e, unsigned most);
  ~blocking_pool();
  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  /// Any thread. On the simulated runtime the call runs at once, here.
  void submit(blocking_call& call);

 private:
  void loop();

  engine& engine_;
  const unsigned most_;
  std::mutex lock_;
  std::condition_variable work_;
  std::condition_variable quiet_;
  mail_queue queue_;
  unsigned threads_ = 0;
  unsigned idle_ = 0;
  unsigned queued_ = 0;
  bool stopping_ = false;
};

}  // namespace troupe::detail
