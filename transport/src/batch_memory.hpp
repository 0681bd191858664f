// What is behind a datagram_batch: headers, addresses and bytes, as the kernel takes them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <system_error>
#include <troupe/transport/datagram_batch.hpp>

#include "socket_state.hpp"

namespace troupe::detail {

struct batch_memory {
  batch_memory(std::size_t capacity, std::size_t datagram_bytes);

  /// The i-th header's pointers never change but for msg_name, which is null
  /// where there is no peer.
  void reset_for_receive() noexcept;
  /// A socket that speaks both takes IPv4 peers in their IPv6 form only.
  void map_peers() noexcept;

  const std::size_t capacity;
  const std::size_t stride;
  std::size_t size = 0;
  std::size_t used = 0;  // from here on nothing has changed since reset_for_receive()
  std::size_t refused = 0;
  std::error_code why_refused;
  std::unique_ptr<mmsghdr[]> headers;
  std::unique_ptr<iovec[]> pieces;
  std::unique_ptr<sockaddr_in6[]> peers;  // large enough for sockaddr_in
  std::unique_ptr<std::byte[]> bytes;
};

/// One attempt to fill `b`; true when it is over.
TROUPE_NOINLINE bool try_receive_batch(socket_state& s, batch_memory& b, std::error_code& why) noexcept;
/// One attempt to send from the `next`th on, which it moves; false: the kernel has no room.
TROUPE_NOINLINE bool try_send_batch(socket_state& s, batch_memory& b, std::size_t& next) noexcept;

}  // namespace troupe::detail
