// The cases about creating, keeping and ending actors: spawn_kill, skynet_1m, mem_actor.
#include "engine.hpp"

#include <atomic>
#include <latch>
#include <vector>

namespace caf_bench {
namespace {

using bench::workload::skynet_range;

// -- spawn_kill ------------------------------------------------------------------------------------------

/// The state of the creator: used by it only until `over`.
struct generations {
  std::uint64_t actors;
  std::uint64_t spawned = 0;
  std::uint64_t outstanding = 0;
  std::uint64_t sum = 0;  // of all answers
  std::latch over{1};
};

caf::behavior mayfly(caf::event_based_actor* self, const caf::actor& creator) {
  return {[self, creator](std::uint64_t number) {
    self->send(creator, number);
    self->quit();
  }};
}

void next_wave(caf::event_based_actor* self, generations* all) {
  const caf::actor me(self);
  while (all->spawned < all->actors && all->outstanding < bench::workload::wave_size) {
    ++all->outstanding;
    self->send(self->spawn<caf::lazy_init>(mayfly, me), ++all->spawned);
  }
  if (all->outstanding > 0) return;
  all->over.count_down();
  self->quit();
}

/// Spawns a wave, waits for all its answers, spawns the next.
caf::behavior creator(caf::event_based_actor* self, generations* all) {
  return {
      [=](std::uint64_t answer) {
        all->sum += answer;
        if (--all->outstanding == 0) next_wave(self, all);
      },
      [=](ok_atom) { next_wave(self, all); },
  };
}

// -- skynet_1m -------------------------------------------------------------------------------------------

/// A leaf answers and ends at once; a node adds up the answers of its children.
caf::behavior skynet_node(caf::event_based_actor* self, const caf::actor& parent, skynet_range range) {
  if (range.is_leaf()) {
    self->send(parent, range.first);
    return {};
  }
  const caf::actor me(self);
  const std::uint64_t children = range.children();
  for (std::uint64_t i = 0; i < children; ++i) self->spawn(skynet_node, me, range.child(i));
  return {[self, parent, left = children, sum = std::uint64_t{0}](std::uint64_t part) mutable {
    sum += part;
    if (--left > 0) return;
    self->send(parent, sum);
    self->quit();
  }};
}

struct skynet_result {
  std::uint64_t sum = 0;
  std::latch known{1};
};

caf::behavior skynet_root(caf::event_based_actor* self, skynet_result* result) {
  return {[self, result](std::uint64_t sum) {
    result->sum = sum;
    result->known.count_down();
    self->quit();
  }};
}

// -- mem_actor -------------------------------------------------------------------------------------------

struct dormitory {
  explicit dormitory(std::uint64_t actors) : asleep(static_cast<std::ptrdiff_t>(actors)) {}
  std::atomic<std::uint64_t> sum = 0;
  std::latch asleep;
};

caf::behavior sleeper(caf::event_based_actor*, dormitory* room) {
  return {[room](std::uint64_t number) {
    room->sum += number;
    room->asleep.count_down();
  }};
}

}  // namespace

bench::outcome spawn_kill(unsigned workers, double scale) {
  engine_config config(workers);
  generations all{.actors = bench::workload::scaled(bench::workload::spawned_actors, scale)};
  caf::actor_system system(config);
  const auto first = system.spawn(creator, &all);

  const bench::stopwatch timer;
  caf::anon_send(first, ok_atom::value);
  all.over.wait();
  const double seconds = timer.seconds();

  return bench::ns_per_op(all.actors, seconds)
      .expect("sum of the answers", all.actors * (all.actors + 1) / 2, all.sum);
}

bench::outcome skynet_1m(unsigned workers, double scale) {
  const skynet_range all{0, bench::workload::scaled(bench::workload::skynet_leaves, scale)};
  engine_config config(workers);
  skynet_result result;
  caf::actor_system system(config);
  const auto root = system.spawn(skynet_root, &result);

  const bench::stopwatch timer;
  system.spawn(skynet_node, root, all);
  result.known.wait();
  const double seconds = timer.seconds();

  bench::outcome measured;
  measured.ops = all.count;
  measured.seconds = seconds;
  return std::move(measured).also("ms", seconds * 1e3).expect("sum of the leaves", all.sum(), result.sum);
}

bench::outcome mem_actor(unsigned workers, double scale) {
  const std::uint64_t count = bench::workload::scaled(bench::workload::resting_actors, scale);
  engine_config config(workers);
  dormitory room(count);
  caf::actor_system system(config);
  std::vector<caf::actor> refs;

  const auto before = static_cast<double>(bench::resident_bytes());
  const bench::stopwatch timer;
  refs.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    refs.push_back(system.spawn<caf::lazy_init>(sleeper, &room));
    caf::anon_send(refs.back(), i + 1);
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

}  // namespace caf_bench
