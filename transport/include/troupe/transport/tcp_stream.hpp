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

/// Move-only; closes in its destructor. Not thread-safe. On a simulated runtime
/// it is one of its network's (sim_network.hpp).
class tcp_stream : public detail::stream_socket {
 public:
  /// No connection: every operation yields errc::closed.
  tcp_stream() noexcept = default;

  /// Connects, or yields errc::timeout after `deadline`. Call it on a strand.
  [[nodiscard]] static task<result<tcp_stream>> connect(ip_endpoint to,
                                                        duration deadline = std::chrono::seconds(10),
                                                        tcp_options options = {});

  /// Connects to a name: resolve(), then its addresses by turns of the family,
  /// each attempt_delay after the one before or as soon as that has failed; the
  /// first that answers is taken, and the others are closed before this returns.
  /// `deadline` covers all of it. The error says what was tried, and why it failed.
  [[nodiscard]] static task<result<tcp_stream>> connect(std::string host, std::uint16_t port,
                                                        duration deadline = std::chrono::seconds(10),
                                                        connect_options options = {});

  result<void> set_no_delay(bool on);

  [[nodiscard]] result<ip_endpoint> local_endpoint() const;
  /// The peer's address; also after it has gone, until close().
  [[nodiscard]] result<ip_endpoint> remote_endpoint() const;

 private:
  friend class tcp_listener;
  friend struct detail::socket_access;
  explicit tcp_stream(detail::socket_ref socket) noexcept : stream_socket(std::move(socket)) {}
};

}  // namespace troupe
