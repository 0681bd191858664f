// run(): from the signal to the return, whatever the tree does. Signals: on real threads only.
#include "actors/cell/hanging.hpp"

#include <optional>
#include <signal.h>
#include <unistd.h>

using namespace actors_test;
using troupe::testkit::log_capture;

namespace {

constexpr troupe::mailbox_options draining{.when_stopped = troupe::on_stop::drain};

/// Tells the process to end, and sleeps in a coroutine, which a kill ends.
struct sleeper {
  using accepts = troupe::protocol<hang>;
  sleeper(troupe::context& ctx, gate* g) : at(g) {
    ++at->alive;
    (void)ctx.self<sleeper>().tell(hang{});
  }
  sleeper(const sleeper&) = delete;
  sleeper& operator=(const sleeper&) = delete;
  ~sleeper() { --at->alive; }
  troupe::task<void> handle(hang) {
    ::kill(::getpid(), SIGTERM);
    co_await troupe::sleep_for(1h);
  }
  gate* at;
};

/// The same, but it does not give its thread back.
struct blocker : hanging {
  blocker(troupe::context& ctx, gate* g) : hanging(g) { (void)ctx.self<blocker>().tell(hang{}); }
  void handle(hang m) const {
    ::kill(::getpid(), SIGTERM);
    hanging::handle(m);
  }
  int handle(get) const { return 1; }
};

/// After the shutdown time run() waits half a second more. Where the machine gives this process no core for
/// so long, it returns before all is over, and says so: then the attempt shows nothing.
template <class F>
void in_one_attempt_of_ten(F attempt) {
  for (int i = 0; i < 10; ++i) {
    log_capture log;
    if (attempt(log)) return;
    REQUIRE(log.count("did not stop in time") > 0);
  }
  FAIL("run() has not once returned with the tree ended");
}

}  // namespace

TEST_CASE("run: at the end of the shutdown time the tree is killed, and only then it returns") {
  for (const bool current_thread : {false, true}) {
    in_one_attempt_of_ten([current_thread](log_capture& log) {
      gate g;
      troupe::system sys({.workers = current_thread ? 1U : 2U,
                          .current_thread = current_thread,
                          .shutdown = 100ms,
                          .log = &log});
      CHECK(sys.run(troupe::supervisor("app")
                        .child<hanging>("a", {}, &g)
                        .child(troupe::supervisor("in").child<sleeper>(
                            "s", {.shutdown = 1h, .mailbox = draining}, &g))) == 1);
      if (log.count("did not stop in time") != 0) return false;
      CHECK(g.alive == 0);
      CHECK_FALSE(sys.find<get>("/app"));
      CHECK(sys.inspect().children.empty());
      return true;
    });
  }
}

TEST_CASE("run: a handler that never returns is named, and everything else has ended by then") {
  in_one_attempt_of_ten([](log_capture& log) {
    gate g;
    troupe::system sys({.workers = 2, .shutdown = 100ms, .log = &log});
    const auto began = std::chrono::steady_clock::now();
    CHECK(sys.run(troupe::supervisor("app")
                      .child<hanging>("a", {}, &g)
                      .child(troupe::supervisor("in")
                                 .child<hanging>("b", {}, &g)
                                 .child<blocker>("stuck", {.shutdown = 1h}, &g)
                                 .child<hanging>("c", {}, &g))) == 1);
    CHECK(std::chrono::steady_clock::now() - began < 30s);
    CHECK(g.hanging == 1);
    const bool in_time = log.count("did not stop in time") == 0;
    CHECK((!in_time || g.alive == 1));
    CHECK((!in_time || log.count("never returned:\n  /app/in/stuck") == 1));
    g.open = true;
    REQUIRE(becomes_true([&] { return bool(sys.shutdown()); }));
    CHECK(g.alive == 0);
    return in_time;
  });
}

TEST_CASE("run: returns when another thread shuts the system down") {
  for (const bool waits : {true, false}) {
    gate g;
    log_capture log;
    troupe::system sys({.workers = 2, .log = &log});
    std::atomic<int> status = -1;
    std::jthread runs([&] { status = sys.run(troupe::supervisor("app").child<hanging>("a", {}, &g)); });
    REQUIRE(becomes_true([&] { return g.alive == 1; }));
    if (waits) {
      CHECK(sys.shutdown());
    } else {
      sys.stop(sys.supervisor_at("/app").value());
    }
    CHECK(becomes_true([&] { return status != -1; }));
    if (status == -1) ::kill(::getpid(), SIGTERM);
    runs.join();
    CHECK(status == 0);
    CHECK(g.alive == 0);
  }
}

TEST_CASE("run: further signals do not put off its end") {
  gate g;
  log_capture log;
  troupe::system sys({.workers = 1, .shutdown = 100ms, .log = &log});  // nothing else can run while it blocks
  std::atomic<int> status = -1;
  std::jthread runs([&] { status = sys.run(troupe::supervisor("app").child<blocker>("stuck", {}, &g)); });
  REQUIRE(becomes_true([&] { return g.hanging == 1; }));
  int signals = 0;
  while (status == -1 && signals < 100) {
    ::kill(::getpid(), SIGTERM);
    ++signals;
    std::this_thread::sleep_for(200ms);
  }
  CHECK(signals < 100);
  g.open = true;
  runs.join();
  CHECK(status == 1);
  CHECK(log.count("did not stop in time") == 1);
  REQUIRE(becomes_true([&] { return bool(sys.shutdown()); }));
}
