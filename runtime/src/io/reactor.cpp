// A worker's epoll set: waiting, delivering events, and the end of a source. See reactor.hpp for owner and
// threads.
#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/reactor.hpp>

#include <array>
#include <cerrno>
#include <climits>
#include <ctime>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace troupe::detail {

namespace {

using event_array = std::array<epoll_event, 128>;

// exact_waits: whether the kernel takes nanoseconds. Cleared by the first thread that is refused; relaxed,
// pairs with nothing: another thread that has not seen it is refused itself. Broken by:
// tests/runtime/io/reactor_test.
constinit atomic<bool> exact_waits{true};

// Linux before 5.11 does not have the call, and the system-call filters of old container tools answer EPERM
// or EINVAL to calls that they do not know.
bool refused(int error) noexcept {
  return error == ENOSYS || error == EPERM || error == EINVAL;
}

int wait_for_events(int epoll, event_array& events, std::int64_t timeout_ns) noexcept {
  const int room = static_cast<int>(events.size());
  if (timeout_ns <= 0) return ::epoll_wait(epoll, events.data(), room, timeout_ns < 0 ? -1 : 0);
  if (exact_waits.load(std::memory_order_relaxed)) {
    const timespec until{.tv_sec = timeout_ns / 1'000'000'000, .tv_nsec = timeout_ns % 1'000'000'000};
    const int n = ::epoll_pwait2(epoll, events.data(), room, &until, nullptr);
    if (n >= 0 || !refused(errno)) return n;
    exact_waits.store(false, std::memory_order_relaxed);
  }
  // Whole milliseconds, rounded up, because a timer must not be early.
  const std::int64_t ms = (timeout_ns - 1) / 1'000'000 + 1;
  return ::epoll_wait(epoll, events.data(), room, ms > INT_MAX ? INT_MAX : static_cast<int>(ms));
}

}  // namespace

reactor::reactor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::system_category(), "epoll set for a worker");
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event e{};
  e.events = EPOLLIN | EPOLLET;
  e.data.ptr = nullptr;
  if (wake_fd_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd_, &e) != 0) {
    const int failed = errno;
    if (wake_fd_ >= 0) ::close(wake_fd_);
    ::close(epoll_);
    throw std::system_error(failed, std::system_category(), "eventfd for a worker's wake-up");
  }
}

reactor::~reactor() {
  ::close(wake_fd_);
  ::close(epoll_);
}

void reactor::release() noexcept {
  if (shares_.drop()) delete this;
}

void reactor::wait(std::int64_t timeout_ns) noexcept {
  const scoped_lock guard(looking_);  // the watchdog may hold it, and does not sleep with it
  // Called by woken_ under this lock, which the analysis does not see.
  woken_.wait([&](bool woken) TROUPE_NO_THREAD_SAFETY_ANALYSIS { collect(woken ? 0 : timeout_ns); });
}

void reactor::poll() noexcept {
  if (!looking_.try_lock()) return;
  collect(0);
  looking_.unlock();
}

void reactor::wake() noexcept {
  woken_.raise();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

void reactor::collect(std::int64_t timeout_ns) noexcept {
  {
    const scoped_lock guard(lock_);
    collecting_ = true;
  }
  event_array events;
  const int n = wait_for_events(epoll_, events, timeout_ns);
  for (int i = 0; i < n; ++i) {
    const epoll_event& e = events[static_cast<std::size_t>(i)];
    if (e.data.ptr != nullptr) static_cast<io_source*>(e.data.ptr)->on_events(e.events);
  }
  io_source* retired = nullptr;
  {
    const scoped_lock guard(lock_);
    collecting_ = false;
    retired = std::exchange(retired_, nullptr);
  }
  while (retired != nullptr) {
    std::exchange(retired, retired->next_retired_)->dispose();
    release();  // never the last share: the worker has one
  }
}

namespace {

std::error_code tell_epoll(int epoll, int operation, int fd, io_source& s, reactor::interest what) noexcept {
  epoll_event e{};
  e.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  if (what == reactor::interest::reading_and_writing) e.events |= EPOLLOUT;
  e.data.ptr = &s;
  if (::epoll_ctl(epoll, operation, fd, &e) == 0) return {};
  return {errno, std::generic_category()};
}

}  // namespace

std::error_code reactor::attach(io_source& s, int fd, interest what) noexcept {
  if (const std::error_code failed = tell_epoll(epoll_, EPOLL_CTL_ADD, fd, s, what)) return failed;
  shares_.add();
  sources_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

std::error_code reactor::widen(io_source& s, int fd) noexcept {
  return tell_epoll(epoll_, EPOLL_CTL_MOD, fd, s, interest::reading_and_writing);
}

void reactor::detach(int fd) noexcept {
  // Explicitly, though closing would do: a child process that was forked in between may hold the socket open,
  // and then its events would go on.
  epoll_event unused{};
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &unused);
  sources_.fetch_sub(1, std::memory_order_relaxed);
}

void reactor::retire(io_source& s) noexcept {
  bool first = false;
  {
    const scoped_lock guard(lock_);
    if (collecting_) {
      first = retired_ == nullptr;
      s.next_retired_ = std::exchange(retired_, &s);
      if (!first) return;
      shares_.add();  // the share of s may be gone by the time of the wake-up
    }
  }
  if (first) {
    wake();  // a worker that sleeps for long must not keep retired sources that long
  } else {
    s.dispose();
  }
  release();
}

}  // namespace troupe::detail
