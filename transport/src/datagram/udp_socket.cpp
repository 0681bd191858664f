// udp_socket: binding, connecting, and single and batched operations.
#include "datagram/batch_memory.hpp"
#include "datagram/datagram_io.hpp"
#include "socket/open_socket.hpp"
#include "socket/sys.hpp"

#include <troupe/transport/udp_socket.hpp>

#include <cerrno>
#include <netinet/in.h>

namespace troupe {

using detail::direction;
using detail::operation;
using detail::socket_address;
using detail::socket_ref;
using detail::socket_state;

namespace detail {

static void read_peer(const socket_address& from, ip_endpoint& peer) noexcept {
  peer = from.endpoint();
}

}  // namespace detail

namespace {

// The socket's family decides how an IPv4 peer is written.
TROUPE_NOINLINE bool try_send(socket_state& s, std::span<const std::byte> bytes, const ip_endpoint* to,
                              std::error_code& why) noexcept {
  if (to == nullptr) return detail::send_datagram(s, bytes, nullptr, why);
  socket_address address(*to);
  if (s.where().is_v6() && !to->is_v6()) address.map();
  return detail::send_datagram(s, bytes, &address, why);
}

TROUPE_NOINLINE result<void> send_outcome(const socket_ref& s, const ip_endpoint* to, std::error_code why) {
  if (!why) return {};
  if (to == nullptr || why == errc::closed || why == errc::invalid_argument) {
    return std::unexpected(detail::operation_failure(s, to == nullptr ? "send to" : detail::sending, why));
  }
  if (why == std::errc::permission_denied) {
    return std::unexpected(error(why, "send to " + to->to_string() +
                                          ": this is a broadcast address, which needs the option broadcast"));
  }
  return std::unexpected(detail::socket_error(why, "send to", *to));
}

struct send_attempt {
  static constexpr direction side = direction::write;
  std::span<const std::byte> bytes;
  ip_endpoint to;
  bool connected;  // then the socket's peer is the receiver, not `to`

  [[nodiscard]] const ip_endpoint* peer() const noexcept { return connected ? nullptr : &to; }
  bool try_once(socket_state& s, std::error_code& why) const noexcept {
    return try_send(s, bytes, peer(), why);
  }
  [[nodiscard]] result<void> outcome(const socket_ref& s, std::error_code why) const {
    return send_outcome(s, peer(), why);
  }
};

TROUPE_NOINLINE result<std::size_t> batch_outcome(const socket_ref& s, const char* what, std::size_t n,
                                                  std::error_code why) {
  if (why) return std::unexpected(detail::operation_failure(s, what, why));
  return n;
}

struct receive_batch_attempt {
  static constexpr direction side = direction::read;
  detail::batch_memory& batch;

  void prepare(socket_state&) const noexcept { batch.reset_for_receive(); }
  bool try_once(socket_state& s, std::error_code& why) const noexcept {
    return detail::try_receive_batch(s, batch, why);
  }
  [[nodiscard]] result<std::size_t> outcome(const socket_ref& s, std::error_code why) const {
    return batch_outcome(s, detail::receiving, batch.size, why);
  }
};

struct send_batch_attempt {
  static constexpr direction side = direction::write;
  detail::batch_memory& batch;
  std::size_t next = 0;

  void prepare(socket_state& s) const noexcept {
    batch.refused = 0;
    batch.why_refused.clear();
    if (s.where().is_v6()) batch.map_peers();
  }
  bool try_once(socket_state& s, std::error_code&) noexcept { return detail::try_send_batch(s, batch, next); }
  [[nodiscard]] result<std::size_t> outcome(const socket_ref& s, std::error_code why) const {
    return batch_outcome(s, detail::sending, next - batch.refused, why);
  }
};

std::error_code apply(int fd, const ip_endpoint& e, const udp_options& o) noexcept {
  std::error_code failed;
  const auto set = [&](bool wanted, int level, int name, int value) {
    if (wanted && !failed) failed = detail::set_flag(fd, level, name, value);
  };
  set(o.reuse_address, SOL_SOCKET, SO_REUSEADDR, 1);
  set(o.reuse_port, SOL_SOCKET, SO_REUSEPORT, 1);
  set(o.broadcast, SOL_SOCKET, SO_BROADCAST, 1);
  set(e.is_v6(), IPPROTO_IPV6, IPV6_V6ONLY, o.dual_stack ? 0 : 1);
  // Only the groups it has joined itself, not those of every socket of the machine.
  if (e.is_v6()) set(true, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
  if (!e.is_v6() || o.dual_stack) set(true, IPPROTO_IP, IP_MULTICAST_ALL, 0);
  set(o.receive_buffer > 0, SOL_SOCKET, SO_RCVBUF, o.receive_buffer);
  set(o.send_buffer > 0, SOL_SOCKET, SO_SNDBUF, o.send_buffer);
  return failed;
}

std::error_code assign(int fd, const ip_endpoint& e, int (*call)(int, const sockaddr*, socklen_t)) noexcept {
  const socket_address address(e);
  if (call(fd, address.get(), address.length()) == 0) return {};
  return {errno, std::generic_category()};
}

result<socket_ref> open_udp(const ip_endpoint& e, const udp_options& o, const char* what) {
  const auto refuse = [&](std::error_code why) {
    return std::unexpected(detail::socket_error(why, what, e));
  };
  if (o.dual_stack && !e.is_v6()) {
    return std::unexpected(error(make_error_code(errc::invalid_argument),
                                 std::string(what) + " " + e.to_string() +
                                     ": dual_stack needs an IPv6 address, as ip_endpoint::any_v6(port)"));
  }
  std::error_code failed;
  const int fd = detail::open_socket(e.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM, failed);
  if (fd < 0) return refuse(failed);
  socket_ref s =
      socket_state::make(fd, e, {.read_deadline = o.read_deadline, .write_deadline = o.write_deadline});
  failed = apply(fd, e, o);
  if (failed) return refuse(failed);
  return s;
}

}  // namespace

result<udp_socket> udp_socket::bind(ip_endpoint at, udp_options options) {
  constexpr const char* binding = "cannot receive at";
  result<socket_ref> s = open_udp(at, options, binding);
  if (!s) return std::unexpected(std::move(s.error()));
  if (const std::error_code failed = assign((*s)->fd(), at, &detail::sys::bind)) {
    return std::unexpected(detail::socket_error(failed, binding, at));
  }
  return udp_socket(std::move(*s));
}

result<udp_socket> udp_socket::connect(ip_endpoint to, udp_options options) {
  constexpr const char* connecting = "connect to";
  result<socket_ref> s = open_udp(to, options, connecting);
  if (!s) return std::unexpected(std::move(s.error()));
  if (options.from != ip_endpoint()) {
    if (const std::error_code failed = assign((*s)->fd(), options.from, &detail::sys::bind)) {
      return std::unexpected(detail::socket_error(failed, "send from", options.from));
    }
  }
  if (const std::error_code failed = assign((*s)->fd(), to, &detail::sys::connect)) {
    return std::unexpected(detail::socket_error(failed, connecting, to));
  }
  return udp_socket(std::move(*s));
}

task<result<udp_socket::datagram>> udp_socket::receive_from(std::span<std::byte> into) {
  return detail::run_operation(socket(), detail::receive_attempt<datagram>{into});
}

result<std::optional<udp_socket::datagram>> udp_socket::try_receive_from(std::span<std::byte> into) {
  return detail::try_receive_datagram_on<datagram>(socket(), into);
}

task<result<void>> udp_socket::send_to(std::span<const std::byte> bytes, ip_endpoint to) {
  return detail::run_operation(socket(), send_attempt{bytes, to, false});
}
task<result<void>> udp_socket::send(std::span<const std::byte> bytes) {
  return detail::run_operation(socket(), send_attempt{bytes, {}, true});
}

result<bool> udp_socket::try_send_to(std::span<const std::byte> bytes, ip_endpoint to) {
  const operation mine(socket().get(), direction::write);
  std::error_code why = detail::refusal(socket(), mine);
  if (!why && !try_send(*socket(), bytes, &to, why)) return false;
  if (why) return std::unexpected(send_outcome(socket(), &to, why).error());
  return true;
}

task<result<std::size_t>> udp_socket::receive_batch(datagram_batch& batch) {
  return detail::run_operation(socket(), receive_batch_attempt{*batch.memory_});
}
task<result<std::size_t>> udp_socket::send_batch(datagram_batch& batch) {
  return detail::run_operation(socket(), send_batch_attempt{*batch.memory_});
}

result<ip_endpoint> udp_socket::local_endpoint() const {
  if (!is_open()) return std::unexpected(detail::closed_error("local_endpoint"));
  return detail::bound_to(socket()->fd());
}

result<ip_endpoint> udp_socket::remote_endpoint() const {
  if (!is_open()) return std::unexpected(detail::closed_error("remote_endpoint"));
  socket_address peer;
  if (detail::sys::getpeername(socket()->fd(), peer.get(), peer.size()) == 0) return peer.endpoint();
  return std::unexpected(
      detail::socket_error({errno, std::generic_category()}, "remote_endpoint of", socket()->name()));
}

bool udp_socket::is_v6() const noexcept {
  return socket()->where().is_v6();
}

}  // namespace troupe
