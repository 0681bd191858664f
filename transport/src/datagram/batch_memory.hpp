// The memory of a datagram_batch: headers, addresses and bytes, in the kernel's form.
#pragma once

#include "socket/socket_state.hpp"

#include <troupe/transport/datagram_batch.hpp>

#include <cstdint>
#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>
#include <system_error>

namespace troupe::detail {

/// For sending, datagrams that follow each other go as one message, which the kernel splits: one way through
/// its stack for all of them (UDP_SEGMENT, Linux 4.18).
struct datagram_run {
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(std::uint16_t))];
  std::size_t length;  // in datagrams
};

struct batch_memory {
  batch_memory(std::size_t capacity, std::size_t datagram_bytes);

  /// The i-th header's pointers never change but for msg_name, which is null
  /// where there is no peer.
  void reset_for_receive() noexcept;
  /// A socket that speaks both takes IPv4 peers in their IPv6 form only.
  void map_peers() noexcept;
  /// How many datagrams, from the i-th on and before `end`, can be one message: to one peer, and of one size,
  /// but that the last may be shorter.
  [[nodiscard]] std::size_t run_length(std::size_t i, std::size_t end) const noexcept;
  /// Makes messages of the datagrams from `next` up to `end` and returns their number.
  std::size_t join(std::size_t next, std::size_t end) noexcept;

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
  // Of the last join().
  std::unique_ptr<mmsghdr[]> joined;
  std::unique_ptr<datagram_run[]> runs;
  bool splits = true;  // the kernel has not refused to split a message
};

/// One attempt to fill `b`; true when it is over.
TROUPE_NOINLINE bool try_receive_batch(socket_state& s, batch_memory& b, std::error_code& why) noexcept;
/// One attempt to send from the `next`th on, which it moves; false: the kernel has no room.
TROUPE_NOINLINE bool try_send_batch(socket_state& s, batch_memory& b, std::size_t& next) noexcept;

}  // namespace troupe::detail
