// An ip_endpoint in the kernel's form, a sockaddr.
#pragma once

#include <troupe/transport/endpoint.hpp>

#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>

namespace troupe::detail {

[[nodiscard]] sockaddr_in6 mapped(const sockaddr_in& v4) noexcept;
/// From a sockaddr_in or a sockaddr_in6, as the family says.
[[nodiscard]] ip_endpoint endpoint_of(const sockaddr_in6& a) noexcept;

class socket_address {
 public:
  /// For the kernel to fill.
  socket_address() noexcept = default;
  explicit socket_address(const ip_endpoint& e) noexcept;

  [[nodiscard]] ip_endpoint endpoint() const noexcept;
  /// An IPv4 address in the form for sockets that speak both.
  void map() noexcept;
  /// Any other kind of address.
  void assign(const void* address, socklen_t size) noexcept {
    std::memcpy(&storage_, address, size);
    size_ = size;
  }
  /// Makes the whole room available to the kernel again.
  void expect() noexcept { size_ = sizeof storage_; }
  [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage_); }
  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t* size() noexcept { return &size_; }
  [[nodiscard]] socklen_t length() const noexcept { return size_; }

 private:
  template <class T>
  T& as() noexcept {
    return reinterpret_cast<T&>(storage_);
  }
  template <class T>
  const T& as() const noexcept {
    return reinterpret_cast<const T&>(storage_);
  }
  sockaddr_storage storage_{};
  socklen_t size_ = sizeof storage_;
};

}  // namespace troupe::detail
