// How a tree stops: in order, in time, and whatever its children do.
#include "cast.hpp"

using namespace conformance;

namespace {

/// A chain of supervisors with a member at its end that does not stop by itself.
troupe::supervisor chain(world& w, int depth, troupe::duration limit) {
  const std::string name = depth == 10 ? "app" : "l" + std::to_string(depth);
  troupe::supervisor s(name, {.shutdown = limit});
  if (depth > 0) return std::move(s).child(chain(w, depth - 1, depth % 2 == 0 ? troupe::unlimited : 1h));
  return std::move(s).child<hooked>("leaf", {.shutdown = 1h, .mailbox = draining}, &w.history);
}

}  // namespace

TEST_CASE("12 shutdown: a child that does not stop by its deadline is killed, without its hook") {
  everywhere([](world& w) {
    const troupe::duration limit = w.time(2s);
    probe<> p(w.sys);
    const auto top =
        w.start(troupe::supervisor("app")
                    .child<hooked>("a", {}, &w.history)
                    .child<hooked>("slow", {.shutdown = limit, .mailbox = draining}, &w.history));
    const auto slow = member_at(w, "/app/slow");
    w.tell(slow, nap{1h});
    p.watch(slow);
    w.settle();
    w.history.clear();
    const auto began = w.now();
    w.sys.stop(top);
    REQUIRE(p.expect<troupe::down>().reason.kind() == exit_kind::killed);
    if (w.simulated()) REQUIRE(w.now() - began == limit);
    REQUIRE(w.eventually([&] { return top.ended(); }));
    REQUIRE(w.history.all() == lines{"-slow", "hook a shutdown", "-a"});
  });
}

TEST_CASE("12 shutdown: brutal kills at once; a cooperative child has its hook") {
  everywhere([](world& w) {
    probe<> p(w.sys);
    const auto top =
        w.start(troupe::supervisor("app")
                    .child<hooked>("a", {}, &w.history)
                    .child<hooked>("now", {.shutdown = troupe::brutal, .mailbox = draining}, &w.history));
    const auto now = member_at(w, "/app/now");
    w.tell(now, nap{1h});
    p.watch(now);
    w.settle();
    w.history.clear();
    const auto began = w.now();
    w.sys.stop(top);
    REQUIRE(p.expect<troupe::down>().reason.kind() == exit_kind::killed);
    REQUIRE(w.eventually([&] { return top.ended(); }));
    if (w.simulated()) REQUIRE(w.now() == began);
    REQUIRE(w.history.all() == lines{"-now", "hook a shutdown", "-a"});
  });
}

TEST_CASE("12 shutdown: unlimited lasts as long as the parent's deadline allows") {
  everywhere([](world& w) {
    const troupe::duration limit = w.time(3s);
    probe<> p(w.sys);
    const auto top = w.start(troupe::supervisor("app").child(
        troupe::supervisor("pool", {.shutdown = limit})
            .child<hooked>("slow", {.shutdown = troupe::unlimited, .mailbox = draining}, &w.history)));
    const auto slow = member_at(w, "/app/pool/slow");
    w.tell(slow, nap{1h});
    p.watch(slow);
    w.settle();
    const auto began = w.now();
    w.sys.stop(top);
    REQUIRE(p.expect<troupe::down>().reason.kind() == exit_kind::killed);
    if (w.simulated()) REQUIRE(w.now() - began == limit);
    REQUIRE(w.eventually([&] { return top.ended(); }));
  });
}

TEST_CASE("12 shutdown: unlimited means to wait for it when nothing above has a deadline") {
  simulated([](world& w) {
    const auto top = w.start(troupe::supervisor("app").child<hooked>(
        "slow", {.shutdown = troupe::unlimited, .mailbox = draining}, &w.history));
    w.tell(member_at(w, "/app/slow"), nap{30min});
    w.settle();
    w.sys.stop(top);
    w.pass(29min);
    REQUIRE_FALSE(top.ended());
    w.pass(1min);
    REQUIRE(top.ended());
    REQUIRE(w.history.all() == lines{"+slow", "hook slow shutdown", "-slow"});
  });
}

TEST_CASE("27 graceful stop: with drain, what is queued is handled, and what is new is refused") {
  struct digger {
    using accepts = troupe::protocol<nap>;
    explicit digger(record* h) : history(h) {}
    troupe::task<void> handle(nap m) {
      co_await troupe::sleep_for(m.length);
      history->put("done");
    }
    record* history;
  };
  everywhere([](world& w) {
    troupe::testkit::dead_letter_probe lost(w.sys);
    const auto top = w.start(
        troupe::supervisor("app").child<digger>("d", {.shutdown = 1h, .mailbox = draining}, &w.history));
    const auto d = w.sys.at<nap>("/app/d").value();
    std::size_t taken = 0;
    for (int i = 0; i < 5; ++i) {
      if (d.tell(nap{w.simulated() ? 1s : 1ms}) == send_result::ok) ++taken;
    }
    w.sys.stop(top);
    REQUIRE(w.eventually([&] {
      const auto sent = d.tell(nap{1ms});
      if (sent == send_result::ok) ++taken;
      return sent == send_result::closed;
    }));
    REQUIRE(w.eventually([&] { return top.ended(); }));
    REQUIRE(taken >= 1);
    REQUIRE(w.history.size() == taken);
    REQUIRE(lost.count() == 0);
  });
}

TEST_CASE("28 stop overtakes queued messages, which bounce") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app").child<hooked>("a", {}, &w.history));
    troupe::testkit::dead_letter_probe lost(w.sys);
    const auto a = member_at(w, "/app/a");
    w.tell(a, nap{1h});
    w.settle();
    std::size_t queued = 0;
    for (int i = 0; i < 5; ++i) {
      if (a.tell(boom{}) == send_result::ok) ++queued;
    }
    w.sys.stop(a);
    REQUIRE(w.eventually([&] { return a.ended(); }));
    REQUIRE(w.eventually([&] { return lost.count() >= queued; }));
    while (const auto letter = lost.take()) {
      REQUIRE(letter->cause == troupe::dead_letter_cause::closed);
    }
    REQUIRE(w.history.all() == lines{"+a", "hook a shutdown", "-a"});
    REQUIRE_FALSE(top.ended());
  });
}

TEST_CASE("28 a kill waits for no hook; a supervisor that is killed takes its subtree with it") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app").child(
        troupe::supervisor("pool")
            .child<hooked>("x", {.shutdown = 1h, .mailbox = draining}, &w.history)
            .child(troupe::supervisor("in").child<hooked>("y", {}, &w.history))));
    w.tell(member_at(w, "/app/pool/x"), nap{1h});
    w.settle();
    w.history.clear();
    const auto began = w.now();
    w.sys.kill(w.sys.supervisor_at("/app/pool").value());
    REQUIRE(w.eventually([&] { return w.history.size() == 4; }));
    if (w.simulated()) REQUIRE(w.now() == began);
    REQUIRE(w.history.sorted() == lines{"+x", "+y", "-x", "-y"});
    REQUIRE(w.history.count("+x") + w.history.count("+y") == 2);  // restarted, it is permanent
    REQUIRE_FALSE(top.ended());
  });
}

TEST_CASE("28 a stop twice is harmless; children first in reverse, then the hook, the state, the watchers") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app")
                                 .child<hooked>("a", {}, &w.history)
                                 .child(troupe::supervisor("pool")
                                            .child<hooked>("x", {}, &w.history)
                                            .child<hooked>("y", {}, &w.history)));
    const auto observer = w.sys.spawn<witness>({}, &w.history);
    w.tell(observer, watch_it{top});
    w.settle();
    w.history.clear();
    w.sys.stop(top);
    w.sys.stop(top);
    REQUIRE(w.eventually([&] { return w.history.size() == 7; }));
    REQUIRE(w.history.all() == lines{"hook y shutdown", "-y", "hook x shutdown", "-x", "hook a shutdown",
                                     "-a", "app: shutdown"});
  });
}

TEST_CASE("31 deadlines nest over ten levels: the least of them holds") {
  everywhere([](world& w) {
    const troupe::duration limit = w.time(3s);
    const auto top = w.start(chain(w, 10, limit));
    std::string path = "/app";
    for (int i = 9; i >= 0; --i) path += "/l" + std::to_string(i);
    w.tell(member_at(w, path + "/leaf"), nap{2h});
    w.settle();
    const auto began = w.now();
    w.sys.stop(top);
    REQUIRE(w.eventually([&] { return top.ended(); }));
    if (w.simulated()) REQUIRE(w.now() - began == limit);
    REQUIRE(w.history.all() == lines{"+leaf", "-leaf"});
    REQUIRE(w.eventually([&] { return w.population() == 0; }));
  });
}

TEST_CASE("12 shutdown: a child without a limit outlives the time of its younger siblings") {
  everywhere(
      [](world& w) {
        const troupe::duration little = w.time(5s);
        const troupe::duration work = w.simulated() ? troupe::duration(30min) : troupe::duration(300ms);
        const auto top = w.start(
            troupe::supervisor("app")
                .child<hooked>("oldest", {}, &w.history)
                .child<hooked>("old", {.shutdown = troupe::unlimited, .mailbox = draining}, &w.history)
                .child<hooked>("young", {.shutdown = little}, &w.history));
        w.tell(member_at(w, "/app/old"), nap{work});
        w.settle();
        w.history.clear();
        w.sys.stop(top);
        if (w.simulated()) {
          w.pass(work - 1s);
          REQUIRE_FALSE(top.ended());
        }
        REQUIRE(w.eventually([&] { return top.ended(); }));
        REQUIRE(w.history.all() == lines{"hook young shutdown", "-young", "hook old shutdown", "-old",
                                         "hook oldest shutdown", "-oldest"});
      },
      200);
}

TEST_CASE("12 shutdown: children that are told at the same time each have their own time") {
  simulated(
      [](world& w) {
        const auto top = w.start(troupe::supervisor("app", {.strategy = troupe::dynamic}));
        const auto start = [&](const char* id, troupe::duration allowed) {
          REQUIRE(
              w.await(top.start_child<hooked>(id, {.shutdown = allowed, .mailbox = draining}, &w.history)));
          w.tell(member_at(w, std::string("/app/") + id), nap{30min});
        };
        start("a", 1s);
        start("b", troupe::unlimited);
        start("c", 1min);
        w.settle();
        w.history.clear();
        w.sys.stop(top);
        w.pass(30s);
        REQUIRE(w.history.all() == lines{"-a"});
        w.pass(10min);
        REQUIRE(w.history.all() == lines{"-a", "-c"});
        w.pass(30min);
        REQUIRE(w.history.all() == lines{"-a", "-c", "hook b shutdown", "-b"});
        REQUIRE(top.ended());
      },
      200);
}
