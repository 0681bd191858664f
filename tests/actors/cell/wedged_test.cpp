// A handler that never returns, under every kind of parent and told to end in every way.
#include "hanging.hpp"

using namespace actors_test;
using troupe::errc;
using troupe::exit_kind;

namespace {

struct end_child {
  bool by_kill = false;
};

/// Stops its child, or has it killed, when told to.
struct parent {
  using accepts = troupe::protocol<end_child>;
  parent(troupe::context& ctx, gate* g) : child(ctx.spawn<hanging>({.name = "stuck", .shutdown = 20ms}, g)) {}
  void handle(end_child m, troupe::context& ctx) {
    if (m.by_kill) {
      ctx.system().kill(child);
    } else {
      ctx.stop(child);
    }
  }
  troupe::ref_of<hanging> child;
};

/// A system with an actor in a handler that never returns, until the gate opens.
struct scene {
  gate g;
  troupe::testkit::log_capture log;
  troupe::system sys{troupe::system_options{.workers = 2, .shutdown = 5s, .log = &log}};
  probe<> watcher{sys};

  template <class R>
  void wedge(const R& who) {
    watcher.watch(who);
    REQUIRE(who.tell(hang{}) == send_result::ok);
    REQUIRE(becomes_true([&] { return g.hanging == 1; }));
  }
  void expect_verdict(std::string_view path) {
    CHECK(watcher.template expect<troupe::down>(20s).reason.kind() == exit_kind::wedged);
    CHECK(log.count(std::string(path) + ": wedged") == 1);
  }
  void leave() {
    g.open = true;
    REQUIRE(becomes_true([&] { return g.hanging == 0; }));
    REQUIRE(becomes_true([&] { return bool(sys.shutdown()); }));
    CHECK(g.alive == 0);
  }
};

}  // namespace

TEST_CASE("wedged: an actor under the root that is stopped is cut off, and its name is free") {
  scene s;
  const auto who = s.sys.spawn<hanging>({.name = "stuck", .shutdown = 20ms}, &s.g);
  REQUIRE(s.sys.register_name("db", who));
  s.wedge(who);
  s.sys.stop(who);
  s.expect_verdict("/stuck");
  CHECK_FALSE(s.sys.find<get>("db"));
  const auto again = s.sys.spawn<hanging>({.name = "stuck"}, &s.g);
  CHECK(s.sys.block_on(again.ask(get{})) == 1);
  s.leave();
}

TEST_CASE("wedged: an actor under the root that is killed is cut off") {
  scene s;
  const auto who = s.sys.spawn<hanging>({.name = "stuck"}, &s.g);
  s.wedge(who);
  s.sys.kill(who);
  s.expect_verdict("/stuck");
  s.leave();
}

TEST_CASE("wedged: a child of an ordinary actor that is stopped or killed is cut off") {
  for (const bool by_kill : {false, true}) {
    scene s;
    const auto p = s.sys.spawn<parent>({.name = "p"}, &s.g);
    s.wedge(s.sys.at<hang, get>("/p/stuck").value());
    REQUIRE(p.tell(end_child{by_kill}) == send_result::ok);
    s.expect_verdict("/p/stuck");
    CHECK_FALSE(p.ended());
    s.leave();
  }
}

TEST_CASE("wedged: a sibling without a shutdown limit does not postpone the verdict") {
  scene s;
  const auto top = s.sys.start(troupe::supervisor("app", {.strategy = troupe::dynamic}));
  REQUIRE(top);
  REQUIRE(s.sys.block_on(top->start_child<hanging>("patient", {.shutdown = troupe::unlimited}, &s.g)));
  REQUIRE(s.sys.block_on(top->start_child<hanging>("stuck", {.shutdown = 20ms}, &s.g)));
  s.wedge(s.sys.at<hang, get>("/app/stuck").value());
  s.sys.stop(*top);
  s.expect_verdict("/app/stuck");
  REQUIRE(becomes_true([&] { return top->ended(); }));
  s.leave();
}

TEST_CASE("wedged: a grandchild below supervisors without a limit is cut off when the top is killed") {
  scene s;
  const auto top = s.sys.start(troupe::supervisor("app").child(
      troupe::supervisor("in").child<hanging>("stuck", {.shutdown = troupe::unlimited}, &s.g)));
  REQUIRE(top);
  s.wedge(s.sys.at<hang, get>("/app/in/stuck").value());
  s.sys.stop(*top);
  s.sys.kill(*top);
  s.expect_verdict("/app/in/stuck");
  REQUIRE(becomes_true([&] { return top->ended(); }));
  s.leave();
}

TEST_CASE("wedged: a child of a dynamic supervisor is replaced, unless it is temporary") {
  for (const auto type :
       {troupe::restart::permanent, troupe::restart::transient, troupe::restart::temporary}) {
    const bool replaced = type != troupe::restart::temporary;
    scene s;
    const auto top = s.sys.start(troupe::supervisor(
        "app", {.strategy = troupe::dynamic, .restarts = {.max = 1, .within = 60s}, .max_children = 1}));
    REQUIRE(top);
    REQUIRE(s.sys.block_on(top->start_child<hanging>("stuck", {.restart = type, .shutdown = 20ms}, &s.g)));
    const auto who = s.sys.at<hang, get>("/app/stuck").value();
    s.wedge(who);
    s.sys.kill(who);
    s.expect_verdict("/app/stuck");
    if (replaced) {
      REQUIRE(becomes_true([&] { return s.sys.at<hang, get>("/app/stuck").value_or(who) != who; }));
      CHECK(s.sys.block_on(s.sys.at<hang, get>("/app/stuck").value().ask(get{})) == 1);
    }
    // Room for one: the replacement is counted, and the wedged child is not.
    CHECK(s.sys.block_on(top->start_child<hanging>("other", {}, &s.g)).has_value() == !replaced);
    s.leave();
  }
}

TEST_CASE("wedged: a child of a dynamic supervisor that was to be stopped is not replaced") {
  scene s;
  const auto top = s.sys.start(troupe::supervisor("app", {.strategy = troupe::dynamic}));
  REQUIRE(top);
  REQUIRE(s.sys.block_on(top->start_child<hanging>("stuck", {.shutdown = 20ms}, &s.g)));
  s.wedge(s.sys.at<hang, get>("/app/stuck").value());
  CHECK(s.sys.block_on(top->stop_child("stuck")));  // answered when it is cut off
  s.expect_verdict("/app/stuck");
  CHECK(s.sys.inspect().children.at(1).children.empty());
  s.leave();
}

TEST_CASE("wedged: a dynamic supervisor whose budget is used up does not replace a child, and ends") {
  scene s;
  const auto top = s.sys.start(
      troupe::supervisor("app", {.strategy = troupe::dynamic, .restarts = {.max = 0, .within = 60s}}));
  REQUIRE(top);
  REQUIRE(s.sys.block_on(top->start_child<hanging>("stuck", {.shutdown = 20ms}, &s.g)));
  const auto who = s.sys.at<hang, get>("/app/stuck").value();
  s.wedge(who);
  s.sys.kill(who);
  s.expect_verdict("/app/stuck");
  REQUIRE(becomes_true([&] { return top->ended(); }));
  s.leave();
}

TEST_CASE("wedged: a member of a group is replaced, and the group with it") {
  scene s;
  const auto top = s.sys.start(troupe::supervisor("app", {.strategy = troupe::one_for_all})
                                   .child<hanging>("a", {}, &s.g)
                                   .child<hanging>("stuck", {}, &s.g)
                                   .child<hanging>("b", {}, &s.g));
  REQUIRE(top);
  const auto who = s.sys.at<hang, get>("/app/stuck").value();
  s.wedge(who);
  s.sys.kill(who);
  s.expect_verdict("/app/stuck");
  REQUIRE(becomes_true([&] { return s.sys.at<hang, get>("/app/stuck").value_or(who) != who; }));
  const auto epoch = [&](std::size_t child) {
    return s.sys.inspect().children.at(1).children.at(child).epoch;
  };
  REQUIRE(becomes_true([&] { return epoch(0) == 1 && epoch(2) == 1; }));
  CHECK(epoch(1) == 0);  // a new actor
  CHECK(s.sys.block_on(s.sys.at<hang, get>("/app/stuck").value().ask(get{})) == 1);
  s.leave();
}

TEST_CASE("wedged: requests queued behind it are answered, and senders that wait for room get closed") {
  const troupe::testkit::leak_guard memory;
  {
    scene s;
    troupe::testkit::dead_letter_probe lost(s.sys);
    const auto who = s.sys.spawn<hanging>({.name = "stuck", .mailbox = {.capacity = 4}}, &s.g);
    s.wedge(who);
    std::atomic<int> failed = 0;
    std::atomic<int> closed = 0;
    std::vector<std::jthread> askers;
    for (int i = 0; i < 2; ++i) {
      askers.emplace_back([&] {
        const auto answer = s.sys.block_on(who.ask(get{}, 30s));
        if (answer || answer.error() != errc::actor_failed) return;
        for (const troupe::error* e = &answer.error(); e != nullptr; e = e->cause()) {
          if (*e == errc::stuck) ++failed;
        }
      });
    }
    REQUIRE(becomes_true([&] { return s.sys.inspect().children.back().depth == 3; }));
    REQUIRE(who.tell(hang{}) == send_result::ok);
    for (int i = 0; i < 2; ++i) {
      askers.emplace_back([&] {
        const auto sent = s.sys.block_on(who.send(hang{}));
        if (!sent && sent.error() == errc::closed) ++closed;
      });
    }
    std::this_thread::sleep_for(10ms);  // they may wait by then, or come too late: closed in either case
    s.sys.kill(who);
    s.expect_verdict("/stuck");
    askers.clear();
    CHECK(failed == 2);
    CHECK(closed == 2);
    CHECK(lost.count() == 1);
    s.leave();
    CHECK(lost.count() == 1);
  }
  memory.verify();
}

TEST_CASE("wedged: a stopping hook that never returns") {
  struct stuck_hook {
    using accepts = troupe::protocol<get>;
    explicit stuck_hook(gate* g) : at(g) {}
    int handle(get) const { return 1; }
    void stopping(troupe::context&, const troupe::exit_reason&) const {
      ++at->hanging;
      while (!at->open) std::this_thread::sleep_for(1ms);
      --at->hanging;
    }
    gate* at;
  };
  scene s;
  const auto who = s.sys.spawn<stuck_hook>({.name = "stuck", .shutdown = 20ms}, &s.g);
  s.watcher.watch(who);
  s.sys.stop(who);
  s.expect_verdict("/stuck");
  s.leave();
}
