#include "poller.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <troupe/runtime/io_driver.hpp>
#include <troupe/runtime/slab.hpp>
#include <troupe/runtime/worker.hpp>

#include "socket_state.hpp"

namespace troupe::detail {

namespace {

/// For Asio's operations: a wait in steady state calls no heap.
template <class T>
struct slab_allocator {
  using value_type = T;
  slab_allocator() noexcept = default;
  template <class U>
  explicit slab_allocator(const slab_allocator<U>&) noexcept {}
  T* allocate(std::size_t n) { return static_cast<T*>(slab_allocate(n * sizeof(T))); }
  void deallocate(T* p, std::size_t n) noexcept { slab_deallocate(p, n * sizeof(T)); }
  template <class U>
  bool operator==(const slab_allocator<U>&) const noexcept {
    return true;
  }
};

}  // namespace

/// The io_context's share of the poller, and what waits for its set.
class poller_service final : public boost::asio::execution_context::service {
 public:
  using key_type = poller_service;
  static boost::asio::execution_context::id id;

  explicit poller_service(boost::asio::execution_context& context)
      : service(context), set_(static_cast<boost::asio::io_context&>(context)) {}

  [[nodiscard]] poller& get(io_driver& io) {
    if (poller_ == nullptr) {
      poller_ = new poller(io);
      set_.assign(poller_->epoll_);
      wait();
    }
    return *poller_;
  }

 private:
  struct handler {
    using allocator_type = slab_allocator<void*>;
    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    void operator()(const boost::system::error_code& failed) const {
      if (failed) return;
      self->poller_->dispatch();
      self->wait();
    }
    poller_service* self;
  };

  // Asio arms the descriptor anew each time, so events that one dispatch left
  // in the set are found by the next.
  void wait() { set_.async_wait(boost::asio::posix::stream_descriptor::wait_read, handler{this}); }

  void shutdown() noexcept override {
    if (poller_ == nullptr) return;
    set_.release();
    poller_->orphan();
  }

  boost::asio::posix::stream_descriptor set_;
  poller* poller_ = nullptr;
};

boost::asio::execution_context::id poller_service::id;

poller& poller::of(worker& w) {
  return boost::asio::use_service<poller_service>(w.io.context()).get(w.io);
}

poller::poller(io_driver& io) : epoll_(::epoll_create1(EPOLL_CLOEXEC)), io_(&io) {
  if (epoll_ < 0) throw std::system_error(errno, std::system_category(), "epoll set for a worker's sockets");
}

poller::~poller() {
  ::close(epoll_);
}

void poller::release() noexcept {
  if (shares_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void poller::orphan() noexcept {
  {
    const std::scoped_lock guard(lock_);
    io_ = nullptr;
  }
  release();
}

std::error_code poller::attach(socket_state& s, int fd) noexcept {
  epoll_event e{};
  e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  e.data.ptr = &s;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e) != 0) return {errno, std::generic_category()};
  shares_.fetch_add(1, std::memory_order_relaxed);
  const std::scoped_lock guard(lock_);
  if (io_ != nullptr) io_->add_user();
  return {};
}

void poller::detach(int fd) noexcept {
  // Explicitly, though closing would do: a child process that was forked in
  // between may hold the socket open, and its events would go on.
  epoll_event unused{};
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &unused);
  const std::scoped_lock guard(lock_);
  if (io_ != nullptr) io_->remove_user();
}

void poller::retire(socket_state& s) noexcept {
  {
    const std::scoped_lock guard(lock_);
    if (dispatching_) {
      s.next_retired = std::exchange(retired_, &s);
      return;
    }
  }
  slab_delete(&s);
  release();
}

void poller::dispatch() noexcept {
  {
    const std::scoped_lock guard(lock_);
    dispatching_ = true;
  }
  std::array<epoll_event, 128> events;
  const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < n; ++i) {
    const epoll_event& e = events[static_cast<std::size_t>(i)];
    static_cast<socket_state*>(e.data.ptr)->on_events(e.events);
  }
  socket_state* retired = nullptr;
  {
    const std::scoped_lock guard(lock_);
    dispatching_ = false;
    retired = std::exchange(retired_, nullptr);
  }
  while (retired != nullptr) {
    slab_delete(std::exchange(retired, retired->next_retired));
    release();  // never the last share: the io_context that runs this has one
  }
}

}  // namespace troupe::detail
