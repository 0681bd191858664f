// wait_readable() of a socket's stream: an awaiter with a readiness in its own memory.
#include "socket/readiness.hpp"
#include "socket/socket_error.hpp"
#include "socket/socket_state.hpp"

#include <troupe/transport/detail/readable_wait.hpp>

#include <new>

namespace troupe::detail {

namespace {

constexpr const char* reading = "read from";
constexpr auto reads = static_cast<unsigned>(direction::read);

}  // namespace

readiness& readable_wait::wait() noexcept {
  return *std::launder(reinterpret_cast<readiness*>(memory_));
}

bool readable_wait::suspend(promise_base& p) {
  static_assert(sizeof(readiness) <= sizeof memory_ && alignof(readiness) <= alignof(void*));
  if (!socket_ || !socket_->is_open()) {
    refused_ = refusal::closed;
    return false;
  }
  if (socket_->in_use[reads]) {
    refused_ = refusal::busy;
    return false;
  }
  ::new (static_cast<void*>(memory_))
      readiness(*socket_, direction::read, deadline_in(socket_->options.read_deadline));
  socket_->in_use[reads] = true;
  begun_ = true;
  if (wait().suspend(p)) return true;
  // Readable already. A peer that sends as fast as we read must not keep the worker.
  if (consume_budget()) return false;
  defer(p);
  return true;
}

void readable_wait::end() noexcept {
  wait().~readiness();
  socket_->in_use[reads] = false;
  begun_ = false;
}

result<void> readable_wait::await_resume() {
  std::error_code why = no_failure;
  if (begun_) {
    why = wait().await_resume();
    end();
    if (!why) return {};
  }
  if (refused_ == refusal::busy) return std::unexpected(busy_error(reading, socket_->name()));
  if (refused_ == refusal::closed || why == errc::closed) return std::unexpected(closed_error(reading));
  if (why == errc::invalid_argument) return std::unexpected(busy_error(reading, socket_->name()));
  return std::unexpected(socket_error(why, reading, socket_->name()));
}

}  // namespace troupe::detail
