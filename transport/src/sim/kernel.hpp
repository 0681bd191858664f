// The simulated network as a whole: hosts, the links between them, and the packets under way.
//
// Plays the kernel of every host: syscalls.cpp turns system calls into calls of this class. It knows neither
// strands nor the scheduler: the simulation lends it the clock and calls it when an event is due. One thread.
// Owned by the simulation and by every socket; a socket may outlive the simulation.
#pragma once

#include "sim/event_queue.hpp"
#include "sim/machine.hpp"
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
  /// `now` is the clock, until end().
  kernel(const instant& now, std::uint64_t seed);
  /// That of a simulated runtime, made at its first use.
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

  [[nodiscard]] machine& host(std::string_view name);
  [[nodiscard]] machine& host(std::uint16_t id) noexcept { return *hosts_[id]; }
  [[nodiscard]] const std::vector<std::unique_ptr<machine>>& hosts() const noexcept { return hosts_; }
  /// The host with this address, as seen from `from`; null when there is none.
  [[nodiscard]] machine* find(const ip_endpoint& e, machine& from) noexcept;
  [[nodiscard]] link& between(const machine& from, const machine& to);
  /// For links without options of their own.
  void set_default_links();
  void set_link(const machine& from, const machine& to, const sim::link_options& o);
  void reset_connections(const machine& a, const machine& b);

  // -- packets ------------------------------------------------------------------------

  [[nodiscard]] std::uint64_t new_flow() noexcept { return ++flows_; }
  /// Sends `p`, which must not overtake what arrives at `in_order`. When it arrives, if it does.
  instant send(machine& from, packet p, instant& in_order);
  void send_datagram(machine& from, packet p);
  void send_to_group(machine& from, const packet& p, bool loop_back);

  /// Adds to the trace.
  void note(std::uint64_t what) noexcept { trace_ = (trace_ ^ what) * 0x100000001b3ULL + (trace_ >> 29); }
  [[nodiscard]] std::uint64_t trace() const noexcept { return trace_; }
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct link_state : link {
    bool own_options = false;
  };
  void deliver(machine& from, machine& to, packet p);
  void carry(machine& from, machine& to, packet p, instant arrives);
  void note_packet(std::uint64_t what, const packet& p) noexcept;

  const instant* now_;
  instant last_now_ = 0;
  prng dice_;
  event_queue agenda_;
  bool ended_ = false;
  std::vector<std::unique_ptr<machine>> hosts_;
  std::map<std::pair<std::uint16_t, std::uint16_t>, link_state> links_;
  std::uint64_t flows_ = 0;
  std::uint64_t trace_ = 0xcbf29ce484222325ULL;
  std::uint64_t delivered_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace troupe::detail::simnet
