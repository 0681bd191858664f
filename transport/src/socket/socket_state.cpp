// The life of a socket, the attempts to read and write it, and its registration with a reactor.
#include "socket/socket_state.hpp"

#include <troupe/runtime/engine.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

namespace troupe::detail {

void add_share(socket_state& s) noexcept {
  s.share();
}
void drop_share(socket_state& s) noexcept {
  s.release();
}

socket_ref socket_state::make(int fd, const ip_endpoint& where, const tcp_options& o) {
  try {
    return socket_ref(slab_new<socket_state>(fd, where, o));
  } catch (...) {
    sys::close(fd);
    throw;
  }
}

void socket_state::release() noexcept {
  if (!shares_.drop()) return;
  close();
  if (reactor_ != nullptr && !simulated_) {
    reactor_->retire(*this);
  } else {
    slab_delete(this);
  }
}

void socket_state::close() noexcept {
  if (fd_ < 0) return;
  if (reactor_ != nullptr && !simulated_) reactor_->detach(fd_);
  sys::close(fd_);
  fd_ = -1;
  for (const direction d : {direction::read, direction::write}) {
    if (socket_wake* const w = wake_in(state_of(d).exchange(closed, std::memory_order_acq_rel))) {
      w->finish(socket_wake::kind_of);
    }
  }
}

void socket_state::reset_at_close() noexcept {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  sys::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

void socket_state::cut() noexcept {
  reset_at_close();
  // Not close(): another coroutine may be reading, and sees the end at its next
  // attempt. The reset goes out when the owner closes.
  sys::shutdown(fd_, SHUT_RDWR);
  cut_ = true;
  ended_by = ending::failed;
}

// -- attempts -------------------------------------------------------------------

std::error_code socket_state::receive(std::span<std::byte> into, std::optional<std::size_t>& got) noexcept {
  got.reset();
  clear_ready(direction::read);
  for (;;) {
    const ssize_t n = sys::recv(fd_, into.data(), into.size(), 0);
    if (n >= 0) {
      if (n == 0 && cut_) return {ECONNABORTED, std::generic_category()};
      if (n == 0) {
        ended_by = ending::peer;
      } else if (ended_by == ending::idle) {
        ended_by = ending::none;  // the deadline had passed, but the owner waited on
      }
      if (meter_ != nullptr) meter_->bytes_in(static_cast<std::size_t>(n));
      got = static_cast<std::size_t>(n);
      // A read of a unix socket also ends early where the peer has passed descriptors.
      if (*got == into.size() || n == 0 || is_unix() || ended_.load(std::memory_order_relaxed)) {
        mark_ready(direction::read);
      }
      return no_failure;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return no_failure;
    if (errno != EINTR) {
      const std::error_code failed(errno, std::generic_category());
      mark_ready(direction::read);
      ended_by = ending::failed;
      return failed;
    }
  }
}

namespace {

// The result of send() or sendmsg(), repeated when a signal interrupts it.
template <class Attempt>
ssize_t uninterrupted(Attempt attempt) noexcept {
  ssize_t n = 0;
  do {
    n = attempt();
  } while (n < 0 && errno == EINTR);
  return n;
}

}  // namespace

std::error_code socket_state::send(std::span<const std::byte> bytes, std::size_t& sent) noexcept {
  clear_ready(direction::write);
  return sent_by(uninterrupted([&] { return sys::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }),
                 sent);
}

std::error_code socket_state::send(std::span<const const_buffer> pieces, std::size_t skip,
                                   std::size_t& sent) noexcept {
  std::array<iovec, 64> parts;  // what is left goes with the next attempt
  std::size_t n = 0;
  std::size_t total = 0;
  for (const const_buffer& piece : pieces.first(std::min(pieces.size(), parts.size()))) {
    const const_buffer rest = piece.subspan(std::exchange(skip, 0));
    parts[n++] = {const_cast<std::byte*>(rest.data()), rest.size()};
    total += rest.size();
  }
  msghdr all{};
  all.msg_iov = parts.data();
  all.msg_iovlen = n;
  clear_ready(direction::write);
  const std::error_code failed =
      sent_by(uninterrupted([&] { return sys::sendmsg(fd_, &all, MSG_NOSIGNAL); }), sent);
  if (sent == total) mark_ready(direction::write);  // the kernel may have room for the next pieces
  return failed;
}

std::error_code socket_state::sent_by(ssize_t n, std::size_t& sent) noexcept {
  sent = n >= 0 ? static_cast<std::size_t>(n) : 0;
  if (n > 0 && meter_ != nullptr) meter_->bytes_out(sent);
  if (n >= 0 || errno == EAGAIN || errno == EWOULDBLOCK) return no_failure;
  const std::error_code failed(errno, std::generic_category());
  mark_ready(direction::write);
  ended_by = ending::failed;
  return failed;
}

// -- readiness ------------------------------------------------------------------

socket_wake* socket_state::wake_in(word w) noexcept {
  return w > closed ? reinterpret_cast<socket_wake*>(w) : nullptr;  // NOLINT(performance-no-int-to-ptr)
}

std::error_code socket_state::do_attach(direction d) noexcept {
  worker& w = *worker_here();
  if (w.home().simulated() != simulated_) return {EOPNOTSUPP, std::generic_category()};
  const bool writing = d == direction::write || simulated_;
  std::error_code failed;
  if (reactor_ != nullptr) {
    failed = reactor_->widen(*this, fd_);
  } else {
    // Set first: the first event may come before attach() returns.
    reactor_ = &w.io;
    using enum reactor::interest;
    failed = simulated_ ? simnet::attach(fd_, *this, w.home())
                        : w.io.attach(*this, fd_, writing ? reading_and_writing : reading);
    if (failed) reactor_ = nullptr;
  }
  reports_writing_ = writing && !failed;
  return failed;
}

bool socket_state::retract(direction d, socket_wake& wake) noexcept {
  word w = reinterpret_cast<word>(&wake);
  return state_of(d).compare_exchange_strong(w, empty, std::memory_order_acq_rel, std::memory_order_relaxed);
}

void socket_state::become_ready(direction d) noexcept {
  atomic<word>& state = state_of(d);
  word w = state.load(std::memory_order_relaxed);
  do {
    if (w == closed) return;
  } while (!state.compare_exchange_weak(w, w > closed ? empty : ready, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  if (socket_wake* const wake = wake_in(w)) wake->finish(socket_wake::kind_of);
}

void socket_state::on_events(std::uint32_t events) noexcept {
  constexpr std::uint32_t gone = EPOLLHUP | EPOLLERR;
  if ((events & (EPOLLRDHUP | gone)) != 0) ended_.store(true, std::memory_order_release);
  if ((events & (EPOLLIN | EPOLLRDHUP | gone)) != 0) become_ready(direction::read);
  if ((events & (EPOLLOUT | gone)) != 0) become_ready(direction::write);
}

}  // namespace troupe::detail
