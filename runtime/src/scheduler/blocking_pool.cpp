#include "scheduler/blocking_pool.hpp"

#include <troupe/runtime/engine.hpp>

#include <chrono>
#include <pthread.h>

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
  std::unique_lock guard(lock_);
  queue_.push_back(call);
  ++queued_;
  if (queued_ <= idle_) {  // an idle thread that was woken before may not have taken its call yet
    work_.notify_one();
  } else if (threads_ < most_) {
    ++threads_;
    engine_.share();
    try {
      std::thread([this, alive = engine_ref(&engine_)] { loop(); }).detach();
    } catch (...) {
      --threads_;
      if (threads_ == 0) {  // not even one thread: the caller's own has to do
        (void)queue_.pop_front();
        --queued_;
        run(call, guard);
      }
    }
  }
}

// The outcome is on its way when the call is not in the list any more: those in the list have not been freed.
void blocking_pool::run(blocking_call& call, std::unique_lock<std::mutex>& guard) noexcept {
  visit here{&call, running_, &running_};
  if (running_ != nullptr) running_->link = &here.next;
  running_ = &here;
  guard.unlock();
  call.run(call);
  guard.lock();
  *here.link = here.next;
  if (here.next != nullptr) here.next->link = here.link;
  guard.unlock();
  call.finish(*call.kind);
  guard.lock();
}

void blocking_pool::loop() {
  pthread_setname_np(pthread_self(), (engine_.options().name.substr(0, 9) + "/block").c_str());
  std::unique_lock guard(lock_);
  for (;;) {
    while (mail* const m = queue_.pop_front()) {
      --queued_;
      run(static_cast<blocking_call&>(*m), guard);
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

std::vector<std::string> blocking_pool::stop(std::int64_t deadline) {
  std::unique_lock guard(lock_);
  stopping_ = true;
  while (mail* const m = queue_.pop_front()) {
    --queued_;
    guard.unlock();
    auto& call = static_cast<blocking_call&>(*m);
    call.failure =
        std::make_exception_ptr(troupe_error(error(errc::cancelled)));  // should it be awaited still
    call.finish(*call.kind);
    guard.lock();
  }
  work_.notify_all();
  const auto until = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline));
  quiet_.wait_until(guard, until, [this] { return threads_ == 0; });
  std::vector<std::string> callers;
  for (const visit* v = running_; v != nullptr; v = v->next) callers.push_back(v->call->waiter->describe());
  return callers;
}

void submit_blocking(blocking_call& call) {
  this_worker()->home().blocking().submit(call);
}

}  // namespace troupe::detail
