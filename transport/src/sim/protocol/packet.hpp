// A packet of the simulated network.
#pragma once

#include <troupe/transport/endpoint.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe::detail::simnet {

/// One end of one connection. Numbers are never reused, so a late packet of an ended connection cannot be
/// taken for a part of another.
struct flow_end {
  std::uint64_t flow = 0;
  bool acceptor = false;

  [[nodiscard]] flow_end other() const noexcept { return {flow, !acceptor}; }
  friend auto operator<=>(const flow_end&, const flow_end&) = default;
};

struct packet {
  enum class kind : std::uint8_t {
    syn,          // requests a connection
    syn_ack,      // accepts it
    segment,      // bytes of a stream, its end, or only an acknowledgement
    reset,        // the connection does not exist, or no longer exists
    datagram,     // of a UDP socket
    unreachable,  // the port that a datagram was sent to is not bound
  };

  kind what = kind::segment;
  ip_endpoint from;
  ip_endpoint to;
  flow_end dest;             // of streams
  std::uint64_t seq = 0;     // of the first byte; the end of a stream counts as one
  std::uint64_t ack = 0;     // all bytes before this have arrived
  std::uint64_t window = 0;  // bytes that may follow `ack`
  bool fin = false;          // the stream ends after these bytes
  bool probe = false;        // requests an acknowledgement
  std::vector<std::byte> bytes;

  /// Its size on a link.
  [[nodiscard]] std::size_t size() const noexcept { return bytes.size() + 40; }
  [[nodiscard]] bool of_stream() const noexcept { return what <= kind::reset; }
};

}  // namespace troupe::detail::simnet
