// The cases about requests and idleness: ask_roundtrip, idle_wake, idle_cpu.
#include "cases.hpp"

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace troupe_bench {
namespace {

struct increment {
  using reply = std::uint64_t;
  std::uint64_t number;
};

struct server {
  using accepts = troupe::protocol<increment>;
  std::uint64_t handle(increment m) const { return m.number + 1; }
};

// -- ask_roundtrip ---------------------------------------------------------------------------------------

/// The result of the asker: used by it only until `over`.
struct interview {
  std::uint64_t questions;
  std::uint64_t sum = 0;  // of all replies
  std::latch over{1};
};

/// Sends one request after the other.
struct asker {
  using accepts = troupe::protocol<begin>;

  troupe::task<void> handle(begin) {
    for (std::uint64_t i = 0; i < current->questions; ++i) {
      const troupe::result<std::uint64_t> reply = co_await whom.ask(increment{i}, troupe::forever);
      if (!reply) give_up("a request failed");
      current->sum += *reply;
    }
    current->over.count_down();
  }

  interview* current;
  troupe::ref<increment> whom;
};

// -- idle_cpu --------------------------------------------------------------------------------------------

struct waiting_room {
  std::latch seated{bench::workload::idle_actors};
  std::atomic<std::uint64_t> handled = 0;
};

struct idler {
  using accepts = troupe::protocol<begin>;

  void handle(begin) {
    ++room->handled;
    room->seated.count_down();
  }

  waiting_room* room;
};

}  // namespace

bench::outcome ask_roundtrip(unsigned workers, double scale) {
  interview current{.questions = bench::workload::scaled(bench::workload::asks, scale)};
  troupe::system sys({.workers = workers});
  const auto client = sys.spawn<asker>({}, &current, sys.spawn<server>());

  const bench::stopwatch timer;
  tell(client, begin{});
  current.over.wait();
  const double seconds = timer.seconds();

  const std::uint64_t n = current.questions;
  return bench::ns_per_op(n, seconds).expect("sum of the replies", n * (n + 1) / 2, current.sum);
}

bench::outcome idle_wake(unsigned workers, double scale) {
  const std::uint64_t rounds = bench::workload::scaled(bench::workload::wakes, scale);
  troupe::system sys({.workers = workers});
  const auto whom = sys.spawn<server>();

  std::vector<double> micros;
  micros.reserve(rounds);
  std::uint64_t sum = 0;
  const bench::stopwatch whole;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    std::this_thread::sleep_for(bench::workload::idle_before_wake);
    const bench::stopwatch timer;
    sum += sys.block_on(whom.ask(increment{i}, troupe::forever)).value_or(0);
    micros.push_back(timer.seconds() * 1e6);
  }
  const double seconds = whole.seconds();

  bench::outcome measured;
  measured.ops = rounds;
  measured.seconds = seconds;
  return std::move(measured)
      .also("p50_us", bench::percentile(micros, 50))
      .also("p99_us", bench::percentile(micros, 99))
      .expect("sum of the replies", rounds * (rounds + 1) / 2, sum);
}

bench::outcome idle_cpu(unsigned workers, double scale) {
  waiting_room room;
  troupe::system sys({.workers = workers});
  std::vector<troupe::ref<begin>> idlers;
  for (std::uint64_t i = 0; i < bench::workload::idle_actors; ++i)
    idlers.push_back(sys.spawn<idler>({}, &room));
  for (const auto& each : idlers) tell(each, begin{});
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

}  // namespace troupe_bench
