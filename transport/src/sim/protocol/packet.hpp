// A packet of the simulated network.
#pragma once

#include <troupe/transport/endpoint.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe::detail::simnet {

/// One end of one connection. Numbers are never reused, so that a late packet of a
/// connection that has ended cannot be taken for a part of another.
struct flow_end {
  std::uint64_t flow = 0;
  bool acceptor = false;

  [[nodiscard]] flow_end other() const noexcept { return {flow, !acceptor}; }
  friend auto operator<=>(const flow_end&, const flow_end&) = default;
};

struct packet {
  enum class kind : std::uint8_t {
    syn,          // a connection is asked for
    syn_ack,      // and granted
    segment,      // bytes of a stream, its end, or only an acknowledgement
    reset,        // the connection does not exist, or no longer
    datagram,     // of a UDP socket
    unreachable,  // no socket has the port that a datagram was for
  };

  kind what = kind::segment;
  ip_endpoint from;
  ip_endpoint to;
  flow_end dest;             // of streams
  std::uint64_t seq = 0;     // of the first byte; the end of a stream counts as one
  std::uint64_t ack = 0;     // everything before this has arrived
  std::uint64_t window = 0;  // bytes from `ack` on that there is room for
  bool fin = false;          // the stream ends behind these bytes
  bool probe = false;        // asks for an acknowledgement
  std::vector<std::byte> bytes;

  /// The bytes it occupies on a link.
  [[nodiscard]] std::size_t size() const noexcept { return bytes.size() + 40; }
  [[nodiscard]] bool of_stream() const noexcept { return what <= kind::reset; }
};

}  // namespace troupe::detail::simnet
