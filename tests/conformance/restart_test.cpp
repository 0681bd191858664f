// When a child is restarted, how often, and at what cost to the budget.
#include "cast.hpp"

using namespace conformance;
using child_state = troupe::child_state;

namespace {

constexpr troupe::restart_budget plenty{.max = 1'000'000, .within = 1h};

}  // namespace

TEST_CASE("01 restart types x ends: permanent always, transient after an abnormal end, temporary never") {
  const std::pair<const char*, restart> types[] = {{"permanent", restart::permanent},
                                                   {"transient", restart::transient},
                                                   {"temporary", restart::temporary}};
  const char* const ends[] = {"normal", "shutdown", "detail", "crash", "kill"};
  everywhere([&](world& w) {
    troupe::supervisor tree("app", {.restarts = plenty});
    for (const auto& [type, restarted] : types) {
      for (const std::string end : ends) {
        tree = std::move(tree).child<member>(type + ("-" + end), {.restart = restarted}, &w.history);
      }
    }
    const auto top = w.start(tree);
    record ended;
    const auto observer = w.sys.spawn<witness>({}, &ended);
    std::vector<member_ref> all;
    for (const auto& id : w.ids(top)) {
      all.push_back(member_at(w, "/app/" + id));
      w.tell(observer, watch_it{all.back()});
    }
    w.settle();
    for (const auto& m : all) {
      const std::string path = m.path();
      const std::string end = path.substr(path.rfind('-') + 1);
      if (end == "normal") w.tell(m, leave{});
      if (end == "shutdown") w.tell(m, leave{exit_kind::shutdown});
      if (end == "detail") {
        w.tell(m, leave{{exit_kind::shutdown, troupe::error(make_error_code(errc::closed), "moved away")}});
      }
      if (end == "crash") w.tell(m, boom{});
      if (end == "kill") w.sys.kill(m);
    }
    REQUIRE(w.eventually(
        [&] { return w.sys.counters().restarts >= 7 && ended.size() >= 8 && w.population() == 1 + 7 + 1; }));
    w.settle();
    REQUIRE(ended.sorted() == lines{"temporary-crash: error", "temporary-detail: shutdown",
                                    "temporary-kill: killed", "temporary-normal: normal",
                                    "temporary-shutdown: shutdown", "transient-detail: shutdown",
                                    "transient-normal: normal", "transient-shutdown: shutdown"});
    REQUIRE(w.sys.counters().restarts == 7);
    const auto children = w.await(top.children());
    for (const auto& c : children.value()) {
      INFO(c.id);
      const bool back = c.id.starts_with("permanent") || c.id.ends_with("crash") || c.id.ends_with("kill");
      REQUIRE(c.restart != restart::temporary);  // those are forgotten
      // A restart is counted a moment before the child is up again.
      REQUIRE(w.eventually([&] { return (w.state(top, c.id) == child_state::running) == back; }));
      REQUIRE(w.eventually([&] { return w.epoch("/app/" + c.id) == (back ? 1 : -1); }));
    }
  });
}

TEST_CASE("01 restart types x ends: a watcher is told the detail of a shutdown") {
  everywhere([](world& w) {
    probe<> p(w.sys);
    (void)w.start(troupe::supervisor("app").child<member>("a", {.restart = restart::transient}, &w.history));
    const auto a = member_at(w, "/app/a");
    p.watch(a);
    w.settle();
    w.tell(a, leave{{exit_kind::shutdown, troupe::error(make_error_code(errc::closed), "moved away")}});
    const auto notice = p.expect<troupe::down>();
    REQUIRE(notice.reason.kind() == exit_kind::shutdown);
    REQUIRE(notice.reason.cause() != nullptr);
    REQUIRE(notice.reason.cause()->text() == "moved away");
  });
}

TEST_CASE("04 budget: exactly max restarts are survived, one more escalates; max may be 0") {
  everywhere([](world& w) {
    for (const int m : {0, 1, 3}) {
      const std::string name = "app" + std::to_string(m);
      const auto top =
          w.start(troupe::supervisor(name)
                      .child<member>("sibling", {}, &w.history)
                      .child(troupe::supervisor("pool", {.restarts = {static_cast<std::uint32_t>(m), 1h},
                                                         .restart = restart::transient})
                                 .child<member>("x", {}, &w.history)
                                 .child<member>("y", {}, &w.history)));
      const std::string pool = "/" + name + "/pool";
      for (int i = 0; i < m; ++i) crash_and_wait(w, pool + "/x");
      REQUIRE(w.epoch(pool + "/x") == m);
      REQUIRE(w.epoch(pool) == 0);
      w.history.clear();
      crash(w, pool + "/x");
      REQUIRE(w.eventually([&] { return w.epoch(pool) == 1 && w.history.size() == 4; }));
      REQUIRE(w.history.all() == lines{"-x", "-y", "+x", "+y"});
      REQUIRE(w.epoch("/" + name + "/sibling") == 0);
      REQUIRE(w.log.count(pool + ": gives up") == 1);
      REQUIRE_FALSE(top.ended());
    }
  });
}

TEST_CASE(
    "04 budget: a supervisor that gives up ends as restart_limit, with the cause, its children stopped in "
    "reverse") {
  everywhere([](world& w) {
    probe<> p(w.sys);
    const auto top = w.start(troupe::supervisor("app", {.restarts = {0, 1h}})
                                 .child<member>("a", {}, &w.history)
                                 .child<member>("b", {}, &w.history)
                                 .child<member>("c", {}, &w.history));
    p.watch(top);
    w.settle();
    w.history.clear();
    w.tell(member_at(w, "/app/b"), boom{"once too often"});
    const auto notice = p.expect<troupe::down>();
    REQUIRE(notice.reason.kind() == exit_kind::restart_limit);
    REQUIRE(notice.reason.to_string().find("once too often") != std::string::npos);
    REQUIRE(w.history.all() == lines{"-b", "-c", "-a"});
  });
}

TEST_CASE("04 budget: a child's own budget holds in addition to the supervisor's") {
  everywhere([](world& w) {
    probe<> p(w.sys);
    const auto top = w.start(troupe::supervisor("app", {.restarts = plenty})
                                 .child<member>("a", {.budget = troupe::restart_budget{1, 1h}}, &w.history)
                                 .child<member>("b", {}, &w.history));
    p.watch(top);
    w.settle();
    for (int i = 0; i < 3; ++i) crash_and_wait(w, "/app/b");
    crash_and_wait(w, "/app/a");
    REQUIRE_FALSE(top.ended());
    crash(w, "/app/a");
    REQUIRE(p.expect<troupe::down>().reason.kind() == exit_kind::restart_limit);
  });
}

TEST_CASE("04 budget: crashes that are spaced never add up; the window slides") {
  simulated([](world& w) {
    const auto top =
        w.start(troupe::supervisor("app", {.restarts = {2, 1s}}).child<member>("a", {}, &w.history));
    for (int i = 0; i < 20; ++i) {
      crash_and_wait(w, "/app/a");
      w.pass(501ms);
    }
    REQUIRE_FALSE(top.ended());
    w.pass(500ms);
    for (int i = 0; i < 3; ++i) {
      REQUIRE_FALSE(top.ended());
      crash(w, "/app/a");
      w.pass(100ms);
    }
    REQUIRE(top.ended());
  });
}

TEST_CASE("05 restarts that fail to start consume the budget") {
  everywhere([](world& w) {
    probe<> p(w.sys);
    const auto top = w.start(
        troupe::supervisor("app", {.restarts = {3, 1h}}).child<faulty>("a", {}, &w.history, 1U, 100U));
    p.watch(top);
    w.settle();
    crash(w, "/app/a");
    const auto notice = p.expect<troupe::down>();
    REQUIRE(notice.reason.kind() == exit_kind::restart_limit);
    REQUIRE(notice.reason.to_string().find("no port left") != std::string::npos);
    REQUIRE(w.history.all() == lines{"+a", "-a", "!a", "!a", "!a"});
  });
}

TEST_CASE("05 restarts that fail to start are tried again while the budget lasts") {
  everywhere([](world& w) {
    const auto top =
        w.start(troupe::supervisor("app", {.restarts = {3, 1h}}).child<faulty>("a", {}, &w.history, 1U, 2U));
    crash(w, "/app/a");
    REQUIRE(w.eventually([&] { return w.epoch("/app/a") == 3; }));
    REQUIRE(w.history.all() == lines{"+a", "-a", "!a", "!a", "+a"});
    w.settle();
    crash(w, "/app/a");  // a fourth
    REQUIRE(w.eventually([&] { return top.ended(); }));
  });
}

TEST_CASE("06 restart loop: the supervisor says restarting, and stops when told to") {
  for (const auto how : {troupe::one_for_one, troupe::one_for_all, troupe::rest_for_one}) {
    everywhere([how](world& w) {
      const auto top = w.start(troupe::supervisor("app", {.strategy = how, .restarts = plenty})
                                   .child<member>("calm", {}, &w.history)
                                   .child<faulty>("a", {}, &w.history, 1U, 1'000'000U));
      w.settle();
      crash(w, "/app/a");
      REQUIRE(w.eventually([&] { return w.history.count("!a") > 3; }));
      REQUIRE(w.eventually([&] { return w.state(top, "a") == child_state::restarting; }));
      w.sys.stop(top);
      REQUIRE(w.eventually([&] { return top.ended(); }));
      REQUIRE(w.history.count("+calm") == w.history.count("-calm"));
    });
  }
}

TEST_CASE("06 restart loop: a stop during the pause takes effect at once") {
  everywhere([](world& w) {
    const auto top =
        w.start(troupe::supervisor("app").child<member>("a", {.backoff = {1h, 1h, 0}}, &w.history));
    crash(w, "/app/a");
    REQUIRE(w.eventually([&] { return w.state(top, "a") == child_state::restarting; }));
    w.settle();
    REQUIRE(w.state(top, "a") == child_state::restarting);
    const auto began = w.now();
    w.sys.stop(top);
    REQUIRE(w.eventually([&] { return top.ended(); }));
    if (w.simulated()) REQUIRE(w.now() == began);
    REQUIRE(w.history.all() == lines{"+a", "-a"});
  });
}
