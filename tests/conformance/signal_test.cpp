// A process that is told to end by a signal, and the smallest of mailboxes. The signals: on real threads
// only.
#include "cast.hpp"

#include <signal.h>
#include <unistd.h>

using namespace conformance;

namespace {

/// Raises SIGTERM as it is made, while the tree comes up.
struct impatient : member {
  impatient(troupe::context& ctx, record* h) : member(ctx, h) { ::kill(::getpid(), SIGTERM); }
};

/// Its constructor raises SIGTERM, and returns when it is told to.
struct hanging : member {
  hanging(troupe::context& ctx, record* h, std::atomic<bool>* over) : member(ctx, h) {
    ::kill(::getpid(), SIGTERM);
    over->wait(false);
  }
};

/// Does not stop by itself. Its handler is a coroutine, which a kill ends.
struct patient : member {
  patient(troupe::context& ctx, record* h) : member(ctx, h) {
    (void)ctx.self<patient>().tell(nap{1h});
    (void)ctx.self<patient>().tell(nap{1h});
  }
};

}  // namespace

TEST_CASE("31 SIGTERM during start-up stops the tree in order") {
  on_threads([](world& w) {
    // b may have been started by then, or not any more.
    REQUIRE(w.sys.run(troupe::supervisor("app")
                          .child<hooked>("a", {}, &w.history)
                          .child(troupe::supervisor("pool").child<impatient>("x", {}, &w.history))
                          .child<hooked>("b", {}, &w.history)) == 0);
    lines expected{"+a", "+x", "+b", "hook b shutdown", "-b", "-x", "hook a shutdown", "-a"};
    if (w.history.count("+b") == 0) expected = {"+a", "+x", "-x", "hook a shutdown", "-a"};
    REQUIRE(w.history.all() == expected);
    REQUIRE(w.log.count("SIGTERM: stopping") == 1);
    REQUIRE(w.eventually([&] { return w.population() == 0; }));
  });
}

TEST_CASE("31 SIGTERM while a start hangs ends run() by its deadline") {
  std::atomic<bool> over = false;
  record history;
  troupe::testkit::log_capture log;
  troupe::system sys({.workers = 2, .name = "hanging", .shutdown = 100ms, .log = &log});
  const int status = sys.run(troupe::supervisor("app")
                                 .child<member>("a", {}, &history)
                                 .child<hanging>("h", {}, &history, &over)
                                 .child<member>("b", {}, &history));
  CHECK(status == 1);
  CHECK(log.count("SIGTERM: stopping") == 1);
  // The report names the wedged actor, or, where the machine was too busy to find it in time, those that
  // still run.
  CHECK(log.count("never returned:\n  /app") + log.count("did not stop in time") == 1);
  for (int i = 0; i < 20'000 && history.count("-a") == 0; ++i) std::this_thread::sleep_for(1ms);
  CHECK(history.count("-a") == 1);  // a has ended, while h still hangs
  over = true;
  over.notify_all();
  for (int i = 0; i < 20'000 && !sys.shutdown(); ++i) std::this_thread::sleep_for(1ms);
  CHECK(sys.shutdown());
  CHECK(history.count("+b") == 0);
  CHECK(history.count("-a") == 1);
}

TEST_CASE("31 SIGTERM twice kills") {
  on_threads([](world& w) {
    std::optional<int> status;
    std::jthread runs([&] {
      status = w.sys.run(troupe::supervisor("app")
                             .child<hooked>("a", {}, &w.history)
                             .child<patient>("p", {.shutdown = 1h, .mailbox = draining}, &w.history));
    });
    REQUIRE(w.eventually([&] { return w.history.size() == 2; }));
    ::kill(::getpid(), SIGTERM);
    const bool told = w.eventually([&] { return w.log.count("SIGTERM: stopping") == 1; });
    ::kill(::getpid(), SIGTERM);
    runs.join();
    REQUIRE(told);
    REQUIRE(status == 1);
    REQUIRE(w.log.count("SIGTERM again: killing") == 1);
    REQUIRE(w.history.count("-a") + w.history.count("-p") == 2);
    REQUIRE(w.history.count("hook a shutdown") == 0);
  });
}

TEST_CASE("32 every mailbox at capacity 1: supervision takes no room in it") {
  // The other rules hold there too: simulated() runs each again so.
  troupe::testkit::for_each_seed(seeds, [](std::uint64_t seed) {
    INFO("seed " << seed);
    world w(place::crowded, seed);
    const auto top = w.start(troupe::supervisor("app", {.strategy = troupe::one_for_all})
                                 .child<hooked>("a", {.shutdown = 1h, .mailbox = draining}, &w.history)
                                 .child<hooked>("b", {}, &w.history));
    for (const auto* path : {"/app", "/app/a", "/app/b"}) REQUIRE(w.look(path)->capacity == 1);
    const auto a = member_at(w, "/app/a");
    w.tell(a, nap{1h});
    w.settle();
    REQUIRE(a.tell(boom{}) == send_result::full);
    crash_and_wait(w, "/app/b");
    w.settle();
    REQUIRE(w.epoch("/app/a") == 1);
    REQUIRE(w.await(a.ask(epoch_now{})) == 1);  // the interrupted message is gone, and its room is free
    w.tell(a, nap{1h});
    w.sys.stop(top);
    REQUIRE(w.eventually([&] { return top.ended(); }));
    REQUIRE(w.history.count("+a") == 2);
    REQUIRE(w.history.count("-a") == 2);
  });
}
