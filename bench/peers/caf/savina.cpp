// The two cases from the Savina suite (Imam, Sarkar: "Savina - An Actor Benchmark Suite", 2014): big,
// chameneos.
#include "engine.hpp"

#include <latch>
#include <optional>
#include <vector>

namespace caf_bench {
namespace {

using bench::workload::colour;

// -- big -------------------------------------------------------------------------------------------------

/// The state of one member: written by that member only, read by others once all are satisfied.
struct alignas(64) member_state {
  explicit member_state(std::uint64_t self) : index(self), targets(self) {}
  std::uint64_t index;
  bench::workload::big_targets targets;
  std::uint64_t pings_handled = 0;
  std::uint64_t pongs_handled = 0;
};

struct crowd {
  std::uint64_t pings;  // of each member
  std::vector<member_state> states;
  std::vector<caf::actor> members;  // complete before the first ping
  std::latch satisfied{bench::workload::big_actors};
};

void ping_or_rest(caf::event_based_actor* self, crowd* all, member_state* mine) {
  if (mine->pongs_handled < all->pings) {
    self->send(all->members[mine->targets.next()], mine->index);
  } else {
    all->satisfied.count_down();
  }
}

/// Pings random other actors, one at a time, and answers each ping. A ping carries the index of its sender.
caf::behavior member(caf::event_based_actor* self, crowd* all, member_state* mine) {
  return {
      [=](std::uint64_t from) {
        ++mine->pings_handled;
        self->send(all->members[from], pong_atom::value);
      },
      [=](pong_atom) {
        ++mine->pongs_handled;
        ping_or_rest(self, all, mine);
      },
      [=](ok_atom) { ping_or_rest(self, all, mine); },
  };
}

// -- chameneos -------------------------------------------------------------------------------------------

// The messages, distinguished by their types: (colour, creature) asks the mall for a meeting and introduces
// the second of a pair to the first; (colour) answers the introduction; closed sends a creature home.
using creature_id = std::uint32_t;
using colour_code = std::uint8_t;

/// The state of one creature: written by that creature only, read by others once it is home.
struct alignas(64) creature_state {
  creature_id id;
  colour mine;
  std::uint64_t met = 0;

  void meet(colour other) {
    mine = bench::workload::complement(mine, other);
    ++met;
  }
};

struct world {
  std::uint64_t meetings;
  std::vector<creature_state> states;
  std::vector<caf::actor> creatures;  // complete before the first creature starts
  caf::actor mall;                    // likewise
  std::latch home{bench::workload::creatures};
};

/// Lets one creature wait and introduces the next one to it.
caf::behavior mall(caf::event_based_actor* self, world* here) {
  return {[=, waiting = std::optional<creature_id>(), left = here->meetings,
           out = bench::workload::creatures](colour_code code, creature_id id) mutable {
    if (left == 0) {
      self->send(here->creatures[id], closed_atom::value);
      if (--out == 0) self->quit();
    } else if (!waiting) {
      waiting = id;
    } else {
      self->send(here->creatures[*waiting], code, id);
      waiting.reset();
      --left;
    }
  }};
}

void go_to_mall(caf::event_based_actor* self, const world* here, const creature_state* me) {
  self->send(here->mall, static_cast<colour_code>(me->mine), me->id);
}

caf::behavior creature(caf::event_based_actor* self, world* here, creature_state* me) {
  return {
      [=](colour_code other, creature_id id) {
        self->send(here->creatures[id], static_cast<colour_code>(me->mine));
        me->meet(static_cast<colour>(other));
        go_to_mall(self, here, me);
      },
      [=](colour_code other) {
        me->meet(static_cast<colour>(other));
        go_to_mall(self, here, me);
      },
      [=](ok_atom) { go_to_mall(self, here, me); },
      [=](closed_atom) {
        here->home.count_down();
        self->quit();
      },
  };
}

}  // namespace

bench::outcome big(unsigned workers, double scale) {
  using namespace bench::workload;
  engine_config config(workers);
  crowd all{.pings = scaled(big_pings, scale), .states = {}, .members = {}};
  for (std::uint64_t i = 0; i < big_actors; ++i) all.states.emplace_back(i);
  caf::actor_system system(config);
  for (member_state& each : all.states) all.members.push_back(system.spawn(member, &all, &each));

  const bench::stopwatch timer;
  for (const auto& each : all.members) caf::anon_send(each, ok_atom::value);
  all.satisfied.wait();
  const double seconds = timer.seconds();

  std::uint64_t pings_handled = 0;
  std::uint64_t pongs_handled = 0;
  for (const member_state& each : all.states) {
    pings_handled += each.pings_handled;
    pongs_handled += each.pongs_handled;
  }
  for (const auto& each : all.members) caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
  system.await_all_actors_done();
  all.members.clear();
  const std::uint64_t pings = big_actors * all.pings;
  return bench::ns_per_op(2 * pings, seconds)
      .expect("pings handled", pings, pings_handled)
      .expect("pongs handled", pings, pongs_handled);
}

bench::outcome chameneos(unsigned workers, double scale) {
  using namespace bench::workload;
  engine_config config(workers);
  world here{.meetings = scaled(meetings, scale), .states = {}, .creatures = {}, .mall = {}};
  for (creature_id i = 0; i < creatures; ++i)
    here.states.push_back({.id = i, .mine = static_cast<colour>(i % 3)});
  caf::actor_system system(config);
  here.mall = system.spawn(mall, &here);
  for (creature_state& each : here.states) here.creatures.push_back(system.spawn(creature, &here, &each));

  const bench::stopwatch timer;
  for (const auto& each : here.creatures) caf::anon_send(each, ok_atom::value);
  here.home.wait();
  const double seconds = timer.seconds();

  std::uint64_t met = 0;
  for (const creature_state& each : here.states) met += each.met;
  system.await_all_actors_done();
  here.creatures.clear();
  here.mall = nullptr;
  return bench::ns_per_op(here.meetings, seconds).expect("creatures met", 2 * here.meetings, met);
}

}  // namespace caf_bench
