// The simulated network as a whole: hosts, the links between them, and the packets in flight.
//
// Plays the kernel of every host: syscalls.cpp turns system calls into calls on its objects. Knows nothing of
// strands or the scheduler except the clock, to which it refers; the simulation calls run_due() when an event
// is due. One thread. Shared by the simulation and by every socket, which may outlive the simulation.
#pragma once

#include "sim/event_queue.hpp"
#include "sim/host.hpp"
#include "sim/prng.hpp"
#include "sim/protocol/link.hpp"
#include "sim/protocol/packet.hpp"

#include <troupe/runtime/engine.hpp>
#include <troupe/transport/sim_network.hpp>

#include <map>
#include <memory>
#include <string_view>
#include <vector>

namespace troupe::detail::simnet {

class kernel final : public sim_environment {
 public:
  /// `now` is the runtime's clock; it is read until end().
  kernel(const instant& now, std::uint64_t seed);
  /// The kernel of a simulated runtime, created at its first use.
  [[nodiscard]] static std::shared_ptr<kernel> of(engine& e);

  sim::network_options options;

  // -- time -----------------------------------------------------------------------

  [[nodiscard]] instant now() const noexcept { return *now_; }
  [[nodiscard]] prng& chance() noexcept { return dice_; }
  [[nodiscard]] std::optional<std::int64_t> next() const noexcept override { return agenda_.next(); }
  void run_due(std::int64_t now) noexcept override;
  void end() noexcept override;
  event_queue::entry plan(instant when, event_queue::action what);
  void cancel(event_queue::entry& e) noexcept { agenda_.cancel(e); }

  // -- hosts ------------------------------------------------------------------------

  [[nodiscard]] host& host_named(std::string_view name);
  [[nodiscard]] host& host_at(std::uint16_t id) noexcept { return *hosts_[id]; }
  [[nodiscard]] const std::vector<std::unique_ptr<host>>& hosts() const noexcept { return hosts_; }
  /// The host that has this address, as seen from `from`; null if none has.
  [[nodiscard]] host* find(const ip_endpoint& e, host& from) noexcept;
  [[nodiscard]] link& between(const host& from, const host& to);
  /// Applies the network's options to the links that set_link() has not changed.
  void set_default_links();
  void set_link(const host& from, const host& to, const sim::link_options& o);
  void reset_connections(const host& a, const host& b);

  // -- packets ------------------------------------------------------------------------

  [[nodiscard]] std::uint64_t new_flow() noexcept { return ++flows_; }
  /// Sends `p` so that it does not arrive before `in_order`, the arrival of the sender's last packet. Returns
  /// the time at which it arrives, if it does.
  instant send(host& from, packet p, instant& in_order);
  void send_datagram(host& from, packet p);
  void send_to_group(host& from, const packet& p, bool loop_back);

  /// Adds `what` to the trace.
  void note(std::uint64_t what) noexcept { trace_ = (trace_ ^ what) * 0x100000001b3ULL + (trace_ >> 29); }
  [[nodiscard]] std::uint64_t trace() const noexcept { return trace_; }
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct link_state : link {
    bool own_options = false;
  };
  void deliver(host& from, host& to, packet p);
  void carry(host& from, host& to, packet p, instant arrives);
  void note_packet(std::uint64_t what, const packet& p) noexcept;

  const instant* now_;
  instant last_now_ = 0;
  prng dice_;
  event_queue agenda_;
  bool ended_ = false;
  std::vector<std::unique_ptr<host>> hosts_;
  std::map<std::pair<std::uint16_t, std::uint16_t>, link_state> links_;
  std::uint64_t flows_ = 0;
  std::uint64_t trace_ = 0xcbf29ce484222325ULL;
  std::uint64_t delivered_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace troupe::detail::simnet
