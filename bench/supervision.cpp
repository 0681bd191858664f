// The cases about supervision: restart, stop_tree.
#include "cases.hpp"

#include <troupe/actors/inspect.hpp>

#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>

namespace troupe_bench {
namespace {

// A short window, because the budget keeps an entry for each restart within it.
constexpr troupe::restart_budget ample{.max = UINT32_MAX, .within = std::chrono::milliseconds(1)};

// -- restart ---------------------------------------------------------------------------------------------

/// Crashes on every message, after sending one to the next incarnation.
struct phoenix_state {
  std::uint64_t crashes;
  std::uint64_t incarnations = 0;  // these two are used by the actor only until `over`
  std::uint64_t handled = 0;
  std::latch over{1};
};

struct burn {};

struct phoenix {
  using accepts = troupe::protocol<burn>;

  explicit phoenix(phoenix_state* s) : state(s) { ++state->incarnations; }

  void handle(burn, troupe::context& ctx) {
    if (state->handled++ == state->crashes) {
      state->over.count_down();
      return;
    }
    tell(ctx.self<phoenix>(), burn{});
    throw std::runtime_error("crashed for the benchmark");
  }

  phoenix_state* state;
};

// -- stop_tree -------------------------------------------------------------------------------------------

/// Counts the leaves of a tree.
struct grove {
  std::atomic<std::uint64_t> grown = 0;
  std::atomic<std::uint64_t> felled = 0;
};

/// The levels of the tree: 10 x 100 x 100 actors below the top at scale 1.
constexpr std::uint64_t boughs = 10;
constexpr std::uint64_t branches = 100;

struct leaf {
  using accepts = troupe::protocol<begin>;
  explicit leaf(grove* g) : all(g) { ++all->grown; }
  leaf(const leaf&) = delete;
  leaf& operator=(const leaf&) = delete;
  ~leaf() { ++all->felled; }
  void handle(begin) {}
  grove* all;
};

troupe::supervisor tree_of(grove& all, std::uint64_t leaves) {
  auto top = troupe::supervisor("top");
  for (std::uint64_t i = 0; i < boughs; ++i) {
    auto bough = troupe::supervisor(std::to_string(i));
    for (std::uint64_t j = 0; j < branches; ++j) {
      auto branch = troupe::supervisor(std::to_string(j));
      for (std::uint64_t k = 0; k < leaves; ++k) {
        std::move(branch).child<leaf>(std::to_string(k), {}, &all);
      }
      std::move(bough).child(std::move(branch));
    }
    std::move(top).child(std::move(bough));
  }
  return top;
}

}  // namespace

bench::outcome restart(unsigned workers, double scale) {
  phoenix_state state{.crashes = bench::workload::scaled(bench::workload::restarts, scale)};
  troupe::system sys({.workers = workers, .log = &troupe::silent_log()});
  const auto top =
      sys.start(troupe::supervisor("top", {.restarts = ample}).child<phoenix>("phoenix", {}, &state));
  if (!top) give_up("the tree did not start");
  const auto bird = sys.at<burn>("/top/phoenix").value();

  const bench::stopwatch timer;
  tell(bird, burn{});
  state.over.wait();
  const double seconds = timer.seconds();

  return bench::ns_per_op(state.crashes, seconds)
      .expect("incarnations", state.crashes + 1, state.incarnations)
      .expect("restarts counted", state.crashes, sys.counters().restarts);
}

bench::outcome stop_tree(unsigned workers, double scale) {
  const std::uint64_t leaves = bench::workload::scaled(bench::workload::stopped_leaves, scale);
  grove all;
  troupe::system sys({.workers = workers, .shutdown = std::chrono::minutes(2), .log = &troupe::silent_log()});
  const auto top = sys.start(tree_of(all, leaves));
  if (!top) give_up("the tree did not start");
  const std::uint64_t actors = sys.inspect().count() - 1;

  const bench::stopwatch timer;
  sys.stop(*top);
  while (!top->ended()) std::this_thread::sleep_for(std::chrono::microseconds(100));
  const double seconds = timer.seconds();

  bench::outcome measured;
  measured.ops = actors;
  measured.seconds = seconds;
  return std::move(measured)
      .also("ms", seconds * 1e3)
      .expect("leaves that ended", boughs * branches * leaves, all.felled.load())
      .expect("actors that ended", actors, sys.counters().ended)
      .expect("actors left", 1, sys.inspect().count());
}

}  // namespace troupe_bench
