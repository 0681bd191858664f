// A connection between two processes of one machine as awaitables.
//
// Reading, writing, deadlines and closing are in stream_socket.hpp.
#pragma once

#include <troupe/transport/detail/stream_socket.hpp>
#include <troupe/transport/unix_options.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace troupe {

/// A connection over a unix socket. Move-only; its destructor closes it. A peer that is cut or reset() sees
/// the end of the stream: unix sockets have no reset.
/// Errors: those of detail::stream_socket; on the simulated runtime std::errc::address_family_not_supported
/// when one is opened.
/// Threads and cancellation: those of detail::stream_socket.
class unix_stream : public detail::stream_socket {
 public:
  /// No connection: every operation yields errc::closed.
  unix_stream() noexcept = default;

  /// Connects to the listener at `path` (unix_options.hpp). Waits only while the listener's queue is full.
  /// Errors: timeout if the queue stays full until `deadline`; invalid_argument for an invalid name;
  /// otherwise the system's code, such as std::errc::no_such_file_or_directory or connection_refused.
  /// Threads: a strand.
  /// Cancellation: the attempt ends, and its socket is closed.
  /// Cost: while the queue is full, it retries after pauses of 1 ms, doubled up to 64 ms.
  [[nodiscard]] static task<result<unix_stream>> connect(std::string path,
                                                         duration deadline = std::chrono::seconds(10),
                                                         unix_options options = {});
  /// Both ends of a connection without a name.
  /// Errors: the system's code, such as std::errc::too_many_files_open.
  /// Threads: any.
  [[nodiscard]] static result<std::pair<unix_stream, unix_stream>> pair(unix_options options = {});

  /// A process and its effective user and group.
  struct credentials {
    std::int32_t process = 0;
    std::uint32_t user = 0;
    std::uint32_t group = 0;
  };
  /// The credentials of the peer when it connected, or listened, as reported by the kernel.
  /// Errors: closed; the system's code.
  [[nodiscard]] result<credentials> peer() const;

 private:
  friend class unix_listener;
  explicit unix_stream(detail::socket_ref socket) noexcept : stream_socket(std::move(socket)) {}
};

}  // namespace troupe
