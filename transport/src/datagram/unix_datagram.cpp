// unix_datagram: binding, connecting, and sending with retries while the receiver has no room.
#include "address/unix_address.hpp"
#include "datagram/datagram_io.hpp"
#include "socket/retry_pause.hpp"
#include "socket/sys.hpp"

#include <troupe/runtime/sleep.hpp>
#include <troupe/transport/unix_datagram.hpp>

#include <cerrno>
#include <sys/socket.h>

namespace troupe {

using detail::direction;
using detail::operation;
using detail::socket_address;
using detail::socket_ref;
using detail::socket_state;

namespace detail {

static void read_peer(const socket_address& from, std::string& peer) {
  peer = name_of(from);
}

}  // namespace detail

namespace {

TROUPE_NOINLINE bool try_send(socket_state& s, std::span<const std::byte> bytes, const std::string& to,
                              std::error_code& why) noexcept {
  socket_address a;
  (void)detail::to_address(to, "", a);  // checked by the caller
  return detail::send_datagram(s, bytes, &a, why);
}

TROUPE_NOINLINE result<void> send_outcome(const socket_ref& s, const std::string& to, std::error_code why) {
  if (!why) return {};
  if (why == errc::closed || why == errc::invalid_argument) {
    return std::unexpected(detail::operation_failure(s, detail::sending, why));
  }
  return std::unexpected(detail::unix_error(why, "send to", to.empty() ? s->name() : to));
}

// Sends to the peer of a connected socket.
struct send_attempt {
  static constexpr direction side = direction::write;
  std::span<const std::byte> bytes;

  bool try_once(socket_state& s, std::error_code& why) const noexcept {
    return detail::send_datagram(s, bytes, nullptr, why);
  }
  static result<void> outcome(const socket_ref& s, std::error_code why) { return send_outcome(s, {}, why); }
};

// The kernel reports a socket without a peer as writable at all times, whichever
// receiver is addressed, so a full receiver has to be tried again.
task<result<void>> send_to_on(socket_ref s, std::span<const std::byte> bytes, std::string to) {
  const operation mine(s.get(), direction::write);
  std::error_code why = detail::refusal(s, mine);
  detail::retry_pause pause(why ? duration::zero() : s->options.write_deadline);
  while (!why && !try_send(*s, bytes, to, why)) {
    if (pause.over()) {
      why = make_error_code(errc::timeout);
    } else {
      co_await sleep_until(pause.next());
      if (!s->is_open()) why = make_error_code(errc::closed);
    }
  }
  co_return send_outcome(s, to, why);
}

task<result<void>> refuse(error why) {
  co_return std::unexpected(std::move(why));
}

}  // namespace

unix_datagram& unix_datagram::operator=(unix_datagram&& other) noexcept {
  if (this != &other) {
    close();
    datagram_socket::operator=(std::move(other));
    path_ = std::move(other.path_);
    device_ = other.device_;
    inode_ = other.inode_;
  }
  return *this;
}

result<unix_datagram> unix_datagram::bind(std::string path, unix_options options) {
  result<socket_ref> s = detail::open_unix(SOCK_DGRAM, "cannot bind to", path, options);
  if (!s) return std::unexpected(std::move(s.error()));
  result<detail::bound_file> file = detail::bind_unix((*s)->fd(), SOCK_DGRAM, path, 0);
  if (!file) return std::unexpected(std::move(file.error()));
  unix_datagram d(std::move(*s));
  d.path_ = std::move(path);
  d.device_ = file->device;
  d.inode_ = file->inode;
  return d;
}

result<unix_datagram> unix_datagram::connect(const std::string& to, std::string from, unix_options options) {
  constexpr const char* connecting = "connect to";
  socket_address a;
  if (std::optional<error> bad = detail::to_address(to, connecting, a)) return std::unexpected(*bad);
  unix_datagram d;
  if (!from.empty()) {
    result<unix_datagram> bound = bind(std::move(from), options);
    if (!bound) return bound;
    d = std::move(*bound);
    d.socket()->name_by_path(to);
  } else {
    result<socket_ref> s = detail::open_unix(SOCK_DGRAM, connecting, to, options);
    if (!s) return std::unexpected(std::move(s.error()));
    d = unix_datagram(std::move(*s));
  }
  if (detail::sys::connect(d.native_handle(), a.get(), a.length()) == 0) return d;
  return std::unexpected(detail::unix_error({errno, std::generic_category()}, connecting, to));
}

result<std::pair<unix_datagram, unix_datagram>> unix_datagram::pair(unix_options options) {
  result<std::pair<socket_ref, socket_ref>> both = detail::open_unix_pair(SOCK_DGRAM, options);
  if (!both) return std::unexpected(std::move(both.error()));
  return std::pair(unix_datagram(std::move(both->first)), unix_datagram(std::move(both->second)));
}

task<result<unix_datagram::datagram>> unix_datagram::receive_from(std::span<std::byte> into) {
  return detail::run_operation(socket(), detail::receive_attempt<datagram>{into});
}

result<std::optional<unix_datagram::datagram>> unix_datagram::try_receive_from(std::span<std::byte> into) {
  return detail::try_receive_datagram_on<datagram>(socket(), into);
}

task<result<void>> unix_datagram::send_to(std::span<const std::byte> bytes, std::string to) {
  socket_address a;
  if (std::optional<error> bad = detail::to_address(to, "send to", a)) return refuse(std::move(*bad));
  return send_to_on(socket(), bytes, std::move(to));
}

task<result<void>> unix_datagram::send(std::span<const std::byte> bytes) {
  return detail::run_operation(socket(), send_attempt{bytes});
}

void unix_datagram::close() noexcept {
  if (is_open()) detail::remove_file(path_, {device_, inode_});
  datagram_socket::close();
}

}  // namespace troupe
