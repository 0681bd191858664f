// Membership and options of multicast groups on a udp_socket.
#include "address/sockaddr.hpp"
#include "socket/open_socket.hpp"
#include "socket/socket_error.hpp"
#include "socket/socket_state.hpp"
#include "socket/sys.hpp"

#include <troupe/transport/udp_socket.hpp>

#include <cerrno>
#include <cstring>
#include <net/if.h>
#include <string>

namespace troupe {

namespace {

// An empty name yields 0, which means any interface.
result<int> index_of(std::string_view interface) {
  if (interface.empty()) return 0;
  const unsigned index = ::if_nametoindex(std::string(interface).c_str());
  if (index != 0) return static_cast<int>(index);
  return std::unexpected(error(make_error_code(errc::invalid_argument),
                               "this machine has no network interface '" + std::string(interface) +
                                   "'; the command 'ip link' lists them"));
}

template <class Request>
std::error_code request(int fd, int level, int name, const Request& r) noexcept {
  if (detail::sys::setsockopt(fd, level, name, &r, sizeof r) == 0) return {};
  return {errno, std::generic_category()};
}

}  // namespace

result<void> udp_socket::membership(bool join, const ip_endpoint& group, std::string_view interface) {
  const char* const what = join ? "join the group" : "leave the group";
  if (!is_open()) return std::unexpected(detail::closed_error(what));
  if (!group.is_multicast() || group.is_v6() != is_v6()) {
    return std::unexpected(error(make_error_code(errc::invalid_argument),
                                 std::string(what) + " " + group.address() +
                                     (is_v6() ? ": a socket of IPv6 needs a group of ff00::/8"
                                              : ": a socket of IPv4 needs a group of 224.0.0.0/4")));
  }
  const result<int> index = index_of(interface);
  if (!index) return std::unexpected(index.error());
  std::error_code failed;
  if (group.is_v6()) {
    ipv6_mreq r{};
    std::memcpy(&r.ipv6mr_multiaddr, group.bytes().data(), sizeof r.ipv6mr_multiaddr);
    r.ipv6mr_interface = static_cast<unsigned>(*index);
    failed = request(socket()->fd(), IPPROTO_IPV6, join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, r);
  } else {
    ip_mreqn r{};
    std::memcpy(&r.imr_multiaddr, group.bytes().data(), sizeof r.imr_multiaddr);
    r.imr_ifindex = *index;
    failed = request(socket()->fd(), IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, r);
  }
  if (failed) return std::unexpected(detail::socket_error(failed, what, group.address()));
  return {};
}

result<void> udp_socket::join(ip_endpoint group, std::string_view interface) {
  return membership(true, group, interface);
}
result<void> udp_socket::leave(ip_endpoint group, std::string_view interface) {
  return membership(false, group, interface);
}

result<void> udp_socket::set(int level, int name, int value, const char* what) {
  if (!is_open()) return std::unexpected(detail::closed_error(what));
  if (const std::error_code failed = detail::set_flag(socket()->fd(), level, name, value)) {
    return std::unexpected(detail::socket_error(failed, std::string(what) + " for", socket()->name()));
  }
  return {};
}

result<void> udp_socket::set_multicast_ttl(int hops) {
  constexpr const char* what = "set_multicast_ttl";
  if (!is_open()) return std::unexpected(detail::closed_error(what));
  return is_v6() ? set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops, what)
                 : set(IPPROTO_IP, IP_MULTICAST_TTL, hops, what);
}

result<void> udp_socket::set_multicast_loopback(bool on) {
  constexpr const char* what = "set_multicast_loopback";
  if (!is_open()) return std::unexpected(detail::closed_error(what));
  return is_v6() ? set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, on ? 1 : 0, what)
                 : set(IPPROTO_IP, IP_MULTICAST_LOOP, on ? 1 : 0, what);
}

result<void> udp_socket::set_multicast_interface(std::string_view interface) {
  constexpr const char* what = "set_multicast_interface";
  if (!is_open()) return std::unexpected(detail::closed_error(what));
  const result<int> index = index_of(interface);
  if (!index) return std::unexpected(index.error());
  if (is_v6()) return set(IPPROTO_IPV6, IPV6_MULTICAST_IF, *index, what);
  ip_mreqn r{};
  r.imr_ifindex = *index;
  if (const std::error_code failed = request(socket()->fd(), IPPROTO_IP, IP_MULTICAST_IF, r)) {
    return std::unexpected(detail::socket_error(failed, std::string(what) + " for", socket()->name()));
  }
  return {};
}

result<void> udp_socket::set_broadcast(bool on) {
  return set(SOL_SOCKET, SO_BROADCAST, on ? 1 : 0, "set_broadcast");
}

}  // namespace troupe
