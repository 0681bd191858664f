// The number of simultaneous connections of one server, or of several servers together.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace troupe {

namespace detail {
class admission;
}

/// A plain number limits each server it is given to; a shared limit counts the connections of all its
/// servers.
///
///   const auto clients = troupe::connection_limit::shared(10'000);  // over both ports
///   troupe::tcp_server<session> plain("tcp", {.max_connections = clients});
///   troupe::tls_server<session> secure("tls", context, {.max_connections = clients});
class connection_limit {
 public:
  /// A limit of `max` for each server that it is given to.
  connection_limit(std::uint32_t max) noexcept : max_(max) {}  // implicit: usually it is a number
  /// Returns a limit whose copies count together.
  /// Threads: any.
  [[nodiscard]] static connection_limit shared(std::uint32_t max);

  [[nodiscard]] std::uint32_t max() const noexcept { return max_; }
  /// Internal: the shared slots, or new ones.
  [[nodiscard]] std::shared_ptr<detail::admission> places() const;

 private:
  std::uint32_t max_;
  std::shared_ptr<detail::admission> places_;  // null: not shared
};

}  // namespace troupe
