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

/// Move-only; closes in its destructor. Not thread-safe. Not available on the
/// simulated runtime. A peer that is cut or reset() sees the end of the stream:
/// unix sockets have no reset.
class unix_stream : public detail::stream_socket {
 public:
  /// No connection: every operation yields errc::closed.
  unix_stream() noexcept = default;

  /// Connects to the listener at `path` (unix_options.hpp), or yields
  /// errc::timeout after `deadline`, when its queue stays full. On a strand.
  [[nodiscard]] static task<result<unix_stream>> connect(std::string path,
                                                         duration deadline = std::chrono::seconds(10),
                                                         unix_options options = {});
  /// Both ends of a connection without a name. Any thread.
  [[nodiscard]] static result<std::pair<unix_stream, unix_stream>> pair(unix_options options = {});

  struct credentials {
    std::int32_t process = 0;
    std::uint32_t user = 0;
    std::uint32_t group = 0;
  };
  /// The credentials of the peer when it connected, or listened, as reported by the kernel.
  [[nodiscard]] result<credentials> peer() const;

 private:
  friend class unix_listener;
  explicit unix_stream(detail::socket_ref socket) noexcept : stream_socket(std::move(socket)) {}
};

}  // namespace troupe
