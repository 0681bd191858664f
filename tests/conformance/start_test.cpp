// Specifications that are refused, and starts that fail and leave nothing behind.
#include "cast.hpp"

using namespace conformance;
using child_state = troupe::child_state;

namespace {

/// Starts a child, sets a timer, takes a name; then its incarnations from `first` to `last` throw.
struct hopeless {
  using accepts = troupe::protocol<boom>;
  hopeless(troupe::context& ctx, record* h, unsigned first, unsigned last) {
    ctx.spawn<member>({.name = "below"}, h);
    ctx.after(1h, boom{});
    (void)ctx.system().register_name("the hopeless", ctx.self<hopeless>());
    if (ctx.epoch() >= first && ctx.epoch() <= last) throw std::runtime_error("no hope");
  }
  void handle(const boom& m) { throw std::runtime_error(m.why); }
};

}  // namespace

TEST_CASE("02 specification: a mistake is refused before anything starts, with the child's path") {
  everywhere(
      [](world& w) {
        const auto refused = [&](const troupe::supervisor& tree, std::string_view text) {
          const auto top = w.sys.start(tree);
          REQUIRE_FALSE(top);
          INFO(top.error().to_string());
          REQUIRE(top.error() == errc::invalid_argument);
          REQUIRE(top.error().to_string().find(text) != std::string::npos);
          REQUIRE(w.history.size() == 0);
        };
        const auto below = [&](troupe::child_options o, troupe::auto_shutdown a = {}) {
          return troupe::supervisor("app")
              .child<member>("ok", {}, &w.history)
              .child(troupe::supervisor("p", {.auto_shutdown = a}).child<member>("x", o, &w.history));
        };
        const auto any = troupe::auto_shutdown::any_significant;
        refused(
            troupe::supervisor("app").child<member>("a", {}, &w.history).child<member>("a", {}, &w.history),
            "/app/a: two children");
        refused(below({.significant = true}, any), "/app/p/x");
        refused(below({.restart = restart::transient, .significant = true}), "/app/p/x");
        refused(below({.shutdown = 0s}), "/app/p/x: shutdown");
        refused(below({.shutdown = -1s}), "/app/p/x: shutdown");
        refused(below({.backoff = {-1s, 1s}}), "/app/p/x: backoff");
        refused(below({.backoff = {2s, 1s}}), "/app/p/x: backoff");
        refused(below({.backoff = {1s, 2s, 1.5}}), "/app/p/x: backoff");
        refused(below({.budget = troupe::restart_budget{1, 0s}}), "/app/p/x: budget.within");
        refused(below({.restarts = {1, -1s}}), "/app/p/x: restarts.within");
        refused(troupe::supervisor("app", {.restarts = {1, 0s}}), "/app: restarts.within");
        refused(troupe::supervisor("app", {.shutdown = 0s}), "/app: shutdown");
        refused(troupe::supervisor("app").child(troupe::supervisor("g", {.strategy = troupe::one_for_all})),
                "/app/g: a group without children");
        refused(troupe::supervisor("app").child(troupe::supervisor("g", {.strategy = troupe::rest_for_one})),
                "/app/g: a group without children");
        REQUIRE(w.population() == 0);
      },
      10);
}

TEST_CASE("02 specification: a child that is started later is held to the same rules") {
  everywhere(
      [](world& w) {
        const auto top = w.start(troupe::supervisor("app"));
        const auto a = w.await(top.start_child<member>("a", {.shutdown = 0s}, &w.history));
        REQUIRE_FALSE(a);
        REQUIRE(a.error() == errc::invalid_argument);
        const auto b = w.await(
            top.start_child<member>("b", {.restart = restart::transient, .significant = true}, &w.history));
        REQUIRE_FALSE(b);
        REQUIRE(b.error() == errc::invalid_argument);
        REQUIRE(w.ids(top).empty());
        REQUIRE(w.history.size() == 0);
      },
      10);
}

TEST_CASE("02 ignore: a static child is kept as not running, unless it is temporary") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app")
                                 .child<needless>("p", {.restart = restart::permanent}, &w.history, 0U)
                                 .child<needless>("t", {.restart = restart::transient}, &w.history, 0U)
                                 .child<needless>("o", {.restart = restart::temporary}, &w.history, 0U)
                                 .child<member>("last", {}, &w.history));
    REQUIRE(w.ids(top) == lines{"p", "t", "last"});
    REQUIRE(w.state(top, "p") == child_state::not_running);
    REQUIRE(w.state(top, "t") == child_state::not_running);
    REQUIRE(w.population() == 2);
    for (const auto type : {restart::permanent, restart::transient, restart::temporary}) {
      const auto late = w.await(top.start_child<needless>("late", {.restart = type}, &w.history, 0U));
      REQUIRE_FALSE(late);
      REQUIRE(late.error() == errc::ignored);
      REQUIRE(w.state(top, "late").has_value() == (type != restart::temporary));
      if (type != restart::temporary) REQUIRE(w.await(top.remove_child("late")));
    }
  });
}

TEST_CASE("02 ignore: said on a restart, it is kept as not running, and nothing escalates") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app", {.restarts = {1, 1h}})
                                 .child<needless>("p", {}, &w.history, 1U)
                                 .child<member>("other", {}, &w.history));
    crash(w, "/app/p");
    REQUIRE(w.eventually([&] { return w.state(top, "p") == child_state::not_running; }));
    w.settle();
    REQUIRE(w.state(top, "other") == child_state::running);
  });
}

TEST_CASE("03 start failure: earlier siblings stop in reverse; the parent names child and reason") {
  everywhere([](world& w) {
    const auto top = w.sys.start(troupe::supervisor("app")
                                     .child<member>("a", {}, &w.history)
                                     .child<member>("b", {}, &w.history)
                                     .child(troupe::supervisor("pool")
                                                .child<member>("x", {}, &w.history)
                                                .child<member>("y", {}, &w.history)
                                                .child<faulty>("broken", {}, &w.history, 0U, 0U))
                                     .child<member>("z", {}, &w.history));
    REQUIRE_FALSE(top);
    INFO(top.error().to_string());
    REQUIRE(top.error() == errc::start_failed);
    REQUIRE(top.error().to_string().find("'broken'") != std::string::npos);
    REQUIRE(top.error().to_string().find("no port left") != std::string::npos);
    REQUIRE(w.history.all() == lines{"+a", "+b", "+x", "+y", "!broken", "-y", "-x", "-b", "-a"});
    REQUIRE(w.eventually([&] { return w.population() == 0; }));
  });
}

TEST_CASE("14 ids: already running, versus known but not running") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app"));
    const auto start = [&](std::string id) {
      const auto child = w.await(top.start_child<member>(std::move(id), {}, &w.history));
      return child ? errc{} : static_cast<errc>(child.error().code().value());
    };
    const auto code = [](const auto& r) { return r ? errc{} : static_cast<errc>(r.error().code().value()); };
    REQUIRE(start("a") == errc{});
    REQUIRE(start("a") == errc::already_running);
    REQUIRE(code(w.await(top.restart_child("a"))) == errc::already_running);
    REQUIRE(code(w.await(top.remove_child("a"))) == errc::already_running);
    REQUIRE(w.await(top.stop_child("a")));
    REQUIRE(w.await(top.stop_child("a")));  // harmless
    REQUIRE(start("a") == errc::not_running);
    REQUIRE(w.await(top.restart_child("a")));
    REQUIRE(start("a") == errc::already_running);
    REQUIRE(w.await(top.stop_child("a")));
    REQUIRE(w.await(top.remove_child("a")));
    REQUIRE(start("a") == errc{});
    REQUIRE(code(w.await(top.stop_child("unknown"))) == errc::not_found);
    REQUIRE(code(w.await(top.restart_child("unknown"))) == errc::not_found);
    REQUIRE(code(w.await(top.remove_child("unknown"))) == errc::not_found);
    REQUIRE(w.history.all() == lines{"+a", "-a", "+a", "-a", "+a"});
  });
}

TEST_CASE("20 a constructor that throws the first time leaves no child, no name and no zombie") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app"));
    for (int i = 0; i < 2; ++i) {
      const auto child = w.await(top.start_child<hopeless>("h", {}, &w.history, 0U, 0U));
      REQUIRE_FALSE(child);
      REQUIRE(child.error() == errc::start_failed);
      REQUIRE(child.error().to_string().find("no hope") != std::string::npos);
      REQUIRE(w.ids(top).empty());
      REQUIRE(w.eventually([&] { return w.population() == 1; }));
    }
    REQUIRE(w.await(top.start_child<hopeless>("h", {}, &w.history, 5U, 5U)));  // the id is free
    REQUIRE(w.eventually([&] { return w.population() == 3; }));
  });
}

TEST_CASE("20 a constructor that throws later takes its children along, and the next has its own") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app").child<hopeless>("h", {}, &w.history, 1U, 2U));
    const auto h = w.sys.at<boom>("/app/h").value();
    w.tell(h, boom{});
    REQUIRE(w.eventually([&] { return w.epoch("/app/h") == 3; }));
    w.settle();
    REQUIRE(w.eventually([&] { return w.population() == 3; }));
    REQUIRE(w.history.all() == lines{"+below", "-below", "+below", "-below", "+below", "-below", "+below"});
    REQUIRE(w.ids(top) == lines{"h"});
  });
}

TEST_CASE("29 a start that fails leaves registry and names clean") {
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app"));
    REQUIRE_FALSE(w.await(top.start_child<hopeless>("h", {}, &w.history, 0U, 0U)));
    REQUIRE(w.eventually([&] { return !w.sys.find<>("the hopeless"); }));
    REQUIRE(w.eventually([&] { return !w.sys.at<>("/app/h"); }));
    REQUIRE(w.sys.register_name("the hopeless", top));
  });
}

TEST_CASE("29 a start whose asker is stopped meanwhile is whole, or nothing") {
  struct asker {
    using accepts = troupe::protocol<boom>;
    asker(troupe::supervisor_ref s, record* h) : to(std::move(s)), history(h) {}
    troupe::task<void> handle(boom) { (void)co_await to.start_child<member>("late", {}, history); }
    troupe::supervisor_ref to;
    record* history;
  };
  everywhere([](world& w) {
    const auto top = w.start(troupe::supervisor("app"));
    const auto a = w.sys.spawn<asker>({}, top, &w.history);
    w.tell(a, boom{});
    w.sys.stop(a);
    REQUIRE(w.eventually([&] { return a.ended(); }));
    w.settle();
    const bool there = w.ids(top) == lines{"late"};
    REQUIRE(w.sys.at<>("/app/late").has_value() == there);
    if (there) {
      REQUIRE(w.await(top.stop_child("late")));
      REQUIRE(w.await(top.remove_child("late")));
    }
    REQUIRE(w.await(top.start_child<member>("late", {}, &w.history)));
  });
}
