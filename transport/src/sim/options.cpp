// setsockopt() and getsockopt() on the simulated network. Options that change nothing there are accepted and
// ignored; unknown ones are refused with ENOPROTOOPT, as a kernel does. On the simulation's thread.
#include "sim/syscall_result.hpp"
#include "socket/sys.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <type_traits>

namespace troupe::detail::simnet {

namespace {

std::size_t buffer_size(int n) noexcept {
  return static_cast<std::size_t>(std::max(n, 1024));
}

// The multicast group to join or leave, from the option's value.
ip_endpoint group_in(int level, const void* value) noexcept {
  if (level == IPPROTO_IP) {
    ip_endpoint::v4_bytes b;
    std::memcpy(b.data(), &static_cast<const ip_mreqn*>(value)->imr_multiaddr, b.size());
    return {b, 0};
  }
  ip_endpoint::v6_bytes b;
  std::memcpy(b.data(), &static_cast<const ipv6_mreq*>(value)->ipv6mr_multiaddr, b.size());
  return {b, 0};
}

// An option that setsockopt() takes here.
struct option {
  int level;
  int name;
  int type;  // of the sockets that have it; 0: of any
  // An error number. `n`: the value as an int; `value`: as it was given, at least sizeof(int) bytes.
  int (*set)(descriptor& d, int n, const void* value);
};

int ignore(descriptor&, int, const void*) noexcept {
  return 0;
}

// Passes keep_alive on to the stream, if there is one already.
int apply_keep_alive(descriptor& d) {
  if (d.stream) d.stream->set_keep_alive(d.keep_alive);
  return 0;
}

// Joining and leaving a group, and whether what is sent to one comes back: all of them bind the socket first.
template <int Level>
int join_group(descriptor& d, int, const void* value) {
  const int error = bind_any(d);
  return error != 0 ? error : d.datagrams->join(group_in(Level, value));
}
template <int Level>
int leave_group(descriptor& d, int, const void* value) {
  const int error = bind_any(d);
  return error != 0 ? error : d.datagrams->leave(group_in(Level, value));
}
int set_group_loop(descriptor& d, int n, const void*) {
  if (const int error = bind_any(d); error != 0) return error;
  d.datagrams->loops_back = n != 0;
  return 0;
}

int set_receive_buffer(descriptor& d, int n, const void*) {
  d.receive_buffer = buffer_size(n);
  if (d.datagrams) d.datagrams->set_receive_buffer(d.receive_buffer);
  return 0;
}
int set_linger(descriptor& d, int n, const void*) {
  if (d.stream && n != 0) d.stream->linger_not();
  return 0;
}

template <auto Member>
int set_wanted(descriptor& d, int n, const void*) noexcept {
  d.wanted.*Member = n != 0;
  return 0;
}
template <auto Member>
int set_keep_alive(descriptor& d, int n, const void*) {
  using type = std::remove_reference_t<decltype(d.keep_alive.*Member)>;
  d.keep_alive.*Member = static_cast<type>(n);
  return apply_keep_alive(d);
}

using keep_alive = tcp_endpoint::keep_alive;

constexpr auto options = std::to_array<option>({
    {SOL_SOCKET, SO_REUSEADDR, 0, &set_wanted<&binding::reuse_address>},
    {SOL_SOCKET, SO_REUSEPORT, 0, &set_wanted<&binding::share_port>},
    {SOL_SOCKET, SO_RCVBUF, 0, &set_receive_buffer},
    {SOL_SOCKET, SO_SNDBUF, 0,
     [](descriptor& d, int n, const void*) {
       d.send_buffer = buffer_size(n);
       return 0;
     }},
    {SOL_SOCKET, SO_LINGER, 0, &set_linger},
    {SOL_SOCKET, SO_KEEPALIVE, 0, &set_keep_alive<&keep_alive::on>},
    {SOL_SOCKET, SO_BROADCAST, 0, &ignore},
    {IPPROTO_TCP, TCP_KEEPIDLE, 0, &set_keep_alive<&keep_alive::idle_s>},
    {IPPROTO_TCP, TCP_KEEPINTVL, 0, &set_keep_alive<&keep_alive::interval_s>},
    {IPPROTO_TCP, TCP_KEEPCNT, 0, &set_keep_alive<&keep_alive::count>},
    {IPPROTO_TCP, TCP_NODELAY, 0, &ignore},
    {IPPROTO_TCP, TCP_QUICKACK, 0, &ignore},
    {IPPROTO_IP, IP_MULTICAST_TTL, SOCK_DGRAM, &ignore},
    {IPPROTO_IP, IP_MULTICAST_IF, SOCK_DGRAM, &ignore},
    {IPPROTO_IP, IP_MULTICAST_ALL, SOCK_DGRAM, &ignore},
    {IPPROTO_IP, IP_ADD_MEMBERSHIP, SOCK_DGRAM, &join_group<IPPROTO_IP>},
    {IPPROTO_IP, IP_DROP_MEMBERSHIP, SOCK_DGRAM, &leave_group<IPPROTO_IP>},
    {IPPROTO_IP, IP_MULTICAST_LOOP, SOCK_DGRAM, &set_group_loop},
    {IPPROTO_IPV6, IPV6_V6ONLY, 0,
     [](descriptor& d, int n, const void*) {
       d.wanted.dual_stack = n == 0;
       return 0;
     }},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, SOCK_DGRAM, &ignore},
    {IPPROTO_IPV6, IPV6_MULTICAST_IF, SOCK_DGRAM, &ignore},
    {IPPROTO_IPV6, IPV6_MULTICAST_ALL, SOCK_DGRAM, &ignore},
    {IPPROTO_IPV6, IPV6_JOIN_GROUP, SOCK_DGRAM, &join_group<IPPROTO_IPV6>},
    {IPPROTO_IPV6, IPV6_LEAVE_GROUP, SOCK_DGRAM, &leave_group<IPPROTO_IPV6>},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, SOCK_DGRAM, &set_group_loop},
});

int set_option(descriptor& d, int level, int name, const void* value) {
  for (const option& o : options) {
    if (o.level != level || o.name != name || (o.type != 0 && o.type != d.type)) continue;
    int n = 0;
    std::memcpy(&n, value, sizeof n);
    return o.set(d, n, value);
  }
  return ENOPROTOOPT;
}

}  // namespace

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  return with(fd, [&](descriptor& d) {
    if (value == nullptr || size < sizeof(int)) return fail(EINVAL);
    return done_or(set_option(d, level, name, value));
  });
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  return with(fd, [&](descriptor& d) {
    int n = 0;
    if (level == SOL_SOCKET && name == SO_MEMINFO) {
      std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
      if (d.datagrams) info[SK_MEMINFO_DROPS] = d.datagrams->drops();
      std::memcpy(value, info.data(), std::min<std::size_t>(*size, sizeof info));
      return 0;
    }
    if (level == SOL_SOCKET && name == SO_ERROR) {
      if (d.stream) n = d.stream->take_error();
      if (d.datagrams) n = d.datagrams->take_error();
    } else if (level == SOL_SOCKET && name == SO_RCVBUF) {
      n = static_cast<int>(d.receive_size());
    } else if (level == SOL_SOCKET && name == SO_SNDBUF) {
      n = static_cast<int>(d.send_size());
    } else if (level == SOL_SOCKET && name == SO_TYPE) {
      n = d.type;
    } else {
      return fail(ENOPROTOOPT);
    }
    std::memcpy(value, &n, std::min<std::size_t>(*size, sizeof n));
    *size = sizeof n;
    return 0;
  });
}

}  // namespace troupe::detail::simnet
