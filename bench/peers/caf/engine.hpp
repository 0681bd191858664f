// The list of the cases on CAF, and their shared parts: the configuration of the actor system.
// CAF runs as its documentation recommends: event-based actors, work stealing, default polling. All actors
// are function-based, not classes: CAF applies a dynamic_cast to every actor that it runs, which is slower
// for a derived class.
#pragma once

#include "harness/harness.hpp"
#include "harness/workload.hpp"

#include <caf/all.hpp>

#include <cstdint>

namespace caf_bench {

/// The configuration of a system with that many scheduler threads; otherwise CAF's defaults.
/// Must outlive the system.
class engine_config : public caf::actor_system_config {
 public:
  explicit engine_config(unsigned workers) {
    set("scheduler.max-threads", workers);
    set("scheduler.policy", caf::atom("stealing"));
  }
};

/// The count of messages that one actor handled: written by that actor only, on its own cache line.
struct alignas(64) tally {
  std::uint64_t handled = 0;
};

// Messages without content. Numbers are sent as plain integers, which CAF matches fastest.
using ok_atom = caf::atom_constant<caf::atom("ok")>;
using pong_atom = caf::atom_constant<caf::atom("pong")>;
using closed_atom = caf::atom_constant<caf::atom("closed")>;

// Each runs its case of workload.hpp; see bench::bench_case::run.
bench::outcome ping_pong(unsigned workers, double scale);
bench::outcome ring(unsigned workers, double scale);
bench::outcome fan_in(unsigned workers, double scale);
bench::outcome big(unsigned workers, double scale);
bench::outcome chameneos(unsigned workers, double scale);
bench::outcome ask_roundtrip(unsigned workers, double scale);
bench::outcome spawn_kill(unsigned workers, double scale);
bench::outcome skynet_1m(unsigned workers, double scale);
bench::outcome idle_wake(unsigned workers, double scale);
bench::outcome mem_actor(unsigned workers, double scale);
bench::outcome idle_cpu(unsigned workers, double scale);

}  // namespace caf_bench
