// A limit on concurrent connections, of one server or shared by several.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace troupe {

namespace detail {
class admission;
}

/// A plain number limits each server that it is given to; a shared limit counts all of them together.
///
///   const auto clients = troupe::connection_limit::shared(10'000);  // over both ports
///   troupe::tcp_server<session> plain("tcp", {.max_connections = clients});
///   troupe::tls_server<session> secure("tls", context, {.max_connections = clients});
class connection_limit {
 public:
  connection_limit(std::uint32_t most) noexcept : max_(most) {}  // implicit: usually it is a number
  /// Its copies are the same limit. Any thread.
  [[nodiscard]] static connection_limit shared(std::uint32_t most);

  [[nodiscard]] std::uint32_t max() const noexcept { return max_; }
  /// Internal: the shared admission, or a new one.
  [[nodiscard]] std::shared_ptr<detail::admission> places() const;

 private:
  std::uint32_t max_;
  std::shared_ptr<detail::admission> places_;  // null: not shared
};

}  // namespace troupe
