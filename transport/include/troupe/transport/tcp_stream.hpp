// A TCP connection as awaitables.
//
// Reading, writing, deadlines and closing are in stream_socket.hpp; here is what
// TCP adds. Owned by one strand at a time, as every stream.
#pragma once

#include <troupe/transport/connect_options.hpp>
#include <troupe/transport/detail/stream_socket.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/tcp_options.hpp>

#include <string>

namespace troupe {

/// A TCP connection. Move-only; its destructor closes it. On a simulated runtime it is one of its network's
/// (sim_network.hpp).
/// Errors, threads and cancellation: those of detail::stream_socket.
class tcp_stream : public detail::stream_socket {
 public:
  /// No connection: every operation yields errc::closed.
  tcp_stream() noexcept = default;

  /// Connects to an address.
  /// Errors: timeout after `deadline`; otherwise the system's code, such as std::errc::connection_refused.
  /// Threads: a strand.
  /// Cancellation: the attempt ends, and its socket is closed.
  [[nodiscard]] static task<result<tcp_stream>> connect(ip_endpoint to,
                                                        duration deadline = std::chrono::seconds(10),
                                                        tcp_options options = {});

  /// Connects to a name: resolve(), then its addresses by turns of the family, each attempt_delay after the
  /// one before or as soon as no attempt is under way; the first that answers is taken, and the others are
  /// closed before this returns.
  /// Errors: those of resolve(); timeout after `deadline`, which covers all of it; otherwise the code of an
  /// address that failed. The text says what was tried, and why it failed.
  /// Threads: a strand.
  /// Cancellation: all attempts end, and their sockets are closed; a name is looked up as resolve() says.
  /// Source: RFC 8305.
  [[nodiscard]] static task<result<tcp_stream>> connect(std::string host, std::uint16_t port,
                                                        duration deadline = std::chrono::seconds(10),
                                                        connect_options options = {});

  /// Sends small writes at once, or collects them (TCP_NODELAY).
  /// Errors: closed; the system's code.
  result<void> set_no_delay(bool on);

  /// The address of our end.
  /// Errors: closed.
  [[nodiscard]] result<ip_endpoint> local_endpoint() const;
  /// The peer's address; also after it has gone, until close().
  /// Errors: closed.
  [[nodiscard]] result<ip_endpoint> remote_endpoint() const;

 private:
  friend class tcp_listener;
  friend struct detail::socket_access;
  explicit tcp_stream(detail::socket_ref socket) noexcept : stream_socket(std::move(socket)) {}
};

}  // namespace troupe
