// Threads for blocking calls: started on demand, bounded, ended when idle.
#pragma once

#include <troupe/runtime/blocking.hpp>
#include <troupe/runtime/detail/mutex.hpp>

#include <condition_variable>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace troupe::detail {

class engine;

/// Owned by the engine, in which each of its threads has a share. Each call in its queue belongs to a
/// suspended coroutine, so the number of these bounds the queue.
class blocking_pool {
 public:
  blocking_pool(engine& e, unsigned most) : engine_(e), most_(most) {}
  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  /// Queues `call`. Any thread. On the simulated runtime the call runs at once, on this thread.
  void submit(blocking_call& call);
  /// Ends the pool: queued calls do not begin, and the running ones, which are user code, are waited for
  /// until `deadline`. Returns the callers of those that have not returned; their threads are abandoned. All
  /// other threads have ended when it returns.
  [[nodiscard]] std::vector<std::string> stop(std::int64_t deadline);

 private:
  /// A call that runs, on a thread of the pool or in place of one.
  struct visit {
    blocking_call* call;
    visit* next;
    visit** link;
  };

  void start_thread() TROUPE_REQUIRES(lock_);
  void loop();
  void run(blocking_call& call) noexcept TROUPE_REQUIRES(lock_);

  engine& engine_;
  const unsigned most_;
  mutex lock_;
  std::condition_variable work_;
  std::condition_variable quiet_;
  mail_queue queue_ TROUPE_GUARDED_BY(lock_);
  visit* running_ TROUPE_GUARDED_BY(lock_) = nullptr;
  std::vector<std::thread> threads_ TROUPE_GUARDED_BY(lock_);
  /// The thread that ended last. Each joins the one that ended before it, and stop() joins the last.
  std::thread ended_ TROUPE_GUARDED_BY(lock_);
  unsigned idle_ TROUPE_GUARDED_BY(lock_) = 0;
  unsigned queued_ TROUPE_GUARDED_BY(lock_) = 0;
  bool stopping_ TROUPE_GUARDED_BY(lock_) = false;
};

}  // namespace troupe::detail
