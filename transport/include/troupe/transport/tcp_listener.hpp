// A listening TCP socket as awaitables.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/detail/socket_ref.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/tcp_options.hpp>
#include <troupe/transport/tcp_stream.hpp>

namespace troupe {

/// A listening TCP socket. Move-only; its destructor closes it.
/// Threads: one strand at a time, as a tcp_stream; it may be bound, and moved to its strand, on any thread.
class tcp_listener {
 public:
  /// Not listening: every operation yields errc::closed.
  tcp_listener() noexcept = default;
  tcp_listener(tcp_listener&&) noexcept = default;
  tcp_listener& operator=(tcp_listener&& other) noexcept;
  ~tcp_listener() { close(); }

  /// Listens at `at`; port 0 lets the kernel choose (see local_endpoint()). An IPv6 listener takes IPv6
  /// only, unless dual_stack is set. Does not block.
  /// Errors: invalid_argument for dual_stack with an IPv4 address; otherwise the system's code, such as
  /// std::errc::address_in_use or permission_denied. The text names the address and what to do.
  /// Threads: any.
  [[nodiscard]] static result<tcp_listener> bind(ip_endpoint at, listen_options options = {});

  /// The next connection; waits for it without a deadline. Connections that were given up before they were
  /// accepted are skipped.
  /// Errors: closed, also if it is closed meanwhile; invalid_argument if another accept is under way;
  /// otherwise the system's code. When the process or the machine is out of file descriptors or memory, the
  /// listener stays usable and the connection stays queued, so wait a little, or close something, before the
  /// next call: it fails at once as long as nothing has changed.
  /// Cancellation: a wait that is stopped leaves all connections queued.
  [[nodiscard]] task<result<tcp_stream>> accept();

  /// Stops listening: an accept under way yields errc::closed, connections that were not accepted are reset.
  void close() noexcept;
  /// Whether it listens: bound, and not closed.
  [[nodiscard]] bool is_open() const noexcept;

  /// The address at which it listens, with the port that the kernel has chosen.
  /// Errors: closed.
  [[nodiscard]] result<ip_endpoint> local_endpoint() const;

 private:
  explicit tcp_listener(detail::socket_ref socket) noexcept : socket_(std::move(socket)) {}

  detail::socket_ref socket_;
};

}  // namespace troupe
