// The path of packets from one host to another, one for each direction. On the simulation's thread.
#pragma once

#include "sim/event_queue.hpp"
#include "sim/prng.hpp"
#include "sim/protocol/packet.hpp"

#include <troupe/transport/sim_network.hpp>

#include <algorithm>

namespace troupe::detail::simnet {

struct link {
  sim::link_options options;
  bool cut = false;      // partitioned: packets that would arrive now are dropped
  instant free_at = 0;   // when the wire has sent all earlier packets
  instant in_order = 0;  // arrival of the last datagram that was not reordered

  /// The time at which a packet of `size` bytes sent now arrives at the other end.
  [[nodiscard]] instant arrival(instant now, std::size_t size, prng& d) noexcept {
    instant leaves = now;
    if (options.bandwidth != 0) {
      free_at = std::max(now, free_at) + static_cast<instant>(size * 1'000'000'000 / options.bandwidth);
      leaves = free_at;
    }
    return leaves + delay(d);
  }
  /// The longest delay of a packet on this link.
  [[nodiscard]] instant longest() const noexcept { return options.latency.count() + options.jitter.count(); }

 private:
  instant delay(prng& d) const noexcept {
    const auto jitter = static_cast<std::uint64_t>(std::max<instant>(options.jitter.count(), 0));
    return std::max<instant>(options.latency.count(), 0) + static_cast<instant>(d.below(jitter + 1));
  }
};

}  // namespace troupe::detail::simnet
