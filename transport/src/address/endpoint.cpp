// ip_endpoint: parsing, printing and the conversion from and to sockaddr.
#include "address/sockaddr.hpp"

#include <troupe/transport/endpoint.hpp>

#include <arpa/inet.h>
#include <charconv>
#include <cstring>

namespace troupe {

namespace {

std::unexpected<error> refuse(std::string_view text, const char* why) {
  return std::unexpected(error(make_error_code(errc::invalid_argument),
                               "'" + std::string(text) + "' is not an endpoint: " + why +
                                   "; expected 127.0.0.1:port or [::1]:port (names are not resolved here)"));
}

}  // namespace

result<ip_endpoint> ip_endpoint::parse(std::string_view text) {
  std::string_view address;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse(text, "the port is missing");
  if (text.starts_with('[')) {
    if (colon == 0 || text[colon - 1] != ']') return refuse(text, "the port after ']' is missing");
    address = text.substr(1, colon - 2);
    if (address.find(':') == std::string_view::npos) return refuse(text, "brackets are for IPv6 addresses");
  } else {
    address = text.substr(0, colon);
    if (address.find(':') != std::string_view::npos) return refuse(text, "an IPv6 address needs brackets");
  }
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || failed != std::errc() || end != digits.data() + digits.size()) {
    return refuse(text, "the port must be a number from 0 to 65535");
  }
  result<ip_endpoint> e = parse(address, port);
  if (!e) return refuse(text, "the address is malformed");
  return e;
}

result<ip_endpoint> ip_endpoint::parse(std::string_view address, std::uint16_t port) {
  char text[INET6_ADDRSTRLEN + 1] = {};
  if (address.size() < sizeof text) {
    std::memcpy(text, address.data(), address.size());
    // A zero byte inside would hide what follows it.
    if (std::strlen(text) == address.size()) {
      v4_bytes four;
      if (::inet_pton(AF_INET, text, four.data()) == 1) return ip_endpoint(four, port);
      v6_bytes six;
      if (::inet_pton(AF_INET6, text, six.data()) == 1) return ip_endpoint(six, port);
    }
  }
  return refuse(address, "the address is malformed");
}

std::string ip_endpoint::address() const {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(is_v6() ? AF_INET6 : AF_INET, bytes_.data(), text, sizeof text);
  return text;
}

std::string ip_endpoint::to_string() const {
  std::string text = is_v6() ? "[" + address() + "]" : address();
  return text.append(":").append(std::to_string(port_));
}

namespace detail {

socket_address::socket_address(const ip_endpoint& e) noexcept {
  if (e.is_v6()) {
    auto& v6 = as<sockaddr_in6>();
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(e.port());
    std::memcpy(&v6.sin6_addr, e.bytes().data(), 16);
    size_ = sizeof v6;
  } else {
    auto& v4 = as<sockaddr_in>();
    v4.sin_family = AF_INET;
    v4.sin_port = htons(e.port());
    std::memcpy(&v4.sin_addr, e.bytes().data(), 4);
    size_ = sizeof v4;
  }
}

sockaddr_in6 mapped(const sockaddr_in& v4) noexcept {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = v4.sin_port;
  v6.sin6_addr.s6_addr[10] = 0xff;
  v6.sin6_addr.s6_addr[11] = 0xff;
  std::memcpy(&v6.sin6_addr.s6_addr[12], &v4.sin_addr, 4);
  return v6;
}

ip_endpoint endpoint_of(const sockaddr_in6& a) noexcept {
  if (a.sin6_family == AF_INET6) {
    ip_endpoint::v6_bytes bytes;
    std::memcpy(bytes.data(), &a.sin6_addr, bytes.size());
    // An IPv4 peer of a dual-stack socket is shown with its IPv4 address.
    return ip_endpoint(bytes, ntohs(a.sin6_port)).unmapped();
  }
  sockaddr_in v4;
  std::memcpy(&v4, &a, sizeof v4);
  ip_endpoint::v4_bytes bytes;
  std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
  return {bytes, ntohs(v4.sin_port)};
}

ip_endpoint socket_address::endpoint() const noexcept {
  return endpoint_of(as<sockaddr_in6>());
}

void socket_address::map() noexcept {
  if (storage_.ss_family != AF_INET) return;
  as<sockaddr_in6>() = mapped(as<sockaddr_in>());
  size_ = sizeof(sockaddr_in6);
}

}  // namespace detail
}  // namespace troupe
