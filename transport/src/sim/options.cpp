// setsockopt() and getsockopt() on the simulated network. Options without effect there are accepted and
// ignored; unknown options are refused, as a kernel refuses them.
#include "sim/syscall_result.hpp"
#include "socket/sys.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace troupe::detail::simnet {

namespace {

// A group to join or leave, as the options of IPv4 and IPv6 name it.
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

int set_socket_option(descriptor& d, int name, int n) {
  switch (name) {
    case SO_REUSEADDR:
      d.wanted.reuse_address = n != 0;
      return 0;
    case SO_REUSEPORT:
      d.wanted.share_port = n != 0;
      return 0;
    case SO_RCVBUF:
      d.receive_buffer = static_cast<std::size_t>(std::max(n, 1024));
      if (d.datagrams) d.datagrams->set_receive_buffer(d.receive_buffer);
      return 0;
    case SO_SNDBUF:
      d.send_buffer = static_cast<std::size_t>(std::max(n, 1024));
      return 0;
    case SO_LINGER:
      if (d.stream && n != 0) d.stream->linger_not();
      return 0;
    case SO_KEEPALIVE:
      d.keep_alive.on = n != 0;
      if (d.stream) d.stream->set_keep_alive(d.keep_alive);
      return 0;
    case SO_BROADCAST:
      return 0;
    default:
      return ENOPROTOOPT;
  }
}

int set_tcp_option(descriptor& d, int name, int n) {
  switch (name) {
    case TCP_KEEPIDLE:
      d.keep_alive.idle_s = n;
      break;
    case TCP_KEEPINTVL:
      d.keep_alive.interval_s = n;
      break;
    case TCP_KEEPCNT:
      d.keep_alive.count = static_cast<unsigned>(n);
      break;
    case TCP_NODELAY:
    case TCP_QUICKACK:
      break;
    default:
      return ENOPROTOOPT;
  }
  if (d.stream) d.stream->set_keep_alive(d.keep_alive);
  return 0;
}

// The options of multicast, which IPv4 and IPv6 name differently.
int set_group_option(descriptor& d, int level, int name, int n, const void* value) {
  const bool v4 = level == IPPROTO_IP;
  if (name == (v4 ? IP_MULTICAST_TTL : IPV6_MULTICAST_HOPS) ||
      name == (v4 ? IP_MULTICAST_IF : IPV6_MULTICAST_IF)) {
    return 0;
  }
  if (name == (v4 ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL) || name == IP_MULTICAST_ALL) return 0;
  const bool join = name == (v4 ? IP_ADD_MEMBERSHIP : IPV6_JOIN_GROUP);
  const bool leave = name == (v4 ? IP_DROP_MEMBERSHIP : IPV6_LEAVE_GROUP);
  const bool loop = name == (v4 ? IP_MULTICAST_LOOP : IPV6_MULTICAST_LOOP);
  if (!join && !leave && !loop) return ENOPROTOOPT;
  if (const int error = bind_any(d); error != 0) return error;
  if (join) return d.datagrams->join(group_in(level, value));
  if (leave) return d.datagrams->leave(group_in(level, value));
  d.datagrams->loops_back = n != 0;
  return 0;
}

int set_option(descriptor& d, int level, int name, const void* value) {
  int n = 0;
  std::memcpy(&n, value, sizeof n);
  if (level == SOL_SOCKET) return set_socket_option(d, name, n);
  if (level == IPPROTO_TCP) return set_tcp_option(d, name, n);
  if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) {
    d.wanted.dual_stack = n == 0;
    return 0;
  }
  const bool is_ip = level == IPPROTO_IP || level == IPPROTO_IPV6;
  return is_ip && d.type == SOCK_DGRAM ? set_group_option(d, level, name, n, value) : ENOPROTOOPT;
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
