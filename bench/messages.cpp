// The cases that pass messages between existing actors: ping_pong, ring, fan_in.
#include "cases.hpp"

#include <latch>
#include <vector>

namespace troupe_bench {
namespace {

// -- ping_pong, ring -------------------------------------------------------------------------------------

struct token {
  std::uint64_t left;  // hops, including the one that brought it here
};
struct meet {
  troupe::ref<token> partner;
};

/// Passes each token on to its partner with one hop less; a token on its last hop counts `over` down. `mine`
/// may be read after that: every write to it happens before.
struct passer {
  using accepts = troupe::protocol<token, meet>;

  void handle(meet m) { partner = std::move(m.partner); }
  void handle(token t) {
    ++mine->handled;
    if (t.left > 1) {
      tell(partner, token{t.left - 1});
    } else {
      over->count_down();
    }
  }

  std::latch* over;
  tally* mine;
  troupe::ref<token> partner = {};
};

std::uint64_t total(const std::vector<tally>& all) {
  std::uint64_t sum = 0;
  for (const tally& each : all) sum += each.handled;
  return sum;
}

struct go {};

/// Sends all tokens in one handler, so that they start together. Sent by another thread, some would meet
/// others that are not scheduled yet and travel with them from then on, a different number in each run.
struct starter {
  using accepts = troupe::protocol<go>;

  void handle(go) {
    for (std::uint64_t t = 0; t < tokens; ++t) tell((*passers)[t * passers->size() / tokens], token{hops});
  }

  const std::vector<troupe::ref_of<passer>>* passers;
  std::uint64_t tokens;
  std::uint64_t hops;
};

/// `actors` passers in a circle carry `tokens` tokens, evenly spread, for `hops` each. Adds the
/// messages to `handled`, and returns the seconds.
double circle(unsigned workers, std::uint64_t actors, std::uint64_t tokens, std::uint64_t hops,
              std::uint64_t& handled) {
  std::latch over(static_cast<std::ptrdiff_t>(tokens));
  std::vector<tally> tallies(actors);
  troupe::system sys({.workers = workers});
  std::vector<troupe::ref_of<passer>> passers;
  for (tally& each : tallies) passers.push_back(sys.spawn<passer>({}, &over, &each));
  for (std::uint64_t i = 0; i < actors; ++i) tell(passers[i], meet{passers[(i + 1) % actors]});
  const auto start = sys.spawn<starter>({}, &passers, tokens, hops);

  const bench::stopwatch timer;
  tell(start, go{});
  over.wait();
  const double seconds = timer.seconds();

  handled += total(tallies);
  return seconds;
}

/// Nanoseconds for a message between two of `live` actors, all of which have handled one message.
double among(unsigned workers, std::uint64_t live, std::uint64_t messages, std::uint64_t& handled) {
  std::latch over(1);
  tally mine;
  troupe::system sys({.workers = workers});
  std::vector<troupe::ref_of<passer>> crowd;
  crowd.reserve(live);
  for (std::uint64_t i = 0; i < live; ++i) {
    crowd.push_back(sys.spawn<passer>({}, &over, &mine));
    if (i > 0) tell(crowd[i], meet{crowd[i - 1]});
  }
  tell(crowd[0], meet{crowd[live - 1]});
  tell(crowd[live - 1], meet{crowd[0]});
  const bench::stopwatch timer;
  tell(crowd[0], token{messages});
  over.wait();
  const double seconds = timer.seconds();
  handled += mine.handled;
  return seconds * 1e9 / static_cast<double>(messages);
}

// -- fan_in ----------------------------------------------------------------------------------------------

struct number {
  std::uint64_t value;
};

struct funnel {
  std::uint64_t wanted;
  std::uint64_t sum = 0;  // written by the receiver only, read once `complete`
  std::latch complete{1};
};

struct receiver {
  using accepts = troupe::protocol<number>;

  explicit receiver(funnel* f) : into(f), left(f->wanted) {}
  void handle(number n) {
    into->sum += n.value;
    if (--left == 0) into->complete.count_down();
  }

  funnel* into;
  std::uint64_t left;
};

/// Sends the numbers 1 to `count`, and waits while the mailbox of the receiver is full.
troupe::task<void> sender(troupe::context&, troupe::inbox<begin> in, troupe::ref<number> to,
                          std::uint64_t count) {
  (void)co_await in.receive();
  for (std::uint64_t i = 1; i <= count; ++i) {
    if (!co_await to.send(number{i})) give_up("a send failed");
  }
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

bench::outcome many_live(unsigned workers, double scale) {
  const std::uint64_t messages = bench::workload::scaled(1'000'000, scale);
  std::uint64_t handled = 0;
  const bench::stopwatch timer;
  const double few = among(workers, 1'000, messages, handled);
  const double many =
      among(workers, bench::workload::scaled(1'000'000, scale < 1 ? scale : 1), messages, handled);
  bench::outcome o;
  o.ops = 2 * messages;
  o.seconds = timer.seconds();
  return std::move(o)
      .also("ns_at_1k", few)
      .also("ns_at_1m", many)
      .also("ratio", many / few)
      .expect("messages handled", 2 * messages, handled);
}

bench::outcome fan_in(unsigned workers, double scale) {
  using namespace bench::workload;
  const std::uint64_t each = scaled(fan_in_messages, scale);
  const std::uint64_t total = fan_in_senders * each;
  funnel into{.wanted = total};
  troupe::system sys({.workers = workers});
  const auto target = sys.spawn<receiver>({.mailbox = {.capacity = fan_in_capacity}}, &into);
  std::vector<troupe::ref<begin>> senders;
  for (std::uint64_t i = 0; i < fan_in_senders; ++i) senders.push_back(sys.spawn(sender, {}, target, each));

  const auto before = static_cast<double>(bench::resident_bytes());
  const bench::stopwatch timer;
  for (const auto& one : senders) tell(one, begin{});
  into.complete.wait();
  const double seconds = timer.seconds();

  // To compare with peers whose mailboxes are unbounded: the peak of queued messages.
  const double growth = (static_cast<double>(bench::peak_resident_bytes()) - before) / 1e6;
  return bench::ns_per_op(total, seconds)
      .also("rss_mb", growth)
      .expect("sum of the numbers received", fan_in_senders * (each * (each + 1) / 2), into.sum);
}

}  // namespace troupe_bench
