// The cases about requests and idleness: ask_roundtrip, idle_wake, idle_cpu.
#include "engine.hpp"

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace caf_bench {
namespace {

caf::behavior increment_server() {
  return {[](std::uint64_t number) { return number + 1; }};
}

// -- ask_roundtrip ---------------------------------------------------------------------------------------

/// The state of the asker: used by it only until `over`.
struct interview {
  std::uint64_t questions;
  caf::actor server;  // released at the end
  std::uint64_t asked = 0;
  std::uint64_t sum = 0;  // of all replies
  std::latch over{1};
};

/// Sends the next request; its reply sends the one after it.
void ask(caf::event_based_actor* self, interview* current) {
  if (current->asked == current->questions) {
    current->server = nullptr;
    current->over.count_down();
    self->quit();
    return;
  }
  self->request(current->server, caf::infinite, current->asked++).then([=](std::uint64_t reply) {
    current->sum += reply;
    ask(self, current);
  });
}

caf::behavior asker(caf::event_based_actor* self, interview* current) {
  return {[=](ok_atom) { ask(self, current); }};
}

// -- idle_cpu --------------------------------------------------------------------------------------------

struct waiting_room {
  std::latch seated{bench::workload::idle_actors};
  std::atomic<std::uint64_t> handled = 0;
};

caf::behavior idler(caf::event_based_actor*, waiting_room* room) {
  return {[room](ok_atom) {
    ++room->handled;
    room->seated.count_down();
  }};
}

}  // namespace

bench::outcome ask_roundtrip(unsigned workers, double scale) {
  engine_config config(workers);
  interview current{.questions = bench::workload::scaled(bench::workload::asks, scale), .server = {}};
  caf::actor_system system(config);
  const auto server = system.spawn(increment_server);
  current.server = server;
  const auto client = system.spawn(asker, &current);

  const bench::stopwatch timer;
  caf::anon_send(client, ok_atom::value);
  current.over.wait();
  const double seconds = timer.seconds();

  caf::anon_send_exit(server, caf::exit_reason::user_shutdown);
  const std::uint64_t n = current.questions;
  return bench::ns_per_op(n, seconds).expect("sum of the replies", n * (n + 1) / 2, current.sum);
}

bench::outcome idle_wake(unsigned workers, double scale) {
  const std::uint64_t rounds = bench::workload::scaled(bench::workload::wakes, scale);
  engine_config config(workers);
  caf::actor_system system(config);
  const auto server = system.spawn(increment_server);
  caf::scoped_actor self(system);

  std::vector<double> micros;
  micros.reserve(rounds);
  std::uint64_t sum = 0;
  const bench::stopwatch whole;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    std::this_thread::sleep_for(bench::workload::idle_before_wake);
    const bench::stopwatch timer;
    self->request(server, caf::infinite, i)
        .receive([&](std::uint64_t reply) { sum += reply; }, [](const caf::error&) {});
    micros.push_back(timer.seconds() * 1e6);
  }
  const double seconds = whole.seconds();

  caf::anon_send_exit(server, caf::exit_reason::user_shutdown);
  bench::outcome measured;
  measured.ops = rounds;
  measured.seconds = seconds;
  return std::move(measured)
      .also("p50_us", bench::percentile(micros, 50))
      .also("p99_us", bench::percentile(micros, 99))
      .expect("sum of the replies", rounds * (rounds + 1) / 2, sum);
}

bench::outcome idle_cpu(unsigned workers, double scale) {
  engine_config config(workers);
  waiting_room room;
  caf::actor_system system(config);
  std::vector<caf::actor> idlers;
  for (std::uint64_t i = 0; i < bench::workload::idle_actors; ++i)
    idlers.push_back(system.spawn(idler, &room));
  for (const auto& each : idlers) caf::anon_send(each, ok_atom::value);
  room.seated.wait();
  std::this_thread::sleep_for(bench::workload::settle_time);

  const double cpu_before = bench::process_cpu_seconds();
  const bench::stopwatch timer;
  std::this_thread::sleep_for(bench::workload::idle_window(scale));
  const double seconds = timer.seconds();
  const double cpu = bench::process_cpu_seconds() - cpu_before;

  bench::outcome measured;
  measured.ops = idlers.size();
  measured.seconds = seconds;
  return std::move(measured)
      .also("cpu_percent", 100 * cpu / seconds)
      .expect("messages handled", bench::workload::idle_actors, room.handled);
}

}  // namespace caf_bench
