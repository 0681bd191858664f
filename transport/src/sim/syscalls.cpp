// The system calls on descriptors of the simulated network; socket/sys.hpp has their contract.
#include "address/sockaddr.hpp"
#include "sim/syscall_result.hpp"
#include "socket/sys.hpp"

#include <troupe/runtime/detail/strand.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>

namespace troupe::detail::simnet {

namespace {

standpoint stand() noexcept {
  const strand* const s = current_strand();
  if (s == nullptr) return standpoint_of_thread();
  return s->home().simulated() ? standpoint{&s->home(), s->place()} : standpoint{};
}

// -- addresses: packets carry IPv4 addresses as such, an IPv6 socket sees them mapped ------------

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

ip_endpoint address_in(const sockaddr* from, socklen_t size) noexcept {
  socket_address a;
  std::memcpy(a.get(), from, std::min<std::size_t>(size, sizeof(sockaddr_storage)));
  const ip_endpoint e = a.endpoint();
  if (!e.is_v6() || !std::ranges::equal(std::span(e.bytes()).first(12), mapped_prefix)) return e;
  const auto& b = e.bytes();
  return {ip_endpoint::v4_bytes{b[12], b[13], b[14], b[15]}, e.port()};
}

void address_out(const descriptor& d, ip_endpoint e, sockaddr* to, socklen_t* size) noexcept {
  if (to == nullptr || size == nullptr) return;
  if (d.family == AF_INET6 && !e.is_v6()) {
    ip_endpoint::v6_bytes b{};
    if (!is_any(e)) std::ranges::copy(mapped_prefix, b.begin());
    std::copy_n(e.bytes().begin(), 4, b.begin() + 12);
    e = {b, e.port()};
  }
  socket_address a(e);
  std::memcpy(to, a.get(), std::min(*size, *a.size()));
  *size = *a.size();
}

// -- sockets ----------------------------------------------------------------------------------------

// Binds `d` to `at`, with a free port if its port is 0. Returns an error number.
int bind_to(descriptor& d, const ip_endpoint& at) {
  if (d.is_lost()) return host_is_down;
  if (d.port) return EINVAL;
  d.wanted.at = at;
  int error = 0;
  d.port = d.home.bind(d.type == SOCK_STREAM ? protocol::tcp : protocol::udp, d.wanted, error);
  if (d.port && d.type == SOCK_DGRAM) {
    d.datagrams = std::make_shared<datagram_port>(
        d.home, d.port, d.receive_buffer != 0 ? d.receive_buffer : std::size_t{212992});
    d.begin();
  }
  return error;
}

int connect_stream(descriptor& d, const ip_endpoint& to) {
  if (d.listener) return EISCONN;
  if (d.stream) {
    if (const int error = d.stream->take_error(); error != 0) return error;
    return d.stream->is_connecting() ? EALREADY : EISCONN;
  }
  if (d.net->find(to, d.home) == nullptr) return EHOSTUNREACH;
  const ip_endpoint local = d.home.source_for(to);
  if (!d.port) {
    if (const int error = bind_to(d, local); error != 0) return error == EADDRINUSE ? EADDRNOTAVAIL : error;
  }
  const flow_end self{.flow = d.net->new_flow(), .acceptor = false};
  const ip_endpoint from = is_any(d.port->at) ? local.with_port(d.port->at.port()) : d.port->at;
  d.stream = std::make_shared<tcp_endpoint>(
      d.home,
      tcp_endpoint::identity{.self = self,
                             .local = from,
                             .remote = is_any(to) ? local.with_port(to.port()) : to,
                             .port = d.port},
      d.send_size(), d.receive_size());
  d.stream->set_keep_alive(d.keep_alive);
  d.home.streams.emplace(self, d.stream);
  d.stream->connect();
  d.begin();
  return EINPROGRESS;
}

ssize_t receive_datagram(descriptor& d, msghdr& m, bool whole_length) {
  int error = bind_any(d);
  if (error != 0) return fail(error);
  const auto got = d.datagrams->receive(error);
  if (!got) return fail(error);
  std::span<const std::byte> rest(got->bytes);
  for (const iovec& v : std::span(m.msg_iov, m.msg_iovlen)) {
    const std::size_t n = std::min(v.iov_len, rest.size());
    if (n != 0) std::memcpy(v.iov_base, rest.data(), n);
    rest = rest.subspan(n);
  }
  m.msg_flags = rest.empty() ? 0 : MSG_TRUNC;
  m.msg_controllen = 0;
  if (m.msg_name != nullptr) address_out(d, got->from, static_cast<sockaddr*>(m.msg_name), &m.msg_namelen);
  return static_cast<ssize_t>(whole_length ? got->bytes.size() : got->bytes.size() - rest.size());
}

ssize_t send_datagram(descriptor& d, const msghdr& m) {
  int error = bind_any(d);
  if (error != 0) return fail(error);
  std::vector<std::byte> bytes;
  for (const iovec& v : std::span(m.msg_iov, m.msg_iovlen)) {
    const auto* const first = static_cast<const std::byte*>(v.iov_base);
    bytes.insert(bytes.end(), first, first + v.iov_len);
  }
  ip_endpoint to;
  if (m.msg_name != nullptr) to = address_in(static_cast<const sockaddr*>(m.msg_name), m.msg_namelen);
  error = d.datagrams->send(m.msg_name != nullptr ? &to : nullptr, bytes);
  return error == 0 ? static_cast<ssize_t>(bytes.size()) : fail(error);
}

ssize_t receive(descriptor& d, msghdr& m, int flags) {
  if (d.is_lost()) return fail(host_is_down);
  if (d.type == SOCK_DGRAM) return receive_datagram(d, m, (flags & MSG_TRUNC) != 0);
  if (!d.stream) return fail(ENOTCONN);
  m.msg_flags = 0;
  m.msg_controllen = 0;
  ssize_t all = 0;
  for (const iovec& v : std::span(m.msg_iov, m.msg_iovlen)) {
    const transfer t =
        d.stream->read({static_cast<std::byte*>(v.iov_base), v.iov_len}, (flags & MSG_PEEK) != 0);
    if (t.error != 0) return all != 0 ? all : fail(t.error);
    all += static_cast<ssize_t>(t.n);
    if (t.n < v.iov_len) break;
  }
  return all;
}

ssize_t transmit(descriptor& d, const msghdr& m) {
  if (d.is_lost()) return fail(host_is_down);
  if (d.type == SOCK_DGRAM) return send_datagram(d, m);
  if (!d.stream) return fail(ENOTCONN);
  ssize_t all = 0;
  for (const iovec& v : std::span(m.msg_iov, m.msg_iovlen)) {
    if (v.iov_len == 0) continue;
    const transfer t = d.stream->write({static_cast<const std::byte*>(v.iov_base), v.iov_len});
    if (t.error != 0) return all != 0 ? all : fail(t.error);
    all += static_cast<ssize_t>(t.n);
    if (t.n < v.iov_len) break;
  }
  return all;
}

}  // namespace

int bind_any(descriptor& d) {
  if (d.port) return 0;
  return bind_to(d, d.family == AF_INET6 ? ip_endpoint::any_v6(0) : ip_endpoint::any(0));
}

bool is_here() noexcept {
  return stand().home != nullptr;
}

int socket(int family, int type, int) noexcept {
  const standpoint at = stand();
  const int plain = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (family != AF_INET && family != AF_INET6) return fail(EAFNOSUPPORT);
  if (plain != SOCK_STREAM && plain != SOCK_DGRAM) return fail(EPROTONOSUPPORT);
  try {
    auto net = kernel::of(*at.home);
    host& home = net->host_at(at.place);
    if (!home.up) return fail(host_is_down);
    if (home.open_sockets >= home.max_sockets) return fail(EMFILE);
    return number_for(std::make_shared<descriptor>(std::move(net), home, family, plain));
  } catch (...) {
    return fail(ENOMEM);
  }
}

// There is no simulated file system, so there are no simulated Unix sockets.
int socketpair(int, int, int, int*) noexcept {
  return fail(EAFNOSUPPORT);
}

int close(int fd) noexcept {
  return take_descriptor(fd) ? 0 : fail(EBADF);
}

int bind(int fd, const sockaddr* at, socklen_t size) noexcept {
  return with(fd, [&](descriptor& d) { return done_or(bind_to(d, address_in(at, size))); });
}

int listen(int fd, int backlog) noexcept {
  return with(fd, [&](descriptor& d) {
    if (d.type != SOCK_STREAM) return fail(EOPNOTSUPP);
    if (d.stream) return fail(EINVAL);
    if (const int error = bind_any(d); error != 0) return fail(error);
    if (!d.listener) {
      d.listener = std::make_shared<listening_socket>(d.home, d.port, d.send_size(), d.receive_size());
      d.begin();
    }
    d.listener->set_backlog(backlog);
    return 0;
  });
}

int connect(int fd, const sockaddr* to, socklen_t size) noexcept {
  return with(fd, [&](descriptor& d) {
    if (d.is_lost()) return fail(host_is_down);
    if (d.type == SOCK_STREAM) return done_or(connect_stream(d, address_in(to, size)));
    if (const int error = bind_any(d); error != 0) return fail(error);
    const bool dissolve = to->sa_family == AF_UNSPEC;
    return done_or(d.datagrams->connect(dissolve ? std::nullopt : std::optional(address_in(to, size))));
  });
}

int accept4(int fd, sockaddr* peer, socklen_t* size, int) noexcept {
  return with(fd, [&](descriptor& d) {
    if (!d.listener) return fail(EINVAL);
    if (d.is_lost()) return fail(host_is_down);
    if ((d.listener->present() & EPOLLIN) == 0) return fail(EAGAIN);
    if (d.home.open_sockets >= d.home.max_sockets) return fail(EMFILE);
    int error = 0;
    auto stream = d.listener->accept(error);
    if (!stream) return fail(error);
    address_out(d, stream->remote(), peer, size);
    auto accepted = std::make_shared<descriptor>(d.net, d.home, d.family, SOCK_STREAM);
    accepted->port = d.port;
    accepted->stream = std::move(stream);
    return number_for(std::move(accepted));
  });
}

int shutdown(int fd, int how) noexcept {
  return with(fd, [&](descriptor& d) {
    if (!d.stream) return fail(ENOTCONN);
    return done_or(d.stream->shut_down(how != SHUT_WR, how != SHUT_RD));
  });
}

ssize_t recv(int fd, void* into, std::size_t size, int flags) noexcept {
  return simnet::recvfrom(fd, into, size, flags, nullptr, nullptr);
}

ssize_t send(int fd, const void* from, std::size_t size, int flags) noexcept {
  return simnet::sendto(fd, from, size, flags, nullptr, 0);
}

ssize_t recvfrom(int fd, void* into, std::size_t size, int flags, sockaddr* from,
                 socklen_t* length) noexcept {
  iovec v{into, size};
  msghdr m{};
  m.msg_iov = &v;
  m.msg_iovlen = 1;
  m.msg_name = from;
  if (length != nullptr) m.msg_namelen = *length;
  const ssize_t n = simnet::recvmsg(fd, &m, flags);
  if (length != nullptr) *length = m.msg_namelen;
  return n;
}

ssize_t sendto(int fd, const void* bytes, std::size_t size, int flags, const sockaddr* to,
               socklen_t length) noexcept {
  iovec v{const_cast<void*>(bytes), size};
  msghdr m{};
  m.msg_iov = &v;
  m.msg_iovlen = 1;
  m.msg_name = const_cast<sockaddr*>(to);
  m.msg_namelen = length;
  return simnet::sendmsg(fd, &m, flags);
}

ssize_t recvmsg(int fd, msghdr* m, int flags) noexcept {
  return with(fd, [&](descriptor& d) { return receive(d, *m, flags); });
}

ssize_t sendmsg(int fd, const msghdr* m, int) noexcept {
  return with(fd, [&](descriptor& d) { return transmit(d, *m); });
}

int recvmmsg(int fd, mmsghdr* m, unsigned n, int flags) noexcept {
  for (unsigned i = 0; i < n; ++i) {
    const ssize_t got = simnet::recvmsg(fd, &m[i].msg_hdr, flags);
    if (got < 0) return i != 0 ? static_cast<int>(i) : -1;
    m[i].msg_len = static_cast<unsigned>(got);
  }
  return static_cast<int>(n);
}

int sendmmsg(int fd, mmsghdr* m, unsigned n, int flags) noexcept {
  for (unsigned i = 0; i < n; ++i) {
    const ssize_t sent = simnet::sendmsg(fd, &m[i].msg_hdr, flags);
    if (sent < 0) return i != 0 ? static_cast<int>(i) : -1;
    m[i].msg_len = static_cast<unsigned>(sent);
  }
  return static_cast<int>(n);
}

int getsockname(int fd, sockaddr* at, socklen_t* size) noexcept {
  return with(fd, [&](descriptor& d) {
    const ip_endpoint none = d.family == AF_INET6 ? ip_endpoint::any_v6(0) : ip_endpoint::any(0);
    address_out(d, d.stream ? d.stream->local() : d.port ? d.port->at : none, at, size);
    return 0;
  });
}

int getpeername(int fd, sockaddr* at, socklen_t* size) noexcept {
  return with(fd, [&](descriptor& d) {
    if (d.stream && d.stream->is_connected()) {
      address_out(d, d.stream->remote(), at, size);
    } else if (d.datagrams && d.datagrams->peer()) {
      address_out(d, *d.datagrams->peer(), at, size);
    } else {
      return fail(ENOTCONN);
    }
    return 0;
  });
}

std::vector<ip_endpoint> addresses_of(std::string_view name) {
  const standpoint at = stand();
  const auto net = kernel::of(*at.home);
  for (const auto& h : net->hosts()) {
    if (h->name == name) return {h->v4, h->v6};
  }
  return {};
}

std::error_code attach(int fd, io_source& s, engine& e) noexcept {
  const auto d = descriptor_at(fd);
  if (!d) return {EBADF, std::generic_category()};
  if (!e.simulated() || e.sim().surroundings != d->net) return {EOPNOTSUPP, std::generic_category()};
  d->watcher = &s;
  if (pollable* const o = d->object()) o->watch(&s);
  return {};
}

}  // namespace troupe::detail::simnet
