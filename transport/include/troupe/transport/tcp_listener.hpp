// A listening TCP socket as awaitables.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/detail/socket_ref.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/tcp_options.hpp>
#include <troupe/transport/tcp_stream.hpp>

namespace troupe {

/// Move-only; closes in its destructor. Owned by one strand at a time, as a
/// tcp_stream; binding and moving it to its strand may happen anywhere.
class tcp_listener {
 public:
  /// Not listening: every operation yields errc::closed.
  tcp_listener() noexcept = default;
  tcp_listener(tcp_listener&&) noexcept = default;
  tcp_listener& operator=(tcp_listener&& other) noexcept;
  ~tcp_listener() { close(); }

  /// Listens at `at`; port 0 lets the kernel choose (see local_endpoint()). An
  /// IPv6 listener takes IPv6 only. Any thread, does not block. The error names
  /// the address and what to do.
  [[nodiscard]] static result<tcp_listener> bind(ip_endpoint at, listen_options options = {});

  /// The next connection. One accept at a time; a second yields
  /// errc::invalid_argument. Connections that were given up before they were
  /// accepted are skipped. When the process or the machine is out of file
  /// descriptors or memory that is the error; the listener stays usable and the
  /// connection stays queued, so wait a little, or close something, before the
  /// next call: it fails at once as long as nothing has changed.
  [[nodiscard]] task<result<tcp_stream>> accept();

  /// Stops listening: an accept under way yields errc::closed, connections that
  /// were not accepted are reset.
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept;

  [[nodiscard]] result<ip_endpoint> local_endpoint() const;

 private:
  explicit tcp_listener(detail::socket_ref socket) noexcept : socket_(std::move(socket)) {}

  detail::socket_ref socket_;
};

}  // namespace troupe
