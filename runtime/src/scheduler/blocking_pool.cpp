// The threads of the pool for blocking calls, and its end. See blocking_pool.hpp for owner and threads.
#include "scheduler/blocking_pool.hpp"

#include <troupe/runtime/engine.hpp>

#include <algorithm>
#include <chrono>
#include <pthread.h>
#include <utility>

namespace troupe::detail {

namespace {
constexpr std::chrono::seconds linger{10};  // an idle thread ends after this
}

void blocking_pool::submit(blocking_call& call) {
  if (engine_.simulated()) {
    call.run(call);
    call.finish(*call.kind);
    return;
  }
  const mutex_lock guard(lock_);
  queue_.push_back(call);
  ++queued_;
  if (queued_ <= idle_) {  // idle threads that were woken before may not have taken their calls yet
    work_.notify_one();
  } else if (threads_.size() < most_) {
    try {
      start_thread();
    } catch (...) {
      if (threads_.empty()) {  // no thread at all: the caller runs it
        (void)queue_.pop_front();
        --queued_;
        run(call);
      }
    }
  }
}

void blocking_pool::start_thread() {
  threads_.emplace_back();
  try {
    engine_.share();
    threads_.back() = std::thread([this, alive = engine_ref(&engine_)] { loop(); });
  } catch (...) {
    threads_.pop_back();
    throw;
  }
}

// Leaves the lock while the call runs and finishes. A call is taken out of the list before it is finished, so
// the calls in the list have not been freed.
void blocking_pool::run(blocking_call& call) noexcept {
  visit here{&call, running_, &running_};
  if (running_ != nullptr) running_->link = &here.next;
  running_ = &here;
  lock_.unlock();
  call.run(call);
  lock_.lock();
  *here.link = here.next;
  if (here.next != nullptr) here.next->link = here.link;
  lock_.unlock();
  call.finish(*call.kind);
  lock_.lock();
}

void blocking_pool::loop() {
  pthread_setname_np(pthread_self(), (engine_.options().name.substr(0, 9) + "/block").c_str());
  mutex_lock guard(lock_);
  for (;;) {
    while (mail* const m = queue_.pop_front()) {
      --queued_;
      run(static_cast<blocking_call&>(*m));
    }
    if (stopping_) break;
    ++idle_;
    const auto until = std::chrono::steady_clock::now() + linger;
    while (!stopping_ && queue_.empty() && guard.wait_until(work_, until)) {
    }
    --idle_;
    if (!stopping_ && queue_.empty()) break;
  }
  const auto self = std::find_if(threads_.begin(), threads_.end(), [](const std::thread& t) {
    return t.get_id() == std::this_thread::get_id();
  });
  if (self == threads_.end()) return;  // abandoned
  std::thread before = std::exchange(ended_, std::move(*self));
  threads_.erase(self);
  if (threads_.empty()) quiet_.notify_all();
  guard.unlock();
  if (before.joinable()) before.join();
}

std::vector<std::string> blocking_pool::stop(std::int64_t deadline) {
  mutex_lock guard(lock_);
  stopping_ = true;
  while (mail* const m = queue_.pop_front()) {
    --queued_;
    guard.unlock();
    auto& call = static_cast<blocking_call&>(*m);
    call.failure = std::make_exception_ptr(troupe_error(error(errc::cancelled)));  // if it is still awaited
    call.finish(*call.kind);
    guard.lock();
  }
  work_.notify_all();
  const auto until = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline));
  while (!threads_.empty() && guard.wait_until(quiet_, until)) {
  }
  for (std::thread& t : threads_) t.detach();
  threads_.clear();
  std::vector<std::string> callers;
  for (const visit* v = running_; v != nullptr; v = v->next) callers.push_back(v->call->waiter->describe());
  std::thread last = std::move(ended_);
  guard.unlock();
  if (last.joinable()) last.join();
  return callers;
}

void submit_blocking(blocking_call& call) {
  this_worker()->home().blocking().submit(call);
}

}  // namespace troupe::detail
