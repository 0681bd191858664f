// The list of the cases on Troupe, and their shared parts. Sizes and checks are those of the peers: a case
// here and its counterpart there send the same messages between the same actors.
#pragma once

#include "harness/harness.hpp"
#include "harness/workload.hpp"

#include <troupe/actors.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace troupe_bench {

/// Ends the program: a case that has lost a message would wait without limit. Any thread.
[[noreturn]] inline void give_up(const char* why) {
  std::fprintf(stderr, "troupe-bench: %s\n", why);
  std::_Exit(EXIT_FAILURE);
}

/// A tell() in a case whose mailboxes have room for all messages in flight: a refusal is a bug.
template <class M, class... Ms>
void tell(const troupe::ref<Ms...>& to, M m) {
  if (to.tell(std::move(m)) != troupe::send_result::ok) [[unlikely]]
    give_up("a message was refused");
}

/// Options of actors that do one job and end: their crash is not followed by a restart.
inline const troupe::spawn_options short_lived{.restart = troupe::restart::temporary};

/// The count of messages that one actor handled: written by that actor only, on its own cache line.
struct alignas(64) tally {
  std::uint64_t handled = 0;
};

/// The start signal.
struct begin {};

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

// These have no counterpart on the peers.
/// A message between two actors among 1 000 live ones, and among 1 000 000.
bench::outcome many_live(unsigned workers, double scale);
/// The mailbox alone: `workers` threads push, one takes. The one-word mailbox, compared with an intrusive
/// Vyukov queue with a separate count and a separate scheduling flag.
bench::outcome mailboxes(unsigned workers, double scale);
/// From a crash to the first message that the next incarnation has handled, one after the other.
bench::outcome restart(unsigned workers, double scale);
/// The stop of a tree of 100 000 actors in four levels, until it has ended.
bench::outcome stop_tree(unsigned workers, double scale);

/// Coarse jobs that one actor hands out after a phase of small messages: their makespan compared with the
/// ideal, which is their total time divided by the workers.
bench::outcome fan_out(unsigned workers, double scale);

}  // namespace troupe_bench
