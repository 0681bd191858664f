// The address of a socket: an IP address, version 4 or 6, and a port. A plain value.
#pragma once

#include <troupe/runtime/error.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// An address and a port. A plain value, cheap to copy. Names are never resolved here. It has no scope: a
/// link-local IPv6 address (fe80::) does not say on which interface, and the kernel refuses to send to it.
/// Threads: any, as for any value.
class ip_endpoint {
 public:
  enum class family : std::uint8_t { v4, v6 };
  using v4_bytes = std::array<std::uint8_t, 4>;
  using v6_bytes = std::array<std::uint8_t, 16>;

  /// 0.0.0.0:0
  constexpr ip_endpoint() noexcept = default;
  /// Bytes as they travel: 127.0.0.1 is {127, 0, 0, 1}.
  constexpr ip_endpoint(v4_bytes address, std::uint16_t port) noexcept : port_(port) {
    for (std::size_t i = 0; i < address.size(); ++i) bytes_[i] = address[i];
  }
  constexpr ip_endpoint(v6_bytes address, std::uint16_t port) noexcept
      : bytes_(address), port_(port), family_(family::v6) {}

  /// Parses "127.0.0.1:6379" or "[::1]:6379".
  /// Errors: invalid_argument; the text says what was wrong and what was expected.
  [[nodiscard]] static result<ip_endpoint> parse(std::string_view text);
  /// Parses an address without brackets and port, such as "::1".
  /// Errors: invalid_argument.
  [[nodiscard]] static result<ip_endpoint> parse(std::string_view address, std::uint16_t port);

  /// This machine only. Port 0: the kernel picks a free one when it is bound.
  [[nodiscard]] static constexpr ip_endpoint loopback(std::uint16_t port = 0) noexcept {
    return {v4_bytes{127, 0, 0, 1}, port};
  }
  [[nodiscard]] static constexpr ip_endpoint loopback_v6(std::uint16_t port = 0) noexcept {
    return {v6_bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port};
  }
  /// Every interface, to listen on.
  [[nodiscard]] static constexpr ip_endpoint any(std::uint16_t port) noexcept { return {v4_bytes{}, port}; }
  [[nodiscard]] static constexpr ip_endpoint any_v6(std::uint16_t port) noexcept {
    return {v6_bytes{}, port};
  }

  [[nodiscard]] constexpr std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] constexpr bool is_v6() const noexcept { return family_ == family::v6; }
  /// The address in network order: the first 4 bytes of a version 4 address, else all 16.
  [[nodiscard]] constexpr const v6_bytes& bytes() const noexcept { return bytes_; }
  /// The same address with another port.
  [[nodiscard]] constexpr ip_endpoint with_port(std::uint16_t port) const noexcept {
    ip_endpoint e = *this;
    e.port_ = port;
    return e;
  }

  /// An IPv4 address inside IPv6, such as ::ffff:127.0.0.1.
  [[nodiscard]] constexpr bool is_v4_mapped() const noexcept {
    for (std::size_t i = 0; i < 10; ++i) {
      if (bytes_[i] != 0) return false;
    }
    return is_v6() && bytes_[10] == 0xff && bytes_[11] == 0xff;
  }
  /// The IPv4 endpoint that a mapped one stands for; any other one as it is.
  [[nodiscard]] constexpr ip_endpoint unmapped() const noexcept {
    if (!is_v4_mapped()) return *this;
    return {v4_bytes{bytes_[12], bytes_[13], bytes_[14], bytes_[15]}, port_};
  }
  /// 127.0.0.0/8 or ::1, mapped or not.
  [[nodiscard]] constexpr bool is_loopback() const noexcept {
    const ip_endpoint e = unmapped();
    return e.is_v6() ? e.bytes_ == loopback_v6().bytes_ : e.bytes_[0] == 127;
  }
  /// 224.0.0.0/4 or ff00::/8.
  [[nodiscard]] constexpr bool is_multicast() const noexcept {
    return is_v6() ? bytes_[0] == 0xff : (bytes_[0] & 0xf0) == 0xe0;
  }

  /// "127.0.0.1"
  [[nodiscard]] std::string address() const;
  /// "127.0.0.1:6379" or "[::1]:6379"; parse() reads it back.
  [[nodiscard]] std::string to_string() const;

  friend constexpr bool operator==(const ip_endpoint&, const ip_endpoint&) noexcept = default;
  friend constexpr auto operator<=>(const ip_endpoint&, const ip_endpoint&) noexcept = default;

 private:
  v6_bytes bytes_{};
  std::uint16_t port_ = 0;
  family family_ = family::v4;
};

}  // namespace troupe
