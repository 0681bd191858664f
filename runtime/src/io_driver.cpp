#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <system_error>
#include <troupe/runtime/atomic.hpp>
#include <troupe/runtime/io_driver.hpp>

namespace troupe::detail {

// The eventfd stays armed for as long as the driver lives; a wake-up costs the
// waker one write, and the woken worker one read.
struct io_driver::impl {
  impl() : wake_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), waker(context) {
    if (wake_fd < 0) throw std::system_error(errno, std::system_category(), "eventfd for a worker's wake-up");
    waker.assign(wake_fd);
    arm();
  }

  void arm() {
    waker.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this](const boost::system::error_code& failed) {
                       if (failed) return;
                       std::uint64_t wakes = 0;
                       [[maybe_unused]] const auto got = ::read(wake_fd, &wakes, sizeof wakes);
                       arm();
                     });
  }

  boost::asio::io_context context;
  int wake_fd;
  boost::asio::posix::stream_descriptor waker;
  // users: sockets that live here; a hint for how often to poll, relaxed.
  atomic<std::uint32_t> users{0};
};

io_driver::io_driver() : impl_(std::make_unique<impl>()) {}
io_driver::~io_driver() = default;

void io_driver::wait(std::int64_t timeout_ns) noexcept {
  if (timeout_ns < 0) {
    impl_->context.run_one();
  } else if (timeout_ns > 0) {
    impl_->context.run_one_for(std::chrono::nanoseconds(timeout_ns));
  }
  impl_->context.poll();
}

unsigned io_driver::poll() noexcept {
  return static_cast<unsigned>(impl_->context.poll());
}

void io_driver::wake() noexcept {
  const std::uint64_t one = 1;
  // The counter cannot run full in a machine's lifetime, so a write cannot fail.
  [[maybe_unused]] const auto written = ::write(impl_->wake_fd, &one, sizeof one);
}

boost::asio::io_context& io_driver::context() noexcept {
  return impl_->context;
}

bool io_driver::in_use() const noexcept {
  return impl_->users.load(std::memory_order_relaxed) != 0;
}
void io_driver::add_user() noexcept {
  impl_->users.fetch_add(1, std::memory_order_relaxed);
}
void io_driver::remove_user() noexcept {
  impl_->users.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace troupe::detail
