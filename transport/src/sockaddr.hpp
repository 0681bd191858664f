// An ip_endpoint as the kernel wants it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <troupe/transport/endpoint.hpp>

namespace troupe::detail {

class socket_address {
 public:
  /// For the kernel to fill.
  socket_address() noexcept = default;
  explicit socket_address(const ip_endpoint& e) noexcept;

  [[nodiscard]] ip_endpoint endpoint() const noexcept;
  [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t* size() noexcept { return &size_; }

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
