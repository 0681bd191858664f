// The simulated runtime: its options, and how a test moves it on. On its one thread.
#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/sim.hpp>

namespace troupe::sim {

namespace {
runtime_options simulated_options(const options& o) {
  runtime_options r;
  r.workers = 1;
  r.name = "sim";
  r.log = o.log != nullptr ? o.log : &silent_log();
  return r;
}
}  // namespace

runtime::runtime(options o)
    : troupe::runtime(simulated_options(o), simulated{o.seed, o.max_slice_time}), seed_(o.seed) {}

bool runtime::step() {
  return engine().sim_step();
}

std::uint64_t runtime::run_until_idle() {
  std::uint64_t steps = 0;
  while (engine().sim_step()) ++steps;
  return steps;
}

void runtime::advance(duration d) {
  const std::int64_t until = detail::deadline_after(engine().now(), d);
  do {
    while (engine().now() <= until && engine().sim_step()) {
    }
  } while (engine().now() <= until && engine().sim_advance(until));
}

bool runtime::run_to_end(duration limit) {
  const std::int64_t until = detail::deadline_after(engine().now(), limit);
  for (;;) {
    while (engine().now() <= until && engine().sim_step()) {
    }
    if (engine().sim_over()) return true;
    if (engine().now() > until || !engine().sim_advance(until)) return false;
  }
}

std::uint64_t runtime::random() {
  return engine().sim().next();
}

}  // namespace troupe::sim
