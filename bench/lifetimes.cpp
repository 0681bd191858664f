// The cases about creating, keeping and ending actors: spawn_kill, skynet_1m, mem_actor.
#include "cases.hpp"

#include <atomic>
#include <latch>
#include <vector>

namespace troupe_bench {
namespace {

using bench::workload::skynet_range;

// -- spawn_kill ------------------------------------------------------------------------------------------

struct answer {
  std::uint64_t number;
};
struct question {
  std::uint64_t number;
  troupe::ref<answer> asker;
};

/// Answers one message and ends.
struct mayfly {
  using accepts = troupe::protocol<question>;

  void handle(question q, troupe::context& ctx) {
    tell(q.asker, answer{q.number});
    ctx.stop();
  }
};

/// The result of all waves: used by the creator only until `over`.
struct generations {
  std::uint64_t actors;
  std::uint64_t spawned = 0;
  std::uint64_t outstanding = 0;
  std::uint64_t sum = 0;  // of all answers
  std::latch over{1};
};

/// Spawns a wave, waits for all its answers, spawns the next.
struct creator {
  using accepts = troupe::protocol<answer, begin>;

  void handle(begin, troupe::context& ctx) { next_wave(ctx); }
  void handle(answer a, troupe::context& ctx) {
    all->sum += a.number;
    if (--all->outstanding == 0) next_wave(ctx);
  }

  void next_wave(troupe::context& ctx) {
    const troupe::ref<answer> me = ctx.self<creator>();
    while (all->spawned < all->actors && all->outstanding < bench::workload::wave_size) {
      ++all->outstanding;
      tell(ctx.spawn<mayfly>(short_lived), question{++all->spawned, me});
    }
    if (all->outstanding > 0) return;
    all->over.count_down();
    ctx.stop();
  }

  generations* all;
};

// -- skynet_1m -------------------------------------------------------------------------------------------

struct part {
  std::uint64_t sum;
};
struct assignment {
  skynet_range range;
  troupe::ref<part> parent;
};

/// A leaf answers and ends at once; a node adds up the answers of its children.
struct skynet_node {
  using accepts = troupe::protocol<part, assignment>;

  void handle(assignment t, troupe::context& ctx) {
    if (t.range.is_leaf()) {
      tell(t.parent, part{t.range.first});
      ctx.stop();
      return;
    }
    parent = std::move(t.parent);
    left = t.range.children();
    const troupe::ref<part> me = ctx.self<skynet_node>();
    for (std::uint64_t i = 0; i < t.range.children(); ++i)
      tell(ctx.spawn<skynet_node>(short_lived), assignment{t.range.child(i), me});
  }
  void handle(part p, troupe::context& ctx) {
    sum += p.sum;
    if (--left > 0) return;
    tell(parent, part{sum});
    ctx.stop();
  }

  troupe::ref<part> parent = {};
  std::uint64_t left = 0;
  std::uint64_t sum = 0;
};

struct skynet_result {
  std::uint64_t sum = 0;
  std::latch known{1};
};

struct skynet_root {
  using accepts = troupe::protocol<part>;

  void handle(part p) {
    result->sum = p.sum;
    result->known.count_down();
  }

  skynet_result* result;
};

// -- mem_actor -------------------------------------------------------------------------------------------

struct dormitory {
  explicit dormitory(std::uint64_t actors) : asleep(static_cast<std::ptrdiff_t>(actors)) {}
  std::atomic<std::uint64_t> sum = 0;
  std::latch asleep;
};

struct lullaby {
  std::uint64_t number;
};

struct sleeper {
  using accepts = troupe::protocol<lullaby>;

  void handle(lullaby song) {
    room->sum += song.number;
    room->asleep.count_down();
  }

  dormitory* room;
};

}  // namespace

bench::outcome spawn_kill(unsigned workers, double scale) {
  generations all{.actors = bench::workload::scaled(bench::workload::spawned_actors, scale)};
  troupe::system sys({.workers = workers});
  // The last answer of a wave starts the next one while up to a slice of answers still counts against the
  // mailbox.
  const auto first = sys.spawn<creator>({.mailbox = {.capacity = 2 * bench::workload::wave_size}}, &all);

  const bench::stopwatch timer;
  tell(first, begin{});
  all.over.wait();
  const double seconds = timer.seconds();

  return bench::ns_per_op(all.actors, seconds)
      .expect("sum of the answers", all.actors * (all.actors + 1) / 2, all.sum);
}

bench::outcome skynet_1m(unsigned workers, double scale) {
  const skynet_range all{0, bench::workload::scaled(bench::workload::skynet_leaves, scale)};
  skynet_result result;
  troupe::system sys({.workers = workers});
  const auto root = sys.spawn<skynet_root>({}, &result);

  const bench::stopwatch timer;
  tell(sys.spawn<skynet_node>(short_lived), assignment{all, root});
  result.known.wait();
  const double seconds = timer.seconds();

  bench::outcome measured;
  measured.ops = all.count;
  measured.seconds = seconds;
  return std::move(measured).also("ms", seconds * 1e3).expect("sum of the leaves", all.sum(), result.sum);
}

bench::outcome mem_actor(unsigned workers, double scale) {
  const std::uint64_t count = bench::workload::scaled(bench::workload::resting_actors, scale);
  dormitory room(count);
  troupe::system sys({.workers = workers});
  std::vector<troupe::ref<lullaby>> refs;

  const auto before = static_cast<double>(bench::resident_bytes());
  const bench::stopwatch timer;
  refs.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    refs.push_back(sys.spawn<sleeper>({}, &room));
    tell(refs.back(), lullaby{i + 1});
  }
  room.asleep.wait();
  const double seconds = timer.seconds();
  const double growth = static_cast<double>(bench::resident_bytes()) - before;

  bench::outcome measured;
  measured.ops = count;
  measured.seconds = seconds;
  return std::move(measured)
      .also("bytes_per_actor", growth / static_cast<double>(count))
      .expect("sum of the numbers handled", count * (count + 1) / 2, room.sum);
}

}  // namespace troupe_bench
