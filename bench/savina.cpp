// The two cases from the Savina suite (Imam, Sarkar: "Savina - An Actor Benchmark Suite", 2014): big,
// chameneos.
#include "cases.hpp"

#include <latch>
#include <optional>
#include <vector>

namespace troupe_bench {
namespace {

using bench::workload::colour;

// -- big -------------------------------------------------------------------------------------------------

struct ping {
  std::uint64_t from;  // the index of the sender
};
struct pong {};

/// The state of one member that outlives it: written by that member only, read once all are satisfied.
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
  std::vector<troupe::ref<ping, pong, begin>> members;  // complete before the first ping
  std::latch satisfied{bench::workload::big_actors};
};

/// Pings random other actors, one at a time, and answers each ping.
struct member {
  using accepts = troupe::protocol<ping, pong, begin>;

  void handle(ping p) {
    ++mine->pings_handled;
    tell(all->members[p.from], pong{});
  }
  void handle(pong) {
    ++mine->pongs_handled;
    ping_or_rest();
  }
  void handle(begin) { ping_or_rest(); }

  void ping_or_rest() {
    if (mine->pongs_handled < all->pings) {
      tell(all->members[mine->targets.next()], ping{mine->index});
    } else {
      all->satisfied.count_down();
    }
  }

  crowd* all;
  member_state* mine;
};

// -- chameneos -------------------------------------------------------------------------------------------

using creature_id = std::uint32_t;

/// Asks the mall for a meeting, and introduces the second of a pair to the first.
struct arrival {
  colour shown;
  creature_id who;
};
/// Answers the introduction.
struct response {
  colour shown;
};
/// Sends a creature home.
struct closed {};

/// The state of one creature that outlives it: written by that creature only, read once it is home.
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
  std::vector<troupe::ref<arrival, response, begin, closed>> creatures;  // complete before the first starts
  troupe::ref<arrival> mall;                                             // likewise
  std::latch home{bench::workload::creatures};
};

/// Lets one creature wait and introduces the next one to it.
struct mall {
  using accepts = troupe::protocol<arrival>;

  explicit mall(world* w) : here(w), left(w->meetings) {}
  void handle(arrival a, troupe::context& ctx) {
    if (left == 0) {
      tell(here->creatures[a.who], closed{});
      if (--out == 0) ctx.stop();
    } else if (!waiting) {
      waiting = a.who;
    } else {
      tell(here->creatures[*waiting], a);
      waiting.reset();
      --left;
    }
  }

  world* here;
  std::uint64_t left;
  std::uint64_t out = bench::workload::creatures;
  std::optional<creature_id> waiting = {};
};

struct creature {
  using accepts = troupe::protocol<arrival, response, begin, closed>;

  void handle(arrival other) {
    tell(here->creatures[other.who], response{me->mine});
    me->meet(other.shown);
    go_to_mall();
  }
  void handle(response other) {
    me->meet(other.shown);
    go_to_mall();
  }
  void handle(begin) { go_to_mall(); }
  void handle(closed, troupe::context& ctx) {
    here->home.count_down();
    ctx.stop();
  }

  void go_to_mall() const { tell(here->mall, arrival{me->mine, me->id}); }

  world* here;
  creature_state* me;
};

}  // namespace

bench::outcome big(unsigned workers, double scale) {
  using namespace bench::workload;
  crowd all{.pings = scaled(big_pings, scale), .states = {}, .members = {}};
  for (std::uint64_t i = 0; i < big_actors; ++i) all.states.emplace_back(i);
  troupe::system sys({.workers = workers});
  // All members may ping the same one at once.
  const troupe::spawn_options popular{.mailbox = {.capacity = big_actors + 1}};
  for (member_state& each : all.states) all.members.push_back(sys.spawn<member>(popular, &all, &each));

  const bench::stopwatch timer;
  for (const auto& each : all.members) tell(each, begin{});
  all.satisfied.wait();
  const double seconds = timer.seconds();

  std::uint64_t pings_handled = 0;
  std::uint64_t pongs_handled = 0;
  for (const member_state& each : all.states) {
    pings_handled += each.pings_handled;
    pongs_handled += each.pongs_handled;
  }
  const std::uint64_t pings = big_actors * all.pings;
  return bench::ns_per_op(2 * pings, seconds)
      .expect("pings handled", pings, pings_handled)
      .expect("pongs handled", pings, pongs_handled);
}

bench::outcome chameneos(unsigned workers, double scale) {
  using namespace bench::workload;
  world here{.meetings = scaled(meetings, scale), .states = {}, .creatures = {}, .mall = {}};
  for (creature_id i = 0; i < creatures; ++i)
    here.states.push_back({.id = i, .mine = static_cast<colour>(i % 3)});
  troupe::system sys({.workers = workers});
  here.mall = sys.spawn<mall>({}, &here);
  for (creature_state& each : here.states) here.creatures.push_back(sys.spawn<creature>({}, &here, &each));

  const bench::stopwatch timer;
  for (const auto& each : here.creatures) tell(each, begin{});
  here.home.wait();
  const double seconds = timer.seconds();

  std::uint64_t met = 0;
  for (const creature_state& each : here.states) met += each.met;
  return bench::ns_per_op(here.meetings, seconds).expect("creatures met", 2 * here.meetings, met);
}

}  // namespace troupe_bench
