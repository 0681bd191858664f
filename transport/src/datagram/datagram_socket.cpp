// Attempts to receive and send one datagram, and what udp_socket and unix_datagram share.
#include "datagram/datagram_io.hpp"
#include "socket/sys.hpp"

#include <troupe/transport/detail/datagram_socket.hpp>

#include <array>
#include <cerrno>
#include <linux/sock_diag.h>
#include <sys/socket.h>

namespace troupe::detail {

std::error_code receive_datagram(socket_state& s, std::span<std::byte> into, socket_address& from,
                                 datagram_read& read) noexcept {
  s.clear_ready(direction::read);
  for (;;) {
    from.expect();
    // With MSG_TRUNC the kernel says how long the datagram was, not how much of it fitted.
    const ssize_t n = sys::recvfrom(s.fd(), into.data(), into.size(), MSG_TRUNC, from.get(), from.size());
    if (n >= 0) {
      read = {std::min(static_cast<std::size_t>(n), into.size()), static_cast<std::size_t>(n), true};
      s.mark_ready(direction::read);
      return {};
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
    if (errno != EINTR) {
      const std::error_code failed(errno, std::generic_category());
      s.mark_ready(direction::read);  // an error is taken off the socket; datagrams may be behind it
      return failed;
    }
  }
}

bool send_datagram(socket_state& s, std::span<const std::byte> bytes, const socket_address* to,
                   std::error_code& why) noexcept {
  s.clear_ready(direction::write);
  for (;;) {
    const ssize_t n = sys::sendto(s.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL,
                                  to != nullptr ? to->get() : nullptr, to != nullptr ? to->length() : 0);
    if (n >= 0) {
      s.mark_ready(direction::write);
      return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno != EINTR) {
      why = {errno, std::generic_category()};
      s.mark_ready(direction::write);
      return true;
    }
  }
}

// -- the socket -------------------------------------------------------------------

datagram_socket& datagram_socket::operator=(datagram_socket&& other) noexcept {
  if (this != &other) {
    close();
    socket_ = std::move(other.socket_);
  }
  return *this;
}

void datagram_socket::close() noexcept {
  if (!socket_) return;
  socket_->close();
  socket_ = {};
}

bool datagram_socket::is_open() const noexcept {
  return socket_ && socket_->is_open();
}

int datagram_socket::native_handle() const noexcept {
  return socket_ ? socket_->fd() : -1;
}

void datagram_socket::set_read_deadline(duration d) noexcept {
  if (socket_) socket_->options.read_deadline = d;
}
void datagram_socket::set_write_deadline(duration d) noexcept {
  if (socket_) socket_->options.write_deadline = d;
}

result<std::uint32_t> datagram_socket::kernel_drops() const {
  if (!is_open()) return std::unexpected(closed_error("kernel_drops"));
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof info;
  if (sys::getsockopt(socket_->fd(), SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) {
    return std::unexpected(
        socket_error({errno, std::generic_category()}, "count what is dropped at", socket_->name()));
  }
  return info[SK_MEMINFO_DROPS];
}

}  // namespace troupe::detail
