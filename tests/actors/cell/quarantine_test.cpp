// Handlers that never return: on real threads only, for in a simulation nothing else would run.
#include "actors/common.hpp"

#include <atomic>
#include <thread>

using namespace actors_test;
using troupe::errc;
using troupe::exit_kind;
using troupe::testkit::log_capture;

namespace {

struct hang {};

/// Stays in its handler until the gate opens.
struct hanging {
  using accepts = troupe::protocol<hang, get>;
  explicit hanging(std::atomic<int>* g) : gate(g) { ++*gate; }
  ~hanging() { --*gate; }
  void handle(hang) {
    gate->fetch_add(100);
    while (gate->load() < 1000) std::this_thread::sleep_for(1ms);
    gate->fetch_sub(100);
  }
  int handle(get) const { return 1; }
  std::atomic<int>* gate;  // instances, + 100 for each that hangs; from 1000 on no instance hangs
};

template <class F>
bool eventually(F f) {
  for (int i = 0; i < 20'000; ++i) {
    if (f()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

}  // namespace

TEST_CASE("30 a wedged handler: quarantined, named in the report, and shutdown ends on time") {
  std::atomic<int> gate = 0;
  log_capture log;
  {
    troupe::system sys({.workers = 2, .shutdown = 5s, .log = &log});
    const auto top = sys.start(troupe::supervisor("app")
                                   .child<hanging>("fine", {}, &gate)
                                   .child<hanging>("stuck", {.shutdown = 50ms}, &gate));
    REQUIRE(top);
    const auto stuck = sys.at<hang, get>("/app/stuck").value();
    probe<> watcher(sys);
    watcher.watch(stuck);
    REQUIRE(stuck.tell(hang{}) == send_result::ok);
    REQUIRE(eventually([&] { return gate >= 100; }));
    sys.stop(*top);
    const auto notice = watcher.expect<troupe::down>(20s);
    CHECK(notice.reason.kind() == exit_kind::wedged);
    REQUIRE(eventually([&] { return top->ended(); }));
    CHECK(stuck.tell(hang{}) == send_result::closed);
    CHECK(sys.counters().wedged == 1);
    const auto tree = sys.inspect();
    CHECK(tree.children.back().path == "/app/stuck");
    CHECK(tree.children.back().state == troupe::actor_state::wedged);
    CHECK_FALSE(sys.shutdown());
    CHECK(log.count("/app/stuck: wedged") == 1);
    CHECK(log.count("never returned:\n  /app/stuck") == 1);
    CHECK(gate == 101);  // the other one ended in order; the state of this one was left alone
    gate += 1000;
    REQUIRE(eventually([&] { return gate == 1000; }));  // and ends by itself when it comes back
    REQUIRE(eventually([&] { return sys.shutdown(); }));
  }
}

TEST_CASE("a wedged child that is killed is replaced, under a new address, and costs a unit of the budget") {
  std::atomic<int> gate = 0;
  log_capture log;
  troupe::system sys({.workers = 2, .log = &log});
  const auto top =
      sys.start(troupe::supervisor("app", {.restarts = {.max = 1, .within = 60s}})
                    .child<hanging>("w", {.restart = troupe::restart::transient, .shutdown = 20ms}, &gate));
  REQUIRE(top);
  for (int round = 0; round < 2; ++round) {
    const auto w = sys.at<hang, get>("/app/w").value();
    REQUIRE(w.tell(hang{}) == send_result::ok);
    REQUIRE(eventually([&] { return gate >= 100 && gate % 100 == 1; }));
    sys.kill(w);
    if (round == 0) {
      REQUIRE(eventually([&] { return sys.at<hang, get>("/app/w").value_or(w) != w; }));
      CHECK(sys.block_on(sys.at<hang, get>("/app/w").value().ask(get{})).value() == 1);
      CHECK(sys.block_on(w.ask(get{})).error() == errc::closed);
      gate += 1000;
      REQUIRE(eventually([&] { return gate == 1001; }));
      gate -= 1000;
    } else {
      REQUIRE(eventually([&] { return top->ended(); }));
      gate += 1000;
    }
  }
  REQUIRE(eventually([&] { return gate == 1000 && sys.shutdown(); }));
}

TEST_CASE("a handler that is only slow is not wedged") {
  std::atomic<int> gate = 0;
  log_capture log;
  troupe::system sys({.workers = 2, .log = &log});
  const auto top = sys.start(troupe::supervisor("app").child<hanging>("slow", {.shutdown = 10s}, &gate));
  REQUIRE(top);
  REQUIRE(sys.at<hang>("/app/slow").value().tell(hang{}) == send_result::ok);
  REQUIRE(eventually([&] { return gate >= 100; }));
  sys.stop(*top);
  std::this_thread::sleep_for(150ms);
  CHECK_FALSE(top->ended());
  gate += 1000;
  REQUIRE(eventually([&] { return top->ended(); }));
  CHECK(sys.counters().wedged == 0);
  CHECK(gate == 1000);
}
