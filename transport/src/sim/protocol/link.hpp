// The path of packets from one host to another: one link for each direction.
#pragma once

#include "sim/event_queue.hpp"
#include "sim/prng.hpp"
#include "sim/protocol/packet.hpp"

#include <troupe/transport/sim_network.hpp>

#include <algorithm>

namespace troupe::detail::simnet {

struct link {
  sim::link_options options;
  bool cut = false;      // partitioned: packets that arrive now are dropped
  instant free_at = 0;   // the wire is busy with earlier packets until then
  instant in_order = 0;  // when the last datagram arrives that was not held back

  /// When a packet of `size` bytes that is sent now arrives at the other end.
  [[nodiscard]] instant arrival(instant now, std::size_t size, prng& d) noexcept {
    instant leaves = now;
    if (options.bandwidth != 0) {
      free_at = std::max(now, free_at) + static_cast<instant>(size * 1'000'000'000 / options.bandwidth);
      leaves = free_at;
    }
    return leaves + delay(d);
  }
  /// When an answer to what arrives at the far end of a link like this can be expected.
  [[nodiscard]] instant longest() const noexcept { return options.latency.count() + options.jitter.count(); }

 private:
  instant delay(prng& d) const noexcept {
    const auto jitter = static_cast<std::uint64_t>(std::max<instant>(options.jitter.count(), 0));
    return std::max<instant>(options.latency.count(), 0) + static_cast<instant>(d.below(jitter + 1));
  }
};

}  // namespace troupe::detail::simnet
