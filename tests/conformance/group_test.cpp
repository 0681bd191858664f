// Strategies that restart more than the child that crashed.
#include "cast.hpp"

#include <atomic>

using namespace conformance;
using child_state = troupe::child_state;

TEST_CASE("07 one_for_all: replaces every incarnation, and costs one unit") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app", {.strategy = troupe::one_for_all, .restarts = {1, 1h}})
                                 .child<member>("a", {}, &w.history)
                                 .child<member>("b", {}, &w.history)
                                 .child<member>("c", {.restart = restart::transient}, &w.history));
    const auto a = member_at(w, "/app/a");
    w.settle();
    w.history.clear();
    crash(w, "/app/b");
    REQUIRE(w.eventually([&] { return w.history.size() == 6; }));
    REQUIRE(w.history.all() == lines{"-b", "-c", "-a", "+a", "+b", "+c"});
    w.settle();
    for (const auto* path : {"/app/a", "/app/b", "/app/c"}) REQUIRE(w.epoch(path) == 1);
    REQUIRE((member_at(w, "/app/a") == a));
    REQUIRE_FALSE(top.ended());
    crash(w, "/app/a");  // one too many
    REQUIRE(w.eventually([&] { return top.ended(); }));
    REQUIRE(w.history.size() == 9);
  });
}

TEST_CASE("08 one_for_all: when a sibling fails to start, those already restarted stop again") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app", {.strategy = troupe::one_for_all, .restarts = {2, 1h}})
                                 .child<member>("a", {}, &w.history)
                                 .child<faulty>("b", {}, &w.history, 1U, 1U)
                                 .child<member>("c", {}, &w.history));
    w.settle();
    w.history.clear();
    crash(w, "/app/c");
    REQUIRE(w.eventually([&] { return w.history.size() == 9; }));
    w.settle();
    REQUIRE(w.history.all() == lines{"-c", "-b", "-a", "+a", "!b", "-a", "+a", "+b", "+c"});
    REQUIRE_FALSE(top.ended());
  });
}

TEST_CASE("08 one_for_all: a sibling that never starts again takes them all with it, by the budget") {
  everywhere([](world& w) {
    probe<> p(w.sys);
    const auto top = w.start(troupe::supervisor("app", {.strategy = troupe::one_for_all, .restarts = {2, 1h}})
                                 .child<member>("a", {}, &w.history)
                                 .child<faulty>("b", {}, &w.history, 1U, 100U)
                                 .child<member>("c", {}, &w.history));
    p.watch(top);
    w.settle();
    w.history.clear();
    crash(w, "/app/c");
    REQUIRE(p.expect<troupe::down>().reason.kind() == exit_kind::restart_limit);
    REQUIRE(w.history.all() == lines{"-c", "-b", "-a", "+a", "!b", "-a", "+a", "!b", "-a"});
    REQUIRE(w.eventually([&] { return w.population() == 1; }));
  });
}

TEST_CASE("08 one_for_all: a fresh start that fails when the budget is used up is a restart_limit, too") {
  struct moody : member {
    moody(troupe::context& ctx, record* h, std::atomic<bool>* broken) : member(checked(ctx, *broken), h) {}
    static troupe::context& checked(troupe::context& ctx, bool broken) {
      if (broken) throw std::runtime_error("no port left");
      return ctx;
    }
  };
  everywhere(
      [](world& w) {
        probe<> p(w.sys);
        std::atomic<bool> broken = false;
        const auto top =
            w.start(troupe::supervisor("app", {.strategy = troupe::one_for_all, .restarts = {1, 1h}})
                        .child<moody>("hand", {}, &w.history, &broken)
                        .child<member>("b", {}, &w.history));
        p.watch(top);
        REQUIRE(w.await(top.stop_child("hand")));
        broken = true;
        crash(w, "/app/b");
        const auto notice = p.expect<troupe::down>();
        REQUIRE(notice.reason.kind() == exit_kind::restart_limit);
        const std::string text = notice.reason.to_string();
        INFO(text);
        REQUIRE(text.find("no port left") != std::string::npos);
      },
      50);
}

TEST_CASE("09 rest_for_one: when a later sibling fails to start, the earlier ones are untouched") {
  everywhere([](world& w) {
    const auto top =
        w.start(troupe::supervisor("app", {.strategy = troupe::rest_for_one, .restarts = {2, 1h}})
                    .child<member>("a", {}, &w.history)
                    .child<member>("b", {}, &w.history)
                    .child<faulty>("c", {}, &w.history, 1U, 1U)
                    .child<member>("d", {}, &w.history));
    w.settle();
    w.history.clear();
    crash(w, "/app/b");
    REQUIRE(w.eventually([&] { return w.history.size() == 7; }));
    w.settle();
    REQUIRE(w.history.all() == lines{"-b", "-d", "-c", "+b", "!c", "+c", "+d"});
    REQUIRE(w.epoch("/app/a") == 0);
    REQUIRE(w.epoch("/app/b") == 1);
    REQUIRE_FALSE(top.ended());
  });
}

TEST_CASE("10 bystanders: a temporary one is gone, one that was stopped by hand comes back") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app", {.strategy = troupe::one_for_all})
                                 .child<member>("hand", {}, &w.history)
                                 .child<member>("trans", {.restart = restart::transient}, &w.history)
                                 .child<member>("temp", {.restart = restart::temporary}, &w.history)
                                 .child<member>("p", {}, &w.history));
    REQUIRE(w.await(top.stop_child("hand")));
    REQUIRE(w.await(top.stop_child("trans")));
    REQUIRE(w.state(top, "hand") == child_state::not_running);
    crash_and_wait(w, "/app/p");
    w.settle();
    REQUIRE(w.ids(top) == lines{"hand", "trans", "p"});
    REQUIRE(w.state(top, "hand") == child_state::running);
    REQUIRE(w.state(top, "trans") == child_state::not_running);
    REQUIRE(w.history.count("+temp") == 1);
    REQUIRE(w.history.count("-temp") == 1);
  });
}

TEST_CASE("10 bystanders: under one_for_one a child that was stopped by hand stays so") {
  everywhere([](world& w) {
    const auto top = w.start(
        troupe::supervisor("app").child<member>("hand", {}, &w.history).child<member>("p", {}, &w.history));
    REQUIRE(w.await(top.stop_child("hand")));
    crash_and_wait(w, "/app/p");
    w.settle();
    REQUIRE(w.state(top, "hand") == child_state::not_running);
  });
}

TEST_CASE("10 bystanders: one that is stopped by hand during a group restart stays so until the next") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app", {.strategy = troupe::one_for_all, .restarts = {5, 1h}})
                                 .child<member>("hand", {}, &w.history)
                                 .child<member>("p", {.backoff = {1min, 1min, 0}}, &w.history)
                                 .child<member>("q", {}, &w.history));
    crash(w, "/app/p");
    // The group waits for p.
    REQUIRE(w.eventually([&] { return w.history.count("-hand") == 1 && w.state(top, "hand").has_value(); }));
    REQUIRE(w.await(top.stop_child("q")));
    REQUIRE(w.await(top.stop_child("hand")));
    if (!w.simulated()) return;  // where p waits for a real minute
    w.pass(1min);
    REQUIRE(w.eventually([&] { return w.epoch("/app/p") == 1; }));
    w.settle();
    REQUIRE(w.state(top, "q") == child_state::not_running);
    REQUIRE(w.state(top, "hand") == child_state::not_running);
    REQUIRE(w.history.count("+q") == 1);
    crash(w, "/app/p");
    w.settle();
    w.pass(1min);
    REQUIRE(w.eventually([&] { return w.epoch("/app/p") == 2; }));
    w.settle();
    REQUIRE(w.state(top, "q") == child_state::running);
    REQUIRE(w.state(top, "hand") == child_state::running);
  });
}

TEST_CASE("11 a sub-supervisor that was restarted has its static children only") {
  everywhere([](world& w) {
    (void)w.start(troupe::supervisor("app").child(
        troupe::supervisor("pool", {.restarts = {0, 1h}}).child<member>("x", {}, &w.history)));
    const auto pool = w.sys.supervisor_at("/app/pool").value();
    REQUIRE(w.await(pool.start_child<member>("y", {}, &w.history)));
    REQUIRE(w.ids(pool) == lines{"x", "y"});
    crash(w, "/app/pool/x");
    REQUIRE(w.eventually([&] { return w.epoch("/app/pool") == 1 && w.epoch("/app/pool/x") == 0; }));
    REQUIRE(w.ids(pool) == lines{"x"});
    REQUIRE_FALSE(w.look("/app/pool/y"));
    REQUIRE(w.history.count("-y") == 1);
  });
}
