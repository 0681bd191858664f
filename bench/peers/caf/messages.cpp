// The cases that pass messages between existing actors: ping_pong, ring, fan_in.
#include "engine.hpp"

#include <algorithm>
#include <latch>
#include <vector>

namespace caf_bench {
namespace {

// -- ping_pong -------------------------------------------------------------------------------------------

/// Passes on each number, less one, to the partner that its first message names; the actor that receives 1
/// sets `over`. `handled` may be read after that: every write to it happens before.
caf::behavior passer(caf::event_based_actor* self, std::latch* over, tally* mine) {
  return {[=](const caf::actor& partner) {
    self->become([=](std::uint64_t left) {
      ++mine->handled;
      if (left > 1) {
        self->send(partner, left - 1);
      } else {
        over->count_down();
      }
    });
  }};
}

std::uint64_t total(const std::vector<tally>& all) {
  std::uint64_t sum = 0;
  for (const tally& each : all) sum += each.handled;
  return sum;
}

/// Sends all tokens in one handler, so that they start together: see bench/messages.cpp.
caf::behavior starter(caf::event_based_actor* self, const std::vector<caf::actor>* passers,
                      std::uint64_t tokens) {
  return {[=](std::uint64_t hops) {
    for (std::uint64_t t = 0; t < tokens; ++t) self->send((*passers)[t * passers->size() / tokens], hops);
    self->quit();
  }};
}

/// `actors` passers in a circle carry `tokens` numbers, evenly spread, down from `hops`. Adds the
/// messages to `handled`, and returns the seconds.
double circle(unsigned workers, std::uint64_t actors, std::uint64_t tokens, std::uint64_t hops,
              std::uint64_t& handled) {
  engine_config config(workers);
  std::latch over(static_cast<std::ptrdiff_t>(tokens));
  std::vector<tally> tallies(actors);
  caf::actor_system system(config);
  std::vector<caf::actor> passers;
  for (tally& each : tallies) passers.push_back(system.spawn(passer, &over, &each));
  for (std::uint64_t i = 0; i < actors; ++i) caf::anon_send(passers[i], passers[(i + 1) % actors]);

  const caf::actor start = system.spawn(starter, &passers, tokens);

  const bench::stopwatch timer;
  caf::anon_send(start, hops);
  over.wait();
  const double seconds = timer.seconds();

  for (const auto& each : passers) caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
  handled += total(tallies);
  return seconds;
}

// -- fan_in ----------------------------------------------------------------------------------------------

struct funnel {
  std::uint64_t wanted;
  std::uint64_t sum = 0;  // written by the receiver only, read once `complete`
  std::latch complete{1};
};

caf::behavior receiver(caf::event_based_actor* self, funnel* into) {
  return {[self, into, left = into->wanted](std::uint64_t number) mutable {
    into->sum += number;
    if (--left > 0) return;
    into->complete.count_down();
    self->quit();
  }};
}

/// Sends the numbers 1 to `count` in slices, so that senders and receiver share a worker fairly.
caf::behavior sender(caf::event_based_actor* self, const caf::actor& to, std::uint64_t count) {
  constexpr std::uint64_t slice = 100;
  return {[self, to, count, sent = std::uint64_t{0}](ok_atom) mutable {
    const std::uint64_t end = std::min(sent + slice, count);
    while (sent < end) self->send(to, ++sent);
    if (sent < count) {
      self->send(self, ok_atom::value);
    } else {
      self->quit();
    }
  }};
}

}  // namespace

bench::outcome ping_pong(unsigned workers, double scale) {
  const std::uint64_t hops = 2 * bench::workload::scaled(bench::workload::pings, scale);
  return bench::repeated(1, hops,
                         [&](std::uint64_t& handled) { return circle(workers, 2, 1, hops, handled); });
}

bench::outcome ring(unsigned workers, double scale) {
  using namespace bench::workload;
  const std::uint64_t hops = scaled(ring_hops, scale);
  return bench::repeated(ring_starts, ring_tokens * hops, [&](std::uint64_t& handled) {
    return circle(workers, ring_actors, ring_tokens, hops, handled);
  });
}

bench::outcome fan_in(unsigned workers, double scale) {
  using namespace bench::workload;
  const std::uint64_t each = scaled(fan_in_messages, scale);
  const std::uint64_t total = fan_in_senders * each;
  engine_config config(workers);
  funnel into{.wanted = total};
  caf::actor_system system(config);
  const auto target = system.spawn(receiver, &into);
  std::vector<caf::actor> senders;
  for (std::uint64_t i = 0; i < fan_in_senders; ++i) senders.push_back(system.spawn(sender, target, each));

  const auto before = static_cast<double>(bench::resident_bytes());
  const bench::stopwatch timer;
  for (const auto& one : senders) caf::anon_send(one, ok_atom::value);
  into.complete.wait();
  const double seconds = timer.seconds();

  // The mailbox is unbounded, so its peak belongs to the result.
  const double growth = (static_cast<double>(bench::peak_resident_bytes()) - before) / 1e6;
  return bench::ns_per_op(total, seconds)
      .also("rss_mb", growth)
      .expect("sum of the numbers received", fan_in_senders * (each * (each + 1) / 2), into.sum);
}

}  // namespace caf_bench
