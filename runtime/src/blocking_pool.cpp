#include "blocking_pool.hpp"

#include <pthread.h>

#include <chrono>
#include <troupe/runtime/engine.hpp>

namespace troupe::detail {

namespace {
constexpr std::chrono::seconds linger{10};  // an idle thread ends after this
}

blocking_pool::blocking_pool(engine& e, unsigned most) : engine_(e), most_(most) {}

// The strands that waited are gone by now, so what still runs is abandoned and
// frees itself; its thread is waited for, because it runs user code.
blocking_pool::~blocking_pool() {
  std::unique_lock guard(lock_);
  stopping_ = true;
  work_.notify_all();
  quiet_.wait(guard, [this] { return threads_ == 0; });
}

void blocking_pool::submit(blocking_call& call) {
  if (engine_.simulated()) {
    call.run(call);
    return;
  }
  const std::scoped_lock guard(lock_);
  queue_.push_back(call);
  ++queued_;
  if (queued_ <= idle_) {  // an idle thread that was woken before may not have taken its call yet
    work_.notify_one();
  } else if (threads_ < most_) {
    ++threads_;
    try {
      std::thread([this] { loop(); }).detach();
    } catch (...) {
      --threads_;
      if (threads_ == 0) {  // not even one thread: the caller's own has to do
        queue_.pop_front();
        --queued_;
        call.run(call);
      }
    }
  }
}

void blocking_pool::loop() {
  pthread_setname_np(pthread_self(), (engine_.options().name.substr(0, 9) + "/block").c_str());
  std::unique_lock guard(lock_);
  for (;;) {
    while (mail* const m = queue_.pop_front()) {
      --queued_;
      guard.unlock();
      auto& call = static_cast<blocking_call&>(*m);
      call.run(call);
      guard.lock();
    }
    if (stopping_) break;
    ++idle_;
    const bool more = work_.wait_for(guard, linger, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (!more) break;
  }
  --threads_;
  if (threads_ == 0) quiet_.notify_all();
}

void submit_blocking(blocking_call& call) {
  this_worker()->home().blocking().submit(call);
}

}  // namespace troupe::detail
